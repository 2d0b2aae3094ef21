/* Another file by a reload: the chain goes on there, and no record is lost. */
#include "test_audit_support.h"

#include <sys/file.h>

struct names {
    char next[112], aside[112];
};

static struct names names_of(const struct fixture *f, int i) {
    struct names n;
    (void)snprintf(n.next, sizeof n.next, "%s/next.jsonl", f->dir);
    (void)snprintf(n.aside, sizeof n.aside, "%s.%d", f->file, i);
    return n;
}

static void reload(struct fixture *f, struct audit *a) {
    char *problem = NULL;
    struct audit_next *next = audit_prepare(a, &f->config, &problem);
    if (next == NULL) {
        print_error("audit_prepare: %s\n", problem);
    }
    assert_non_null(next);
    audit_reload(a, &next);
    assert_null(next);
}

static void assert_refused(struct fixture *f, struct audit *a, const char *text) {
    char *problem = NULL;
    assert_null(audit_prepare(a, &f->config, &problem));
    assert_non_null(problem);
    assert_non_null(strstr(problem, text));
    free(problem);
}

static void write_records(struct audit *a, int count) {
    const struct audit_record r = plain_record();
    for (int i = 0; i < count; i++) {
        assert_true(audit_write(a, &r) > 0);
    }
}

static void wait_for_disk(struct fixture *f, struct audit *a) {
    struct synced synced = {0};
    audit_sync(a, on_synced, &synced);
    assert_true(run_until(f, &synced.done));
    assert_true(synced.ok);
}

static bool begins_rotated(const char *path) {
    char *data = read_file(path, NULL);
    const char *action = strstr(data, "\"action\":");
    const bool rotated = action != NULL && strncmp(action + 9, "\"AUDIT_ROTATED\"", 15) == 0;
    free(data);
    return rotated;
}

/* Nobody waits for the disk between the records and the reloads. */
static void renamed_under_load(void **state) {
    enum { ROTATIONS = 20, RECORDS = 300 };
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    char paths[ROTATIONS + 1][112];
    const char *files[ROTATIONS + 1];
    int written = 0;
    for (int i = 0; i < ROTATIONS; i++) {
        write_records(a, RECORDS);
        if (i % 3 == 0) {
            run_a_moment(f);
        }
        memcpy(paths[i], names_of(f, i).aside, sizeof paths[i]);
        assert_int_equal(rename(f->file, paths[i]), 0);
        reload(f, a);
    }
    write_records(a, 1);
    (void)snprintf(paths[ROTATIONS], sizeof paths[0], "%s", f->file);
    wait_for_disk(f, a);
    const int in_the_last = count_in_file(f->file, "LOCK_ACQUIRED");
    close_audit(f, &a);
    for (int i = 0; i <= ROTATIONS; i++) {
        files[i] = paths[i];
        written += count_in_file(paths[i], "LOCK_ACQUIRED");
        assert_int_equal(begins_rotated(paths[i]), i > 0);
        assert_whole(paths[i], NULL);
    }
    struct problems p = {0};
    assert_true(verify_all(files, ROTATIONS + 1, NULL, &p));
    assert_int_equal(in_the_last, 1);
    assert_int_equal(written, ROTATIONS * RECORDS + 1);
    write_life(f, 1); /* a restart goes on in the last */
    assert_true(verify_all(files, ROTATIONS + 1, NULL, &p));
}

static void same_file_stays(void **state) {
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    f->config.audit.fsync = CONFIG_FSYNC_NONE;
    for (int i = 0; i < 3; i++) {
        write_records(a, 1);
        reload(f, a);
    }
    wait_for_disk(f, a);
    assert_int_equal(count_in_file(f->file, "AUDIT_ROTATED"), 0);
    close_audit(f, &a);
    assert_whole(f->file, NULL);
}

