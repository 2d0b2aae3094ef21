/* What the tests of the configuration share: problems gathered as text, files in a directory of
 * their own that is removed again. */
#ifndef TEST_CONFIG_UTIL_H
#define TEST_CONFIG_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wslock/config/config.h"

/* The least that loads: what a case is about goes before or behind it. */
#define LISTEN "listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\n"
#define KEYS "auth: {keys: [{kid: a, alg: RS256, publicKeyFile: /a.pem}]}\n"

/* "LINE KEY: TEXT\n" for each problem. */
static inline void gather(void *ctx, const char *file, int line, const char *key,
                          const char *text) {
    (void)file;
    buf_printf(ctx, "%d %s: %s\n", line, key, text);
}

/* Loads a text; the problems stand in *problems, which the caller finishes. */
static inline struct config *load(const char *text, struct buf *problems) {
    buf_init(problems);
    struct config *c = config_load_text("test.yaml", text, strlen(text), gather, problems);
    buf_cstr(problems);
    return c;
}

/* Loads a text that must have no problem. */
static inline struct config *load_good(const char *text) {
    struct buf problems;
    struct config *c = load(text, &problems);

    if (problems.len > 0) {
        print_error("%s", problems.data);
    }
    assert_non_null(c);
    buf_fini(&problems);
    return c;
}

static inline void make_directory(char path[64]) {
    strcpy(path, "/tmp/wslock-config-XXXXXX");
    assert_non_null(mkdtemp(path));
}

static inline void write_file(const char *path, const char *text) {
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fputs(text, f) < 0, 0);
    assert_int_equal(fclose(f), 0);
}

static inline void read_whole(const char *path, struct buf *out) {
    FILE *f = fopen(path, "r");
    char chunk[4096];
    size_t got;

    assert_non_null(f);
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0) {
        buf_append(out, chunk, got);
    }
    assert_int_equal(fclose(f), 0);
    buf_cstr(out);
}

#endif
