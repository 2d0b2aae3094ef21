/* Reads samples from the Prometheus text format, as the daemon writes it. */
#ifndef CTL_METRICS_TEXT_H
#define CTL_METRICS_TEXT_H

#include "wslock/base/str.h"

/* labels: the text between the braces, or empty. Both are borrowed from the text. */
typedef void (*ctl_sample_cb)(void *ctx, struct str labels, double value);

/* Calls on_sample for each sample of that name. text is NUL-terminated. */
void ctl_metrics_each(const char *text, const char *name, ctl_sample_cb on_sample, void *ctx);
/* A label's value with its escapes; empty if there is none. */
struct str ctl_metrics_label(struct str labels, const char *name);

#endif
