/*
 * Resynchronisation of a shard: reports what this instance has of each room, and takes the replies.
 * When the reports of all rooms have answers, lock_report_done is called. When a report fails, the
 * lock module calls rooms_resync again later.
 */
#include "backlog.h"
#include "departed.h"
#include "holder.h"
#include "notices.h"
#include "notified.h"
#include "presence.h"
#include "rooms.h"
#include "store_lost.h"
#include "take.h"
#include "tell.h"
#include "wslock/base/mem.h"

#define REPORT_MAX 100 /* members in one call */
#define AGAIN_MAX 100  /* rooms that are reported a second time */
#define REPORT_WAIT_MS 500

struct resync { /* of one shard */
    struct rooms *rooms;
    unsigned shard;
    size_t open;  /* reports under way, and rooms_resync itself */
    size_t again; /* rooms reported a second time */
    bool failed;
};

struct report {
    struct rooms *rooms;
    struct resync *resync; /* NULL: the call is a lock_status */
    char *resource;
};

static void resync_end(struct resync *rs) {
    if (--rs->open > 0) {
        return;
    }
    if (!rs->failed) {
        lock_report_done(rs->rooms->store, rs->shard);
    }
    mem_free(rs);
}

static const struct lock_event *lock_event_of(const struct lock_result *result) {
    for (size_t i = result->event_count; i > 0; i--) {
        if (result->events[i - 1].kind == LOCK_EVENT_LOCK) {
            return &result->events[i - 1];
        }
    }
    return NULL;
}

/* ---- a lock that the store does not have, and that another instance may report ---- */

static void on_report_timer(struct wheel_timer *timer);

static void await_report(struct room *room) {
    room->awaits_report = true;
    wheel_set(room->rooms->wheel, &room->rooms->report_timer, REPORT_WAIT_MS, on_report_timer);
}

static void on_status(void *arg, const struct lock_result *result) {
    struct report *report = arg;
    struct rooms *r = report->rooms;
    struct room *room = map_get(r->by_resource, str_of(report->resource));
    r->on_reported(r->ctx, result);
    if (room != NULL && room->awaits_report) {
        if (result->status != LOCK_OK || lock_store_window_open(r->store)) {
            await_report(room);
        } else if (lock_is_owned(&result->lock)) {
            room->awaits_report = false; /* its event follows */
        } else {
            struct room_change change;
            room_apply_recovered(room, &result->lock, LOCK_CAUSE_STORE_LOST, &change);
            room_take_change(room, &change);
        }
        room_drop_if_done(room);
    }
    mem_free(report->resource);
    mem_free(report);
}

static void ask_if_awaiting(void *ctx, struct str key, void *value) {
    const struct room *room = value;
    if (!room->awaits_report) {
        return;
    }
    struct report *report = mem_zalloc(sizeof *report);
    report->rooms = ctx;
    report->resource = mem_strdup(room->resource);
    lock_status(report->rooms->store, key, on_status, report);
}

static void on_report_timer(struct wheel_timer *timer) {
    struct rooms *r = CONTAINER_OF(timer, struct rooms, report_timer);
    if (lock_store_window_open(r->store)) {
        wheel_set(r->wheel, timer, REPORT_WAIT_MS, on_report_timer);
    } else {
        map_each(r->by_resource, ask_if_awaiting, r);
    }
}

/*
 * If the report changed the lock, the feed brings the event, and the room's rev is set just below
 * it. If it changed nothing, the room takes the snapshot. If the feed was faster than the reply,
 * the room is newer than the snapshot, but may have missed members and waiters: it must be reported
 * again, and false is returned.
 */
static bool take_report(struct room *room, const struct lock_report_result *result) {
    const struct lock_snapshot *snapshot = &result->snapshot;
    const struct lock_event *event = lock_event_of(&result->common);
    enum room_report_kind kind = ROOM_REPORT_WHOLE;
    struct room_change change;
    room->degraded = false;
    if (!room->synced) {
        return true;
    }
    room_presence_reported(room);
    if (snapshot->rev < room->rev) {
        if (event == NULL && !room_is_store_lost(room)) {
            room_tell_lock(room, LOCK_CAUSE_RECOVERED);
        }
        room_release_store_lost(room, 1);
        room_holder_rearm(room);
        return false;
    }
    if (event != NULL && event->rev > room->rev) {
        room->rev = event->rev - 1;
        kind = ROOM_REPORT_PENDING;
    } else if (event != NULL) {
        kind = ROOM_REPORT_EVENT;
    } else {
        room->rev = snapshot->rev;
        if (lock_is_owned(&room->lock.view) && !lock_is_owned(&snapshot->lock) &&
            !result->lost.present && lock_store_window_open(room->rooms->store)) {
            await_report(room); /* lock:state "free" is not sent yet */
            kind = ROOM_REPORT_PENDING;
        }
    }
    room_apply_report(room, snapshot, kind,
                      result->lost.present ? result->lost.reason : LOCK_CAUSE_STORE_LOST, &change);
    room_take_change(room, &change);
    return true;
}

