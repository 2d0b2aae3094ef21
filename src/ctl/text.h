/* Text for people: names without control characters, times as they read them. */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include <jansson.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

/* An integer of an object, at most JSON_INTEGER_MAX either way; 0 if it has none of that name. */
int64_t ctl_number(const json_t *object, const char *key);

/* Appends text for a terminal: control characters, and bytes that are not UTF-8, escaped. */
void ctl_append_printable(struct buf *out, struct str text);
/* `Name (id)`, or the id alone; both printable. */
void ctl_append_person(struct buf *out, struct str name, struct str id);
/* The same of an object's username and userId. */
void ctl_append_user(struct buf *out, const json_t *user);
/* `1 waiter`, `2 waiters` */
void ctl_append_count(struct buf *out, int64_t count, const char *noun);
/* A duration as people read it: `5 s`, `3 min`, `2 h`, `4 d`. */
void ctl_append_duration(struct buf *out, int64_t ms);
/* `in 3 min`, `3 min ago`, `now` */
void ctl_append_relative(struct buf *out, int64_t ms, int64_t now_ms);
/* Local time, `14:03:12`, with the date in front if that is not today's. */
void ctl_append_clock(struct buf *out, int64_t ms, int64_t now_ms);
/* Both: `14:03:12 (in 3 min)` */
void ctl_append_time(struct buf *out, int64_t ms, int64_t now_ms);

/* Columns of a terminal that the text takes. */
size_t ctl_text_width(struct str text);
/* How many bytes of it fit into so many columns. */
size_t ctl_text_cut(struct str text, size_t columns);
/* Prints the line and a line end, broken between words where it is wider than the terminal; what
 * follows is indented. */
void ctl_print_wrapped(struct str line);

#endif
