#include "seeded.h"

#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wslock/base/clock.h"
#include "wslock/base/frame.h"
#include "wslock/base/list.h"
#include "wslock/base/mem.h"
#include "wslock/base/rate.h"
#include "wslock/base/spare.h"

static void test_rand(void **state) {
    (void)state;
    char a[RAND_ID_LEN + 1], b[RAND_ID_LEN + 1];
    rand_id(a);
    rand_id(b);
    assert_int_equal(strlen(a), RAND_ID_LEN);
    assert_int_equal(strspn(a, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
                     RAND_ID_LEN);
    assert_string_not_equal(a, b);
    /* the last digit carries two bits only */
    assert_non_null(strchr("AQgw", a[RAND_ID_LEN - 1]));
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t value = rand_below(5);
        assert_true(value < 5);
        seen |= 1U << value;
    }
    assert_int_equal(seen, 31);
    assert_int_equal(rand_below(1), 0);
    assert_true(rand_u64() != rand_u64());
}

static void test_rate(void **state) {
    (void)state;
    struct rate r;
    uint64_t now_us = 1000;
    rate_init(&r, 3, now_us);
    for (int i = 0; i < 3; i++) {
        assert_true(rate_take(&r, 10, 3, now_us));
    }
    assert_int_equal(rate_wait_ms(&r, 10), 100);
    assert_false(rate_take(&r, 10, 3, now_us));
    assert_false(rate_take(&r, 10, 3, now_us + 98500));
    assert_int_equal(rate_wait_ms(&r, 10), 2);
    assert_true(rate_take(&r, 10, 3, now_us + 100000));
    /* a clock that stands or goes back gives nothing */
    assert_false(rate_take(&r, 10, 3, now_us));
    /* a long pause fills no more than the burst, also one made smaller meanwhile */
    now_us += UINT64_C(3600) * 1000000;
    assert_true(rate_take(&r, 10, 2, now_us));
    assert_int_equal(rate_wait_ms(&r, 10), 0);
    assert_true(rate_take(&r, 10, 2, now_us));
    assert_false(rate_take(&r, 10, 2, now_us));
    assert_int_equal(rate_wait_ms(&r, 0), RATE_WAIT_MAX_MS);
}

static void test_frame(void **state) {
    (void)state;
    struct frame *f = frame_join((const struct str[]){{"he", 2}, {NULL, 0}, {"llo", 3}}, 3);
    assert_int_equal(f->len, 5);
    assert_memory_equal(frame_payload(f), "hello", 5);
    memset(f->bytes, 0xff, FRAME_HEADROOM); /* the transport's header */
    assert_memory_equal(frame_payload(f), "hello", 5);
    assert_ptr_equal(frame_ref(f), f);
    frame_unref(f);
    assert_memory_equal(frame_payload(f), "hello", 5);
    frame_unref(f);
    frame_unref(NULL);
    f = frame_join(NULL, 0);
    assert_int_equal(f->len, 0);
    frame_unref(f);
}

static uint64_t fixed_boot(void) {
    return 42000;
}

static int64_t fixed_wall(void) {
    return -7000;
}

static void test_clock(void **state) {
    (void)state;
    static const struct clock_source fixed = {fixed_boot, fixed_wall};
    clock_set_source(&fixed);
    assert_int_equal(clock_boot_us(), 42000);
    assert_int_equal(clock_boot_ms(), 42);
    assert_true(clock_wall_ms() == -7);
    clock_set_source(NULL);
    uint64_t before = clock_boot_us();
    assert_true(clock_boot_us() >= before);
    assert_true(clock_wall_us() / 1000000 - (int64_t)time(NULL) <= 1);
    assert_true((int64_t)time(NULL) - clock_wall_us() / 1000000 <= 1);
}

struct item {
    int number; /* the node does not stand at the front */
    struct list node;
};

static void test_list(void **state) {
    (void)state;
    struct list head;
    struct item items[3];
    list_init(&head);
    LIST_FOREACH_ENTRY(struct item, item, node, &head) {
        fail();
    }
    for (int i = 0; i < 3; i++) {
        items[i].number = i;
        list_push_back(&head, &items[i].node);
    }
    assert_int_equal(list_count(&head), 3);
    int at = 0;
    LIST_FOREACH_ENTRY(struct item, item, node, &head) {
        assert_int_equal(item->number, at++);
        list_remove(&item->node);
        list_remove(&item->node);
    }
    assert_int_equal(at, 3);
    assert_true(list_empty(&head));
}

/* Memory that cannot be had ends the process by abort, after a line on standard error. */
static void test_exhaustion(void **state) {
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        volatile size_t huge = SIZE_MAX / 2;
        mem_calloc(huge, 16);
        _exit(0);
    }
    close(ends[1]);
    char text[4096];
    size_t len = 0;
    ssize_t got;
    while (len < sizeof text - 1 && (got = read(ends[0], text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)got;
    }
    text[len] = '\0';
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(len > 0);
}

static void test_mem(void **state) {
    (void)state;
    char *zero = mem_zalloc(16);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(zero[i], 0);
    }
    zero = mem_realloc(zero, 0);
    assert_non_null(zero);
    mem_free(zero);
    mem_free(NULL);
    char *copy = mem_strndup("abcdef", 3);
    assert_string_equal(copy, "abc");
    mem_free(copy);
    void *nothing = mem_calloc(0, 8);
    assert_non_null(nothing);
    mem_free(nothing);
}

/* No piece is given out twice, whatever is kept of which size. */
static void test_spare(void **state) {
    enum { PIECES = 600, ROUNDS = 3 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    (void)state;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < PIECES; i++) {
            size[i] = 1 + (i * 7 + round * 13) % 1200;
            size[i] = i % 2 == 0 ? 300 : size[i];
            piece[i] = spare_alloc(size[i]);
            memset(piece[i], (int)(i + round) & 0xff, size[i]);
        }
        for (unsigned i = 0; i < PIECES; i++) {
            for (size_t at = 0; at < size[i]; at++) {
                assert_int_equal(piece[i][at], (i + round) & 0xff);
            }
            spare_free(piece[i], size[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rand),       cmocka_unit_test(test_rate),
        cmocka_unit_test(test_frame),      cmocka_unit_test(test_clock),
        cmocka_unit_test(test_list),       cmocka_unit_test(test_mem),
        cmocka_unit_test(test_exhaustion), cmocka_unit_test(test_spare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
