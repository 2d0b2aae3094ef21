#include "seeded.h"

#include <math.h>
#include <unistd.h>

#include "wslock/base/clock.h"
#include "wslock/metrics/metrics.h"

static struct buf out;

static const char *render(void) {
    buf_reset(&out);
    metrics_render(&out);
    return buf_cstr(&out);
}

static void assert_line(const char *line) {
    const char *text = render();
    size_t len = strlen(line);
    for (const char *at = text; (at = strstr(at, line)) != NULL; at++) {
        if ((at == text || at[-1] == '\n') && at[len] == '\n') {
            return;
        }
    }
    fail_msg("no line `%s` in\n%s", line, text);
}

static int forget(void **state) {
    (void)state;
    clock_set_source(NULL);
    metrics_reset();
    buf_fini(&out);
    return 0;
}

static void test_counter_and_gauge(void **state) {
    (void)state;
    metrics_add(METRIC_REQUESTS, 1, "lock:acquire", "ok");
    metrics_add(METRIC_REQUESTS, 2, "lock:acquire", "ok");
    metrics_add(METRIC_REQUESTS, 1, "lock:acquire", "denied");
    metrics_set(METRIC_CONNECTIONS, 5, "plain", NULL);
    metrics_add(METRIC_CONNECTIONS, -2, "plain", NULL);
    assert_line("# TYPE wslock_requests_total counter");
    assert_line("# TYPE wslock_connections gauge");
    assert_line("wslock_requests_total{event=\"lock:acquire\",outcome=\"ok\"} 3");
    assert_line("wslock_requests_total{event=\"lock:acquire\",outcome=\"denied\"} 1");
    assert_line("wslock_connections{framing=\"plain\"} 3");
    assert_true(metrics_value(METRIC_REQUESTS, "lock:acquire", "ok") == 3);
    assert_true(metrics_value(METRIC_REQUESTS, "lock:acquire", "never") == 0);
    assert_true(metrics_sum(METRIC_REQUESTS) == 4);
    assert_true(metrics_sum(METRIC_LOCKS) == 0);
    assert_null(strstr(render(), "never"));
}

static uint64_t now_us;

static uint64_t read_now(void) {
    return now_us;
}

static int64_t read_wall(void) {
    return 0;
}

static void set_period(unsigned period) {
    static const struct clock_source source = {read_now, read_wall};
    now_us = (uint64_t)period * METRICS_PEAK_MS * 1000;
    clock_set_source(&source);
}

/* A peak shows for the rest of its period and in the next one, however often it is read. */
static void test_peak(void **state) {
    (void)state;
    assert_null(strstr(render(), "\nwslock_loop_lag_seconds"));
    set_period(7);
    metrics_set(METRIC_LOOP_LAG, 0.25, NULL, NULL);
    metrics_set(METRIC_LOOP_LAG, 3.5, NULL, NULL);
    metrics_set(METRIC_LOOP_LAG, 0, NULL, NULL);
    assert_true(metrics_value(METRIC_LOOP_LAG, NULL, NULL) == 3.5);
    assert_non_null(strstr(render(), "# TYPE wslock_loop_lag_seconds gauge\n"
                                     "wslock_loop_lag_seconds 3.5\n"));
    assert_line("wslock_loop_lag_seconds 3.5");
    set_period(8);
    assert_line("wslock_loop_lag_seconds 3.5");
    metrics_set(METRIC_LOOP_LAG, 0.25, NULL, NULL);
    assert_line("wslock_loop_lag_seconds 3.5");
    set_period(9);
    assert_line("wslock_loop_lag_seconds 0.25");
    set_period(10);
    assert_line("wslock_loop_lag_seconds 0");
    metrics_set(METRIC_LOOP_LAG, 0.125, NULL, NULL);
    assert_line("wslock_loop_lag_seconds 0.125");
    set_period(20);
    metrics_set(METRIC_LOOP_LAG, 0.0625, NULL, NULL);
    assert_line("wslock_loop_lag_seconds 0.0625");
}

