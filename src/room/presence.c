/*
 * Presence is by user. Changes are gathered for GATHER_MS. Then one diff lists each user whose
 * state differs from the last one sent; subscribers with presence "full" get the whole list.
 */
#include "presence.h"

#include "deliver.h"
#include "members.h"
#include "wslock/base/mem.h"

#define GATHER_MS 100 /* protocol §5 */

static void flush(struct wheel_timer *timer);

void room_presence_arm(struct room *room) {
    if (room->presence_news && !wheel_armed(&room->presence_timer)) {
        wheel_set(room->rooms->wheel, &room->presence_timer, GATHER_MS, flush);
    }
    room->presence_news = false;
}

static struct wire_user wire_of(const struct room *room, const struct room_user *u) {
    struct wire_user w = {
        .person = {str_of(u->user_id), str_of(u->username)},
        .has_lock = u->has_lock,
        .lock_expires_ms = u->has_lock ? room->lock.view.expires_ms : 0,
        .connections = u->connections,
        .since_ms = u->since_ms,
    };
    return w;
}

#define DIFF_MAX 256 /* users in one presence:diff; more make several */

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

/* True: the full list has changed. */
static bool diff_add(struct room *room, struct diff *d, struct room_user *u, bool listed) {
    bool was = u->notified.connections > 0;
    bool is = u->connections > 0;
    bool differs = u->notified.connections != u->connections || u->notified.has_lock != u->has_lock;
    u->notified.connections = u->connections;
    u->notified.has_lock = u->has_lock;
    if (is && !was && listed) {
        d->joined[d->joined_count++] = wire_of(room, u);
    } else if (!is && (was || d->all)) {
        d->left[d->left_count++] = str_of(u->user_id);
    } else if (is && was && (differs || d->all)) {
        d->changed[d->changed_count++] = wire_of(room, u);
    } else {
        return is != was;
    }
    return true;
}

/* The holder and the newest users, presenceMaxListed in all, in the order of joining. */
static struct wire_message *encode_full(struct room *room, const struct wire_at *at,
                                        int64_t viewers) {
    size_t max = (size_t)room->type->policy->presence_max_listed;
    struct wire_user *users = mem_calloc(max, sizeof *users);
    size_t at_slot = max;
    bool holder_listed = false;
    struct list *it = room->users.prev;
    for (; it != &room->users && at_slot > 0; it = it->prev) {
        struct room_user *u = CONTAINER_OF(it, struct room_user, node);
        if (u->connections == 0) {
            continue;
        }
        users[--at_slot] = wire_of(room, u);
        holder_listed = holder_listed || u->has_lock;
    }
    for (; it != &room->users && !holder_listed; it = it->prev) {
        struct room_user *u = CONTAINER_OF(it, struct room_user, node);
        if (u->connections == 0 || !u->has_lock) {
            continue;
        }
        users[at_slot] = wire_of(room, u); /* replaces the oldest */
        holder_listed = true;
    }
    struct wire_to to = room_to(room);
    struct wire_message *message =
        wire_presence_update(&to, at, users + at_slot, max - at_slot, viewers);
    mem_free(users);
    return message;
}

/* Takes over the caller's reference. A snapshot with the room's last change includes this. */
static void tell(struct room *room, enum wire_presence kind, int64_t rev,
                 struct wire_message *message) {
    LIST_FOREACH_ENTRY(struct room_sub, sub, node, &room->subs) {
        if (sub->presence == kind && sub->min_rev < room->rev) {
            room_send(sub, rev, message);
        }
    }
    wire_message_unref(message);
}

static bool wanted(const struct room *room, enum wire_presence kind) {
    LIST_FOREACH_ENTRY(const struct room_sub, sub, node, &room->subs) {
        if (sub->presence == kind) {
            return true;
        }
    }
    return false;
}

static void tell_diff(struct room *room, const struct diff *d, int64_t viewers) {
    if (!wanted(room, WIRE_PRESENCE_DIFF)) {
        return;
    }
    struct wire_to to = room_to(room);
    struct wire_at at = room_at(room, room_state_rev(room));
    tell(room, WIRE_PRESENCE_DIFF, at.rev,
         wire_presence_diff(&to, &at, d->joined, d->joined_count, d->left, d->left_count,
                            d->changed, d->changed_count, viewers));
}

/* New users beyond the newest presenceMaxListed are not listed. */
static bool listed(const struct room *room, size_t newer) {
    return newer < (size_t)room->type->policy->presence_max_listed;
}

static void free_gone(struct room *room, struct list *sent) {
    LIST_FOREACH_ENTRY(struct room_user, u, changed, sent) {
        list_remove(&u->changed);
        if (u->connections == 0) {
            room_user_free(room, u);
        }
    }
}

static void flush(struct wheel_timer *timer) {
    struct room *room = CONTAINER_OF(timer, struct room, presence_timer);
    int64_t viewers = room_viewers(room->member_count, &room->lock.view);
    size_t left_to_tell = list_count(&room->changed);
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
        if (diff_add(room, d, u, listed(room, --left_to_tell))) {
            news = true;
        }
        if (d->joined_count == DIFF_MAX || d->left_count == DIFF_MAX ||
            d->changed_count == DIFF_MAX) {
            tell_diff(room, d, viewers);
            free_gone(room, &sent);
            d->joined_count = d->left_count = d->changed_count = 0;
        }
    }
    if (d->joined_count + d->left_count + d->changed_count > 0 ||
        viewers != room->notified_viewers) {
        tell_diff(room, d, viewers);
    }
    free_gone(room, &sent);
    if (news && wanted(room, WIRE_PRESENCE_FULL)) {
        struct wire_at at = room_at(room, room_state_rev(room));
        tell(room, WIRE_PRESENCE_FULL, at.rev, encode_full(room, &at, viewers));
    }
    room->notified_viewers = viewers;
    room->notified_rev = room->rev;
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

size_t room_wire_users(const struct lock_member *members, size_t count,
                       const struct lock_view *lock, struct wire_user **out) {
    struct wire_user *users = mem_calloc(count ? count : 1, sizeof *users);
    struct map *index = map_create();
    bool owned = lock->state == LOCK_STATE_HELD || lock->state == LOCK_STATE_GRACE;
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
        const struct lock_member *m = &members[i];
        struct wire_user *u = map_get(index, m->user_id);
        if (u != NULL) {
            u->connections++;
            u->since_ms = m->joined_ms < u->since_ms ? m->joined_ms : u->since_ms;
            continue;
        }
        u = &users[n++];
        u->person = (struct wire_person){m->user_id, m->username};
        u->has_lock = owned && str_eq(lock->user_id, m->user_id);
        u->lock_expires_ms = u->has_lock ? lock->expires_ms : 0;
        u->connections = 1;
        u->since_ms = m->joined_ms;
        map_set(index, m->user_id, u);
    }
    map_destroy(&index);
    *out = users;
    return n;
}
