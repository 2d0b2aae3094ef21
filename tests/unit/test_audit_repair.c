/* Opening what a crash, or something worse, left behind. */
#include "test_audit_support.h"

#include "../../src/audit/known.h"

#include <dirent.h>
#include <openssl/sha.h>
#include <signal.h>
#include <sys/resource.h>

/* The one file `audit.jsonl.torn-…` in the folder; false if there is none. */
static bool find_torn(const struct fixture *f, char *path, size_t size) {
    bool found = false;
    DIR *dir = opendir(f->dir);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        if (strncmp(e->d_name, "audit.jsonl.torn-", 17) == 0) {
            assert_false(found);
            (void)snprintf(path, size, "%s/%s", f->dir, e->d_name);
            found = true;
        }
    }
    closedir(dir);
    return found;
}

static void sha256_hex(const char *data, size_t len, char out[65]) {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)data, len, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        (void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
    }
}

/* After a start: the cut bytes are in the torn file, and the record tells so. */
static void assert_repaired(struct fixture *f, size_t offset, const char *cut, size_t cut_len) {
    char torn[512];
    char text[256];
    char sha256[65];
    write_life(f, 1);
    assert_whole(f->file, NULL);
    assert_int_equal(count_in_file(f->file, "\"action\":\"AUDIT_REPAIRED\""), 1);
    sha256_hex(cut, cut_len, sha256);
    (void)snprintf(text, sizeof text, "cut off %zu bytes at offset %zu, sha256 %s, kept in ",
                   cut_len, offset, sha256);
    assert_int_equal(count_in_file(f->file, text), 1);
    assert_true(find_torn(f, torn, sizeof torn));
    assert_int_equal(count_in_file(f->file, torn), 1);
    size_t kept_len = 0;
    char *kept = read_file(torn, &kept_len);
    assert_int_equal(kept_len, cut_len);
    assert_memory_equal(kept, cut, cut_len);
    free(kept);

    /* Once is enough. */
    write_life(f, 1);
    assert_int_equal(count_in_file(f->file, "\"action\":\"AUDIT_REPAIRED\""), 1);
    assert_whole(f->file, NULL);
}

static void torn_line_is_cut_off(void **state) {
    struct fixture *f = *state;
    size_t len = 0;
    write_life(f, 2);
    char *good = read_file(f->file, &len);
    /* The last line but one byte: only its newline is missing. */
    char *last = memrchr(good, '\n', len - 1);
    const size_t start = (size_t)(last - good) + 1;
    write_file(f->file, good, len - 1);
    assert_repaired(f, start, good + start, len - 1 - start);
    free(good);
}

static void nothing_but_a_torn_line(void **state) {
    struct fixture *f = *state;
    static const char torn[] = "{\"time\":\"2025-11-24T04:3";
    write_file(f->file, torn, sizeof torn - 1);
    assert_repaired(f, 0, torn, sizeof torn - 1);
    assert_int_equal(count_in_file(f->file, "\"seq\":1,"), 1);
}

/* A power cut leaves blocks of zeros. */
static void block_of_zeros_is_cut_off(void **state) {
    struct fixture *f = *state;
    static const char zeros[300 * 1024];
    struct stat st;
    write_life(f, 2);
    assert_int_equal(stat(f->file, &st), 0);
    append_file(f->file, zeros, sizeof zeros);
    assert_repaired(f, (size_t)st.st_size, zeros, sizeof zeros);
}

static void last_whole_line_that_fails_is_cut_off(void **state) {
    struct fixture *f = *state;
    size_t len = 0;
    write_life(f, 3);
    char *data = read_file(f->file, &len);
    char *last = memrchr(data, '\n', len - 1) + 1;
    last[40] ^= 1;
    write_file(f->file, data, len);
    assert_repaired(f, (size_t)(last - data), last, len - (size_t)(last - data));
    free(data);
}

static void two_bad_lines_are_a_problem(void **state) {
    struct fixture *f = *state;
    size_t len = 0;
    write_life(f, 3);
    char *data = read_file(f->file, &len);
    char *last = memrchr(data, '\n', len - 1) + 1;
    last[40] ^= 1;
    last[-40] ^= 1;
    write_file(f->file, data, len);
    char *problem = problem_of_open(f);
    assert_non_null(strstr(problem, "do not verify"));
    assert_non_null(strstr(problem, f->file));
    free(problem);
    size_t after_len = 0;
    char *after = read_file(f->file, &after_len);
    assert_int_equal(after_len, len);
    assert_memory_equal(after, data, len);
    free(after);
    free(data);
}

static void foreign_file_is_left_alone(void **state) {
    struct fixture *f = *state;
    static const char text[] = "root:x:0:0\n";
    write_file(f->file, text, sizeof text - 1);
    free(problem_of_open(f));
    char *data = read_file(f->file, NULL);
    assert_string_equal(data, text);
    free(data);
}

