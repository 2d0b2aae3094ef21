/*
 * Rooms: a copy of the state of each resource that a session of this instance has joined, and the
 * fan-out of its changes to the subscribers. The copy follows the events of the shards. A room
 * makes no decision about a lock.
 *
 * A room has two inputs, each in order: replies of the scripts (a snapshot at a rev) and events of
 * the feed. A subscription begins before its join is sent and is `pending` until the reply.
 * Messages to a pending subscriber are deferred. After the reply, those above the snapshot's rev
 * are delivered. So no message is lost, and none comes before `resource:joined`.
 */
#ifndef WSLOCK_ROOM_ROOM_H
#define WSLOCK_ROOM_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/list.h"
#include "wslock/base/rand.h"
#include "wslock/base/str.h"
#include "wslock/base/wheel.h"
#include "wslock/config/config.h"
#include "wslock/lock/lock.h"
#include "wslock/wire/message.h"

struct rooms;
struct room;
struct room_sub;

/* Calls of a room to a subscriber. None of them may subscribe or unsubscribe. */
struct room_sub_ops {
    /* message: borrowed. */
    void (*deliver)(struct room_sub *sub, struct wire_message *message);
    /* Called just before lock:lost is delivered. False: lock:lost has been sent for this token. */
    bool (*on_lost)(struct room_sub *sub, int64_t rev, int64_t token, enum lock_cause reason);
    /* A takeover has given the lock to this subscriber. Returns lock:acquired with the caller's
     * reference; NULL if the subscriber learns this from a reply, or already knows a later state
     * from one. */
    struct wire_message *(*granted)(struct room_sub *sub, const struct wire_at *at,
                                    const struct lock_event *e);
    /* The lock of this subscriber has a new, higher token. Returns lock:acquired with the caller's
     * reference. */
    struct wire_message *(*lifted)(struct room_sub *sub, const struct wire_at *at,
                                   const struct lock_view *lock);
    /* It has joined the room and has the lock of this token. */
    bool (*holds)(struct room_sub *sub, int64_t token);
    /* The report of this member when a shard is resynchronised. False: it is not in the room. */
    bool (*describe)(struct room_sub *sub, struct lock_report_member *out);
    /* A request of its session, which may confirm its lock, has no answer yet. */
    bool (*is_asking)(struct room_sub *sub);
};

/* Embedded in the session's membership. The owner sets the first block before rooms_subscribe and
 * does not change it, but for presence. */
struct room_sub {
    const struct room_sub_ops *ops;
    struct str user_id, client_id;
    enum wire_presence presence;

    struct list node; /* private from here on */
    struct room *room;
    bool active;
    bool member;               /* has been active: is in the room, also while pending again */
    bool presence_behind;      /* the users that it knows may be older than min_rev */
    int64_t min_rev;           /* changes up to this rev are in its snapshot */
    uint64_t seq;              /* unique in the process */
    int64_t notified_position; /* position in the queue; 0: none */
    int64_t notified_turn_ms;  /* end of its turn; 0: none */
    char notified_takeover[RAND_ID_LEN + 1]; /* takeover that it is asked to answer */
    struct list deferred;
    size_t deferred_count;
};

/* on_reported: called with the result of each call of the store that the rooms make themselves.
 * on_superseded: a report has shown that another session has the place of this one. */
struct rooms *rooms_create(struct wheel *wheel, struct lock_store *store,
                           void (*on_reported)(void *ctx, const struct lock_result *result),
                           void (*on_superseded)(void *ctx, struct str session_id), void *ctx);
void rooms_destroy(struct rooms **r); /* all subscribers have unsubscribed */

/* Begins a subscription, pending. policy must outlive the room. */
void rooms_subscribe(struct rooms *r, struct str resource, const struct config_resource_type *type,
                     struct room_sub *sub);
/* After config_types_reload: each room gets the handle of its type anew, and its subscribers are
 * told a policy that differs. A room whose type is rejected now keeps the handle that it has.
 * before: the configuration until now. */
void rooms_reload(struct rooms *r, const struct config_types *types, const struct config *before);
/* The type of a room that is here; NULL: there is none. */
const struct config_resource_type *rooms_type(const struct rooms *r, struct str resource);
/* Makes it pending again, before a further join is sent. */
void room_pause(struct room_sub *sub);
/* The reply to a join. The room takes the snapshot if it has none yet. For a further join, deferred
 * messages up to the snapshot's rev are delivered. The caller then sends resource:joined and calls
 * room_activate, which delivers the other deferred messages. rev 0: there was no join.
 * False: too many messages were deferred; the caller closes the session as too slow. */
