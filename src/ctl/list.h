/* Lists that the daemon gives page by page. */
#ifndef CTL_LIST_H
#define CTL_LIST_H

#include "daemon.h"
#include "table.h"

/* A list. Borrowed. */
struct ctl_list {
    const char *path;          /* /v1/… */
    const char *name;          /* of the array in an answer */
    const char *one;           /* of its elements, as in `no locks` without the s */
    const char *const *titles; /* of the table's columns */
    void (*add_row)(struct ctl_table *table, const json_t *element, int64_t now_ms);
};

/* Prints all elements that the filters of the options (type, user) leave, at most options->limit if
 * that is not 0: as a table, or with --json each page as the daemon sent it, on a line of its own.
 */
enum ctl_exit ctl_list(const struct ctl_options *options, const struct ctl_list *list) MUST_CHECK;

#endif
