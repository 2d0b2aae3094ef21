/* `wslockctl audit …`. */
#ifndef CTL_AUDIT_H
#define CTL_AUDIT_H

#include "ctl.h"

/* options->words are the files. */
enum ctl_exit ctl_audit_verify(const struct ctl_options *options);
/* Appends text for a terminal: control characters, and bytes that are not UTF-8, escaped. */
void ctl_append_printable(struct buf *out, struct str text);

#endif
