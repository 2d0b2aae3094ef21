/*
 * Metrics of the process, described once in metrics/table.def (X-macro: id, kind, name, label
 * names, help) and rendered as Prometheus text. Label sets are created on first use and bounded:
 * past METRICS_MAX_SERIES of a metric, and for values longer than 128 bytes, label values are
 * `other`.
 */
#ifndef WSLOCK_METRICS_METRICS_H
#define WSLOCK_METRICS_METRICS_H

#include <stdint.h>

#include "wslock/base/buf.h"

#define METRICS_MAX_SERIES 256

enum metric_id {
#define METRIC(id, kind, name, labels, help) METRIC_##id,
#include "wslock/metrics/table.def"
#undef METRIC
    METRIC_COUNT
};

/* Label values in the order of the row's label names, comma-separated names there; NULL for none.
 */
void metrics_add(enum metric_id id, double delta, const char *label1, const char *label2);
/* Of a peak only a higher value counts. */
void metrics_set(enum metric_id id, double value, const char *label1, const char *label2);
/* Histograms, which have one label at most. */
void metrics_observe(enum metric_id id, double seconds, const char *label1);
/* Appends everything in the Prometheus text format, version 0.0.4. Peaks begin anew. */
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
