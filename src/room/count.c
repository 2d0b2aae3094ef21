/* Counts locks and waiters in parts, between which the loop serves others. The metrics have the
 * last complete count. */
#include "count.h"

#include <string.h>

#include "state.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define PART_US 2000 /* of a turn of the loop */

struct type_count {
    char *type;
    size_t locks[LOCK_STATE_RESERVED + 1], waiters;
};

static void forget(struct room_counts *c) {
    for (size_t i = 0; i < c->type_count; i++) {
        mem_free(c->types[i].type);
    }
    mem_free(c->types);
    c->types = NULL;
    c->type_count = 0;
}

static struct type_count *of_type(struct room_counts *c, const char *type) {
    for (size_t i = 0; i < c->type_count; i++) {
        if (strcmp(c->types[i].type, type) == 0) {
            return &c->types[i];
        }
    }
    c->types = mem_realloc(c->types, (c->type_count + 1) * sizeof *c->types);
    c->types[c->type_count] = (struct type_count){.type = str_dup(str_of(type))};
    return &c->types[c->type_count++];
}

static void count_room(void *ctx, struct str key, void *value) {
    struct rooms *r = ctx;
    const struct room *room = value;
    const enum lock_state state = room->synced ? room->lock.view.state : LOCK_STATE_FREE;
    (void)key;
    if (state != LOCK_STATE_FREE || !list_empty(&room->waiters)) {
        struct type_count *t = of_type(&r->counts, room->type->policy->type);
        t->locks[state] += state != LOCK_STATE_FREE;
        t->waiters += list_count(&room->waiters);
    }
}

static void publish(const struct room_counts *c) {
    metrics_clear(METRIC_LOCKS);
    metrics_clear(METRIC_WAITERS);
    for (size_t i = 0; i < c->type_count; i++) {
        const struct type_count *t = &c->types[i];
        for (size_t state = 0; state < ARRAY_LEN(t->locks); state++) {
            if (t->locks[state] > 0) {
                metrics_add(METRIC_LOCKS, (double)t->locks[state], t->type,
                            lock_state_text((enum lock_state)state));
            }
        }
        if (t->waiters > 0) {
            metrics_add(METRIC_WAITERS, (double)t->waiters, t->type, NULL);
        }
    }
}

static void count_part(struct wheel_timer *timer) {
    struct rooms *r = CONTAINER_OF(timer, struct rooms, counts.timer);
    struct room_counts *c = &r->counts;
    const uint64_t begin_us = clock_boot_us();
    do {
        c->cursor = map_scan(r->by_resource, c->cursor, count_room, r);
    } while (c->cursor != 0 && clock_boot_us() - begin_us < PART_US);
    if (c->cursor != 0) {
        wheel_set(r->wheel, timer, 0, count_part);
        return;
    }
    publish(c);
    forget(c);
    c->running = false;
}

void rooms_collect_metrics(struct rooms *r) {
    if (!r->counts.running) {
        r->counts.running = true;
        count_part(&r->counts.timer);
    }
}

void room_counts_init(struct rooms *r) {
    wheel_timer_init(&r->counts.timer);
}

void room_counts_fini(struct rooms *r) {
    wheel_cancel(&r->counts.timer);
    forget(&r->counts);
}
