/*
 * A lock whose holder was told STORE_LOST: that client has stopped editing, so nobody should wait
 * for it. When the store is back the lock is released for it, repeated until that went through,
 * unless its tab asks for it again first.
 */
#include "giveup.h"

#include "holder.h"
#include "tell.h"
#include "wslock/base/mem.h"

#define RETRY_MS 500

struct give_up {
    struct rooms *rooms;
    int64_t token;
    char *resource;
};

static bool went_through(const struct lock_result *result) {
    return result->status == LOCK_OK && result->outcome != LOCK_OUT_RECOVERING;
}

static void on_released(void *arg, const struct lock_result *result) {
    struct give_up *g = arg;
    struct room *room = map_get(g->rooms->by_resource, str_of(g->resource));
    g->rooms->on_reported(g->rooms->on_reported_ctx, result);
    if (room && room->lock.view.token == g->token) {
        struct room_sub *holder = room->holder;
        if (!went_through(result))
            room_give_up_later(room, RETRY_MS);
        else if (!room_is_disbelieved(room) && holder && result->outcome == LOCK_OUT_RELEASED)
            room_tell_lost(room, holder->user_id, holder->client_id, g->token,
                           LOCK_CAUSE_STORE_LOST, (struct str){NULL, 0});
    }
    mem_free(g->resource);
    mem_free(g);
}

static void give_up(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, give_up_timer);
    struct room_sub *holder = room->holder;
    if (!room_is_disbelieved(room) || room->degraded || !holder)
        return;
    struct lock_report_member m = {0};
    if (!holder->ops->describe(holder, &m))
        return;
    struct lock_caller caller = {
        .resource = room_resource(room),
        .user_id = m.user_id,
        .username = m.username,
        .client_id = m.client_id,
        .session_id = m.session_id,
        .client_made = m.client_made,
        .policy = room->policy,
    };
    struct give_up *g = mem_zalloc(sizeof *g);
    g->rooms = room->rooms;
    g->token = room->lock.view.token;
    g->resource = mem_strdup(room->resource);
    lock_give_up(room->rooms->store, &caller, g->token, on_released, g);
}

void room_give_up_later(struct room *room, uint64_t delay_ms) {
    if (room_is_disbelieved(room))
        wheel_set(room->rooms->wheel, &room->give_up_timer, delay_ms, give_up);
}
