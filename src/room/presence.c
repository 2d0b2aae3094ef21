/*
 * Presence is by user. Changes are gathered for a time that grows with the number of receivers.
 * Then one diff lists each user whose state differs from the last one sent; subscribers with
 * presence "full" get the whole list.
 */
#include "presence.h"

#include "backlog.h"
#include "deliver.h"
#include "members.h"
#include "wslock/base/mem.h"

#define GATHER_MS 100 /* protocol §5 */
/* A message costs some 10 µs a receiver. With a ms for each ten, presence of one room takes at most
 * a tenth of the CPU. */
#define RECEIVERS_PER_MS 10

static void flush(struct wheel_timer *timer);

static uint64_t gather_ms(const struct room *room) {
    uint64_t ms = room->sub_count / RECEIVERS_PER_MS;
    return ms > GATHER_MS ? ms : GATHER_MS;
}

void room_presence_arm(struct room *room) {
    if (room->presence_news && !wheel_armed(&room->presence_timer)) {
        wheel_set(room->rooms->wheel, &room->presence_timer, gather_ms(room), flush);
    }
    room->presence_news = false;
}

static struct wire_user wire_user(const struct lock_view *lock, struct str id, struct str name,
                                  int64_t connections, int64_t since_ms) {
    bool has_lock = lock_is_owned(lock) && str_eq(lock->user_id, id);
    return (struct wire_user){
        .person = {id, name},
        .has_lock = has_lock,
        .lock_expires_ms = has_lock ? lock->expires_ms : 0,
        .connections = connections,
        .since_ms = since_ms,
    };
}

static struct wire_user wire_of(const struct lock_view *lock, const struct room_user *u) {
    return wire_user(lock, str_of(u->user_id), str_of(u->username), u->connections, u->since_ms);
}

#define DIFF_MAX 256      /* users in one presence:diff; more make several */
#define LARGE_ROOM_MAX 20 /* users who joined, in one presence:diff of a large room */

struct diff {
    struct wire_user joined[DIFF_MAX], changed[DIFF_MAX];
    struct str left[DIFF_MAX];
    size_t joined_count, changed_count, left_count;
    bool all; /* also users without a difference */
};

/* The snapshot of some join lies, or may lie, between the last diff and this one. */
static bool is_known_between(const struct room *room) {
    bool known = room->snapshot_rev > room->notified_rev;
    LIST_FOREACH_ENTRY(const struct room_sub, sub, node, &room->subs) {
        known = known || !sub->active;
    }
    return known;
}

static bool joined(const struct room_user *u) {
    return u->connections > 0 && u->notified.connections == 0;
}

static void set_unnamed(struct room *room, struct room_user *u, bool unnamed) {
    if (u->unnamed != unnamed) {
        u->unnamed = unnamed;
        room->unnamed_count += unnamed ? 1 : (size_t)-1;
    }
}

/* named: if it joined. True: the full list has changed. */
static bool diff_add(struct room *room, struct diff *d, struct room_user *u, bool named) {
    bool was = u->notified.connections > 0;
    bool is = u->connections > 0;
    bool differs = u->notified.connections != u->connections || u->notified.has_lock != u->has_lock;
    u->notified.connections = u->connections;
    u->notified.has_lock = u->has_lock;
    if (is && !was) {
        set_unnamed(room, u, !named);
        if (named) {
            d->joined[d->joined_count++] = wire_of(&room->lock.view, u);
        }
        return true;
    }
    if (!is && (was || d->all)) {
        set_unnamed(room, u, false);
        d->left[d->left_count++] = str_of(u->user_id);
        return true;
    }
    if (is && (differs || d->all)) {
        set_unnamed(room, u, false);
        d->changed[d->changed_count++] = wire_of(&room->lock.view, u);
        return true;
    }
    return false;
}

static size_t max_listed(const struct room *room) {
    return (size_t)room->type->policy->presence_max_listed;
}

/* The holder and the newest users of the copy but for `other`, at most max, in the order of
 * joining. They fill the end of users[max]. */
