/*
 * Telling the store what this instance has in a shard, and taking what it answers: the one way to
 * resynchronise, whatever made it necessary. When every room of the shard has its snapshot, the
 * shard is reported done; when one report fails, the store asks again by itself.
 */
#include "backlog.h"
#include "departed.h"
#include "holder.h"
#include "notices.h"
#include "notified.h"
#include "rooms.h"
#include "store_lost.h"
#include "take.h"
#include "tell.h"
#include "wslock/base/mem.h"

#define REPORT_MAX 100 /* members a call */
#define AGAIN_MAX 100  /* reports that are made once more */
#define REPORT_WAIT_MS 500

struct resync { /* of one shard; counts the reports that are under way */
    struct rooms *rooms;
    unsigned shard;
    size_t open, again;
    bool failed;
};

struct report {
    struct rooms *rooms;
    struct resync *resync; /* NULL: outside of one */
    char *resource;
};

static void resync_end(struct resync *rs) {
    if (--rs->open > 0)
        return;
    if (!rs->failed)
        lock_report_done(rs->rooms->store, rs->shard);
    mem_free(rs);
}

static const struct lock_event *lock_event_of(const struct lock_result *result) {
    for (size_t i = result->event_count; i > 0; i--)
        if (result->events[i - 1].kind == LOCK_EVENT_LOCK)
            return &result->events[i - 1];
    return NULL;
}

/* ---- a lock that the store has not, and whose holder's instance may still report it ---- */

static void on_report_timer(struct wheel_timer *timer);

static void await_report(struct room *room) {
    room->awaits_report = true;
    wheel_set(room->rooms->wheel, &room->rooms->report_timer, REPORT_WAIT_MS, on_report_timer);
}