static void other_name(void **state) {
    struct fixture *f = *state;
    struct names n = names_of(f, 0);
    struct audit *a = open_audit(f);
    f->config.audit.file = n.next;
    write_file(n.next, "", 0); /* as logrotate creates it */
    reload(f, a);
    memset(n.next, 'x', 3); /* the log keeps its own copy of the name */
    write_records(a, 1);
    wait_for_disk(f, a);
    n = names_of(f, 0);
    assert_true(begins_rotated(n.next));
    /* The file before is neither locked nor written any more, the other one is. */
    int fd = open(f->file, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    fd = open(n.next, O_RDONLY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    close(fd);
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 0);
    close_audit(f, &a);
    f->config.audit.file = f->file;
    const char *const files[] = {f->file, n.next};
    struct problems p = {0};
    assert_true(verify_all(files, 2, NULL, &p));
}

static void renamed_behind_a_symbolic_link(void **state) {
    struct fixture *f = *state;
    struct names n = names_of(f, 0);
    assert_int_equal(symlink(n.next, f->file), 0);
    struct audit *a = open_audit(f);
    write_records(a, 1);
    assert_int_equal(rename(n.next, n.aside), 0);
    reload(f, a);
    write_records(a, 1);
    close_audit(f, &a);
    const char *const files[] = {n.aside, n.next};
    struct problems p = {0};
    assert_true(verify_all(files, 2, NULL, &p));
    assert_true(begins_rotated(n.next));
    assert_int_equal(count_in_file(n.next, "LOCK_ACQUIRED"), 1);
}

static void what_cannot_be_done_changes_nothing(void **state) {
    struct fixture *f = *state;
    struct names n = names_of(f, 0);
    char missing[128];
    struct audit *a = open_audit(f);
    write_records(a, 1);

    f->config.audit.file = n.next;
    write_file(n.next, "something\n", 10);
    assert_refused(f, a, "is not empty");
    assert_int_equal(count_in_file(n.next, "something"), 1);
    write_file(n.next, "", 0);
    const int other = open(n.next, O_RDWR);
    assert_int_equal(flock(other, LOCK_EX | LOCK_NB), 0);
    assert_refused(f, a, "in use by another process");
    close(other);
    assert_int_equal(unlink(n.next), 0);
    assert_int_equal(link(f->file, n.next), 0);
    assert_refused(f, a, "another name of the current audit file");
    assert_int_equal(unlink(n.next), 0);
    (void)snprintf(missing, sizeof missing, "%s/none/audit", f->dir);
    f->config.audit.file = missing;
    assert_refused(f, a, "No such file");
    f->config.audit.file = f->dir;
    assert_refused(f, a, "Is a directory");

    f->config.audit.file = f->file;
    f->config.audit.hmac_key_file = f->key_file;
    assert_refused(f, a, "audit.hmacKeyFile: ");
    write_file(f->key_file, "0123456789abcdef", 16);
    assert_refused(f, a, "audit.hmacKeyFile: another key, or none, needs another file");
    f->config.audit.hmac_key_file = NULL;

    write_records(a, 1);
    close_audit(f, &a);
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 2);
    assert_int_equal(access(n.next, F_OK), -1);
    assert_whole(f->file, NULL);
}

static void other_key(void **state) {
    struct fixture *f = *state;
    struct names n = names_of(f, 0);
    struct problems p;
    struct audit *a = open_audit(f);
    write_records(a, 1);
    assert_int_equal(rename(f->file, n.aside), 0);
    write_file(f->key_file, "0123456789abcdef", 16);
    f->config.audit.hmac_key_file = f->key_file;
    reload(f, a);
    write_records(a, 1);
    reload(f, a); /* the same key: nothing to do */
    close_audit(f, &a);
    assert_whole(n.aside, NULL);
    assert_whole(f->file, f->key_file);
    assert_false(verify_one(f->file, NULL, &p));
    assert_int_equal(count_in_file(f->file, "chain HMAC-SHA-256"), 1);
    char *before = read_file(n.aside, NULL), *after = read_file(f->file, NULL);
    char prev[96];
    (void)snprintf(prev, sizeof prev, "\"prev\":\"%.64s\"", strrchr(before, '}') - 65);
    assert_true(strstr(after, prev) != NULL && strstr(after, prev) < strchr(after, '\n'));
    free(before);
    free(after);
}

static void checkpoints_follow(void **state) {
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    f->config.audit.checkpoint_ms = 100;
    reload(f, a);
    for (int i = 0; i < WAIT_LIMIT_MS / 5 && count_in_file(f->file, "AUDIT_CHECKPOINT") < 2; i++) {
        run_a_moment(f);
    }
    assert_true(count_in_file(f->file, "AUDIT_CHECKPOINT") >= 2);
    close_audit(f, &a);
}

/* Records for a full disk are never written, and those behind them neither: else the chain would
 * have a hole. */
static void behind_a_full_disk(void **state) {
    struct fixture *f = *state;
    f->config.audit.file = "/dev/full";
    struct audit *a = open_audit(f);
    f->config.audit.file = f->file;
    reload(f, a);
    write_records(a, 1);
    struct names n = names_of(f, 0);
    assert_int_equal(rename(f->file, n.aside), 0);
    reload(f, a);
    assert_true(audit_close(&a, 50));
    uv_run(&f->loop, UV_RUN_NOWAIT);
    assert_int_equal(count_in_file(f->file, "{"), 0);
    assert_int_equal(count_in_file(n.aside, "{"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(renamed_under_load, setup, teardown),
        cmocka_unit_test_setup_teardown(same_file_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(other_name, setup, teardown),
        cmocka_unit_test_setup_teardown(renamed_behind_a_symbolic_link, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_done_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(other_key, setup, teardown),
        cmocka_unit_test_setup_teardown(checkpoints_follow, setup, teardown),
        cmocka_unit_test_setup_teardown(behind_a_full_disk, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
