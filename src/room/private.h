/* Inside of src/room. */
#ifndef WSLOCK_ROOM_PRIVATE_H
#define WSLOCK_ROOM_PRIVATE_H

#include "wslock/base/map.h"
#include "wslock/base/rand.h"
#include "wslock/room/room.h"

#define ROOM_PRESENCE_GATHER_MS 100 /* protocol §5 */
#define ROOM_HELD_MAX 4096 /* frames held for one pending subscriber; events for one room */

/* A member connection, keyed "clientId:userId" (a clientId has no colon). */
struct room_member {
    struct room_user *user;
    char *key;
};

/* Everyone's presence is told by user. Lives while it has members, or its leaving is not yet told.
 */
struct room_user {
    struct list node;    /* room.users, in the order of coming */
    struct list changed; /* room.changed, while something is to be told */
    char *user_id, *username;
    int64_t since_ms;
    int64_t connections;
    bool has_lock;
    struct { /* as the subscribers were last told */
        int64_t connections;
        bool has_lock;
    } told;
};

/* A lock_view whose strings are ours. */
struct room_lock_copy {
    struct lock_view view;
    char *user_id, *username, *client_id, *page_id;
};

/* A place, see struct lock_waiter. */
struct room_waiter {
    struct list node;
    struct lock_waiter w; /* its strings lie behind it */
    bool turn;            /* the lock is reserved for it … */
    bool approved;        /* … by the holder, who was asked */
    uint64_t told_to;     /* seq of the holder's subscription that was told of the request */
};

/* Those who wait, and for what: as the room has it, or as a snapshot. */
struct room_places {
    const struct list *waiters; /* room_waiter, in order */
    const struct lock_view *lock;
    int64_t median_ms; /* what holders took; -1: nobody knows */
};

/* A holder whose connection ended here, of which the store has not told yet. */
struct room_left {
    struct lock_report_member member; /* its strings lie behind it */
    uint64_t left_ms;                 /* boot time */
};

#define ROOM_CLOSED_IDS 16

struct room_event {
    struct list node;
    struct lock_event event; /* its strings lie behind it */
};

struct room {
    struct rooms *rooms;
    char *resource;
    const struct config_policy *policy;
    struct list subs;
    size_t sub_count;

    bool synced;
    int64_t rev;         /* of its last change */
    bool applying;       /* that change is being told; else notices are */
    struct list waiting; /* room_event: came before the first snapshot, or while degraded */
    size_t waiting_count;

    struct room_lock_copy lock;
    struct map *members; /* struct room_member */
    struct map *user_map;
    struct list users;
    int64_t member_count;

    struct list waiters; /* room_waiter, in order */
    int64_t median_ms;   /* what holders took, as last told; -1: nobody knows */
    char *takeover;      /* what lock.view.takeover points into */
    char closed[ROOM_CLOSED_IDS][RAND_ID_LEN + 1]; /* requests and takeovers that are over */
    unsigned closed_next;

    struct list changed;
    int64_t told_viewers;
    int64_t told_rev;     /* of the room when presence was last told */
    int64_t snapshot_rev; /* the highest of a snapshot that somebody joined with */
    struct wheel_timer presence_timer;

    struct wheel_timer holder_timer; /* lock:expiring, STORE_LOST */
    struct room_sub *holder;         /* of held and grace, where it is connected here; else NULL */
    struct room_sub *ahead; /* was granted the lock by a reply that the feed has not reached … */
    int64_t ahead_token;    /* … under this token, which is the grant's rev; NULL: nobody */
    int64_t warned_ms;      /* the end that lock:expiring has spoken of */
    int64_t ours;           /* the last lock that a holder here had; 0: none */
    int64_t seen_token;     /* the highest that was told of */
    struct room_left *left; /* NULL: nobody */
    bool degraded;       /* the store was away, and has not been told since what there is here: what
                            others       told it may be of a past that this room knows more of */
    bool doubtful;       /* the store has not the lock, but who holds it may still report it */
    int64_t disbelieved; /* of the lock whose holder here was told STORE_LOST, and has not asked
                            again since; 0: none */
    struct wheel_timer give_up_timer;
};

struct rooms {
    struct wheel *wheel;
    struct lock_store *store;
    struct map *by_resource;
    void (*on_reported)(void *ctx, const struct lock_result *result);
    void *on_reported_ctx;
    struct wheel_timer doubt_timer; /* while a room is doubtful */
};

static inline struct str room_resource(const struct room *room) {
    return str_of(room->resource);
}

/* left.c */
/* What is to be reported of it. False: nobody has left, or the store has told of it. */
bool room_left_describe(const struct room *room, struct lock_report_member *out);
void room_left_forget(struct room *room);
/* The lock is as the store says. */
void room_left_settle(struct room *room);
/* This tab is in the room again. */
void room_left_return(struct room *room, struct str user_id, struct str client_id);

/* rooms.c: nobody is in it any more, and it has no lock in grace that only we might know of. */
void room_drop_if_done(struct room *room);

/* client_id empty: any tab of the user, for whom an operator has the lock reserved. */
static inline bool room_is_tab(const struct room_sub *sub, struct str user_id,
                               struct str client_id) {
    return (client_id.len == 0 || str_eq(sub->client_id, client_id)) &&
           str_eq(sub->user_id, user_id);
}

/* state.c */
void room_set_lock(struct room *room, const struct lock_view *lock);
void room_apply_members(struct room *room, const struct lock_snapshot *snapshot);
void room_apply_snapshot(struct room *room, const struct lock_snapshot *snapshot);
void room_member_join(struct room *room, const struct lock_member *member);
void room_member_leave(struct room *room, const struct lock_member *member);
void room_clear(struct room *room);

