/* Counts connections and handshakes, in total and per address. */
#include "admit.h"

#include "wslock/base/list.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"
#include "wslock/base/rate.h"

/* The bucket holds one second's handshakes: after this time it is full, and the entry is useless.
 */
#define FULL_AGAIN_US 1000000

struct admit_entry {
    struct list idle; /* linked while it has no sockets, oldest use first */
    struct address address;
    size_t connections;
    size_t waiting; /* sockets that wait for their refusal */
    uint64_t used_us;
    struct rate rate;
};

struct admit {
    struct map *entries;
    struct list idle;
    size_t connections;
};

struct admit *admit_create(void) {
    struct admit *a = mem_zalloc(sizeof *a);
    a->entries = map_create();
    list_init(&a->idle);
    return a;
}

static void free_entry(void *ctx, struct str key, void *value) {
    (void)ctx;
    (void)key;
    mem_free(value);
}

void admit_destroy(struct admit **a) {
    if (*a == NULL) {
        return;
    }
    map_each((*a)->entries, free_entry, NULL);
    map_destroy(&(*a)->entries);
    mem_free(*a);
    *a = NULL;
}

static void forget_idle(struct admit *a, uint64_t now_us) {
    while (!list_empty(&a->idle)) {
        struct admit_entry *e = CONTAINER_OF(a->idle.next, struct admit_entry, idle);
        if (now_us - e->used_us <= FULL_AGAIN_US) {
            return;
        }
        list_remove(&e->idle);
        map_remove(a->entries, address_limit_key(&e->address));
        mem_free(e);
    }
}

static struct admit_entry *touch(struct admit *a, const struct admit_limits *limits,
                                 const struct address *from, uint64_t now_us) {
    forget_idle(a, now_us);
    struct admit_entry *e = map_get(a->entries, address_limit_key(from));
    if (e == NULL) {
        e = mem_zalloc(sizeof *e);
        list_init(&e->idle);
        e->address = *from;
        rate_init(&e->rate, (double)limits->handshakes_per_second, now_us);
        map_set(a->entries, address_limit_key(&e->address), e);
    }
    e->used_us = now_us;
    list_remove(&e->idle);
    if (e->connections + e->waiting == 0) {
        list_push_back(&a->idle, &e->idle);
    }
    return e;
}

bool admit_handshake(struct admit *a, const struct admit_limits *limits, const struct address *from,
                     uint64_t now_us) {
    double per_second = (double)limits->handshakes_per_second;
    return rate_take(&touch(a, limits, from, now_us)->rate, per_second, per_second, now_us);
}

static enum admit_result count(struct admit *a, const struct admit_limits *limits,
                               struct admit_entry *e, struct admit_place *place) {
    if ((int64_t)a->connections >= limits->connections) {
        return ADMIT_FULL;
    }
    if (limits->connections_per_address != CONFIG_NO_LIMIT &&
        (int64_t)e->connections >= limits->connections_per_address) {
        return ADMIT_ADDRESS_FULL;
    }
    if (place->entry != NULL) {
        place->entry->waiting--;
    }
    list_remove(&e->idle);
    e->connections++;
    a->connections++;
    *place = (struct admit_place){e, true};
    return ADMIT_OK;
}

bool admit_accept(struct admit *a, const struct admit_limits *limits, const struct address *from,
                  uint64_t now_us, struct admit_place *place) {
    struct admit_entry *e = touch(a, limits, from, now_us);
    if (count(a, limits, e, place) != ADMIT_ADDRESS_FULL) {
        return true; /* ADMIT_FULL: the caller limits how many wait */
    }
    if (e->waiting >= ADMIT_TOLD_MAX) {
        return false;
    }
    list_remove(&e->idle);
    e->waiting++;
    *place = (struct admit_place){e, false};
    return true;
}

enum admit_result admit_enter(struct admit *a, const struct admit_limits *limits,
                              const struct address *from, uint64_t now_us,
                              struct admit_place *place) {
    if (place->counted) {
        return ADMIT_OK;
    }
    struct admit_entry *e = place->entry != NULL ? place->entry : touch(a, limits, from, now_us);
    return count(a, limits, e, place);
}

void admit_leave(struct admit *a, struct admit_place *place, uint64_t now_us) {
    struct admit_entry *e = place->entry;
    if (e == NULL) {
        return;
    }
    if (place->counted) {
        a->connections--;
        e->connections--;
    } else {
        e->waiting--;
    }
    *place = (struct admit_place){NULL, false};
    if (e->connections + e->waiting > 0) {
        return;
    }
    e->used_us = now_us;
    list_push_back(&a->idle, &e->idle);
    forget_idle(a, now_us);
}
