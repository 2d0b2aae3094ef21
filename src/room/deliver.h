/* Messages to one subscriber, to a tab's connections, or to all: deferred or delivered, by rev. */
#ifndef WSLOCK_ROOM_DELIVER_H
#define WSLOCK_ROOM_DELIVER_H

#include "state.h"

struct wire_to room_to(const struct room *room);
struct wire_at room_at(const struct room *room, int64_t rev);
/* The rev of a message to all: of the change that is being sent, else of the last event of the
 * shard that the room knows. */
int64_t room_state_rev(const struct room *room);
/* Delivers the message, or defers it while the subscriber is pending. A subscriber whose snapshot
 * is newer, or has this change, does not get it. */
void room_send(struct room_sub *sub, int64_t rev, struct wire_message *message);
/* The same to the connections of one tab, and to all subscribers. Both take over the caller's
 * reference to the message. */
void room_send_tab(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                   struct wire_message *message);
void room_send_all(struct room *room, int64_t rev, struct wire_message *message);
/* Sends lock:lost. guarded: unless on_lost says that it has been sent. */
void room_send_lost(struct room_sub *sub, bool guarded, int64_t token, enum lock_cause reason,
                    struct str by);
/* Before the reply to a further join: delivers deferred messages up to its rev. */
void room_deliver_deferred(struct room_sub *sub, int64_t rev);
void room_deliver_all_deferred(struct room_sub *sub);
void room_drop_deferred(struct room_sub *sub);

#endif
