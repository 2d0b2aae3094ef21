/*
 * Metrics of the process, described once in metrics/table.def (X-macro) and rendered as Prometheus
 * text. Label sets are created on first use and bounded: past METRICS_MAX_SERIES of a metric, and
 * for values longer than 128 bytes, label values are `other`. All functions belong to the loop's
 * thread, except metrics_histogram_add.
 */
#ifndef WSLOCK_METRICS_METRICS_H
#define WSLOCK_METRICS_METRICS_H

#include <stdint.h>

#include "wslock/base/buf.h"

#define METRICS_MAX_SERIES 256
/* A peak is the highest value of the current and the previous period of this length: scrapes that
 * are no further apart miss none. */
#define METRICS_PEAK_MS 60000
#define METRICS_BUCKETS 16

enum metric_id {
#define METRIC(id, kind, name, label1, values1, label2, values2, help, advice) METRIC_##id,
#include "wslock/metrics/table.def"
#undef METRIC
    METRIC_COUNT
};

/* Observations of durations, for a histogram that another thread fills. All zero: none. */
struct metrics_histogram {
    uint64_t counts[METRICS_BUCKETS + 1]; /* by bucket, not cumulative; the last is +Inf */
    double sum;                           /* seconds */
};

/* Label values in the order of the row's labels; NULL for none. */
void metrics_add(enum metric_id id, double delta, const char *label1, const char *label2);
/* Of a peak only a higher value counts. */
void metrics_set(enum metric_id id, double value, const char *label1, const char *label2);
/* Histograms, which have one label at most. */
void metrics_observe(enum metric_id id, double seconds, const char *label1);
void metrics_histogram_add(struct metrics_histogram *h, double seconds);
/* Replaces the observations of a histogram without labels. */
void metrics_publish(enum metric_id id, const struct metrics_histogram *h);
/* Sets process_*. */
void metrics_collect_process(void);
/* Appends everything in the Prometheus text format, version 0.0.4. Changes nothing. */
void metrics_render(struct buf *out);
/* Of a histogram the number of observations; 0 for what was never touched. */
double metrics_value(enum metric_id id, const char *label1, const char *label2);
/* Of all series of a gauge or counter. */
double metrics_sum(enum metric_id id);
/* Forgets the series of one metric, before it is counted anew. */
void metrics_clear(enum metric_id id);
/* Forgets every series (tests, exit). */
void metrics_reset(void);

#endif
