#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "wslock/base/mem.h"

#define MAX_ROWS 128
#define MAX_SAMPLES 4000000

struct row {
    char what[112], figure[160], target[40];
};

static struct row rows[MAX_ROWS];
static size_t row_count;

void samples_add(struct samples *s, double value) {
    if (s->count == MAX_SAMPLES)
        return;
    if (s->count == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 1024;
        s->values = mem_realloc(s->values, s->cap * sizeof *s->values);
    }
    s->values[s->count++] = value;
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double samples_quantile(struct samples *s, double q) {
    if (s->count == 0)
        return 0;
    qsort(s->values, s->count, sizeof *s->values, compare);
    return s->values[(size_t)(q * (double)(s->count - 1) + 0.5)];
}

void samples_reset(struct samples *s) {
    s->count = 0;
}

void samples_fini(struct samples *s) {
    mem_free(s->values);
    *s = (struct samples){0};
}

void report_row(const char *what, const char *target, const char *figure, ...) {
    if (row_count == MAX_ROWS)
        return;
    struct row *row = &rows[row_count++];
    va_list args;
    va_start(args, figure);
    vsnprintf(row->figure, sizeof row->figure, figure, args);
    va_end(args);
    snprintf(row->what, sizeof row->what, "%s", what);
    snprintf(row->target, sizeof row->target, "%s", target);
    fprintf(stderr, "  %s: %s\n", row->what, row->figure);
}

void report_print(void) {
    puts("| what | figure | target |\n| --- | --- | --- |");
    for (size_t i = 0; i < row_count; i++)
        printf("| %s | %s | %s |\n", rows[i].what, rows[i].figure, rows[i].target);
    fflush(stdout);
    row_count = 0;
}

void complain(const char *text, ...) {
    va_list args;
    va_start(args, text);
    vfprintf(stderr, text, args);
    va_end(args);
    fputc('\n', stderr);
}
