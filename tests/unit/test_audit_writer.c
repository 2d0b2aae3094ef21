/* Group commit, failing disks, sudden death. */
#include "test_audit_support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "wslock/base/log.h"
#include "wslock/metrics/metrics.h"

static void each_sync_completes_once(void **state) {
    struct fixture *f = *state;
    struct synced synced[50];
    memset(synced, 0, sizeof synced);
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    for (size_t i = 0; i < ARRAY_LEN(synced); i++) {
        (void)audit_write(a, &r);
        audit_sync(a, on_synced, &synced[i]);
        assert_int_equal(synced[i].calls, 0); /* never from inside the call */
        if (i % 7 == 0) {
            run_a_moment(f);
        }
    }
    assert_true(run_until(f, &synced[ARRAY_LEN(synced) - 1].done));
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), (int)ARRAY_LEN(synced));
    /* Nothing new to write: it completes all the same. */
    struct synced idle = {0};
    audit_sync(a, on_synced, &idle);
    assert_int_equal(idle.calls, 0);
    assert_true(run_until(f, &idle.done));
    assert_true(idle.ok);
    close_audit(f, &a);
    for (size_t i = 0; i < ARRAY_LEN(synced); i++) {
        assert_int_equal(synced[i].calls, 1);
        assert_true(synced[i].ok);
    }
    assert_int_equal(idle.calls, 1);
    assert_whole(f->file, NULL);
}

static void records_are_written_without_sync(void **state) {
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    (void)audit_write(a, &r);
    for (int i = 0; i < WAIT_LIMIT_MS / 5 && count_in_file(f->file, "LOCK_ACQUIRED") == 0; i++) {
        run_a_moment(f);
    }
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 1);
    close_audit(f, &a);
}

static void close_completes_syncs(void **state) {
    struct fixture *f = *state;
    struct synced synced = {0};
    struct audit *a = open_audit(f);
    audit_sync(a, on_synced, &synced);
    close_audit(f, &a);
    assert_int_equal(synced.calls, 1);
    assert_true(synced.ok);
}

/* Reading the metrics twice counts nothing twice. */
static void collected_metrics(void **state) {
    struct fixture *f = *state;
    struct synced synced = {0};
    metrics_reset();
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    (void)audit_write(a, &r);
    audit_sync(a, on_synced, &synced);
    assert_true(run_until(f, &synced.done));
    audit_collect_metrics(a);
    const double syncs = metrics_value(METRIC_AUDIT_SYNC_SECONDS, NULL, NULL);
    assert_true(syncs >= 1);
    audit_collect_metrics(a);
    assert_true(metrics_value(METRIC_AUDIT_SYNC_SECONDS, NULL, NULL) == syncs);
    assert_true(metrics_value(METRIC_AUDIT_RECORDS, NULL, NULL) == 2); /* with AUDIT_STARTED */
    assert_true(metrics_value(METRIC_AUDIT_QUEUE, NULL, NULL) == 0);
    close_audit(f, &a);
}

static void fsync_none_completes_too(void **state) {
    struct fixture *f = *state;
    f->config.audit.fsync = CONFIG_FSYNC_NONE;
    struct synced synced = {0};
    struct audit *a = open_audit(f);
    audit_sync(a, on_synced, &synced);
    assert_true(run_until(f, &synced.done));
    assert_true(synced.ok);
    close_audit(f, &a);
    assert_whole(f->file, NULL);
}

static void full_device_is_unhealthy(void **state) {
    struct fixture *f = *state;
    struct synced synced = {0};
    metrics_reset();
    f->config.audit.file = "/dev/full";
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    assert_true(audit_write(a, &r) > 0);
    audit_sync(a, on_synced, &synced);
    assert_true(run_until(f, &synced.done));
    assert_false(synced.ok);
    assert_false(audit_healthy(a));
    assert_true(metrics_value(METRIC_AUDIT_ERRORS, NULL, NULL) >= 1);
    struct synced at_close = {0};
    audit_sync(a, on_synced, &at_close);
    close_audit(f, &a);
    assert_int_equal(at_close.calls, 1);
    assert_false(at_close.ok);
}

