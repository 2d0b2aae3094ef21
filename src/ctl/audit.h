/* `wslockctl audit …`. */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include <jansson.h>

#include "ctl.h"

/* options->words are the files. */
enum ctl_exit ctl_audit_verify(const struct ctl_options *options);
enum ctl_exit ctl_audit_merge(const struct ctl_options *options);
enum ctl_exit ctl_audit_tail(const struct ctl_options *options);

/* Which records are printed; NULL: all. Borrowed. */
struct ctl_audit_filter {
    const char *resource, *action;
    const char *user; /* an id: the user, the previous holder or the administrator */
    bool has_since;
    int64_t since_us; /* Unix time */
};

/* From the options. False after a message. */
bool ctl_audit_filter_init(struct ctl_audit_filter *f,
                           const struct ctl_options *options) MUST_CHECK;
bool ctl_audit_matches(const struct ctl_audit_filter *f, const json_t *record);
/* RFC 3339 in microseconds since the epoch. */
bool ctl_parse_time(const char *text, int64_t *us) MUST_CHECK;
/* A record as one line for people, with its line end. */
void ctl_audit_text(struct buf *out, const json_t *record);

#endif