/* A scrape that is repeated at once reads the same. */
static void test_rendering_changes_nothing(void **state) {
    (void)state;
    for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
        metrics_set(id, 1.5, "one", "two");
        metrics_observe(id, 0.25, "one");
    }
    char *first = strdup(render());
    assert_string_equal(render(), first);
    free(first);
}

static void test_process(void **state) {
    (void)state;
    metrics_collect_process();
    const double open_fds = metrics_value(METRIC_PROCESS_OPEN_FDS, NULL, NULL);
    const double cpu = metrics_value(METRIC_PROCESS_CPU, NULL, NULL);
    assert_true(open_fds >= 3);
    assert_true(cpu > 0);
    assert_true(metrics_value(METRIC_PROCESS_RSS, NULL, NULL) > 65536);
    assert_true(metrics_value(METRIC_PROCESS_VIRTUAL, NULL, NULL) >
                metrics_value(METRIC_PROCESS_RSS, NULL, NULL));
    const int fd = dup(0);
    assert_true(fd >= 0);
    metrics_collect_process();
    close(fd);
    assert_true(metrics_value(METRIC_PROCESS_OPEN_FDS, NULL, NULL) == open_fds + 1);
    assert_true(metrics_value(METRIC_PROCESS_CPU, NULL, NULL) >= cpu);
    assert_true(metrics_value(METRIC_PROCESS_MAX_FDS, NULL, NULL) > open_fds);
}

/* What another thread gathered replaces what was there. */
static void test_published_histogram(void **state) {
    (void)state;
    struct metrics_histogram h = {.sum = 0};
    metrics_histogram_add(&h, 0.002);
    metrics_histogram_add(&h, 20);
    metrics_publish(METRIC_AUDIT_SYNC_SECONDS, &h);
    metrics_publish(METRIC_AUDIT_SYNC_SECONDS, &h);
    assert_line("wslock_audit_sync_duration_seconds_bucket{le=\"0.001\"} 0");
    assert_line("wslock_audit_sync_duration_seconds_bucket{le=\"10\"} 1");
    assert_line("wslock_audit_sync_duration_seconds_bucket{le=\"+Inf\"} 2");
    assert_line("wslock_audit_sync_duration_seconds_sum 20.002");
    assert_line("wslock_audit_sync_duration_seconds_count 2");
}

static void test_untouched(void **state) {
    (void)state;
    /* a counter without labels is there from the start, a gauge that nobody set is not */
    assert_line("wslock_stale_tokens_total 0");
    assert_line("wslock_audit_sync_duration_seconds_count 0");
    assert_null(strstr(render(), "\nwslock_tls_certificate_expiry"));
    assert_null(strstr(render(), "\nwslock_closed_total"));
    /* what they are can be read beforehand */
    assert_line("# TYPE wslock_tls_certificate_expiry_timestamp_seconds gauge");
    assert_line("# HELP wslock_closed_total Connections that ended, by reason");
    assert_line("# TYPE wslock_closed_total counter");
    assert_line("# TYPE wslock_takeovers_total counter");
}

static void test_histogram(void **state) {
    (void)state;
    metrics_observe(METRIC_REQUEST_SECONDS, 0.00005, "lock:join");
    metrics_observe(METRIC_REQUEST_SECONDS, 0.0001, "lock:join");
    metrics_observe(METRIC_REQUEST_SECONDS, 0.3, "lock:join");
    metrics_observe(METRIC_REQUEST_SECONDS, 11, "lock:join");
    assert_line("# TYPE wslock_request_duration_seconds histogram");
    assert_line("wslock_request_duration_seconds_bucket{event=\"lock:join\",le=\"0.0001\"} 2");
    assert_line("wslock_request_duration_seconds_bucket{event=\"lock:join\",le=\"0.25\"} 2");
    assert_line("wslock_request_duration_seconds_bucket{event=\"lock:join\",le=\"0.5\"} 3");
    assert_line("wslock_request_duration_seconds_bucket{event=\"lock:join\",le=\"10\"} 3");
    assert_line("wslock_request_duration_seconds_bucket{event=\"lock:join\",le=\"+Inf\"} 4");
    assert_line("wslock_request_duration_seconds_sum{event=\"lock:join\"} 11.30015");
    assert_line("wslock_request_duration_seconds_count{event=\"lock:join\"} 4");
    assert_true(metrics_value(METRIC_REQUEST_SECONDS, "lock:join", NULL) == 4);
}

