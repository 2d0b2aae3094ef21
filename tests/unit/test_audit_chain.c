/* The chain over restarts, with and without a key, and what verify finds. */
#include "test_audit_support.h"

#include "seeded.h"

#define MAX_LINES 64

/* A file as lines, to be changed and written again. */
struct lines {
    char *data;
    char *at[MAX_LINES]; /* NUL-terminated, without their newline */
    int count;
};

static void lines_read(struct lines *l, const char *path) {
    l->data = read_file(path, NULL);
    l->count = 0;
    char *save = NULL;
    for (char *line = strtok_r(l->data, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        assert_true(l->count < MAX_LINES);
        l->at[l->count++] = line;
    }
}

static void lines_write(const struct lines *l, const char *path) {
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    for (int i = 0; i < l->count; i++) {
        assert_true(fprintf(out, "%s\n", l->at[i]) > 0);
    }
    assert_int_equal(fclose(out), 0);
}

static void lines_remove(struct lines *l, int index) {
    l->count--;
    memmove(&l->at[index], &l->at[index + 1], (size_t)(l->count - index) * sizeof l->at[0]);
}

static void chain_goes_on_over_restarts(void **state) {
    struct fixture *f = *state;
    write_life(f, 3);
    write_life(f, 0);
    write_life(f, 2);
    assert_whole(f->file, NULL);
    struct lines l;
    lines_read(&l, f->file);
    assert_int_equal(l.count, 11);
    for (int i = 0; i < l.count; i++) {
        char seq[32];
        (void)snprintf(seq, sizeof seq, ",\"seq\":%d,\"prev\":", i + 1);
        assert_non_null(strstr(l.at[i], seq));
    }
    assert_non_null(strstr(l.at[0], "\"AUDIT_STARTED\""));
    assert_non_null(strstr(l.at[4], "\"AUDIT_STOPPED\""));
    assert_non_null(strstr(l.at[5], "\"AUDIT_STARTED\""));
    free(l.data);
    struct stat st;
    assert_int_equal(stat(f->file, &st), 0);
    assert_int_equal(st.st_mode & 07137, 0);
}

static void every_edit_is_found(void **state) {
    struct fixture *f = *state;
    struct problems p;
    write_life(f, 6);
    struct lines l;
    lines_read(&l, f->file);
    for (int i = 0; i < l.count; i++) {
        /* One bit, at places all over the line. */
        const size_t len = strlen(l.at[i]);
        for (size_t byte = 0; byte < len; byte += 13) {
            l.at[i][byte] ^= 1;
            lines_write(&l, f->file);
            assert_false(verify_one(f->file, NULL, &p));
            assert_int_equal(p.first_line, i + 1);
            assert_int_equal(p.count, 1);
            l.at[i][byte] ^= 1;
        }
    }
    lines_write(&l, f->file);
    assert_whole(f->file, NULL);
    free(l.data);
}

static void every_removal_is_found_but_the_last(void **state) {
    struct fixture *f = *state;
    struct problems p;
    write_life(f, 6);
    struct lines all;
    lines_read(&all, f->file);
    for (int i = 0; i < all.count; i++) {
        struct lines l = all;
        lines_remove(&l, i);
        lines_write(&l, f->file);
        const bool whole = verify_one(f->file, NULL, &p);
        if (i == all.count - 1) {
            assert_true(whole); /* what checkpoints in the journal are for */
        } else {
            assert_false(whole);
            assert_int_equal(p.first_line, i + 1);
            assert_int_equal(p.count, 1);
        }
    }
    free(all.data);
}

static void every_other_order_is_found(void **state) {
    struct fixture *f = *state;
    struct problems p;
    write_life(f, 6);
    struct lines all;
    lines_read(&all, f->file);
    for (int i = 0; i + 1 < all.count; i++) {
        struct lines l = all;
        l.at[i] = all.at[i + 1];
        l.at[i + 1] = all.at[i];
        lines_write(&l, f->file);
        assert_false(verify_one(f->file, NULL, &p));
        assert_int_equal(p.first_line, i + 1);
        l.at[i] = l.at[i + 1] = all.at[i]; /* and a line twice in another's place */
        lines_write(&l, f->file);
        assert_false(verify_one(f->file, NULL, &p));
    }
    free(all.data);
}

#define RANDOM_ROUNDS 3000

/* One random edit; whether it is one that only a checkpoint shows: the end is cut. */
static bool edit(struct lines *l, struct seeded *s, char *spare) {
    const int i = (int)seeded_below(s, (uint64_t)l->count);
    const int k = (int)seeded_below(s, (uint64_t)l->count);
    char *line = l->at[i];
    char *byte;
    switch (seeded_below(s, 4)) {
    case 0: /* a byte */
        (void)snprintf(spare, 4096, "%s", line);
        byte = &spare[seeded_below(s, strlen(line))];
        *byte = *byte == 'x' ? 'y' : 'x';
        l->at[i] = spare;
        return false;
    case 1: /* removed */
        lines_remove(l, i);
        return i == l->count;
    case 2: /* a copy at another place */
        memmove(&l->at[k + 1], &l->at[k], (size_t)(l->count - k) * sizeof l->at[0]);
        l->at[k] = line;
        l->count++;
        return false;
    default: /* moved */
        lines_remove(l, i);
        memmove(&l->at[k + 1], &l->at[k], (size_t)(l->count - k) * sizeof l->at[0]);
        l->at[k] = line;
        l->count++;
        return i == k;
    }
}

/* One edit is found, and makes no more than three findings; of several, at least one is found. */
static void random_edits_are_found(void **state) {
    struct fixture *f = *state;
    struct seeded s = seeded_start("edits");
    static char spare[4][4096];
    struct problems p;
    write_life(f, 20);
    struct lines all;
    lines_read(&all, f->file);
    for (int round = 0; round < RANDOM_ROUNDS; round++) {
        struct lines l = all;
        const int edits = 1 + (int)seeded_below(&s, 4);
        bool unseen = false;
        for (int e = 0; e < edits; e++) {
            unseen = edit(&l, &s, spare[e]);
        }
        const bool prefix =
            l.count <= all.count && memcmp(l.at, all.at, (size_t)l.count * sizeof l.at[0]) == 0;
        lines_write(&l, f->file);
        const bool whole = verify_one(f->file, NULL, &p);
        assert_int_equal(whole, prefix);
        if (edits == 1) {
            assert_int_equal(whole, unseen);
            if (p.count > 3) {
                fail_msg("%s", p.all);
            }
        }
    }
    free(all.data);
}

static void foreign_and_torn_lines_are_found(void **state) {
    struct fixture *f = *state;
    struct problems p;
    static char long_line[100 * 1024];
    write_life(f, 2);
    size_t len = 0;
    char *good = read_file(f->file, &len);

    append_file(f->file, "{\"action\":\"LOCK_ACQUIRED\"}\n\n", 28);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(p.count, 2);
    assert_int_equal(p.first_line, 5);

    write_file(f->file, good, len - 10);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(p.first_line, 4);
    assert_non_null(strstr(p.first, "torn"));

    memset(long_line, 'x', sizeof long_line);
    write_file(f->file, long_line, sizeof long_line);
    append_file(f->file, "\n", 1);
    append_file(f->file, good, len);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(p.count, 1);
    assert_int_equal(p.first_line, 1);

    write_file(f->file, "", 0);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(unlink(f->file), 0);
    assert_false(verify_one(f->file, NULL, &p));
    free(good);
}

/* A chain that someone made anew without the key is whole only to one who has no key either. */
static void keyed_chain_needs_its_key(void **state) {
    struct fixture *f = *state;
    struct problems p;
    write_file(f->key_file, "0123456789abcdef0123456789abcdef\n", 33);
    f->config.audit.hmac_key_file = f->key_file;
    write_life(f, 3);
    write_life(f, 3);
    assert_whole(f->file, f->key_file);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(p.count, 10);

    char other[128];
    (void)snprintf(other, sizeof other, "%s/other", f->dir);
    write_file(other, "0123456789abcdef0123456789abcdeX", 32);
    assert_false(verify_one(f->file, other, &p));

    assert_int_equal(unlink(f->file), 0);
    f->config.audit.hmac_key_file = NULL;
    write_life(f, 3);
    assert_whole(f->file, NULL);
    assert_false(verify_one(f->file, f->key_file, &p));
}

/* RFC 4231's way of computing it, by other means: OpenSSL's command line. */
static void keyed_hash_is_hmac_sha256(void **state) {
    struct fixture *f = *state;
    write_file(f->key_file, "0123456789abcdef", 16);
    f->config.audit.hmac_key_file = f->key_file;
    write_life(f, 1);
    struct lines l;
    lines_read(&l, f->file);
    char *comma = strstr(l.at[1], ",\"hash\":\"");
    assert_non_null(comma);
    char part[128];
    char command[512];
    char out[128] = "";
    (void)snprintf(part, sizeof part, "%s/part", f->dir);
    write_file(part, l.at[1], (size_t)(comma - l.at[1]));
    (void)snprintf(command, sizeof command, "openssl dgst -sha256 -hmac 0123456789abcdef -r %s",
                   part);
    FILE *openssl = popen(command, "r");
    assert_non_null(openssl);
    assert_non_null(fgets(out, sizeof out, openssl));
    assert_int_equal(pclose(openssl), 0);
    assert_int_equal(strncmp(out, comma + 9, 64), 0);
    free(l.data);
}

static void bad_keys_are_problems(void **state) {
    struct fixture *f = *state;
    struct problems p;
    f->config.audit.hmac_key_file = f->key_file;
    char *problem = problem_of_open(f);
    assert_non_null(strstr(problem, f->key_file));
    free(problem);
    write_file(f->key_file, "short\n", 6);
    problem = problem_of_open(f);
    assert_non_null(strstr(problem, "16 to 4096"));
    free(problem);
    assert_false(verify_one(f->file, f->key_file, &p));
}

static void files_in_a_row(void **state) {
    struct fixture *f = *state;
    struct problems p;
    write_life(f, 8);
    struct lines all;
    lines_read(&all, f->file);
    char first[128];
    char second[128];
    (void)snprintf(first, sizeof first, "%s/a", f->dir);
    (void)snprintf(second, sizeof second, "%s/b", f->dir);
    struct lines l = all;
    l.count = 4;
    lines_write(&l, first);
    l.count = all.count - 4;
    memmove(l.at, all.at + 4, (size_t)l.count * sizeof l.at[0]);
    lines_write(&l, second);

    const char *const both[] = {first, second};
    assert_true(verify_all(both, 2, NULL, &p));

    /* The second alone starts in the middle of nowhere; and a line is missing between them. */
    assert_false(verify_one(second, NULL, &p));
    assert_int_equal(p.first_line, 1);
    lines_remove(&l, 0);
    lines_write(&l, second);
    assert_false(verify_all(both, 2, NULL, &p));

    const char *const twice[] = {first, first};
    assert_false(verify_all(twice, 2, NULL, &p));
    assert_non_null(strstr(p.first, "copy"));
    free(all.data);
}

/* What rotation leaves: a file that starts with AUDIT_ROTATED may be looked at without its past. */
static void rotated_file_verifies_alone(void **state) {
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    struct audit_record r = {.action = AUDIT_AUDIT_ROTATED, .held_ms = -1, .previous_dirty = -1};
    (void)audit_write(a, &r);
    r = plain_record();
    (void)audit_write(a, &r);
    close_audit(f, &a);
    struct lines l;
    lines_read(&l, f->file);
    lines_remove(&l, 0);
    lines_write(&l, f->file);
    assert_whole(f->file, NULL);
    lines_remove(&l, 0);
    lines_write(&l, f->file);
    struct problems p;
    assert_false(verify_one(f->file, NULL, &p));
    free(l.data);
}

/* The script in docs/audit.md, which is other code than the log's own, comes to the same results.
 */
static void documented_script_verifies(void **state) {
    struct fixture *f = *state;
    char script[128];
    char command[512];
    char *page = read_file(SOURCE_DIR "/docs/audit.md", NULL);
    char *begin = strstr(page, "```js\n");
    assert_non_null(begin);
    begin += strlen("```js\n");
    const char *end = strstr(begin, "```");
    assert_non_null(end);
    (void)snprintf(script, sizeof script, "%s/verify.mjs", f->dir);
    write_file(script, begin, (size_t)(end - begin));
    free(page);

    write_file(f->key_file, "0123456789abcdef0123456789abcdef\r\n", 34);
    for (int keyed = 0; keyed <= 1; keyed++) {
        (void)unlink(f->file);
        f->config.audit.hmac_key_file = keyed ? f->key_file : NULL;
        write_life(f, 3);
        write_life(f, 2);
        (void)snprintf(command, sizeof command, "node %s %s %s %s >%s/out 2>&1", script,
                       keyed ? "--key" : "", keyed ? f->key_file : "", f->file, f->dir);
        assert_int_equal(system(command), 0);
        struct lines l;
        lines_read(&l, f->file);
        assert_int_equal(l.count, 9);
        l.data[50] ^= 1;
        lines_write(&l, f->file);
        assert_true(system(command) != 0);
        l.data[50] ^= 1;
        lines_remove(&l, 4);
        lines_write(&l, f->file);
        assert_true(system(command) != 0);
        free(l.data);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(chain_goes_on_over_restarts, setup, teardown),
        cmocka_unit_test_setup_teardown(every_edit_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(every_removal_is_found_but_the_last, setup, teardown),
        cmocka_unit_test_setup_teardown(every_other_order_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(random_edits_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_and_torn_lines_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(keyed_chain_needs_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(keyed_hash_is_hmac_sha256, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_keys_are_problems, setup, teardown),
        cmocka_unit_test_setup_teardown(files_in_a_row, setup, teardown),
        cmocka_unit_test_setup_teardown(rotated_file_verifies_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(documented_script_verifies, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
