#include "report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "wslock/base/mem.h"

#define MAX_ROWS 128
#define MAX_FIGURES 256
#define MAX_SAMPLES 4000000

struct row {
    char what[112], figure[160], target[80];
};

struct figure {
    const char *scenario, *who, *what;
    double value;
};

static struct figure figures[MAX_FIGURES];
static size_t figure_count;
static struct row rows[MAX_ROWS];
static size_t row_count;

void samples_add(struct samples *s, double value) {
    if (s->count == MAX_SAMPLES) {
        return;
    }
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
    if (s->count == 0) {
        return 0;
    }
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
    if (row_count == MAX_ROWS) {
        return;
    }
    struct row *row = &rows[row_count++];
    va_list args;
    va_start(args, figure);
    vsnprintf(row->figure, sizeof row->figure, figure, args);
    va_end(args);
    snprintf(row->what, sizeof row->what, "%s", what);
    snprintf(row->target, sizeof row->target, "%s", target);
    fprintf(stderr, "  %s: %s\n", row->what, row->figure);
}

void report_figure(const char *scenario, const char *who, const char *what, double value) {
    if (figure_count < MAX_FIGURES) {
        figures[figure_count++] = (struct figure){scenario, who, what, value};
    }
}

/* Rows and machines have no quotes, backslashes or control characters. */
bool report_write(const char *path, const char *machine) {
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        return false;
    }
    fprintf(file, "{\n\"machine\": \"%s\",\n\"rows\": [", machine);
    for (size_t i = 0; i < row_count; i++) {
        fprintf(file, "%s\n{\"what\": \"%s\", \"figure\": \"%s\", \"target\": \"%s\"}",
                i > 0 ? "," : "", rows[i].what, rows[i].figure, rows[i].target);
    }
    fputs("],\n\"figures\": [", file);
    for (size_t i = 0; i < figure_count; i++) {
        fprintf(file,
                "%s\n{\"scenario\": \"%s\", \"who\": \"%s\", \"what\": \"%s\", \"value\": %.3f}",
                i > 0 ? "," : "", figures[i].scenario, figures[i].who, figures[i].what,
                figures[i].value);
    }
    fputs("]\n}\n", file);
    return fclose(file) == 0;
}

void report_print(void) {
    puts("| what | figure | target |\n| --- | --- | --- |");
    for (size_t i = 0; i < row_count; i++) {
        printf("| %s | %s | %s |\n", rows[i].what, rows[i].figure, rows[i].target);
    }
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
