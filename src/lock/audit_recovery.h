/* Changes that the audit may lack, read back from the store. */
#ifndef WSLOCK_SRC_LOCK_AUDIT_RECOVERY_H
#define WSLOCK_SRC_LOCK_AUDIT_RECOVERY_H

#include "state.h"

void audit_recovery_init(struct lock_store *store);
/* Callbacks of the audit that come later do nothing. */
void audit_recovery_fini(struct lock_store *store);
/* A reply was decoded; the audit gets its events next. */
void audit_recovery_note(struct shard *s, const struct script_reply *reply);
/* A call may have been executed, and no reply says so. */
void audit_recovery_note_unknown(struct shard *s);
/* Reads the changes of an instance that died. written: the id in the stream up to which its audit
 * is on disk. */
void audit_recovery_read_dead(struct shard *s, struct str incarnation, struct str written);
/* Makes the audit write to disk what it has; audit_recovery_tick then includes it. */
void audit_recovery_flush(struct lock_store *store);
/* The shard's ticks start again at this one. */
void audit_recovery_rewind(struct shard *s, int64_t tick);
/* The changes of this instance up to this tick are on disk. */
int64_t audit_recovery_tick(const struct shard *s);
/* All changes of this instance are on disk. */
bool audit_recovery_is_settled(const struct shard *s);

#endif