static size_t list_users(const struct room *room, const struct lock_view *lock,
                         const struct room_user *other, struct wire_user *users, size_t max) {
    size_t at = max;
    bool holder_listed = false;
    struct list *it = room->users.prev;
    for (; it != &room->users && at > 0; it = it->prev) {
        const struct room_user *u = CONTAINER_OF(it, struct room_user, node);
        if (u == other || u->connections == 0) {
            continue;
        }
        users[--at] = wire_of(lock, u);
        holder_listed = holder_listed || users[at].has_lock;
    }
    const struct room_user *holder =
        lock_is_owned(lock) && at == 0 && max > 0 ? map_get(room->user_map, lock->user_id) : NULL;
    if (!holder_listed && holder != NULL && holder != other && holder->connections > 0) {
        users[0] = wire_of(lock, holder); /* replaces the oldest */
    }
    return max - at;
}

static struct wire_message *encode_full(const struct room *room, const struct wire_at *at,
                                        int64_t viewers) {
    size_t max = max_listed(room);
    struct wire_user *users = mem_calloc(max, sizeof *users);
    size_t count = list_users(room, &room->lock.view, NULL, users, max);
    struct wire_to to = room_to(room);
    struct wire_message *message =
        wire_presence_update(&to, at, users + max - count, count, viewers);
    mem_free(users);
    return message;
}

/* d NULL: the full list. */
static struct wire_message *encode(const struct room *room, const struct diff *d, int64_t rev,
                                   int64_t viewers) {
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, rev);
    return d == NULL ? encode_full(room, &at, viewers)
                     : wire_presence_diff(&to, &at, d->joined, d->joined_count, d->left,
                                          d->left_count, d->changed, d->changed_count, viewers);
}

/* A snapshot with the room's last change includes this. A subscriber would ignore a rev below that
 * of its join. */
static void tell(struct room *room, const struct diff *d, int64_t viewers) {
    enum wire_presence kind = d == NULL ? WIRE_PRESENCE_FULL : WIRE_PRESENCE_DIFF;
    int64_t rev = room_state_rev(room);
    struct wire_message *message = NULL;
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (sub->presence != kind || (!sub->presence_behind && sub->min_rev >= room->rev)) {
            continue;
        }
        if (sub->presence_behind && rev < sub->min_rev) {
            struct wire_message *own = encode(room, d, sub->min_rev, viewers);
            room_send(sub, sub->min_rev, own);
            wire_message_unref(own);
            continue;
        }
        message = message != NULL ? message : encode(room, d, rev, viewers);
        room_send(sub, rev, message);
    }
    if (message != NULL) {
        wire_message_unref(message);
    }
}

void room_presence_reported(struct room *room) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        sub->presence_behind = true;
    }
}

/* The copy has reached the joins of these: what it sends from now on is all that they need. */
static void note_caught_up(struct room *room) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        sub->presence_behind = sub->presence_behind && room_state_rev(room) < sub->min_rev;
    }
}

static bool is_large(const struct room *room) {
    return (size_t)room->member_count > max_listed(room);
}

/* How many of those who joined a diff names, the newest. In a large room more would make a join
 * cost in proportion to the room. */
static size_t most_named(const struct room *room) {
    return is_large(room) && max_listed(room) > LARGE_ROOM_MAX ? LARGE_ROOM_MAX : max_listed(room);
}

static void free_gone(struct room *room, struct list *sent) {
    LIST_FOREACH_ENTRY(struct room_user, u, changed, sent) {
        list_remove(&u->changed);
        if (u->connections == 0) {
            room_user_free(room, u);
        }
    }
}

static void tell_diff(struct room *room, struct diff *d, int64_t viewers) {
    tell(room, d, viewers);
    d->joined_count = d->left_count = d->changed_count = 0;
    room->notified_viewers = viewers;
}

static void tell_if_full(struct room *room, struct diff *d, int64_t viewers) {
    if (d->joined_count == DIFF_MAX || d->left_count == DIFF_MAX || d->changed_count == DIFF_MAX) {
        tell_diff(room, d, viewers);
    }
}

/* Those whom diffs did not name while the room was large. */
static void name_unnamed(struct room *room, struct diff *d, int64_t viewers) {
    if (room->unnamed_count == 0 || is_large(room)) {
        return;
    }
    LIST_FOREACH_ENTRY(struct room_user, u, node, &room->users) {
        if (u->unnamed && u->connections > 0) {
            set_unnamed(room, u, false);
            d->joined[d->joined_count++] = wire_of(&room->lock.view, u);
            tell_if_full(room, d, viewers);
        }
    }
}

static size_t count_joined(const struct room *room) {
    size_t n = 0;
    LIST_FOREACH_ENTRY(const struct room_user, u, changed, &room->changed) {
        n += joined(u) ? 1 : 0;
    }
    return n;
}