static void other_key_is_a_problem(void **state) {
    struct fixture *f = *state;
    write_life(f, 3);
    write_file(f->key_file, "0123456789abcdef", 16);
    f->config.audit.hmac_key_file = f->key_file;
    char *problem = problem_of_open(f);
    assert_non_null(strstr(problem, "hmacKeyFile"));
    free(problem);
    assert_whole(f->file, NULL);
}

static void second_daemon_is_refused(void **state) {
    struct fixture *f = *state;
    struct audit *a = open_audit(f);
    char *problem = problem_of_open(f);
    assert_non_null(strstr(problem, "in use by another process"));
    free(problem);
    close_audit(f, &a);
    write_life(f, 1);
    assert_whole(f->file, NULL);
}

/* Where there is no room for a copy, the record quotes the beginning, if people's words may be
 * kept. */
static void what_cannot_be_kept_is_quoted(void **state) {
    struct fixture *f = *state;
    static char torn[16 * 1024];
    struct rlimit limit;
    memset(torn, 'y', sizeof torn);
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    const rlim_t unlimited = limit.rlim_cur;
    for (int omit = 0; omit <= 1; omit++) {
        char path[512];
        write_life(f, 1);
        append_file(f->file, torn, sizeof torn);
        f->config.audit.omit_free_text = omit != 0;
        limit.rlim_cur = 8 * 1024;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        struct audit *a = open_audit(f);
        close_audit(f, &a);
        limit.rlim_cur = unlimited;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_false(find_torn(f, path, sizeof path));
        assert_whole(f->file, NULL);
        assert_int_equal(count_in_file(f->file, "not kept (File too large)"), omit + 1);
        assert_int_equal(count_in_file(f->file, "began: yyyy"), 1);
    }
    (void)signal(SIGXFSZ, SIG_DFL);
}

static struct audit_record change(const char *resource, const char *event_id, bool recovered) {
    struct audit_record r = plain_record();
    r.resource_id = str_of(resource);
    r.event_id = str_of(event_id);
    r.recovered = recovered;
    return r;
}

/* What a killed daemon had written is read back from the store by its successor. */
static void a_change_is_not_recovered_twice(void **state) {
    struct fixture *f = *state;
    const struct audit_record written = change("document:1:body", "17-0", false),
                              again = change("document:1:body", "17-0", true),
                              elsewhere = change("document:2:body", "17-0", true),
                              later = change("document:1:body", "18-0", true);
    struct audit *a = open_audit(f);
    assert_true(audit_write(a, &written) > 0);
    for (int i = 0; i < 8000; i++) { /* more than one step of looking back */
        const struct audit_record r = plain_record();
        assert_true(audit_write(a, &r) > 0);
    }
    close_audit(f, &a);
    a = open_audit(f);
    assert_true(audit_write(a, &again) > 0);
    assert_true(audit_write(a, &elsewhere) > 0);
    assert_true(audit_write(a, &later) > 0);
    assert_true(audit_write(a, &later) > 0);
    close_audit(f, &a);
    assert_int_equal(count_in_file(f->file, "\"recovered\":true"), 2);
    assert_int_equal(count_in_file(f->file, "\"eventId\":\"17-0\""), 2);
    assert_int_equal(count_in_file(f->file, "\"eventId\":\"18-0\""), 1);
    assert_whole(f->file, NULL);
}

static void folder_missing(void **state) {
    struct fixture *f = *state;
    (void)snprintf(f->file, sizeof f->file, "%s/none/audit.jsonl", f->dir);
    char *problem = problem_of_open(f);
    assert_non_null(strstr(problem, f->file));
    assert_non_null(strstr(problem, "No such file"));
    free(problem);
}

static struct str known_line(char *out, size_t size, int number) {
    snprintf(out, size,
             "{\"action\":\"LOCK_ACQUIRED\",\"resourceId\":\"a:b:c\",\"eventId\":\"%d-0\"", number);
    return str_of(out);
}

/* However many are recovered in the life of the daemon. */
static void only_the_newest_records_are_remembered(void **state) {
    struct known *known = known_create();
    char line[128];
    int count = 0;

    (void)state;
    known_add(known, known_line(line, sizeof line, 0));
    while (known_has(known, known_line(line, sizeof line, 0))) {
        known_add(known, known_line(line, sizeof line, ++count));
        assert_in_range(count, 0, 200000);
    }
    assert_true(known_has(known, known_line(line, sizeof line, count)));
    assert_true(known_has(known, known_line(line, sizeof line, count / 2 + 1)));
    known_destroy(&known);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(torn_line_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_but_a_torn_line, setup, teardown),
        cmocka_unit_test_setup_teardown(block_of_zeros_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(last_whole_line_that_fails_is_cut_off, setup, teardown),
        cmocka_unit_test_setup_teardown(two_bad_lines_are_a_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(foreign_file_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(other_key_is_a_problem, setup, teardown),
        cmocka_unit_test_setup_teardown(second_daemon_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_kept_is_quoted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_change_is_not_recovered_twice, setup, teardown),
        cmocka_unit_test(only_the_newest_records_are_remembered),
        cmocka_unit_test_setup_teardown(folder_missing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
