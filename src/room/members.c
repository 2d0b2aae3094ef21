/* The copy of the members, and of the users that they belong to. */
#include "members.h"

#include <stdio.h>

#include "wslock/base/mem.h"

static void user_changed(struct room *room, struct room_user *user) {
    if (!list_empty(&user->changed)) {
        return;
    }
    list_push_back(&room->changed, &user->changed);
    room->presence_news = true;
}

void room_user_free(struct room *room, struct room_user *user) {
    room->unnamed_count -= user->unnamed ? 1 : 0;
    map_remove(room->user_map, str_of(user->user_id));
    list_remove(&user->node);
    list_remove(&user->changed);
    mem_free(user->user_id);
    mem_free(user->username);
    mem_free(user);
}

void room_mark_holder(struct room *room, bool has_lock) {
    const struct lock_view *v = &room->lock.view;
    if (!lock_is_owned(v)) {
        return;
    }
    struct room_user *user = map_get(room->user_map, v->user_id);
    if (user != NULL && user->has_lock != has_lock) {
        user->has_lock = has_lock;
        user_changed(room, user);
    }
}

/* "clientId:userId"; valid until the next call. */
static struct str member_key(const struct lock_member *m) {
    static char key[64 + 1 + 256 + 1];
    int n = snprintf(key, sizeof key, "%.*s:%.*s", (int)m->client_id.len, m->client_id.p,
                     (int)m->user_id.len, m->user_id.p);
    struct str s = {key, n < (int)sizeof key ? (size_t)n : sizeof key - 1};
    return s;
}

bool room_has_member(const struct room *room, const struct lock_member *m) {
    return map_get(room->members, member_key(m)) != NULL;
}

static struct room_user *user_get(struct room *room, const struct lock_member *m) {
    struct room_user *user = map_get(room->user_map, m->user_id);
    if (user != NULL) {
        return user;
    }
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
    if (map_get(room->members, key) != NULL) {
        return; /* another connection of the same tab */
    }
    struct room_member *member = mem_zalloc(sizeof *member);
    member->key = str_dup(key);
    member->user = user_get(room, m);
    if (member->user->connections++ == 0) {
        member->user->since_ms = m->joined_ms;
        list_remove(&member->user->node); /* returned before a diff named its leave: newest again */
        list_push_back(&room->users, &member->user->node);
    }
    map_set(room->members, key, member);
    user_changed(room, member->user);
}

static void member_drop(struct room *room, struct room_member *member) {
    struct room_user *user = member->user;
    user->connections--;
    user_changed(room, user);
    map_remove(room->members, str_of(member->key));
    mem_free(member->key);
    mem_free(member);
}

void room_member_leave(struct room *room, const struct lock_member *m) {
    struct room_member *member = map_get(room->members, member_key(m));
    if (member != NULL) {
        member_drop(room, member);
    }
}

struct stale {
    struct room *room;
    struct map *keep;
};

static void drop_if_stale(void *ctx, struct str key, void *value) {
    struct stale *stale = ctx;
    if (map_get(stale->keep, key) == NULL) {
        member_drop(stale->room, value);
    }
}

void room_count_members(struct room *room, int64_t count) {
    room->presence_news = room->presence_news || room->member_count != count;
    room->member_count = count; /* includes members that are not listed */
}

/* A snapshot may list only a part of the members. The others stay unknown until an event names
 * them, and known members that are not listed are kept. */
void room_take_members(struct room *room, const struct lock_snapshot *s) {
    if (s->member_listed == (size_t)s->member_count) {
        struct stale stale = {room, map_create()};
        for (size_t i = 0; i < s->member_listed; i++) {
            map_set(stale.keep, member_key(&s->members[i]), room);
        }
        map_each(room->members, drop_if_stale, &stale);
        map_destroy(&stale.keep);
    }
    for (size_t i = 0; i < s->member_listed; i++) {
        room_member_join(room, &s->members[i]);
    }
    room_count_members(room, s->member_count);
}

static void member_free(void *ctx, struct str key, void *value) {
    (void)ctx;
    (void)key;
    struct room_member *member = value;
    mem_free(member->key);
    mem_free(member);
}

void room_members_clear(struct room *room) {
    map_each(room->members, member_free, NULL);
    map_destroy(&room->members);
    LIST_FOREACH_ENTRY(struct room_user, user, node, &room->users) {
        room_user_free(room, user);
    }
    map_destroy(&room->user_map);
}
