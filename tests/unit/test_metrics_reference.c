/*
 * The reference part of docs/metrics.md, between two marks, is generated from metrics/table.def:
 * `--write` puts it there (`cmake --build build --target metrics-reference`).
 */
#include "seeded.h"

#include <stdbool.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"

#define PAGE SOURCE_DIR "/docs/metrics.md"
#define BEGIN "<!-- reference: begin -->\n"
#define END "<!-- reference: end -->\n"

static const struct row {
    const char *group; /* or NULL: a metric */
    const char *kind, *name;
    struct {
        const char *name, *values;
    } labels[2];
    const char *help, *advice;
} ROWS[] = {
#define METRIC_GROUP(title) {.group = title},
#define METRIC(id, kind, name, label1, values1, label2, values2, help, advice)                     \
    {NULL, #kind, name, {{label1, values1}, {label2, values2}}, help, advice},
#include "wslock/metrics/table.def"
#undef METRIC
};

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

/* By Prometheus' conventions the unit is the last word of the name, but for `_total`. */
static const char *unit_of(const char *name) {
    if (ends_with(name, "_timestamp_seconds") || ends_with(name, "start_time_seconds")) {
        return ", Unix time in seconds";
    }
    if (ends_with(name, "_seconds") || ends_with(name, "_seconds_total")) {
        return ", seconds";
    }
    return ends_with(name, "_bytes") ? ", bytes" : "";
}

static const char *kind_of(const char *kind) {
    static const char *const texts[][2] = {
        {"COUNTER", "Counter"}, {"GAUGE", "Gauge"}, {"PEAK", "Gauge"}, {"HISTOGRAM", "Histogram"}};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(kind, texts[i][0]) == 0) {
            return texts[i][1];
        }
    }
    fail_msg("no such kind: %s", kind);
    return NULL;
}

static void write_row(struct buf *out, const struct row *row) {
    if (row->group != NULL) {
        buf_printf(out, "\n## %s\n", row->group);
        return;
    }
    buf_printf(out, "\n### %s\n\n*%s%s.* %s.\n\n", row->name, kind_of(row->kind),
               unit_of(row->name), row->help);
    for (size_t i = 0; i < 2 && row->labels[i].name[0] != '\0'; i++) {
        buf_printf(out, "- label `%s`: %s\n", row->labels[i].name, row->labels[i].values);
    }
    buf_printf(out, "- when it moves: %s\n", row->advice);
}

static void read_page(struct buf *out) {
    FILE *file = fopen(PAGE, "r");
    char piece[4096];
    size_t len;
    assert_non_null(file);
    while ((len = fread(piece, 1, sizeof piece, file)) > 0) {
        buf_append(out, piece, len);
    }
    (void)fclose(file);
}

/* The page's text with a fresh reference; `stale` is what it was. */
static void make_page(struct buf *stale, struct buf *fresh) {
    buf_init(stale);
    buf_init(fresh);
    read_page(stale);
    const char *begin = strstr(buf_cstr(stale), BEGIN);
    assert_non_null(begin);
    begin += strlen(BEGIN);
    const char *end = strstr(begin, END);
    assert_non_null(end);
    buf_append(fresh, stale->data, (size_t)(begin - stale->data));
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        write_row(fresh, &ROWS[i]);
    }
    buf_append_char(fresh, '\n');
    buf_append_str(fresh, end);
}

static void test_page_is_fresh(void **state) {
    struct buf stale, fresh;
    (void)state;
    make_page(&stale, &fresh);
    if (strcmp(buf_cstr(&stale), buf_cstr(&fresh)) != 0) {
        fail_msg(PAGE " is stale: build the target metrics-reference");
    }
    buf_fini(&stale);
    buf_fini(&fresh);
}

/* By Prometheus' conventions: counters, and nothing else, end in _total. */
static void check_name(const struct row *row) {
    bool counter = strcmp(row->kind, "COUNTER") == 0;
    bool ours = strncmp(row->name, "wslock_", 7) == 0;
    if (ends_with(row->name, "_total") != counter ||
        (!ours && strncmp(row->name, "process_", 8) != 0)) {
        fail_msg("%s: not the name of a %s", row->name, row->kind);
    }
}

static void test_rows_are_complete(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        const struct row *row = &ROWS[i];
        if (row->group != NULL) {
            continue;
        }
        check_name(row);
        for (size_t k = 0; k < 2; k++) {
            assert_true((row->labels[k].name[0] == '\0') == (row->labels[k].values[0] == '\0'));
        }
        /* The page ends the sentence of the help. */
        assert_true(row->help[0] != '\0' && !ends_with(row->help, "."));
        assert_true(ends_with(row->advice, "."));
    }
}

static int write_page(void) {
    struct buf stale, fresh;
    make_page(&stale, &fresh);
    FILE *file = fopen(PAGE, "w");
    if (file == NULL || fwrite(fresh.data, 1, fresh.len, file) != fresh.len || fclose(file) != 0) {
        perror(PAGE);
        return 1;
    }
    buf_fini(&stale);
    buf_fini(&fresh);
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_is_fresh),
        cmocka_unit_test(test_rows_are_complete),
    };
    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        return write_page();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
