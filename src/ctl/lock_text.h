/* What the commands say of a lock, as the daemon describes it. */
#ifndef CTL_LOCK_TEXT_H
#define CTL_LOCK_TEXT_H

#include <jansson.h>

#include "daemon.h"
#include "terminal.h"

/* Asks for one lock; user may be NULL. As ctl_daemon_request. */
enum ctl_exit ctl_ask_lock(const struct ctl_options *options, struct ctl_answer *out) MUST_CHECK;

enum ctl_style ctl_lock_style(const json_t *state);
/* Who has it, or for whom it is reserved; or NULL. Borrowed. */
const json_t *ctl_lock_owner(const json_t *lock);
/* When it ends if nothing happens; 0: it is free. */
int64_t ctl_lock_due(const json_t *lock);
/* `unsaved changes, claimable` */
void ctl_append_lock_notes(struct buf *out, const json_t *lock);
/* What a reason of an ending means: `no heartbeat came in time`. NULL: it is not known. */
const char *ctl_ending_text(const json_t *reason);

#endif