static void on_status(void *arg, const struct lock_result *result) {
    struct report *report = arg;
    struct rooms *r = report->rooms;
    struct room *room = map_get(r->by_resource, str_of(report->resource));
    r->on_reported(r->on_reported_ctx, result);
    if (room && room->awaits_report) {
        if (result->status != LOCK_OK || lock_store_window_open(r->store)) {
            await_report(room);
        } else if (lock_is_owned(&result->lock)) {
            room->awaits_report = false; /* the event comes */
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

static void ask_if_awaited(void *ctx, struct str key, void *value) {
    const struct room *room = value;
    if (!room->awaits_report)
        return;
    struct report *report = mem_zalloc(sizeof *report);
    report->rooms = ctx;
    report->resource = mem_strdup(room->resource);
    lock_status(report->rooms->store, key, on_status, report);
}

static void on_report_timer(struct wheel_timer *timer) {
    struct rooms *r = CONTAINER_OF(timer, struct rooms, report_timer);
    if (lock_store_window_open(r->store))
        wheel_set(r->wheel, timer, REPORT_WAIT_MS, on_report_timer);
    else
        map_each(r->by_resource, ask_if_awaited, r);
}

/*
 * Did the report change the lock, the event comes by the feed like every other, and the room stops
 * one short of it. Did it change nothing, the snapshot says what was missed, and is told from here.
 * Was the feed faster than the reply, the room knows better than the snapshot and only confirms;
 * but what it missed of members and places before that it does not know. False: it is to be
 * reported again.
 */
static bool take_report(struct room *room, const struct lock_result *result) {
    const struct lock_snapshot *snapshot = &result->snapshot;
    const struct lock_event *event = lock_event_of(result);
    enum room_report_kind kind = ROOM_REPORT_WHOLE;
    struct room_change change;
    room->degraded = false;
    if (!room->synced)
        return true;
    if (snapshot->rev < room->rev) {
        if (!event && !room_is_store_lost(room))
            room_tell_lock(room, LOCK_CAUSE_RECOVERED);
        room_release_store_lost(room, 1);
        room_holder_rearm(room);
        return false;
    }
    if (event && event->rev > room->rev) {
        room->rev = event->rev - 1;
        kind = ROOM_REPORT_PENDING;
    } else if (event) {
        kind = ROOM_REPORT_EVENT;
    } else {
        room->rev = snapshot->rev;
        if (lock_is_owned(&room->lock.view) && !lock_is_owned(&snapshot->lock) &&
            !result->lost.present && lock_store_window_open(room->rooms->store)) {
            await_report(room); /* nobody is told yet that it is free */
            kind = ROOM_REPORT_PENDING;
        }
    }
    room_apply_report(room, snapshot, kind,
                      result->lost.present ? result->lost.reason : LOCK_CAUSE_STORE_LOST, &change);
    room_take_change(room, &change);
    return true;
}

static void report_room(void *ctx, struct str key, void *value);

static void take_answer(struct resync *rs, struct room *room, const struct lock_result *result) {
    bool whole = take_report(room, result);
    room_replay_backlog(room);
    if (!whole && rs->again++ < AGAIN_MAX)
        report_room(rs, room_resource(room), room);
    else
        room_drop_if_done(room);
}

static void on_report(void *arg, const struct lock_result *result) {
    struct report *report = arg;
    struct resync *rs = report->resync;
    struct room *room = map_get(rs->rooms->by_resource, str_of(report->resource));
    rs->rooms->on_reported(rs->rooms->on_reported_ctx, result);
    if (result->status != LOCK_OK)
        rs->failed = true;
    else if (room)
        take_answer(rs, room, result);
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
    lock_report(rs->rooms->store, room_resource(room), room->policy, members, count, waiting,
                room->seen_token, room_events_known(room), on_report, report);
}

/* A lock in grace that nobody here goes on with: who knows of it must tell. */
static bool describe_grace(const struct room *room, struct lock_report_member *out) {
    const struct lock_view *v = &room->lock.view;
    struct room_sub *owner = room->holder;
    if (room_departed_describe(room, out))
        return true;
    if (v->state != LOCK_STATE_GRACE)
        return false;
    if (owner && owner->ops->describe(owner, out) && out->token != 0)
        return false;
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
    if (lock_store_shard(rs->rooms->store, key) != rs->shard)
        return;
    struct lock_report_member members[REPORT_MAX], had;
    struct lock_report_waiting waiting;
    struct lock_waiter *waiters;
    const struct room_sub *believer = room_believer(room, &had);
    size_t open = rs->open, n = !room->ahead && describe_grace(room, &members[0]) ? 1 : 0;
    room_report_waiters(room, &waiting, &waiters);
    for (int first = 1; first >= 0; first--) { /* the lock's owner is in the first call */
        LIST_FOREACH_SAFE(it, tmp, &room->subs) {
            struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
            if ((sub == room->holder || sub == room->ahead) != first ||
                !sub->ops->describe(sub, &members[n]))
                continue; /* its turn is in the other round; its join has no answer, or is refused
                           */
            if (sub != believer)
                members[n].token = 0;
            if (++n == REPORT_MAX) {
                send_report(rs, room, members, n, &waiting);
                n = 0;
            }
        }
    }
    if (n > 0)
        send_report(rs, room, members, n, &waiting);
    mem_free(waiters);
    if (rs->open > open)
        return;
    room->degraded = false; /* there is nothing to report */
    room_replay_backlog(room);
    if (room->sub_count == 0) { /* what became of its lock cannot be known from here */
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
    if (lock_store_shard(rs->rooms->store, key) != rs->shard)
        return;
    room->rev = room->seen_token = room->notified_rev = room->snapshot_rev = 0;
    room_departed_forget(room);
    room_backlog_clear(room);
    LIST_FOREACH_SAFE(it, tmp, &room->subs) {
        struct room_sub *sub = CONTAINER_OF(it, struct room_sub, node);
        sub->min_rev = 0;
    }
}

void rooms_rewind(struct rooms *r, unsigned shard) {
    struct resync of = {.rooms = r, .shard = shard};
    map_each(r->by_resource, rewind_room, &of);
}