/* event.c */
struct room_event *room_event_copy(const struct lock_event *event);
void room_apply_event(struct room *room, const struct lock_event *event);
/* After a resynchronisation: tells everyone, and who held it here and does not any more that it is
 * lost. */
void room_recovered(struct room *room, const struct lock_view *lock, enum lock_cause lost_reason);
void room_wait_event(struct room *room, const struct lock_event *event);
/* Unless the room is still to wait. */
void room_replay_waiting(struct room *room);
void room_drop_waiting(struct room *room);
/* Events up to this tick have been applied. */
int64_t room_events_known(const struct room *room);

/* notify.c: to the subscribers. */
/* The rev of what is told to all: of the change that is being told, else of the last event of the
 * shard up to which the room is known. */
int64_t room_state_rev(const struct room *room);
/* Not to one whose snapshot is newer, or has that change. */
void room_send(struct room_sub *sub, int64_t rev, struct frame *frame);
/* Its further join was answered: what was held up to that rev comes before the answer. */
void room_tell_held(struct room_sub *sub, int64_t rev);
/* To the connections of one tab; takes over the caller's reference. */
void room_send_tab(struct room *room, struct str user_id, struct str client_id, int64_t rev,
                   struct frame *frame);
void room_tell_lock(struct room *room, enum lock_cause cause);
void room_tell_released(struct room *room, const struct lock_event *event);
/* by: as the room's presence allows it to be told. */
void room_tell_lost(struct room *room, struct str user_id, struct str client_id, int64_t token,
                    enum lock_cause reason, struct str by);
/* A takeover moved the lock: who had it is told by whom, unless it was given up; who has it, that.
 */
void room_tell_taken(struct room *room, const struct lock_event *e);
void room_tell_admin(struct room *room, const struct lock_event *e, int64_t rev);
/* Who has the lock believes in it under another token. */
void room_tell_lifted(struct room *room, struct room_sub *holder);
/* An operator takes the lock: who has it is told by whom. */
void room_tell_operation(struct room *room, const struct lock_event *e);
/* The holder's connection is gone, and the lock may be claimed. */
void room_tell_disconnected(struct room *room);
struct frame *room_disconnected_frame(const struct room *room, const struct lock_view *lock,
                                      int64_t rev);
void room_drop_held(struct room_sub *sub);
struct wire_to room_to(const struct room *room);
struct wire_at room_at(const struct room *room, int64_t rev);

/* waiting.c */
void room_waiting_clear(struct room *room);
/* The room's first. */
void room_waiting_snapshot(struct room *room, const struct lock_snapshot *s);
/* A later one, after events were missed. settled: the lock is as the snapshot has it, so that what
 * is over is told; else its event is still to come. */
void room_waiting_resync(struct room *room, const struct lock_snapshot *s, bool settled);
/* It was pending, and what became of it may have been missed. */
void room_takeover_missed(struct room *room, const struct lock_takeover *takeover);
/* After the lock's change was told. */
void room_waiting_lock(struct room *room, enum lock_cause cause);
void room_waiting_place(struct room *room, const struct lock_event *e);
void room_takeover_event(struct room *room, const struct lock_event *e);
/* Makes the view's takeover the room's own. */
void room_keep_takeover(struct room *room, struct lock_takeover *view);
/* A list of its own of what a snapshot has; ended by room_places_free. */
void room_places_of(const struct lock_snapshot *s, struct list *waiters, struct room_places *out);
void room_places_free(struct list *waiters);

/* pending.c */
struct room_places room_places(const struct room *room);
/* The holder is still to answer it. */
bool room_request_is_open(const struct room_waiter *rw);
/* To every subscriber what it has not been told of what waits for it. */
void room_tell_pending(struct room *room);
/* The same to one. */
void room_catch_up(struct room_sub *sub);
struct frame *room_takeover_frame(const struct room *room, const struct lock_takeover *takeover,
                                  int64_t rev);
/* For lock_report; *waiters is heap (mem_free), its strings are the room's. */
void room_report_waiting(const struct room *room, struct lock_report_waiting *out,
                         struct lock_waiter **waiters);

/* presence.c */
/* Something may have to be told, if only the number of viewers. */
void room_presence_changed(struct room *room);
void room_user_changed(struct room *room, struct room_user *user);
/* What the first snapshot brought was told by resource:joined: no diff repeats it. */
void room_settle_presence(struct room *room);
void room_user_free(struct room *room, struct room_user *user);
void room_presence_fini(struct room *room);

/* holder.c */
/* Sets room->holder; after the owner or the subscribers changed. */
void room_holder_find(struct room *room);
/* The holder that is connected here and believes that it has the lock, also before the feed has
 * said so, and what there is to report of it; or NULL. */
struct room_sub *room_believer(const struct room *room, struct lock_report_member *out);
/* Both of whom that could be: the holder that the feed has told of, and who is ahead of it. */
struct room_belief {
    struct room_sub *sub; /* NULL: nobody here */
    int64_t token;
};
void room_beliefs(const struct room *room, struct room_belief out[2]);
/* The lock as the room has it is one that its holder, who is here, was told is lost. */
static inline bool room_is_disbelieved(const struct room *room) {
    return room->holder && room->disbelieved != 0 && room->disbelieved == room->lock.view.token;
}
void room_holder_rearm(struct room *room);

/* giveup.c: when the store is back. Harmless where the holder's belief stands. */
void room_give_up_later(struct room *room, uint64_t delay_ms);

#endif
