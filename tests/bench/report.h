/* Figures: medians, percentiles, and the table that is printed at the end. */
#ifndef WSLOCK_BENCH_REPORT_H
#define WSLOCK_BENCH_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"

/* Values of one kind; grows. Zeroed: empty. */
struct samples {
    double *values;
    size_t count, cap;
};
void samples_add(struct samples *s, double value);
/* 0 <= q <= 1; 0.5 is the median. Sorts. 0 when empty. */
double samples_quantile(struct samples *s, double q);
void samples_reset(struct samples *s);
void samples_fini(struct samples *s);

/* One row of the table. target: what is aimed at, or "". Also told at once on standard error. */
void report_row(const char *what, const char *target, const char *figure, ...) PRINTF_LIKE(3, 4);
/* A number for the data file: of `who`, in a scenario. The texts are constants, which JSON takes as
 * they are. */
void report_figure(const char *scenario, const char *who, const char *what, double value);
/* Writes rows and figures as JSON; before report_print. */
bool report_write(const char *path, const char *machine) MUST_CHECK;
/* Prints all rows as a Markdown table and forgets them. */
void report_print(void);

/* Standard error, with a line end. */
void complain(const char *text, ...) PRINTF_LIKE(1, 2);

#endif