/* In a child, where an assertion of cmocka would be lost: exits with the line's number. */
#define CHILD_CHECK(condition)                                                                     \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            (void)fprintf(stderr, "child: line %d: %s\n", __LINE__, #condition);                   \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static bool ends_with_line(const char *path, size_t *size) {
    char *data = read_file(path, size);
    const bool whole = *size > 0 && data[*size - 1] == '\n';
    free(data);
    return whole;
}

/* The file may not grow past a limit (as on a full disk) in the middle of a line; then it may
 * again. */
static void child_at_size_limit(struct fixture *f) {
    struct rlimit limit;
    struct problems p;
    CHILD_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    const rlim_t unlimited = limit.rlim_cur;
    limit.rlim_cur = 3333;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    for (int i = 0; i < 100; i++) {
        CHILD_CHECK(audit_write(a, &r) != 0);
    }
    struct synced failed = {0};
    audit_sync(a, on_synced, &failed);
    CHILD_CHECK(run_until(f, &failed.done));
    CHILD_CHECK(!failed.ok && !audit_healthy(a));
    size_t size = 0;
    CHILD_CHECK(ends_with_line(f->file, &size) && size > 3333 - 400 && size <= 3333);
    CHILD_CHECK(verify_one(f->file, NULL, &p));

    limit.rlim_cur = unlimited;
    CHILD_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    struct synced recovered = {0};
    audit_sync(a, on_synced, &recovered);
    CHILD_CHECK(run_until(f, &recovered.done));
    CHILD_CHECK(recovered.ok && audit_healthy(a));
    close_audit(f, &a);
    CHILD_CHECK(failed.calls == 1 && recovered.calls == 1);
    _exit(0);
}

static void failed_write_leaves_whole_lines_and_is_retried(void **state) {
    struct fixture *f = *state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        child_at_size_limit(f);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_whole(f->file, NULL);
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 100);
}

/* Acknowledges 50 records, then writes on until it is killed. */
static void child_that_dies(struct fixture *f, int to_parent) {
    struct audit *a = open_audit(f);
    struct audit_record r = plain_record();
    for (int i = 0; i < 50; i++) {
        CHILD_CHECK(audit_write(a, &r) != 0);
    }
    struct synced synced = {0};
    audit_sync(a, on_synced, &synced);
    CHILD_CHECK(run_until(f, &synced.done) && synced.ok);
    CHILD_CHECK(write(to_parent, "1", 1) == 1);
    r.action = AUDIT_LOCK_RELEASED;
    for (;;) {
        for (int i = 0; i < 20; i++) {
            (void)audit_write(a, &r);
        }
        struct synced more = {0};
        audit_sync(a, on_synced, &more);
        (void)run_until(f, &more.done);
    }
}

static void acknowledged_records_outlive_a_kill(void **state) {
    struct fixture *f = *state;
    int lives = 3;
    for (int life = 1; life <= lives; life++) {
        int ends[2];
        char byte = 0;
        assert_int_equal(pipe(ends), 0);
        const pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            child_that_dies(f, ends[1]);
        }
        close(ends[1]);
        assert_int_equal(read(ends[0], &byte, 1), 1);
        assert_int_equal(kill(child, SIGKILL), 0);
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        close(ends[0]);
        assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 50 * life);
    }
    write_life(f, 1);
    assert_whole(f->file, NULL);
    assert_int_equal(count_in_file(f->file, "LOCK_ACQUIRED"), 50 * lives + 1);
}

