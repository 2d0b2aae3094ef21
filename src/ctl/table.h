/* A table on standard output. On a terminal it fits the width: cells are cut. */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "terminal.h"
#include "wslock/base/buf.h"
#include "wslock/base/str.h"

#define CTL_TABLE_COLUMNS_MAX 8

struct ctl_table {
    const char *const *titles; /* NULL-terminated, borrowed */
    size_t columns, count;     /* count: of cells */
    struct buf text;           /* of all cells, one behind the other */
    struct ctl_cell *cells;
    size_t capacity;
};

struct ctl_cell {
    size_t end; /* in text */
    enum ctl_style style;
};

void ctl_table_init(struct ctl_table *t, const char *const *titles);
void ctl_table_fini(struct ctl_table *t);
/* The text of the next cell, which is printable, is appended to this; then ctl_table_end_cell.
 * Cells come row by row. */
struct buf *ctl_table_begin_cell(struct ctl_table *t);
void ctl_table_end_cell(struct ctl_table *t, enum ctl_style style);
/* indent: spaces before each line. */
void ctl_table_print(const struct ctl_table *t, size_t indent);

#endif
