/* How the latest grants of a shard ended. */
#ifndef WSLOCK_SRC_LOCK_ENDINGS_H
#define WSLOCK_SRC_LOCK_ENDINGS_H

#include "state.h"

void endings_init(struct shard *s);
/* Forgets all: the shard's ticks start again, or the shard is destroyed. */
void endings_forget(struct shard *s);
/* Keeps the ending of a grant, if the event has one. */
void endings_note(struct shard *s, const struct lock_event *event);
/* Adds endings of the last minute to the arguments of a report. Each call adds a part of them,
 * beginning at *next (NULL for the first call), and advances *next. True: call it again for more.
 */
bool endings_add(struct shard *s, struct script_args *a, struct list **next);

#endif
