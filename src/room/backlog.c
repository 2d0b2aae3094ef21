/* Events that the room cannot apply yet: before its first snapshot, or while the store has not
 * answered its report after an outage. */
#include "backlog.h"

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define EVENT_STRINGS 27

static void event_strings(struct lock_event *e, struct str *out[EVENT_STRINGS]) {
    struct str *all[EVENT_STRINGS] = {
        &e->resource,          &e->actor_session_id,   &e->lock.user_id,
        &e->lock.username,     &e->lock.client_id,     &e->ended.user_id,
        &e->ended.username,    &e->ended.client_id,    &e->ended.revision,
        &e->ended.by,          &e->member.user_id,     &e->member.username,
        &e->member.client_id,  &e->member.session_id,  &e->old_session_id,
        &e->ended.request_id,  &e->waiter.user_id,     &e->waiter.client_id,
        &e->waiter.packed,     &e->takeover.packed,    &e->lock.takeover.packed,
        &e->operation.actor,   &e->operation.reason,   &e->operation.address,
        &e->operation.user_id, &e->operation.username, &e->lock.page_id,
    };
    memcpy(out, all, sizeof all);
}

/* Its packed form has been copied. */
static void reread_takeover(struct lock_takeover *t) {
    if (t->present) {
        (void)lock_takeover_decode(t->packed, t); /* it has been decoded before */
    }
}

static struct room_event *copy_event(const struct lock_event *event) {
    struct lock_event e = *event;
    struct str *strings[EVENT_STRINGS];
    event_strings(&e, strings);
    size_t bytes = 0;
    for (size_t i = 0; i < EVENT_STRINGS; i++) {
        bytes += strings[i] != NULL ? strings[i]->len : 0;
    }

    struct room_event *copy = mem_alloc(sizeof *copy + bytes);
    char *to = (char *)(copy + 1);
    for (size_t i = 0; i < EVENT_STRINGS; i++) {
        if (strings[i] == NULL || strings[i]->p == NULL) {
            continue;
        }
        memcpy(to, strings[i]->p, strings[i]->len);
        strings[i]->p = to;
        to += strings[i]->len;
    }
    if (e.kind == LOCK_EVENT_WAITER) {
        lock_waiter_decode(e.waiter.user_id, e.waiter.client_id, e.waiter.packed, &e.waiter);
    }
    reread_takeover(&e.takeover);
    reread_takeover(&e.lock.takeover);
    copy->event = e;
    list_init(&copy->node);
    return copy;
}

struct room_event *room_backlog_next(struct room *room) {
    if (list_empty(&room->backlog)) {
        return NULL;
    }
    struct list *first = room->backlog.next;
    list_remove(first);
    room->backlog_count--;
    return CONTAINER_OF(first, struct room_event, node);
}

void room_backlog_add(struct room *room, const struct lock_event *event) {
    static struct log_limit limit;
    list_push_back(&room->backlog, &copy_event(event)->node);
    if (++room->backlog_count <= ROOM_BACKLOG_MAX) {
        return;
    }
    /* The snapshot that is under way is newer than the oldest event. */
    mem_free(room_backlog_next(room));
    if (log_limit_pass(&limit, 10)) {
        log_warn("room_events_dropped", LF("resource", room->resource));
    }
}

int64_t room_events_known(const struct room *room) {
    if (!list_empty(&room->backlog)) {
        return CONTAINER_OF(room->backlog.next, struct room_event, node)->event.rev - 1;
    }
    return lock_store_fed(room->rooms->store, room_resource(room));
}

void room_backlog_clear(struct room *room) {
    for (struct room_event *e; (e = room_backlog_next(room)) != NULL;) {
        mem_free(e);
    }
}
