/* The timer wheel. */
#include "wslock/base/wheel.h"

#include "wslock/base/mem.h"

/*
 * Levels of 64 slots: a slot of level 0 is one tick, a slot of level n + 1 is all of level n. A
 * timer lies on the lowest level that reaches its tick and moves down when the wheel comes to its
 * slot, so it is touched at most once a level. `occupied` has a bit for each slot that may hold
 * timers: a cancelled timer leaves its bit behind, which costs one look at an empty list later.
 * With the bits, an idle stretch is crossed in one step.
 */
#define TICK_MS 10
#define SLOT_BITS 6
#define SLOTS 64
#define LEVELS 6
#define REACH_TICKS (UINT64_C(1) << (SLOT_BITS * LEVELS)) /* 21 years */
#define DELAY_MAX_MS (UINT64_C(1) << 60)

struct wheel {
    uint64_t now_ms; /* of the last advance, the running one included */
    uint64_t tick;   /* everything up to here has run */
    uint64_t occupied[LEVELS];
    struct list slots[LEVELS][SLOTS];
};

struct wheel *wheel_create(uint64_t now_ms) {
    struct wheel *w = mem_zalloc(sizeof *w);
    w->now_ms = now_ms;
    w->tick = now_ms / TICK_MS;
    for (int level = 0; level < LEVELS; level++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            list_init(&w->slots[level][slot]);
        }
    }
    return w;
}

void wheel_destroy(struct wheel **w) {
    if (*w == NULL) {
        return;
    }
    for (int level = 0; level < LEVELS; level++) {
        for (int slot = 0; slot < SLOTS; slot++) {
            struct list *head = &(*w)->slots[level][slot];
            while (!list_empty(head)) {
                list_remove(head->next);
            }
        }
    }
    mem_free(*w);
    *w = NULL;
}

void wheel_timer_init(struct wheel_timer *t) {
    list_init(&t->node);
    t->due_ms = 0;
    t->cb = NULL;
}

/* due_ms is a whole tick, not before w->tick. */
static void place(struct wheel *w, struct wheel_timer *t) {
    uint64_t due_tick = t->due_ms / TICK_MS;
    uint64_t ahead = due_tick - w->tick;
    if (ahead >= REACH_TICKS) {
        ahead = REACH_TICKS - 1; /* as far as it goes; placed anew from there */
        due_tick = w->tick + ahead;
    }
    unsigned level = 0;
    while (ahead >> (SLOT_BITS * (level + 1)) != 0) {
        level++;
    }
    unsigned slot = (due_tick >> (SLOT_BITS * level)) & (SLOTS - 1);
    list_push_back(&w->slots[level][slot], &t->node);
    w->occupied[level] |= UINT64_C(1) << slot;
}

void wheel_set(struct wheel *w, struct wheel_timer *t, uint64_t delay_ms, wheel_cb cb) {
    if (delay_ms > DELAY_MAX_MS) {
        delay_ms = DELAY_MAX_MS;
    }
    /* Rounded up, so never early; and past the running advance, so that it ends. */
    uint64_t due_tick = (w->now_ms + delay_ms + TICK_MS - 1) / TICK_MS;
    if (due_tick <= w->now_ms / TICK_MS) {
        due_tick = w->now_ms / TICK_MS + 1;
    }
    list_remove(&t->node);
    t->due_ms = due_tick * TICK_MS;
    t->cb = cb;
    place(w, t);
}

void wheel_cancel(struct wheel_timer *t) {
    list_remove(&t->node);
}

bool wheel_armed(const struct wheel_timer *t) {
    return !list_empty(&t->node);
}

/* The first tick after w->tick at which a slot of any level may have something to do. */
static uint64_t next_tick(const struct wheel *w) {
    uint64_t next = UINT64_MAX;
    for (unsigned level = 0; level < LEVELS; level++) {
        uint64_t bits = w->occupied[level];
        if (bits == 0) {
            continue;
        }
        uint64_t position = w->tick >> (SLOT_BITS * level);
        unsigned first = (position + 1) & (SLOTS - 1);
        uint64_t turned = first == 0 ? bits : bits >> first | bits << (SLOTS - first);
        uint64_t distance = (uint64_t)__builtin_ctzll(turned) + 1;
        uint64_t tick = (position + distance) << (SLOT_BITS * level);
        if (tick < next) {
            next = tick;
        }
    }
    return next;
}

/* Moves the timers of a slot to taken, which may be empty. */
static void take_slot(struct wheel *w, unsigned level, struct list *taken) {
    unsigned slot = (w->tick >> (SLOT_BITS * level)) & (SLOTS - 1);
    struct list *head = &w->slots[level][slot];
    list_init(taken);
    w->occupied[level] &= ~(UINT64_C(1) << slot);
    if (list_empty(head)) {
        return;
    }
    *taken = *head;
    taken->next->prev = taken;
    taken->prev->next = taken;
    list_init(head);
}

static struct wheel_timer *pop(struct list *taken) {
    struct wheel_timer *t = CONTAINER_OF(taken->next, struct wheel_timer, node);
    list_remove(&t->node);
    return t;
}

/* w->tick has just been reached. */
static void run_tick(struct wheel *w) {
    struct list taken;
    for (unsigned level = LEVELS - 1; level > 0; level--) {
        if ((w->tick & ((UINT64_C(1) << (SLOT_BITS * level)) - 1)) != 0) {
            continue;
        }
        take_slot(w, level, &taken);
        while (!list_empty(&taken)) {
            place(w, pop(&taken));
        }
    }
    take_slot(w, 0, &taken);
    while (!list_empty(&taken)) {
        struct wheel_timer *t = pop(&taken);
        t->cb(t);
    }
}

void wheel_advance(struct wheel *w, uint64_t now_ms) {
    if (now_ms <= w->now_ms) {
        return;
    }
    w->now_ms = now_ms;
    uint64_t last = now_ms / TICK_MS;
    while (w->tick < last) {
        uint64_t next = next_tick(w);
        if (next > last) {
            w->tick = last;
            break;
        }
        w->tick = next;
        run_tick(w);
    }
}
