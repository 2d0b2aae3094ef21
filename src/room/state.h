/* A room: what this instance knows of it, and what its subscribers were told. Each part of the
 * folder has a header of its own with what others may do with its share of it. */
#ifndef WSLOCK_ROOM_STATE_H
#define WSLOCK_ROOM_STATE_H

#include "wslock/base/map.h"
#include "wslock/base/rand.h"
#include "wslock/room/room.h"

#define ROOM_DEFERRED_MAX 4096 /* messages for one pending subscriber */
#define ROOM_BACKLOG_MAX 4096  /* events for one room */

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
    } notified;
};

/* A lock_view whose strings are ours. */
struct room_lock_copy {
    struct lock_view view;
    char *user_id, *username, *client_id, *page_id;
};

/* A place, see struct lock_waiter. */
struct room_waiter {
    struct list node;
    struct lock_waiter w;  /* its strings lie behind it */
    bool turn;             /* the lock is reserved for it … */
    bool approved;         /* … by the holder, who was asked */
    uint64_t notified_sub; /* seq of the holder's subscription that was told of the request */
};

/* Those who wait, and for what: as the room has it, or as a snapshot. */
struct room_waiters {
    const struct list *list; /* room_waiter, in order */
    const struct lock_view *lock;
    int64_t median_ms; /* what holders took; -1: nobody knows */
};

/* A holder whose connection ended here, of which the store has not told yet. */
struct room_departed {
    struct lock_report_member member; /* its strings lie behind it */
    uint64_t departed_ms;             /* boot time */
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
    bool telling;        /* of that change; else notices are told */
    struct list backlog; /* room_event: came before the first snapshot, or while degraded */
    size_t backlog_count;

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
    bool presence_news; /* something may have to be told, if only the number of viewers */
    int64_t notified_viewers;
    int64_t notified_rev; /* of the room when presence was last told */
    int64_t snapshot_rev; /* the highest of a snapshot that somebody joined with */
    struct wheel_timer presence_timer;

    struct wheel_timer holder_timer; /* lock:expiring, STORE_LOST */
    struct room_sub *holder;         /* of held and grace, where it is connected here; else NULL */
    struct room_sub *ahead;  /* was granted the lock by a reply that the feed has not reached … */
    int64_t ahead_token;     /* … under this token, which is the grant's rev; NULL: nobody */
    int64_t notified_end_ms; /* the end that lock:expiring has spoken of */
    int64_t ours;            /* the last lock that a holder here had; 0: none */
    int64_t seen_token;      /* the highest that was told of */
    struct room_departed *departed; /* NULL: nobody */
    bool degraded; /* the store was away, and has not been told since what there is here: others may
                      have told it of a past that this room knows more of */
    bool awaits_report;       /* the store has not the lock, but who holds it may still report it */
    int64_t store_lost_token; /* of the lock whose holder here was told STORE_LOST, and has not
                            asked again since; 0: none */
    struct wheel_timer store_lost_timer;
};

struct rooms {
    struct wheel *wheel;
    struct lock_store *store;
    struct map *by_resource;
    void (*on_reported)(void *ctx, const struct lock_result *result);
    void *on_reported_ctx;
    struct wheel_timer report_timer; /* while a room is awaits_report */
};

static inline struct str room_resource(const struct room *room) {
    return str_of(room->resource);
}

/* client_id empty: any tab of the user, for whom an operator has the lock reserved. */
static inline bool room_is_tab(const struct room_sub *sub, struct str user_id,
                               struct str client_id) {
    return (client_id.len == 0 || str_eq(sub->client_id, client_id)) &&
           str_eq(sub->user_id, user_id);
}

/* Somebody has the lock, if only in grace, and it is this one. */
static inline bool room_sub_owns(const struct room_sub *sub, const struct lock_view *lock) {
    return lock_is_owned(lock) && room_is_tab(sub, lock->user_id, lock->client_id);
}

#endif