/* A pipe that no one reads fills the queue; what is dropped is told once there is room. */
static void full_queue_leaves_a_gap_record(void **state) {
    struct fixture *f = *state;
    static char detail[1500];
    memset(detail, 'x', sizeof detail - 1);
    metrics_reset();
    assert_int_equal(mkfifo(f->file, 0600), 0);
    struct audit *a = open_audit(f);
    struct audit_record r = plain_record();
    r.detail = str_of(detail);
    uint64_t written = 0;
    uint64_t dropped = 0;
    while (dropped < 10) {
        if (audit_write(a, &r) != 0) {
            assert_int_equal(dropped, 0);
            written++;
        } else {
            dropped++;
        }
        assert_true(written < 200000);
    }
    assert_true(written > 30000);
    assert_false(audit_healthy(a));
    assert_true(metrics_value(METRIC_AUDIT_ERRORS, NULL, NULL) >= 10);
    audit_collect_metrics(a);
    assert_true(metrics_value(METRIC_AUDIT_QUEUE, NULL, NULL) > 60.0 * 1024 * 1024);

    /* Nothing more can be promised of a record that was dropped. */
    struct synced lost = {0};
    audit_sync(a, on_synced, &lost);
    assert_true(run_until(f, &lost.done));
    assert_false(lost.ok);

    const int from = open(f->file, O_RDONLY | O_NONBLOCK);
    assert_true(from >= 0);
    char copy[128];
    (void)snprintf(copy, sizeof copy, "%s/copy", f->dir);
    FILE *to = fopen(copy, "wb");
    assert_non_null(to);
    static char block[256 * 1024];
    bool synced_again = false;
    struct synced after = {0};
    f->timed_out = false;
    uv_timer_start(&f->guard, on_guard, WAIT_LIMIT_MS, 0);
    while (!after.done && !f->timed_out) {
        ssize_t n = 0;
        while ((n = read(from, block, sizeof block)) > 0) {
            assert_int_equal(fwrite(block, 1, (size_t)n, to), (size_t)n);
        }
        uv_run(&f->loop, UV_RUN_NOWAIT);
        if (!synced_again && audit_healthy(a)) {
            synced_again = true;
            assert_true(audit_write(a, &r) > 0);
            audit_sync(a, on_synced, &after);
        }
    }
    uv_timer_stop(&f->guard);
    assert_true(after.ok);
    close_audit(f, &a);
    ssize_t n = 0;
    while ((n = read(from, block, sizeof block)) > 0) {
        assert_int_equal(fwrite(block, 1, (size_t)n, to), (size_t)n);
    }
    close(from);
    assert_int_equal(fclose(to), 0);
    assert_whole(copy, NULL);
    assert_int_equal(count_in_file(copy, "\"AUDIT_GAP\""), 1);
    assert_int_equal(count_in_file(copy, "\"detail\":\"10 records dropped"), 1);
    assert_int_equal(count_in_file(copy, "LOCK_ACQUIRED"), (int)written + 1);
}

/* Standard error, for errors alone, goes to log_file until end_log gets what this returns. */
static int begin_log(const struct fixture *f, char log_file[128]) {
    (void)snprintf(log_file, 128, "%s/log", f->dir);
    (void)fflush(stderr);
    const int saved = dup(STDERR_FILENO);
    const int to = open(log_file, O_WRONLY | O_CREAT | O_APPEND, 0600);
    assert_true(saved >= 0 && to >= 0);
    assert_int_equal(dup2(to, STDERR_FILENO), STDERR_FILENO);
    close(to);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    return saved;
}

static void end_log(int saved) {
    (void)fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
}

/* Three takeovers: one that may be the first to fail, one while nothing can be written, one that is
 * still waiting at the end. */