static void flush(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, presence_timer);
    int64_t viewers = room_viewers(room->member_count, &room->lock.view);
    size_t newer = count_joined(room);
    bool news = viewers != room->notified_viewers;
    static struct diff diff; /* static because it is large; there is one thread */
    struct diff *d = &diff;
    struct list sent;
    list_init(&sent);
    d->joined_count = d->left_count = d->changed_count = 0;
    d->all = is_known_between(room);
    LIST_FOREACH_ENTRY(struct room_user, u, changed, &room->changed) {
        list_remove(&u->changed);
        list_push_back(&sent, &u->changed);
        newer -= joined(u) ? 1 : 0;
        news = diff_add(room, d, u, newer < most_named(room) || u->has_lock) || news;
        tell_if_full(room, d, viewers);
    }
    name_unnamed(room, d, viewers);
    if (d->joined_count + d->left_count + d->changed_count > 0 ||
        viewers != room->notified_viewers) {
        tell_diff(room, d, viewers);
    }
    free_gone(room, &sent);
    if (news) {
        tell(room, NULL, viewers);
    }
    room->notified_viewers = viewers;
    room->notified_rev = room->rev;
    note_caught_up(room);
}

void room_settle_presence(struct room *room) {
    LIST_FOREACH_ENTRY(struct room_user, u, changed, &room->changed) {
        u->notified.connections = u->connections;
        u->notified.has_lock = u->has_lock;
        list_remove(&u->changed);
    }
    room->notified_viewers = room_viewers(room->member_count, &room->lock.view);
    room->notified_rev = room->rev;
    room->presence_news = false;
    wheel_cancel(&room->presence_timer);
}

static size_t users_of_snapshot(const struct lock_snapshot *s, struct wire_user **out) {
    struct wire_user *users = mem_calloc(s->member_listed, sizeof *users);
    struct map *index = map_create();
    size_t n = 0;
    for (size_t i = 0; i < s->member_listed; i++) {
        const struct lock_member *m = &s->members[i];
        struct wire_user *u = map_get(index, m->user_id);
        if (u != NULL) {
            u->connections++;
            u->since_ms = m->joined_ms < u->since_ms ? m->joined_ms : u->since_ms;
            continue;
        }
        u = &users[n++];
        *u = wire_user(&s->lock, m->user_id, m->username, 1, m->joined_ms);
        map_set(index, m->user_id, u);
    }
    map_destroy(&index);
    *out = users;
    return n;
}

/* Of the copy, which may not have the event of this join yet. The user itself is the newest. */
static size_t users_of_copy(const struct room *room, const struct lock_view *lock,
                            const struct lock_member *self, struct wire_user **out) {
    const struct room_user *known = map_get(room->user_map, self->user_id);
    size_t there = map_count(room->user_map);
    size_t max = there < max_listed(room) - 1 ? there : max_listed(room) - 1;
    struct wire_user *users = mem_calloc(max + 1, sizeof *users);
    size_t count = list_users(room, lock, known, users, max);
    memmove(users, users + max - count, count * sizeof *users);
    users[count] = wire_user(lock, self->user_id, self->username, 1, self->joined_ms);
    if (known != NULL && known->connections > 0) {
        users[count].connections = known->connections + (room_has_member(room, self) ? 0 : 1);
        users[count].since_ms = known->since_ms;
    }
    *out = users;
    return count + 1;
}

bool room_has_users(const struct room_sub *sub) {
    const struct room *room = sub->room;
    const struct lock_view *lock = &room->lock.view;
    size_t max = max_listed(room), count = (size_t)room->member_count;
    const struct room_sub *first = CONTAINER_OF(room->subs.next, struct room_sub, node);
    return room->synced && !room->degraded && first->member &&
           map_count(room->members) >= (count < max ? count : max) &&
           (!lock_is_owned(lock) || map_get(room->user_map, lock->user_id) != NULL);
}

size_t room_joined_users(struct room_sub *sub, const struct lock_snapshot *snapshot,
                         const struct lock_member *self, struct wire_user **out) {
    struct room *room = sub->room;
    if (snapshot->member_listed > 0) {
        return users_of_snapshot(snapshot, out);
    }
    sub->presence_behind = room_events_known(room) < snapshot->before_rev;
    /* The list may have users whom no presence message has named yet. */
    room->snapshot_rev = room->rev > room->snapshot_rev ? room->rev : room->snapshot_rev;
    return users_of_copy(room, &snapshot->lock, self, out);
}
