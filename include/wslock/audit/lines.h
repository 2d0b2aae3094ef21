/* The lines of an audit file, plain or compressed by gzip. Memory does not grow with file or line.
 */
#ifndef WSLOCK_AUDIT_LINES_H
#define WSLOCK_AUDIT_LINES_H

#include <stdbool.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define AUDIT_LINE_MAX_BYTES ((size_t)64 * 1024) /* with the line end */

struct audit_lines;

enum audit_line {
    AUDIT_LINE_WHOLE,
    AUDIT_LINE_TOO_LONG, /* longer than any record; skipped */
    AUDIT_LINE_TORN,     /* the file ends without a line end */
    AUDIT_LINE_END,
    AUDIT_LINE_FAILED, /* audit_lines_problem says why */
};

/* NULL with a sentence in *why, valid until the next call: path cannot be opened, or is no regular
 * file. */
struct audit_lines *audit_lines_open(const char *path, const char **why) MUST_CHECK;
void audit_lines_close(struct audit_lines **lines);
/* The next line without its line end, borrowed until the next call; only AUDIT_LINE_WHOLE sets it.
 */
enum audit_line audit_lines_next(struct audit_lines *lines, struct str *line) MUST_CHECK;
const char *audit_lines_problem(const struct audit_lines *lines);
/* A daemon has the file: perhaps it is writing the last line right now. */
bool audit_lines_in_use(const struct audit_lines *lines);

#endif
