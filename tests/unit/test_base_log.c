#include "seeded.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"

static uint64_t fake_boot_us = 1000000;

static uint64_t fake_boot(void) {
    return fake_boot_us;
}

static int64_t fake_wall(void) {
    return 1700000000123456;
}

static const struct clock_source fake_clock = {fake_boot, fake_wall};
static FILE *capture;
static int real_stderr;

/* Standard error goes to a file from here to capture_end, which gives what was written. */
static void capture_begin(void) {
    capture = tmpfile();
    assert_non_null(capture);
    real_stderr = dup(STDERR_FILENO);
    assert_true(real_stderr >= 0);
    assert_true(dup2(fileno(capture), STDERR_FILENO) >= 0);
}

static const char *capture_end(void) {
    static char text[16384];
    assert_true(dup2(real_stderr, STDERR_FILENO) >= 0);
    close(real_stderr);
    rewind(capture);
    size_t len = fread(text, 1, sizeof text - 1, capture);
    text[len] = '\0';
    fclose(capture);
    return text;
}

static int set_up(void **state) {
    (void)state;
    unsetenv("JOURNAL_STREAM");
    clock_set_source(&fake_clock);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    clock_set_source(NULL);
    return 0;
}

#define HEAD "2023-11-14T22:13:20.123Z info "

static void test_text(void **state) {
    (void)state;
    capture_begin();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    errno = ENOENT;
    log_info("started");
    log_info("listening", LF("address", "127.0.0.1"), LFI("port", 80), LFI("low", INT64_MIN));
    log_info("odd", LF("empty", ""), LF("null", NULL), LF("space", "a b"), LF("eq", "a=b"));
    log_debug("not_shown");
    assert_int_equal(errno, ENOENT);
    assert_string_equal(capture_end(),
                        HEAD "started\n" HEAD
                             "listening address=127.0.0.1 port=80 low=-9223372036854775808\n" HEAD
                             "odd empty=\"\" null=\"\" space=\"a b\" eq=\"a=b\"\n");
}

static void test_nobody_forges_a_line(void **state) {
    (void)state;
    capture_begin();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("x", LF("v", "a\nstarted level=info"));
    log_info("x", LF("v", "\x1b[2J\r\"\\"));
    /* NOLINTNEXTLINE(misc-misleading-bidirectional): that is what is tested */
    log_info("x", LF("v", "\xc2\x9b"
                          "31m\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\x7f"));
    log_info("x", LFS("v", ((struct str){"\xff\0\xc3\xa9", 4})));
    assert_string_equal(capture_end(), HEAD "x v=\"a\\nstarted level=info\"\n" HEAD
                                            "x v=\"\\u001b[2J\\u000d\\\"\\\\\"\n" HEAD
                                            "x v=\"\\u009b31m\\u2028\\u202e\\u2066\\u007f\"\n" HEAD
                                            "x v=\"\xef\xbf\xbd\\u0000\xc3\xa9\"\n");
}

static void test_json(void **state) {
    (void)state;
    capture_begin();
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_JSON);
    log_warn("odd", LF("v", "a\"\n\x01\xff\xc2\x9b"), LFI("n", -3));
    const char *line = capture_end();
    json_t *read = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    assert_string_equal(json_string_value(json_object_get(read, "event")), "odd");
    assert_string_equal(json_string_value(json_object_get(read, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(read, "time")),
                        "2023-11-14T22:13:20.123Z");
    assert_string_equal(json_string_value(json_object_get(read, "v")),
                        "a\"\n\x01\xef\xbf\xbd\xc2\x9b");
    assert_int_equal(json_integer_value(json_object_get(read, "n")), -3);
    assert_string_equal(strchr(line, '\n'), "\n");
    json_decref(read);
}

static void test_long_values_are_cut(void **state) {
    (void)state;
    static char big[20000];
    memset(big, 'x', sizeof big - 1);
    capture_begin();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("big", LF("v", big), LF("after", "here"));
    const char *line = capture_end();
    assert_true(strlen(line) < 5000);
    assert_non_null(strstr(line, "xxx...\" after=here\n"));
}

static void test_journal_prefix(void **state) {
    (void)state;
    char stream[64];
    struct stat st;
    capture_begin();
    assert_int_equal(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
    log_configure(LOG_LEVEL_DEBUG, LOG_FORMAT_TEXT);
    log_error("a");
    log_warn("b");
    log_info("c", LFI("n", 1));
    log_debug("d");
    /* redirected elsewhere: not the journal any more */
    snprintf(stream, sizeof stream, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino + 1);
    setenv("JOURNAL_STREAM", stream, 1);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    log_info("e");
    unsetenv("JOURNAL_STREAM");
    assert_string_equal(capture_end(), "<3>a\n<4>b\n<6>c n=1\n<7>d\n" HEAD "e\n");
}

static void test_limit(void **state) {
    (void)state;
    struct log_limit limit = {0};
    capture_begin();
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    for (int i = 0; i < 10; i++) {
        if (log_limit_pass(&limit, 2)) {
            log_info("burst", LFI("i", i));
        }
    }
    fake_boot_us += 61 * 1000000;
    for (int i = 10; i < 12; i++) {
        if (log_limit_pass(&limit, 2)) {
            log_info("burst", LFI("i", i));
        }
    }
    assert_string_equal(capture_end(), HEAD "burst i=0\n" HEAD "burst i=1\n" HEAD
                                            "burst i=10 suppressed=8\n" HEAD "burst i=11\n");
}

/* A reader that stands still costs lines, and never stops the process. */
static void test_stalled_reader(void **state) {
    int ends[2];
    char bytes[4096];
    size_t len = 0;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    memset(bytes, '.', sizeof bytes);
    assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
    while (write(ends[1], bytes, sizeof bytes) > 0) {
    }
    assert_int_equal(fcntl(ends[1], F_SETFL, 0), 0);
    int saved = dup(STDERR_FILENO);
    assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
    log_configure(LOG_LEVEL_INFO, LOG_FORMAT_TEXT);
    alarm(20); /* where it does stop */
    log_info("lost");
    alarm(0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    while (read(ends[0], bytes, sizeof bytes) > 0) {
    }
    log_info("told");
    ssize_t got = read(ends[0], bytes, sizeof bytes - 1);
    len = got > 0 ? (size_t)got : 0;
    bytes[len] = '\0';
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(ends[0]);
    close(ends[1]);
    assert_string_equal(bytes, HEAD "told suppressed=1\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),           cmocka_unit_test(test_nobody_forges_a_line),
        cmocka_unit_test(test_json),           cmocka_unit_test(test_long_values_are_cut),
        cmocka_unit_test(test_journal_prefix), cmocka_unit_test(test_limit),
        cmocka_unit_test(test_stalled_reader),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
