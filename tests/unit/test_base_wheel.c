#include "seeded.h"

#include <time.h>

#include "wslock/base/wheel.h"

#define TICK_MS 10
#define TIMERS 400

/* One timer with what the model knows of it. */
struct probe {
    struct wheel_timer timer;
    bool armed;
    uint64_t earliest_ms; /* not before */
    uint64_t fired;
};

static struct wheel *wheel;
static uint64_t now_ms;
static struct probe probes[TIMERS];
static struct seeded seed;
static bool chaos; /* callbacks set and cancel others */

static uint64_t random_delay(void) {
    static const uint64_t scales[] = {
        1, 5, 20, 700, 3000, 60000, 3600000, 86400000, UINT64_C(700000000000)};
    return seeded_below(&seed, 2 + scales[seeded_below(&seed, sizeof scales / sizeof scales[0])]);
}

static void on_probe(struct wheel_timer *t);

static void arm(struct probe *p, uint64_t delay_ms) {
    wheel_set(wheel, &p->timer, delay_ms, on_probe);
    p->armed = true;
    p->earliest_ms = now_ms + delay_ms;
    assert_true(wheel_armed(&p->timer));
}

static void disarm(struct probe *p) {
    wheel_cancel(&p->timer);
    p->armed = false;
    assert_false(wheel_armed(&p->timer));
}

static void on_probe(struct wheel_timer *t) {
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    assert_true(p->armed);
    assert_false(wheel_armed(t));
    assert_true(now_ms >= p->earliest_ms);
    p->armed = false;
    p->fired++;
    if (!chaos) {
        return;
    }
    struct probe *other = &probes[seeded_below(&seed, TIMERS)];
    switch (seeded_below(&seed, 4)) {
    case 0:
        arm(p, random_delay());
        break;
    case 1:
        arm(other, random_delay());
        break;
    case 2:
        disarm(other);
        break;
    default:
        break;
    }
}

static void start(uint64_t at_ms) {
    now_ms = at_ms;
    wheel = wheel_create(now_ms);
    memset(probes, 0, sizeof probes);
    for (size_t i = 0; i < TIMERS; i++) {
        wheel_timer_init(&probes[i].timer);
    }
}

static void advance_to(uint64_t at_ms) {
    now_ms = at_ms;
    wheel_advance(wheel, now_ms);
}

/* After an advance nothing may be armed that was due a whole step ago. */
static void check_none_late(void) {
    for (size_t i = 0; i < TIMERS; i++) {
        const struct probe *p = &probes[i];
        assert_int_equal(wheel_armed(&p->timer), p->armed);
        if (p->armed && p->earliest_ms + TICK_MS <= now_ms) {
            fail_msg("timer %zu due at %llu has not run at %llu", i,
                     (unsigned long long)p->earliest_ms, (unsigned long long)now_ms);
        }
    }
}

static void run_against_model(bool with_chaos) {
    chaos = with_chaos;
    seed = seeded_start(with_chaos ? "wheel, changed in callbacks" : "wheel");
    start(seeded_below(&seed, UINT64_C(1) << 40));
    for (int step = 0; step < 30000; step++) {
        struct probe *p = &probes[seeded_below(&seed, TIMERS)];
        uint64_t action = seeded_below(&seed, 10);
        if (action < 6) {
            arm(p, random_delay());
        } else if (action < 7) {
            disarm(p);
        } else {
            advance_to(now_ms + random_delay());
            check_none_late();
        }
    }
    for (size_t i = 0; i < TIMERS; i++) {
        disarm(&probes[i]);
    }
    wheel_destroy(&wheel);
    assert_null(wheel);
}

static void test_against_model(void **state) {
    (void)state;
    run_against_model(false);
}

static void test_changes_in_callbacks(void **state) {
    (void)state;
    run_against_model(true);
}

