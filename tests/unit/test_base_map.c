#include "seeded.h"

#include "wslock/base/map.h"

#define KEYS 3000

/* The model: what each key number maps to. */
struct model {
    char names[KEYS][24];
    size_t lens[KEYS];
    void *values[KEYS];
    size_t count;
};

static struct str key_of(const struct model *m, size_t i) {
    return (struct str){m->names[i], m->lens[i]};
}

static void compare_one(void *ctx, struct str key, void *value) {
    struct model *m = ctx;
    struct model *seen = m;
    for (size_t i = (size_t)strtoul(key.p, NULL, 10);; i++) {
        assert_true(i < KEYS);
        if (str_eq(key_of(m, i), key)) {
            assert_ptr_equal(value, m->values[i]);
            seen->count--;
            return;
        }
    }
}

static void check_all(struct map *map, struct model *m) {
    size_t count = m->count;
    assert_int_equal(map_count(map), count);
    for (size_t i = 0; i < KEYS; i++) {
        assert_ptr_equal(map_get(map, key_of(m, i)), m->values[i]);
    }
    map_each(map, compare_one, m);
    assert_int_equal(m->count, 0); /* each entry was shown once */
    m->count = count;
}

static void test_against_model(void **state) {
    (void)state;
    struct seeded seed = seeded_start("map");
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(m->names[i], sizeof m->names[i], "%zu", i);
        /* keys of all lengths, with NUL bytes inside */
        m->lens[i] = strlen(m->names[i]) + 1 + seeded_below(&seed, 8);
    }
    struct map *map = map_create();
    for (int step = 0; step < 60000; step++) {
        size_t i = seeded_below(&seed, KEYS);
        void *value = &m->names[seeded_below(&seed, KEYS)];
        if (seeded_below(&seed, 3) > 0) {
            assert_ptr_equal(map_set(map, key_of(m, i), value), m->values[i]);
            m->count += m->values[i] == NULL;
            m->values[i] = value;
        } else {
            assert_ptr_equal(map_remove(map, key_of(m, i)), m->values[i]);
            m->count -= m->values[i] != NULL;
            m->values[i] = NULL;
        }
        if (step % 6000 == 0) {
            check_all(map, m);
        }
    }
    check_all(map, m);
    map_destroy(&map);
    assert_null(map);
    free(m);
}

static void remove_shown(void *ctx, struct str key, void *value) {
    assert_ptr_equal(map_remove(ctx, key), value);
}

static void test_remove_in_each(void **state) {
    (void)state;
    struct map *map = map_create();
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "k%d", i);
        map_set(map, str_of(key), key);
    }
    map_each(map, remove_shown, map);
    assert_int_equal(map_count(map), 0);
    assert_null(map_get(map, str_of("k7")));
    map_destroy(&map);
    map_destroy(&map);
}

static void note_shown(void *ctx, struct str key, void *value) {
    (void)key;
    (void)ctx;
    ++*(int *)value;
}

static void test_scan_while_it_grows(void **state) {
    (void)state;
    enum { FIRST = 500, MORE = 20000 };
    struct map *map = map_create();
    int *shown = calloc(FIRST + MORE, sizeof *shown);
    size_t cursor = 0, calls = 0;
    char key[16];
    assert_non_null(shown);
    for (int i = 0; i < FIRST + MORE; i++) {
        snprintf(key, sizeof key, "k%d", i);
        if (i >= FIRST && i % 3 == 0) { /* a part of the scan at every size */
            cursor = map_scan(map, cursor, note_shown, NULL);
            assert_true(cursor != 0);
            calls++;
        }
        map_set(map, str_of(key), &shown[i]);
    }
    while ((cursor = map_scan(map, cursor, note_shown, NULL)) != 0) {
        calls++;
    }
    assert_true(calls > 1000);
    for (int i = 0; i < FIRST; i++) {
        assert_int_equal(shown[i], 1);
    }
    map_destroy(&map);
    free(shown);
}

static void test_keys_are_bytes(void **state) {
    (void)state;
    struct map *map = map_create();
    int a, b, c;
    char text[] = "ab";
    map_set(map, (struct str){NULL, 0}, &a);
    map_set(map, (struct str){"a\0b", 3}, &b);
    map_set(map, str_of(text), &c);
    text[0] = 'x'; /* the key was copied */
    assert_ptr_equal(map_get(map, str_of("")), &a);
    assert_ptr_equal(map_get(map, (struct str){"a\0b", 3}), &b);
    assert_null(map_get(map, str_of("a")));
    assert_ptr_equal(map_get(map, str_of("ab")), &c);
    map_destroy(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_remove_in_each),
        cmocka_unit_test(test_keys_are_bytes),
        cmocka_unit_test(test_scan_while_it_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
