/*
 * A client that got STORE_LOST has stopped editing. When the store is back, its lock is released,
 * with retries, unless its tab asks for the lock again first. A request that is under way is waited
 * for: it may confirm the lock.
 */
#include "store_lost.h"

#include "holder.h"
#include "tell.h"
#include "wslock/base/mem.h"

#define RETRY_MS 500
#define ASKING_MS 20

struct release {
    struct rooms *rooms;
    int64_t token;
    char *resource;
};

static bool went_through(const struct lock_result *result) {
    return result->status == LOCK_OK && result->outcome != LOCK_OUT_RECOVERING;
}

static void on_released(void *arg, const struct lock_result *result) {
    struct release *release = arg;
    struct room *room = map_get(release->rooms->by_resource, str_of(release->resource));
    release->rooms->on_reported(release->rooms->ctx, result);
    if (room != NULL && room->lock.view.token == release->token) {
        struct room_sub *holder = room->holder;
        if (!went_through(result)) {
            room_release_store_lost(room, RETRY_MS);
        } else if (!room_is_store_lost(room) && holder != NULL &&
                   result->outcome == LOCK_OUT_RELEASED) {
            room_tell_lost(room, holder->user_id, holder->client_id, release->token,
                           LOCK_CAUSE_STORE_LOST, (struct str){NULL, 0});
        }
    }
    mem_free(release->resource);
    mem_free(release);
}

static void release_lock(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, store_lost_timer);
    struct room_sub *holder = room->holder;
    if (!room_is_store_lost(room) || room->degraded || holder == NULL) {
        return;
    }
    struct lock_report_member m = {0};
    if (!holder->ops->describe(holder, &m)) {
        return;
    }
    if (holder->ops->is_asking(holder)) { /* sent now, the release would follow what it asked */
        room_release_store_lost(room, ASKING_MS);
        return;
    }
    struct lock_caller caller = {
        .resource = room_resource(room),
        .user_id = m.user_id,
        .username = m.username,
        .client_id = m.client_id,
        .session_id = m.session_id,
        .client_made = m.client_made,
        .policy = room->type->policy,
    };
    struct release *release = mem_zalloc(sizeof *release);
    release->rooms = room->rooms;
    release->token = room->lock.view.token;
    release->resource = mem_strdup(room->resource);
    lock_give_up(room->rooms->store, &caller, release->token, on_released, release);
}

void room_release_store_lost(struct room *room, uint64_t delay_ms) {
    if (room_is_store_lost(room)) {
        wheel_set(room->rooms->wheel, &room->store_lost_timer, delay_ms, release_lock);
    }
}