static void test_exact_edges(void **state) {
    (void)state;
    chaos = false;
    static const uint64_t delays[] = {1,       9,       10,      11,       629,   630,
                                      631,     640,     641,     40950,    40960, 40970,
                                      2621430, 2621440, 2621450, 167772160};
    for (uint64_t offset = 0; offset < 20; offset++) {
        for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
            start(1000000 + offset);
            arm(&probes[0], delays[i]);
            advance_to(now_ms + delays[i] - 1);
            assert_int_equal(probes[0].fired, 0);
            advance_to(now_ms + TICK_MS);
            assert_int_equal(probes[0].fired, 1);
            advance_to(now_ms + 1000);
            assert_int_equal(probes[0].fired, 1);
            wheel_destroy(&wheel);
        }
    }
}

/* A timer that sets itself anew with no delay runs once an advance, and the advance ends. */
static void rearm(struct wheel_timer *t) {
    struct probe *p = CONTAINER_OF(t, struct probe, timer);
    p->fired++;
    wheel_set(wheel, t, 0, rearm);
}

static void test_zero_delay(void **state) {
    (void)state;
    start(5000);
    wheel_set(wheel, &probes[0].timer, 0, rearm);
    for (uint64_t i = 1; i <= 5; i++) {
        advance_to(now_ms + 100);
        assert_int_equal(probes[0].fired, i);
    }
    advance_to(now_ms); /* no time passed, nothing runs */
    assert_int_equal(probes[0].fired, 5);
    wheel_cancel(&probes[0].timer);
    wheel_cancel(&probes[0].timer);
    wheel_destroy(&wheel);
}

/* A callback frees another timer that was due in the same step. */
static struct probe *victim;

static void free_victim(struct wheel_timer *t) {
    (void)t;
    if (victim != NULL) {
        wheel_cancel(&victim->timer);
        free(victim);
        victim = NULL;
    }
}

static void test_freed_in_callback(void **state) {
    (void)state;
    start(0);
    victim = calloc(1, sizeof *victim);
    assert_non_null(victim);
    wheel_timer_init(&victim->timer);
    wheel_set(wheel, &probes[0].timer, 50, free_victim);
    arm(victim, 50);
    wheel_set(wheel, &probes[1].timer, 50, free_victim);
    advance_to(100);
    assert_null(victim);
    assert_false(wheel_armed(&probes[1].timer));
    wheel_destroy(&wheel);
}

static void test_huge_delay_and_destroy(void **state) {
    (void)state;
    start(UINT64_C(1) << 40);
    arm(&probes[0], UINT64_MAX);
    advance_to(now_ms + (UINT64_C(1) << 42));
    assert_int_equal(probes[0].fired, 0);
    wheel_destroy(&wheel);
    assert_false(wheel_armed(&probes[0].timer));
    wheel_destroy(&wheel);
}

static void count_only(struct wheel_timer *t) {
    CONTAINER_OF(t, struct probe, timer)->fired++;
}

/* Hundreds of thousands of timers, each set often, cost no search; a wide margin for slow machines:
 * a sorted list would take minutes. */
static void test_many(void **state) {
    (void)state;
    enum { MANY = 300000 };
    seed = seeded_start("wheel, many");
    struct probe *many = calloc(MANY, sizeof *many);
    assert_non_null(many);
    start(0);
    clock_t began = clock();
    for (size_t i = 0; i < MANY; i++) {
        wheel_timer_init(&many[i].timer);
    }
    for (int round = 0; round < 10; round++) {
        for (size_t i = 0; i < MANY; i++) {
            wheel_set(wheel, &many[i].timer, 20000 + seeded_below(&seed, 40000), count_only);
        }
        for (int step = 0; step < 100; step++) {
            advance_to(now_ms + TICK_MS);
        }
    }
    advance_to(now_ms + 1000000000); /* eleven days, in one step where nothing is due */
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(many[i].fired, 1);
    }
    assert_true((double)(clock() - began) / CLOCKS_PER_SEC < 20);
    wheel_destroy(&wheel);
    free(many);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_changes_in_callbacks),
        cmocka_unit_test(test_exact_edges),
        cmocka_unit_test(test_zero_delay),
        cmocka_unit_test(test_freed_in_callback),
        cmocka_unit_test(test_huge_delay_and_destroy),
        cmocka_unit_test(test_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