void room_take_snapshot(struct room_sub *sub, const struct lock_snapshot *snapshot);
bool room_activate(struct room_sub *sub, int64_t rev) MUST_CHECK;
/* A join was answered at this rev, so messages up to it are dropped; another join is under way: the
 * subscription stays pending. */
void room_skip_until(struct room_sub *sub, int64_t rev);
/* The connection has ended. If it holds the lock, that lock is in grace; the room reports this
 * until the store confirms it. prompt: another may claim the lock. */
void room_note_departed(struct room_sub *sub, bool prompt);
/* Does nothing if not subscribed. */
void room_unsubscribe(struct room_sub *sub);

/* An event of the feed. */
void rooms_on_event(struct rooms *r, const struct lock_event *event);
/* A reply says that this subscriber has the lock: renewed, or granted before its event has come.
 * `describe` must report the token already. */
void room_note_lock(struct room_sub *sub, const struct lock_view *lock);

/* The lock as the room has it; strings live until the room's next change. */
void room_lock(const struct room_sub *sub, struct lock_view *out);
/* The rev for a message of the room's state to this subscriber. It never falls. */
int64_t room_rev(const struct room_sub *sub);

/* `pending` for this tab, from the room or from snapshot (may be NULL), whichever is newer.
 * *received is heap (mem_free); strings are borrowed from the room or the snapshot. */
void room_pending(const struct room_sub *sub, const struct lock_snapshot *snapshot,
                  struct wire_pending *out, struct wire_open_request **received);
/* Sends the same as events, after a join. */
void room_send_open_requests(struct room_sub *sub, const struct lock_snapshot *snapshot);
/* Sends lock:lost to this subscriber, even if it was sent before. */
void room_tell_ended(struct room_sub *sub, int64_t token, enum lock_cause reason);
/* A reply contained this position, at this rev. */
void room_note_position(struct room_sub *sub, int64_t position, int64_t rev);
/* median_ms: how long holders keep the lock; -1: unknown. Result < 0: unknown. */
int64_t room_estimated_wait_ms(const struct room_sub *sub, int64_t position, int64_t median_ms);
/* A request or takeover of this room, open or closed lately. */
bool room_knows_request(const struct room_sub *sub, struct str request_id);
/* The holder has approved or denied it: it is not sent to a holder again. */
void room_note_answered(struct room_sub *sub, struct str request_id);

/* Reports every room of the shard, then calls lock_report_done. */
void rooms_resync(struct rooms *r, unsigned shard);
/* The shard's revs begin anew: revs known here have no meaning any more. */
void rooms_rewind(struct rooms *r, unsigned shard);
/* The store's clock was set forward, or back (< 0). Deadlines move by the same step until the store
 * reports them. */
void rooms_on_clock_step(struct rooms *r, int64_t step_ms);
/* The store, or a part of it, is away: each local holder in a shard that is away gets lock:lost
 * STORE_LOST at its confirmedUntil. */
void rooms_on_degraded(struct rooms *r);
/* Store time until which this subscriber's lock is confirmed while its shard is not served; 0: it
 * holds none, or the shard is served. */
int64_t room_confirmed_until_ms(struct room_sub *sub);

/* wslock_locks{type,state} and wslock_waiters{type}. Many rooms are counted over several turns of
 * the loop; the metrics have the count before until then. */
void rooms_collect_metrics(struct rooms *r);

/* From lock types to wire types; also for replies. mine: -1 leaves it out. */
void room_wire_lock(const struct lock_view *lock, int mine, struct wire_lock *out);
/* The room's copy has all users that the reply to a join names: the store need not list them. */
bool room_has_users(const struct room_sub *sub);
/* The users for the reply to a join of `self`: those of the snapshot, else those of the room's
 * copy. One entry for each, newest last. *out is heap (mem_free), strings borrowed. Call it after
 * room_take_snapshot and before room_activate. */
size_t room_joined_users(struct room_sub *sub, const struct lock_snapshot *snapshot,
                         const struct lock_member *self, struct wire_user **out);
/* The number of connections that do not hold the lock. */
int64_t room_viewers(int64_t member_count, const struct lock_view *lock);

#endif
