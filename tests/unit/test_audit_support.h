/* What the tests of the audit log share: a folder of their own, a configuration, a loop with a
 * limit. */
#ifndef TEST_AUDIT_SUPPORT_H
#define TEST_AUDIT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "wslock/audit/audit.h"
#include "wslock/audit/verify.h"

#define UNUSED_OK __attribute__((unused))
#define WAIT_LIMIT_MS 20000

struct fixture {
    char dir[64];
    char file[96];
    char key_file[96];
    struct config config;
    uv_loop_t loop;
    uv_timer_t guard; /* keeps the loop alive, ends a wait that lasts too long */
    bool timed_out;
};

static void on_guard(uv_timer_t *timer) {
    ((struct fixture *)timer->data)->timed_out = true;
}

/* Runs the loop until *flag; false when it took too long. */
static UNUSED_OK bool run_until(struct fixture *f, const bool *flag) {
    f->timed_out = false;
    uv_timer_start(&f->guard, on_guard, WAIT_LIMIT_MS, 0);
    while (!*flag && !f->timed_out) {
        uv_run(&f->loop, UV_RUN_ONCE);
    }
    uv_timer_stop(&f->guard);
    return *flag;
}

static void on_turn(uv_timer_t *timer) {
    *(bool *)timer->data = true;
}

/* Lets the loop run for a moment, as a step of waiting for something in a file. */
static UNUSED_OK void run_a_moment(struct fixture *f) {
    bool passed = false;
    uv_timer_t turn;
    uv_timer_init(&f->loop, &turn);
    turn.data = &passed;
    uv_timer_start(&turn, on_turn, 5, 0);
    (void)run_until(f, &passed);
    uv_close((uv_handle_t *)&turn, NULL);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

static UNUSED_OK void write_file(const char *path, const char *data, size_t len) {
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static UNUSED_OK void append_file(const char *path, const char *data, size_t len) {
    FILE *out = fopen(path, "ab");
    assert_non_null(out);
    assert_int_equal(fwrite(data, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

/* The file's content with a NUL, to be freed; the length in *len. */
static UNUSED_OK char *read_file(const char *path, size_t *len) {
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    assert_int_equal(fseek(in, 0, SEEK_END), 0);
    const long size = ftell(in);
    rewind(in);
    char *data = malloc((size_t)size + 1);
    assert_non_null(data);
    assert_int_equal(fread(data, 1, (size_t)size, in), (size_t)size);
    data[size] = '\0';
    assert_int_equal(fclose(in), 0);
    if (len != NULL) {
        *len = (size_t)size;
    }
    return data;
}

/* How often text stands in the file. Line by line, since sanitizers look at all that memmem is
 * given. */
static UNUSED_OK int count_in_file(const char *path, const char *text) {
    size_t len = 0;
    char *data = read_file(path, &len);
    const char *const end = data + len;
    int count = 0;
    for (const char *line = data; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        const char *const line_end = newline != NULL ? newline + 1 : end;
        for (const char *at = line;
             (at = memmem(at, (size_t)(line_end - at), text, strlen(text))) != NULL; at++) {
            count++;
        }
        line = line_end;
    }
    free(data);
    return count;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return -1;
    }
    strcpy(f->dir, "/tmp/wslock-audit-XXXXXX");
    if (mkdtemp(f->dir) == NULL) {
        free(f);
        return -1;
    }
    (void)snprintf(f->file, sizeof f->file, "%s/audit.jsonl", f->dir);
    (void)snprintf(f->key_file, sizeof f->key_file, "%s/key", f->dir);
    f->config.audit.file = f->file;
    f->config.audit.fsync = CONFIG_FSYNC_BATCH;
    f->config.audit.checkpoint_ms = 3600 * 1000;
    uv_loop_init(&f->loop);
    uv_timer_init(&f->loop, &f->guard);
    f->guard.data = f;
    *state = f;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

static int teardown(void **state) {
    struct fixture *f = *state;
    uv_close((uv_handle_t *)&f->guard, NULL);
    uv_run(&f->loop, UV_RUN_DEFAULT);
    const int open_handles = uv_loop_close(&f->loop);
    (void)nftw(f->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    free(f);
    return open_handles;
}

static UNUSED_OK struct audit *open_audit(struct fixture *f) {
    char *problem = NULL;
    struct audit *a = audit_open(&f->loop, &f->config, "gw-1", &problem);
    if (a == NULL) {
        print_error("audit_open: %s\n", problem);
    }
    assert_non_null(a);
    return a;
}

static UNUSED_OK void close_audit(struct fixture *f, struct audit **a) {
    assert_true(audit_close(a, 2000));
    assert_null(*a);
    uv_run(&f->loop, UV_RUN_NOWAIT);
}

/* What audit_open finds wrong, to be freed. */
static UNUSED_OK char *problem_of_open(struct fixture *f) {
    char *problem = NULL;
    struct audit *a = audit_open(&f->loop, &f->config, "gw-1", &problem);
    assert_null(a);
    assert_non_null(problem);
    return problem;
}

static UNUSED_OK struct audit_record plain_record(void) {
    return (struct audit_record){.action = AUDIT_LOCK_ACQUIRED,
                                 .resource_id = str_of("document:1:body"),
                                 .user = {str_of("u1"), str_of("Ada")},
                                 .fence = 7,
                                 .held_ms = -1,
                                 .previous_dirty = -1};
}

/* One life of the log with `count` plain records. */
static UNUSED_OK void write_life(struct fixture *f, int count) {
    struct audit *a = open_audit(f);
    const struct audit_record r = plain_record();
    for (int i = 0; i < count; i++) {
        assert_true(audit_write(a, &r) > 0);
    }
    close_audit(f, &a);
}

struct synced {
    int calls;
    bool done, ok;
};

static UNUSED_OK void on_synced(void *ctx, bool ok) {
    struct synced *s = ctx;
    s->calls++;
    s->done = true;
    s->ok = ok;
}

struct problems {
    int count;
    uint64_t first_line;
    char first[256];
    char all[4096];
};

static void on_problem(void *ctx, const char *path, uint64_t line, const char *text) {
    struct problems *p = ctx;
    (void)path;
    if (p->count++ == 0) {
        p->first_line = line;
        (void)snprintf(p->first, sizeof p->first, "%s", text);
    }
    const size_t used = strlen(p->all);
    (void)snprintf(p->all + used, sizeof p->all - used, "%" PRIu64 ": %s\n", line, text);
}

static UNUSED_OK bool verify_all(const char *const *paths, size_t count, const char *key_file,
                                 struct problems *p) {
    memset(p, 0, sizeof *p);
    const struct audit_verify_request request = {
        .paths = paths,
        .count = count,
        .key_file = key_file,
        .on_finding = on_problem,
        .ctx = p,
    };
    struct audit_verify_result result;
    audit_verify_files(&request, &result);
    assert_int_equal(result.findings, p->count);
    return p->count == 0;
}

static UNUSED_OK bool verify_one(const char *path, const char *key_file, struct problems *p) {
    return verify_all(&path, 1, key_file, p);
}

static UNUSED_OK void assert_whole(const char *path, const char *key_file) {
    struct problems p;
    if (!verify_one(path, key_file, &p)) {
        print_error("%s", p.all);
        fail();
    }
    assert_int_equal(p.count, 0);
}

#endif
