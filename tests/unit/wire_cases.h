/*
 * Reads tests/unit/data/wire/NAME.cases: a line that starts with "> " is an input, the "< " line
 * after it what is expected; all else is comment. In both, %[64*text] stands for 64 times text and
 * %[x:00ff] for bytes.
 */
#ifndef TESTS_UNIT_WIRE_CASES_H
#define TESTS_UNIT_WIRE_CASES_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

struct wire_case {
    const char *file;
    int line;
    struct str input, expected;
};
typedef void (*wire_case_fn)(const struct wire_case *c, void *ctx);

/* The directive's text between %[ and ]; returns its length in the source with both brackets. */
static inline size_t wire_cases_expand_one(const char *p, size_t len, struct buf *out) {
    size_t head = 2;
    size_t count = 0;
    bool hex = len > 4 && memcmp(p + 2, "x:", 2) == 0;

    while (!hex && head < len && p[head] >= '0' && p[head] <= '9') {
        count = count * 10 + (size_t)(p[head++] - '0');
    }
    if (!hex && (head == 2 || head >= len || p[head] != '*')) {
        return 0;
    }
    const char *body = p + (hex ? 4 : head + 1);
    const char *end =
        body + 1 < p + len ? memchr(body + 1, ']', (size_t)(p + len - body - 1)) : NULL;
    if (end == NULL) {
        return 0;
    }
    if (hex) {
        for (const char *digits = body; digits + 1 < end; digits += 2) {
            char pair[3] = {digits[0], digits[1], '\0'};
            buf_append_char(out, (char)strtol(pair, NULL, 16));
        }
    } else {
        for (size_t i = 0; i < count; i++) {
            buf_append(out, body, (size_t)(end - body));
        }
    }
    return (size_t)(end + 1 - p);
}

static inline void wire_cases_expand(const char *p, size_t len, struct buf *out) {
    buf_reset(out);
    for (size_t i = 0; i < len;) {
        size_t used = 0;
        if (len - i > 2 && p[i] == '%' && p[i + 1] == '[') {
            used = wire_cases_expand_one(p + i, len - i, out);
        }
        if (used == 0) {
            buf_append_char(out, p[i]);
            used = 1;
        }
        i += used;
    }
}

/* Calls run for each case of the file; returns their number. */
static inline int wire_cases_run(const char *name, wire_case_fn run, void *ctx) {
    char path[4096];
    char *line = NULL;
    size_t cap = 0;
    ssize_t got;
    int number = 0, count = 0, input_line = 0;
    struct buf input, expected;

    snprintf(path, sizeof(path), "%s/tests/unit/data/wire/%s.cases", SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 0;
    }
    buf_init(&input);
    buf_init(&expected);
    while ((got = getline(&line, &cap, file)) >= 0) {
        size_t len = (size_t)got;
        number++;
        if (len > 0 && line[len - 1] == '\n') {
            len--;
        }
        if (len >= 2 && memcmp(line, "> ", 2) == 0) {
            wire_cases_expand(line + 2, len - 2, &input);
            input_line = number;
        } else if (len >= 2 && memcmp(line, "< ", 2) == 0 && input_line > 0) {
            wire_cases_expand(line + 2, len - 2, &expected);
            struct wire_case c = {
                path, input_line, {input.data, input.len}, {expected.data, expected.len}};
            run(&c, ctx);
            input_line = 0;
            count++;
        }
    }
    buf_fini(&expected);
    buf_fini(&input);
    free(line);
    fclose(file);
    return count;
}

#endif