static void late_admin_actions_are_logged(void **state) {
    static const char *const devices[] = {"/dev/full", "/dev/null"};
    struct fixture *f = *state;
    char log_file[128], reason[6001];
    memset(reason, '\1', sizeof reason - 1); /* grows sixfold: the line is never shortened */
    reason[sizeof reason - 1] = '\0';
    for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
        f->config.audit.file = (char *)devices[i];
        f->config.audit.omit_free_text = false;
        const int saved = begin_log(f, log_file);
        struct audit *a = open_audit(f);
        struct audit_record r = plain_record();
        for (int n = 0; n < 2; n++) {
            struct synced synced = {0};
            (void)audit_write(a, &r); /* what users do is not told */
            r.action = AUDIT_LOCK_TAKEOVER;
            r.reason = str_of(n == 0 ? "\"cardiac\" arrest\nforged" : reason);
            r.event_id = str_of(n == 0 ? "7-0" : "8-0");
            assert_true(audit_write(a, &r) > 0);
            audit_sync(a, on_synced, &synced);
            assert_true(run_until(f, &synced.done));
            assert_int_equal(synced.ok, i == 1);
            r = plain_record();
        }
        r.action = AUDIT_SESSION_TERMINATED;
        assert_true(audit_write(a, &r) > 0);
        close_audit(f, &a);
        end_log(saved);
        const int told = i == 0;
        assert_int_equal(count_in_file(log_file, "admin_action_not_on_disk record=\"{"), 3 * told);
        assert_int_equal(count_in_file(log_file, "\\\"reason\\\":\\\"\\\\\\\"cardiac\\\\\\\" arrest"
                                                 "\\\\nforged\\\","),
                         told);
        assert_int_equal(count_in_file(log_file, "\\\"eventId\\\":\\\"7-0\\\""), told);
        assert_int_equal(count_in_file(log_file, "\\\"eventId\\\":\\\"8-0\\\""), told);
        assert_int_equal(count_in_file(log_file, "SESSION_TERMINATED"), told);
        assert_int_equal(count_in_file(log_file, "LOCK_ACQUIRED"), 0);
        assert_int_equal(remove(log_file), 0);
    }
}

/* The checkpoint's seq and hash stand in the operator's log, as in the file. */
static void checkpoints_are_logged(void **state) {
    struct fixture *f = *state;
    char log_file[128];
    const int saved = begin_log(f, log_file); /* they are told whatever the level is */

    f->config.audit.checkpoint_ms = 100;
    struct audit *a = open_audit(f);
    for (int i = 0; i < WAIT_LIMIT_MS / 5 && count_in_file(log_file, "audit_checkpoint ") < 3;
         i++) {
        run_a_moment(f);
    }
    close_audit(f, &a);
    end_log(saved);

    assert_true(count_in_file(log_file, "audit_checkpoint ") >= 4);
    assert_true(count_in_file(f->file, "\"AUDIT_CHECKPOINT\"") >= 2);
    assert_whole(f->file, NULL);
    char *log = read_file(log_file, NULL);
    char *save = NULL;
    for (char *line = strtok_r(log, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        char hash[65];
        int seq = 0;
        const char *at = strstr(line, "audit_checkpoint ");
        if (at == NULL) {
            continue;
        }
        char in_file[128];
        assert_int_equal(sscanf(at, "audit_checkpoint seq=%d hash=%64[0-9a-f]", &seq, hash), 2);
        char *records = read_file(f->file, NULL);
        (void)snprintf(in_file, sizeof in_file, ",\"seq\":%d,", seq);
        const char *record = strstr(records, in_file);
        assert_non_null(record);
        (void)snprintf(in_file, sizeof in_file, ",\"hash\":\"%s\"}\n", hash);
        const char *found = strstr(record, in_file);
        assert_non_null(found);
        assert_ptr_equal(strchr(record, '\n'), found + strlen(in_file) - 1);
        free(records);
    }
    free(log);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_sync_completes_once, setup, teardown),
        cmocka_unit_test_setup_teardown(records_are_written_without_sync, setup, teardown),
        cmocka_unit_test_setup_teardown(close_completes_syncs, setup, teardown),
        cmocka_unit_test_setup_teardown(collected_metrics, setup, teardown),
        cmocka_unit_test_setup_teardown(fsync_none_completes_too, setup, teardown),
        cmocka_unit_test_setup_teardown(full_device_is_unhealthy, setup, teardown),
        cmocka_unit_test_setup_teardown(failed_write_leaves_whole_lines_and_is_retried, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(acknowledged_records_outlive_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(full_queue_leaves_a_gap_record, setup, teardown),
        cmocka_unit_test_setup_teardown(late_admin_actions_are_logged, setup, teardown),
        cmocka_unit_test_setup_teardown(checkpoints_are_logged, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
