/* The state of a room, shared by the parts of this folder. Each part has a header with the
 * functions that the other parts may call. */
#ifndef WSLOCK_ROOM_STATE_H
#define WSLOCK_ROOM_STATE_H

#include "wslock/base/map.h"
#include "wslock/base/rand.h"
#include "wslock/room/room.h"

#define ROOM_DEFERRED_MAX 4096 /* messages for one pending subscriber */
#define ROOM_BACKLOG_MAX 4096  /* events for one room */

/* A member, keyed "clientId:userId" (a clientId has no colon). */
struct room_member {
    struct room_user *user;
    char *key;
};

/* Presence is by user. Freed when the user has no members and a presence message has told
 * the clients. */
struct room_user {
    struct list node;    /* room.users, in the order of joining */
    struct list changed; /* room.changed, while presence is to be sent */
    char *user_id, *username;
    int64_t since_ms;
    int64_t connections;
    bool has_lock;
    bool unnamed; /* no diff has named it, because the room was large */
    struct {      /* as last sent */
        int64_t connections;
        bool has_lock;
    } notified;
};

/* A lock_view with its own strings. */
struct room_lock_copy {
    struct lock_view view;
    char *strings;
};

/* A copy of a struct lock_waiter. */
struct room_waiter {
    struct list node;
    struct lock_waiter w;  /* strings follow the struct */
    bool turn;             /* the lock is reserved for it */
    bool approved;         /* turn: the holder approved its request */
    uint64_t notified_sub; /* seq of the holder's subscription that got the request; 0: none */
};

/* The waiters and the lock, of the room or of a snapshot. */
struct room_waiters {
    const struct list *list; /* room_waiter, in order */
    const struct lock_view *lock;
    int64_t median_ms; /* how long holders keep the lock; -1: unknown */
};

/* A holder whose connection has ended here; the store has not confirmed it yet. */
struct room_departed {
    struct lock_report_member member; /* strings follow the struct */
    uint64_t departed_ms;             /* boot time */
};

#define ROOM_CLOSED_IDS 16

struct room_event {
    struct list node;
    struct lock_event event; /* strings follow the struct */
};

struct room {
    struct rooms *rooms;
    char *resource;
    const struct config_resource_type *type;
    struct list subs;
    size_t sub_count;

    bool synced;         /* has had a snapshot */
    int64_t rev;         /* of the last change */
    bool telling;        /* messages sent now are about that change; else they are notices */
    struct list backlog; /* room_event: from before the first snapshot, or while degraded */
    size_t backlog_count;

    struct room_lock_copy lock;
    struct map *members; /* struct room_member */
    struct map *user_map;
    struct list users;
    int64_t member_count;

    struct list waiters;                           /* room_waiter, in order */
    int64_t median_ms;                             /* how long holders keep the lock; -1: unknown */
    char *takeover;                                /* what lock.view.takeover points into */
    char closed[ROOM_CLOSED_IDS][RAND_ID_LEN + 1]; /* closed requests and takeovers, the latest */
    unsigned closed_next;

    struct list changed;
    size_t unnamed_count;
    bool presence_news; /* users or the number of viewers may have changed */
    int64_t notified_viewers;
    int64_t notified_rev; /* of the room when presence was last sent */
    int64_t snapshot_rev; /* the highest of what joins were told */
    struct wheel_timer presence_timer;

    struct wheel_timer holder_timer; /* lock:expiring, STORE_LOST */
    struct room_sub *holder; /* held, grace: the owner, if it is connected here; else NULL */
    struct room_sub *ahead;  /* got the lock by a reply whose event has not come yet; or NULL */
    int64_t ahead_token;     /* its token, which is the grant's rev */
    int64_t notified_end_ms; /* the end that lock:expiring named */
    int64_t ours;       /* token of the last lock held by a session of this instance; 0: none */
    int64_t seen_token; /* the highest token seen */
    struct room_departed *departed; /* NULL: nobody */
    bool degraded; /* the store was away and has not answered this room's report: its state may be
                      older than the room's */
    bool awaits_report;       /* the store does not have the lock; another instance may report it */
    int64_t store_lost_token; /* its holder here got STORE_LOST and has not asked again; 0: none */
    struct wheel_timer store_lost_timer;
};

/* A count of all rooms for the metrics, made in parts (count.c). */
struct room_counts {
    struct wheel_timer timer; /* for the next part */
    bool running;
    size_t cursor;            /* of map_scan */
    struct type_count *types; /* so far */
    size_t type_count;
};

struct rooms {
    struct wheel *wheel;
    struct lock_store *store;
    struct map *by_resource;
    void (*on_reported)(void *ctx, const struct lock_result *result);
    void (*on_superseded)(void *ctx, struct str session_id);
    void *ctx;                       /* of these two */
    struct wheel_timer report_timer; /* while a room awaits a report */
    struct room_counts counts;
};

static inline struct str room_resource(const struct room *room) {
    return str_of(room->resource);
}

/* An empty client_id matches each tab of the user: an operator has reserved the lock for the user.
 */
static inline bool room_is_tab(const struct room_sub *sub, struct str user_id,
                               struct str client_id) {
    return (client_id.len == 0 || str_eq(sub->client_id, client_id)) &&
           str_eq(sub->user_id, user_id);
}

/* It owns the lock, held or in grace. */
static inline bool room_sub_owns(const struct room_sub *sub, const struct lock_view *lock) {
    return lock_is_owned(lock) && room_is_tab(sub, lock->user_id, lock->client_id);
}

#endif