static void report_room(void *ctx, struct str key, void *value);

static void take_answer(struct resync *rs, struct room *room,
                        const struct lock_report_result *result) {
    bool whole = take_report(room, result);
    room_replay_backlog(room);
    if (!whole && rs->again++ < AGAIN_MAX) {
        report_room(rs, room_resource(room), room);
    } else {
        room_drop_if_done(room);
    }
}

static void on_report(void *arg, const struct lock_report_result *result) {
    struct report *report = arg;
    struct resync *rs = report->resync;
    struct room *room = map_get(rs->rooms->by_resource, str_of(report->resource));
    rs->rooms->on_reported(rs->rooms->ctx, &result->common);
    for (size_t i = 0; i < result->superseded_count; i++) {
        rs->rooms->on_superseded(rs->rooms->ctx, result->superseded[i]);
    }
    if (result->common.status != LOCK_OK) {
        rs->failed = true;
    } else if (room != NULL) {
        take_answer(rs, room, result);
    }
    mem_free(report->resource);
    mem_free(report);
    resync_end(rs);
}

static void send_report(struct resync *rs, struct room *room,
                        const struct lock_report_member *members, size_t count,
                        const struct lock_report_waiting *waiting) {
    struct report *report = mem_zalloc(sizeof *report);
    report->rooms = rs->rooms;
    report->resync = rs;
    report->resource = mem_strdup(room->resource);
    rs->open++;
    lock_report(rs->rooms->store, room_resource(room), room->type->policy, members, count, waiting,
                room->seen_token, room_events_known(room), on_report, report);
}

/* A lock in grace whose owner is not connected here. */
static bool describe_grace(const struct room *room, struct lock_report_member *out) {
    const struct lock_view *v = &room->lock.view;
    struct room_sub *owner = room->holder;
    if (room_departed_describe(room, out)) {
        return true;
    }
    if (v->state != LOCK_STATE_GRACE) {
        return false;
    }
    if (owner != NULL && owner->ops->describe(owner, out) && out->token != 0) {
        return false;
    }
    *out = (struct lock_report_member){
        .gone = true,
        .user_id = v->user_id,
        .username = v->username,
        .client_id = v->client_id,
        .page_id = v->page_id,
        .client_made = v->client_made,
        .token = v->token,
        .since_ms = v->since_ms,
        .expires_ms = v->expires_ms,
        .grace_until_ms = v->grace_until_ms,
        .dirty = v->dirty,
        .prompt = v->prompt,
    };
    return true;
}

static void report_room(void *ctx, struct str key, void *value) {
    struct resync *rs = ctx;
    struct room *room = value;
    if (lock_store_shard(rs->rooms->store, key) != rs->shard) {
        return;
    }
    struct lock_report_member members[REPORT_MAX];
    struct lock_report_waiting waiting;
    struct lock_waiter *waiters;
    const struct room_sub *assumed = room_assumed_holder(room);
    size_t open = rs->open, n = room->ahead == NULL && describe_grace(room, &members[0]) ? 1 : 0;
    room_report_waiters(room, &waiting, &waiters);
    for (int first = 1; first >= 0; first--) { /* the first call includes the lock's owner */
        LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
            if ((sub == room->holder || sub == room->ahead) != first ||
                !sub->ops->describe(sub, &members[n])) {
                continue; /* the other round has it, or it is not joined */
            }
            if (sub != assumed) {
                members[n].token = 0;
            }
            if (++n == REPORT_MAX) {
                send_report(rs, room, members, n, &waiting);
                n = 0;
            }
        }
    }
    if (n > 0) {
        send_report(rs, room, members, n, &waiting);
    }
    mem_free(waiters);
    if (rs->open > open) {
        return;
    }
    room->degraded = false; /* it has no member */
    room_replay_backlog(room);
    if (room->sub_count == 0) { /* no reply tells what became of its lock */
        room->ours = 0;
        room_drop_if_done(room);
    }
}

void rooms_resync(struct rooms *r, unsigned shard) {
    struct resync *rs = mem_zalloc(sizeof *rs);
    rs->rooms = r;
    rs->shard = shard;
    rs->open = 1;
    map_each(r->by_resource, report_room, rs);
    resync_end(rs);
}

static void rewind_room(void *ctx, struct str key, void *value) {
    const struct resync *rs = ctx;
    struct room *room = value;
    if (lock_store_shard(rs->rooms->store, key) != rs->shard) {
        return;
    }
    room->rev = room->seen_token = room->notified_rev = room->snapshot_rev = 0;
    room_departed_forget(room);
    room_backlog_clear(room);
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        sub->min_rev = 0;
    }
}

void rooms_rewind(struct rooms *r, unsigned shard) {
    struct resync of = {.rooms = r, .shard = shard};
    map_each(r->by_resource, rewind_room, &of);
}