static void test_escaping_and_numbers(void **state) {
    (void)state;
    metrics_set(METRIC_BUILD_INFO, 1, "a\"b\\c\nd\xff\xe2\x82\xac", NULL);
    assert_line("wslock_build_info{version=\"a\\\"b\\\\c\\nd\xef\xbf\xbd\xe2\x82\xac\"} 1");
    metrics_set(METRIC_STORE_UP, 1e15, NULL, NULL);
    assert_line("wslock_store_up 1e+15");
    metrics_set(METRIC_STORE_UP, 0.1, NULL, NULL);
    assert_line("wslock_store_up 0.1");
    metrics_set(METRIC_STORE_UP, 1.0 / 3, NULL, NULL);
    assert_line("wslock_store_up 0.33333333333333331");
    metrics_set(METRIC_STORE_UP, NAN, NULL, NULL);
    assert_line("wslock_store_up NaN");
    metrics_set(METRIC_STORE_UP, -INFINITY, NULL, NULL);
    assert_line("wslock_store_up -Inf");
    metrics_set(METRIC_TLS_EXPIRY, 1764000000, NULL, NULL);
    assert_line("wslock_tls_certificate_expiry_timestamp_seconds 1764000000");
}

static void test_bounded(void **state) {
    (void)state;
    char type[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(type, sizeof type, "type-%d", i);
        metrics_add(METRIC_DENIED, 1, type, "HELD");
    }
    for (int i = 0; i < METRICS_MAX_SERIES; i++) {
        snprintf(type, sizeof type, "type-%d", i);
        assert_true(metrics_value(METRIC_DENIED, type, "HELD") == 1);
    }
    assert_true(metrics_value(METRIC_DENIED, "type-999", "HELD") == 0);
    assert_true(metrics_value(METRIC_DENIED, "other", "other") == 1000 - METRICS_MAX_SERIES);
    char text[600];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    metrics_add(METRIC_CLOSED, 1, text, NULL);
    assert_line("wslock_closed_total{reason=\"other\"} 1");
}

/* Every line is a comment or `name{labels} number`, each metric once, its samples together. */
static void test_format(void **state) {
    (void)state;
    for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
        metrics_set(id, 1, "one", "two");
    }
    metrics_observe(METRIC_REQUEST_SECONDS, 1, "one");
    char name[128] = "";
    char *copy = strdup(render());
    assert_non_null(copy);
    size_t types = 0;
    char *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            assert_int_equal(sscanf(line + 7, "%127s", name), 1);
        } else if (strncmp(line, "# TYPE ", 7) == 0) {
            assert_int_equal(strncmp(line + 7, name, strlen(name)), 0);
            types++;
        } else {
            assert_int_equal(strncmp(line, name, strlen(name)), 0);
            const char *number = strrchr(line, ' ');
            assert_non_null(number);
            char *end;
            strtod(number + 1, &end);
            assert_int_equal(*end, '\0');
        }
    }
    assert_int_equal(types, METRIC_COUNT);
    free(copy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_counter_and_gauge, forget),
        cmocka_unit_test_teardown(test_peak, forget),
        cmocka_unit_test_teardown(test_rendering_changes_nothing, forget),
        cmocka_unit_test_teardown(test_process, forget),
        cmocka_unit_test_teardown(test_published_histogram, forget),
        cmocka_unit_test_teardown(test_untouched, forget),
        cmocka_unit_test_teardown(test_histogram, forget),
        cmocka_unit_test_teardown(test_escaping_and_numbers, forget),
        cmocka_unit_test_teardown(test_bounded, forget),
        cmocka_unit_test_teardown(test_format, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
