/*
 * Rooms: what this instance knows of the resources that its own sessions have joined, kept from the
 * shards' events alone, and the fan-out of every change to the subscribers. Decides nothing.
 *
 * Two ordered streams meet here: replies of the scripts (a snapshot at a rev) and events of the
 * feed. A subscription is made before its join is sent and is `pending` until the reply; what the
 * room says meanwhile is held and, when the snapshot is there, delivered from the snapshot's rev
 * on. So nothing is lost between the two and nothing comes before `resource:joined`.
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

/* What a room does to a subscriber. None of these may subscribe or unsubscribe from within. */
struct room_sub_ops {
    /* message: borrowed. */
    void (*deliver)(struct room_sub *sub, struct wire_message *message);
    /* Right before lock:lost is delivered. False: it has been told of this loss already. */
    bool (*on_lost)(struct room_sub *sub, int64_t rev, int64_t token, enum lock_cause reason);
    /* The lock has come to this one by a takeover; the message that says so, or NULL where its
     * request is answered with it anyway, or a reply has told of what came after. */
    struct wire_message *(*granted)(struct room_sub *sub, const struct wire_at *at,
                                    const struct lock_event *e);
    /* Its lock goes on under a new token, since a higher one than its own has been seen; the
     * message that says so. */
    struct wire_message *(*lifted)(struct room_sub *sub, const struct wire_at *at,
                                   const struct lock_view *lock);
    /* What this instance reports of the member when a shard is resynchronised. False: it is not in
     * the room (yet). */
    bool (*describe)(struct room_sub *sub, struct lock_report_member *out);
};

/* Embedded in the session's membership. The fields of the first block are set by the owner before
 * rooms_subscribe and stay as they are; presence may be changed any time. */
struct room_sub {
    const struct room_sub_ops *ops;
    struct str user_id, client_id;
    enum wire_presence presence;

    struct list node; /* private from here on */
    struct room *room;
    bool active;
    bool member;               /* has been active: is in the room, also while pending again */
    int64_t min_rev;           /* of its snapshot; changes up to it are in that */
    uint64_t seq;              /* its own among all */
    int64_t notified_position; /* in the queue; 0: none */
    int64_t notified_turn_ms;  /* until when it is its turn; 0: it is not */
    char notified_takeover[RAND_ID_LEN + 1]; /* for it to answer */
    struct list deferred;
    size_t deferred_count;
};

/* on_reported: the result of each report or release that the rooms made on their own (for the
 * audit). */
struct rooms *rooms_create(struct wheel *wheel, struct lock_store *store,
                           void (*on_reported)(void *ctx, const struct lock_result *result),
                           void *ctx);
void rooms_destroy(struct rooms **r); /* no subscriber may be left */

/* Pending. policy must outlive the room. */
void rooms_subscribe(struct rooms *r, struct str resource, const struct config_policy *policy,
                     struct room_sub *sub);
/* Pending again, before a further join is sent. */
void room_pause(struct room_sub *sub);
/* The join's reply: the room learns the snapshot if it had none, and delivers what was held up to
 * it if this is a further join. After it the caller sends resource:joined and then calls
 * room_activate, which delivers what else was held. rev 0: no join was answered, it only goes on.
 * False: more was held than is kept (the subscriber must be ended as too slow). */
void room_take_snapshot(struct room_sub *sub, const struct lock_snapshot *snapshot);
bool room_activate(struct room_sub *sub, int64_t rev) MUST_CHECK;
/* What is up to rev has been told; a further join is under way, so it stays pending. */
void room_told(struct room_sub *sub, int64_t rev);
/* Its connection has ended, and if it has the lock that is in grace now: until the store says so,
 * that is to be reported. prompt: who claims the lock may have it. */
void room_note_departed(struct room_sub *sub, bool prompt);
/* Harmless when not subscribed. */
void room_unsubscribe(struct room_sub *sub);

/* From the feed. */
void rooms_on_event(struct rooms *r, const struct lock_event *event);
/* A reply says that it has the lock: the room's holder with a later end (for lock:expiring), or a
 * new one, of which the feed has not told yet. `describe` must say so already. */
void room_note_lock(struct room_sub *sub, const struct lock_view *lock);

/* The lock as last told; strings live until the room's next change. */
void room_lock(const struct room_sub *sub, struct lock_view *out);
/* Of the room's state as this one may be told it now. Not below what it was told before. */
int64_t room_rev(const struct room_sub *sub);

/* What waits for this tab, or for its answer, as the room knows it, or a newer snapshot (may be
 * NULL). *received is heap (mem_free); strings are the room's or the snapshot's. */
void room_pending(const struct room_sub *sub, const struct lock_snapshot *snapshot,
                  struct wire_pending *out, struct wire_open_request **received);
/* The same as messages, to one that has just joined. */
void room_tell_again(struct room_sub *sub, const struct lock_snapshot *snapshot);
/* lock:lost to this one alone, whatever it was told before. */
void room_tell_ended(struct room_sub *sub, int64_t token, enum lock_cause reason);
/* lock:queued was told in answer to a request, with this rev. */
void room_note_position(struct room_sub *sub, int64_t position, int64_t rev);
/* median_ms: what holders took, -1: nobody knows. The result < 0: nobody knows. */
int64_t room_estimated_wait_ms(const struct room_sub *sub, int64_t position, int64_t median_ms);
/* A request or takeover that stands here, or did lately. */
bool room_knows_request(const struct room_sub *sub, struct str request_id);

/* Reports every room of the shard, then lock_report_done. */
void rooms_resync(struct rooms *r, unsigned shard);
/* The shard's revs begin anew: what is known was told under revs that will not come again. */
void rooms_rewind(struct rooms *r, unsigned shard);
/* The store's clock was set forward, or back (< 0): what is known of deadlines moves with it, until
 * the store says how they are now. */
void rooms_on_clock_step(struct rooms *r, int64_t step_ms);
/* While the store is away: lock:lost STORE_LOST at each local holder's confirmedUntil. */
void rooms_on_degraded(struct rooms *r);
/* Store ms until which this subscriber's lock is confirmed; 0: it holds none here. */
int64_t room_confirmed_until_ms(const struct room_sub *sub);

/* wslock_locks{type,state}. */
void rooms_collect_metrics(struct rooms *r);

/* lock_view and members to what wire encodes; used for replies too. mine: -1 not said. */
void room_wire_lock(const struct lock_view *lock, int mine, struct wire_lock *out);
/* One entry a user, newest last; *out is heap (mem_free), its strings borrowed from members. */
size_t room_wire_users(const struct lock_member *members, size_t count,
                       const struct lock_view *lock, struct wire_user **out);
/* Connections that do not edit. */
int64_t room_viewers(int64_t member_count, const struct lock_view *lock);

#endif
