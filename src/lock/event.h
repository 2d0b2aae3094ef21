/*
 * Decoding of what scripts and streams carry: locks, members, waiters and events, as
 * src/lock/lua/README.md describes them (EVENT). Replies and stream entries share these functions.
 * Every item is checked; strings are borrowed from the packed form.
 */
#ifndef WSLOCK_SRC_LOCK_EVENT_H
#define WSLOCK_SRC_LOCK_EVENT_H

#include "msgpack.h"

#include "wslock/base/macros.h"
#include "wslock/lock/types.h"

/* How an item of each kind of layouts.def is read. */
#define READ_INT(l, to) (to) = msgpack_int(l);
#define READ_FLAG(l, to) (to) = msgpack_int(l) != 0;
#define READ_TEXT(l, to) (to) = msgpack_str(l);
#define READ_SKIP(l, to) (void)msgpack_raw(l);
#define READ_LOCK(l, to) lock_read(l, &(to));
#define READ_ENDING(l, to) lock_ending_read(l, &(to));

bool lock_state_parse(struct str text, enum lock_state *out) MUST_CHECK;
/* Each of these functions reads one item of the list; those for a member and for a waiter read two.
 * A malformed item sets list->m->ok to false. */
void lock_read(struct msgpack_list *list, struct lock_view *out);
/* Zero *out before the call. */
void lock_ending_read(struct msgpack_list *list, struct lock_ending *out);
/* bytes: one packed ENDING, or LOCK. False: malformed, and *out must not be used. */
bool lock_ending_decode(struct str bytes, struct lock_ending *out) MUST_CHECK;
bool lock_decode(struct str bytes, struct lock_view *out) MUST_CHECK;
void lock_member_read(struct msgpack_list *list, struct lock_member *out);
void lock_waiter_read(struct msgpack_list *list, struct lock_waiter *out);
/* Reads the items of the list itself. */
void lock_event_read(struct msgpack_list *list, struct lock_event *out);

/* The id of a stream entry, "<tick>-0". */
bool stream_id_read(struct str id, int64_t *tick) MUST_CHECK;
/* A stream entry. False: malformed, *out must not be used. */
bool lock_event_decode(struct str packed, struct lock_event *out) MUST_CHECK;

#endif
