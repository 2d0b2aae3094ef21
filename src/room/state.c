/* A room's copy of the truth: the lock as last told, the members, the users they belong to. */
#include "private.h"

#include <stdio.h>

#include "wslock/base/mem.h"

static void keep(char **mine, struct str *view) {
    if (*mine && str_eq(str_of(*mine), *view)) {
        *view = str_of(*mine);
        return;
    }
    char *copy = str_dup(*view);
    mem_free(*mine);
    *mine = copy;
    *view = str_of(copy);
}

static void mark_holder(struct room *room, bool has_lock) {
    const struct lock_view *v = &room->lock.view;
    if (!lock_is_owned(v))
        return;
    struct room_user *user = map_get(room->user_map, v->user_id);
    if (user && user->has_lock != has_lock) {
        user->has_lock = has_lock;
        room_user_changed(room, user);
    }
}

static bool same_holder(const struct lock_view *a, const struct lock_view *b) {
    return a->state == b->state && str_eq(a->user_id, b->user_id);
}

/* Whoever gets the lock is asked what its last holder was asked, though it has been the holder
 * before. */
static void ask_again(struct room *room) {
    LIST_FOREACH_SAFE(it, tmp, &room->waiters) {
        CONTAINER_OF(it, struct room_waiter, node)->told_to = 0;
    }
}

static bool same_owner(const struct lock_view *a, const struct lock_view *b) {
    return lock_is_owned(a) && lock_is_owned(b) && str_eq(a->user_id, b->user_id) &&
           str_eq(a->client_id, b->client_id);
}

void room_set_lock(struct room *room, const struct lock_view *lock) {
    struct room_lock_copy *mine = &room->lock;
    room->doubtful = false;
    if (room->rev >= room->ahead_token)
        room->ahead = NULL;
    if (!same_owner(&mine->view, lock))
        ask_again(room);
    if ((mine->view.state == LOCK_STATE_HELD) != (lock->state == LOCK_STATE_HELD))
        room_presence_changed(room); /* who edits is no viewer */
    bool same = same_holder(&mine->view, lock) && str_eq(mine->view.client_id, lock->client_id);
    if (!same_holder(&mine->view, lock)) /* a renewed lock is no change of presence */
        mark_holder(room, false);
    if (lock->token > room->seen_token)
        room->seen_token = lock->token;
    mine->view = *lock;
    keep(&mine->user_id, &mine->view.user_id);
    keep(&mine->username, &mine->view.username);
    keep(&mine->client_id, &mine->view.client_id);
    keep(&mine->page_id, &mine->view.page_id);
    room_keep_takeover(room, &mine->view.takeover);
    mark_holder(room, true);
    if (!same)
        room_holder_find(room);
    if (room->holder)
        room->ours = lock->token;
    room_left_settle(room);
    room_holder_rearm(room);
}

/* "clientId:userId" in a buffer that lives until the next call: one loop, one thread. */
static struct str member_key(const struct lock_member *m) {
    static char key[64 + 1 + 256 + 1];
    int n = snprintf(key, sizeof key, "%.*s:%.*s", (int)m->client_id.len, m->client_id.p,
                     (int)m->user_id.len, m->user_id.p);
    struct str s = {key, n < (int)sizeof key ? (size_t)n : sizeof key - 1};
    return s;
}

static struct room_user *user_get(struct room *room, const struct lock_member *m) {
    struct room_user *user = map_get(room->user_map, m->user_id);
    if (user)
        return user;
    user = mem_zalloc(sizeof *user);
    user->user_id = str_dup(m->user_id);
    user->username = str_dup(m->username);
    user->since_ms = m->joined_ms;
    list_init(&user->changed);
    list_push_back(&room->users, &user->node);
    map_set(room->user_map, m->user_id, user);
    const struct lock_view *v = &room->lock.view;
    user->has_lock = lock_is_owned(v) && str_eq(v->user_id, m->user_id);
    return user;
}

void room_member_join(struct room *room, const struct lock_member *m) {
    struct str key = member_key(m);
    if (map_get(room->members, key))
        return; /* the same tab on another connection */
    struct room_member *member = mem_zalloc(sizeof *member);
    member->key = str_dup(key);
    member->user = user_get(room, m);
    if (member->user->connections++ == 0) {
        member->user->since_ms = m->joined_ms;
        list_remove(
            &member->user->node); /* it came back before its leaving was told: newest again */
        list_push_back(&room->users, &member->user->node);
    }
    map_set(room->members, key, member);
    room_user_changed(room, member->user);
}

static void member_drop(struct room *room, struct room_member *member) {
    struct room_user *user = member->user;
    user->connections--;
    room_user_changed(room, user);
    map_remove(room->members, str_of(member->key));
    mem_free(member->key);
    mem_free(member);
}

void room_member_leave(struct room *room, const struct lock_member *m) {
    struct room_member *member = map_get(room->members, member_key(m));
    if (member)
        member_drop(room, member);
}

struct stale {
    struct room *room;
    struct map *keep;
};

static void drop_if_stale(void *ctx, struct str key, void *value) {
    struct stale *stale = ctx;
    if (!map_get(stale->keep, key))
        member_drop(stale->room, value);
}

/* Members beyond those listed stay unknown until an event names them; those known are kept when the
 * list is cut, because the snapshot does not say that they went. */
void room_apply_members(struct room *room, const struct lock_snapshot *s) {
    if (s->member_listed == (size_t)s->member_count) {
        struct stale stale = {room, map_create()};
        for (size_t i = 0; i < s->member_listed; i++)
            map_set(stale.keep, member_key(&s->members[i]), room);
        map_each(room->members, drop_if_stale, &stale);
        map_destroy(&stale.keep);
    }
    for (size_t i = 0; i < s->member_listed; i++)
        room_member_join(room, &s->members[i]);
    if (room->member_count != s->member_count)
        room_presence_changed(room);
    room->member_count = s->member_count;
}

void room_apply_snapshot(struct room *room, const struct lock_snapshot *s) {
    room_apply_members(room, s);
    room->rev = s->rev;
    room_set_lock(room, &s->lock);
    room_waiting_snapshot(room, s);
    room->synced = true;
}

static void member_free(void *ctx, struct str key, void *value) {
    (void)ctx;
    (void)key;
    struct room_member *member = value;
    mem_free(member->key);
    mem_free(member);
}

void room_clear(struct room *room) {
    map_each(room->members, member_free, NULL);
    map_destroy(&room->members);
    LIST_FOREACH_SAFE(it, tmp, &room->users) {
        room_user_free(room, CONTAINER_OF(it, struct room_user, node));
    }
    map_destroy(&room->user_map);
    mem_free(room->lock.user_id);
    mem_free(room->lock.username);
    mem_free(room->lock.client_id);
    mem_free(room->lock.page_id);
    room_waiting_clear(room);
}
