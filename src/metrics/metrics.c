/* Keeps all series and renders them as text. */
#include "wslock/metrics/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/clock.h"
#include "wslock/base/macros.h"
#include "wslock/base/mem.h"
#include "wslock/base/str.h"

#define LABELS_MAX 2
#define LABEL_MAX_BYTES 128
#define RECENT 16
#define INDEX_SIZE (METRICS_MAX_SERIES * 2) /* a power of two; at most half full, plus one */

/* Upper bounds of a histogram's buckets, in seconds. */
#define BUCKETS(X)                                                                                 \
    X(0.0001)                                                                                      \
    X(0.00025)                                                                                     \
    X(0.0005)                                                                                      \
    X(0.001)                                                                                       \
    X(0.0025)                                                                                      \
    X(0.005)                                                                                       \
    X(0.01)                                                                                        \
    X(0.025)                                                                                       \
    X(0.05)                                                                                        \
    X(0.1)                                                                                         \
    X(0.25)                                                                                        \
    X(0.5)                                                                                         \
    X(1)                                                                                           \
    X(2.5)                                                                                         \
    X(5)                                                                                           \
    X(10)

#define BUCKET_BOUND(bound) bound,
#define BUCKET_TEXT(bound) #bound,
static const double bucket_bounds[] = {BUCKETS(BUCKET_BOUND)};
static const char *const bucket_texts[] = {BUCKETS(BUCKET_TEXT) "+Inf"};
static_assert(ARRAY_LEN(bucket_bounds) == METRICS_BUCKETS, "METRICS_BUCKETS");

enum kind { COUNTER, GAUGE, PEAK, HISTOGRAM };

static const struct row {
    enum kind kind;
    const char *name, *labels[LABELS_MAX], *help;
    size_t label_count;
} rows[METRIC_COUNT] = {
#define METRIC(id, kind, name, label1, values1, label2, values2, help, advice)                     \
    [METRIC_##                                                                                     \
        id] = {kind, name, {label1, label2}, help, (sizeof(label1) > 1) + (sizeof(label2) > 1)},
#include "wslock/metrics/table.def"
#undef METRIC
};

struct series {
    uint32_t hash;
    char *labels[LABELS_MAX];
    double value;    /* of a peak that of `period` */
    double before;   /* peak: of the period before */
    uint64_t period; /* peak: when value was set, in METRICS_PEAK_MS since boot */
    struct metrics_histogram histogram;
};

static struct metric {
    size_t count;
    struct series **order; /* by age, room for METRICS_MAX_SERIES + 1 */
    struct series **index; /* open addressing; NULL as long as there is one series at most */
    struct series *recent[RECENT]; /* by the addresses of the labels, which are mostly constants */
} metrics[METRIC_COUNT];

/* FNV-1a. Series are few and bounded, so chosen collisions gain nothing. */
static uint32_t hash_labels(const char *const labels[LABELS_MAX]) {
    uint32_t hash = UINT32_C(2166136261);
    for (size_t i = 0; i < LABELS_MAX; i++) {
        const char *at = labels[i];
        do {
            hash = (hash ^ (unsigned char)*at) * UINT32_C(16777619);
        } while (*at++ != '\0');
    }
    return hash;
}

static bool same_labels(const struct series *s, uint32_t hash,
                        const char *const labels[LABELS_MAX]) {
    return s->hash == hash && strcmp(s->labels[0], labels[0]) == 0 &&
           strcmp(s->labels[1], labels[1]) == 0;
}

/* The place in the index of these labels, or the free one where they belong. */
static struct series **find_place(const struct metric *m, uint32_t hash,
                                  const char *const labels[LABELS_MAX]) {
    size_t at = hash % INDEX_SIZE;
    while (m->index[at] != NULL && !same_labels(m->index[at], hash, labels)) {
        at = (at + 1) % INDEX_SIZE;
    }
    return &m->index[at];
}

static struct series *find_series(const struct metric *m, uint32_t hash,
                                  const char *const labels[LABELS_MAX]) {
    if (m->index != NULL) {
        return *find_place(m, hash, labels);
    }
    return m->count == 1 && same_labels(m->order[0], hash, labels) ? m->order[0] : NULL;
}

static void build_index(struct metric *m) {
    m->index = mem_calloc(INDEX_SIZE, sizeof *m->index);
    for (size_t i = 0; i < m->count; i++) {
        const struct series *s = m->order[i];
        const char *labels[LABELS_MAX] = {s->labels[0], s->labels[1]};
        *find_place(m, s->hash, labels) = m->order[i];
    }
}

static struct series *add_series(struct metric *m, uint32_t hash,
                                 const char *const labels[LABELS_MAX]) {
    struct series *s = mem_zalloc(sizeof *s);
    s->hash = hash;
    for (size_t i = 0; i < LABELS_MAX; i++) {
        s->labels[i] = mem_strdup(labels[i]);
    }
    if (m->order == NULL) {
        m->order = mem_calloc(METRICS_MAX_SERIES + 1, sizeof(struct series *));
    }
    if (m->count == 1) {
        build_index(m);
    }
    if (m->index != NULL) {
        *find_place(m, hash, labels) = s;
    }
    m->order[m->count++] = s;
    return s;
}

/* Fills labels with as many values as the row names, of bounded length, the rest empty. */
static void take_labels(const char *labels[LABELS_MAX], enum metric_id id, const char *label1,
                        const char *label2) {
    size_t named = rows[id].label_count;
    labels[0] = named >= 1 && label1 != NULL ? label1 : "";
    labels[1] = named >= 2 && label2 != NULL ? label2 : "";
    for (size_t i = 0; i < LABELS_MAX; i++) {
        if (strnlen(labels[i], LABEL_MAX_BYTES + 1) > LABEL_MAX_BYTES) {
            labels[i] = "other";
        }
    }
}

static struct series *search_series(enum metric_id id, const char *label1, const char *label2) {
    struct metric *m = &metrics[id];
    const char *labels[LABELS_MAX];
    take_labels(labels, id, label1, label2);
    uint32_t hash = hash_labels(labels);
    struct series *s = find_series(m, hash, labels);
    if (s != NULL) {
        return s;
    }
    if (m->count >= METRICS_MAX_SERIES) {
        for (size_t i = 0; i < rows[id].label_count; i++) {
            labels[i] = "other";
        }
        hash = hash_labels(labels);
        s = find_series(m, hash, labels);
    }
    return s != NULL ? s : add_series(m, hash, labels);
}

static bool is_series(const struct series *s, const char *label1, const char *label2) {
    return s != NULL && strcmp(s->labels[0], label1) == 0 && strcmp(s->labels[1], label2) == 0;
}

static struct series *get_series(enum metric_id id, const char *label1, const char *label2) {
    struct metric *m = &metrics[id];
    size_t named = rows[id].label_count;
    if (named == 0 && m->count > 0) {
        return m->order[0];
    }
    label1 = named >= 1 && label1 != NULL ? label1 : "";
    label2 = named >= 2 && label2 != NULL ? label2 : "";
    struct series **recent = &m->recent[((uintptr_t)label1 / 4 ^ (uintptr_t)label2) % RECENT];
    if (!is_series(*recent, label1, label2)) {
        *recent = search_series(id, label1, label2);
    }
    return *recent;
}

void metrics_add(enum metric_id id, double delta, const char *label1, const char *label2) {
    get_series(id, label1, label2)->value += delta;
}

static uint64_t current_period(void) {
    return clock_boot_ms() / METRICS_PEAK_MS;
}

static void set_peak(struct series *s, double value) {
    uint64_t period = current_period();
    if (s->period != period) {
        s->before = s->period + 1 == period ? s->value : 0;
        s->value = value;
        s->period = period;
    } else if (value > s->value) {
        s->value = value;
    }
}

static double read_peak(const struct series *s) {
    uint64_t period = current_period();
    if (s->period == period) {
        return s->value > s->before ? s->value : s->before;
    }
    return s->period + 1 == period ? s->value : 0;
}

static double read_value(enum kind kind, const struct series *s) {
    return kind == PEAK ? read_peak(s) : s->value;
}

void metrics_set(enum metric_id id, double value, const char *label1, const char *label2) {
    struct series *s = get_series(id, label1, label2);
    if (rows[id].kind == PEAK) {
        set_peak(s, value);
    } else {
        s->value = value;
    }
}

void metrics_histogram_add(struct metrics_histogram *h, double seconds) {
    size_t bucket = 0;
    while (bucket < METRICS_BUCKETS && seconds > bucket_bounds[bucket]) {
        bucket++;
    }
    h->counts[bucket]++;
    h->sum += seconds;
}

void metrics_observe(enum metric_id id, double seconds, const char *label1) {
    metrics_histogram_add(&get_series(id, label1, NULL)->histogram, seconds);
}

void metrics_publish(enum metric_id id, const struct metrics_histogram *h) {
    get_series(id, NULL, NULL)->histogram = *h;
}

double metrics_value(enum metric_id id, const char *label1, const char *label2) {
    const char *labels[LABELS_MAX];
    take_labels(labels, id, label1, label2);
    const struct series *s = find_series(&metrics[id], hash_labels(labels), labels);
    if (s == NULL) {
        return 0;
    }
    if (rows[id].kind != HISTOGRAM) {
        return read_value(rows[id].kind, s);
    }
    uint64_t count = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        count += s->histogram.counts[i];
    }
    return (double)count;
}

double metrics_sum(enum metric_id id) {
    double sum = 0;
    for (size_t i = 0; i < metrics[id].count; i++) {
        sum += metrics[id].order[i]->value;
    }
    return sum;
}

void metrics_clear(enum metric_id id) {
    struct metric *m = &metrics[id];
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = 0; k < LABELS_MAX; k++) {
            mem_free(m->order[i]->labels[k]);
        }
        mem_free(m->order[i]);
    }
    mem_free(m->order);
    mem_free(m->index);
    *m = (struct metric){.count = 0};
}

void metrics_reset(void) {
    for (int id = 0; id < METRIC_COUNT; id++) {
        metrics_clear((enum metric_id)id);
    }
}

/* Prometheus text format: in label values \ " and line feed are escaped. */
static void append_label_value(struct buf *out, const char *value) {
    size_t len = strlen(value);
    size_t step;
    for (size_t i = 0; i < len; i += step) {
        step = utf8_sequence(value + i, len - i);
        if (step == 0) {
            buf_append_str(out, "\xef\xbf\xbd");
            step = 1;
        } else if (value[i] == '\\' || value[i] == '"') {
            buf_append_char(out, '\\');
            buf_append_char(out, value[i]);
        } else if (value[i] == '\n') {
            buf_append_str(out, "\\n");
        } else {
            buf_append(out, value + i, step);
        }
    }
}

static void append_number(struct buf *out, double value) {
    char text[32];
    if (isnan(value)) {
        buf_append_str(out, "NaN");
    } else if (isinf(value)) {
        buf_append_str(out, value > 0 ? "+Inf" : "-Inf");
    } else if (fabs(value) < 1e15 && value == trunc(value)) {
        buf_append_i64(out, (int64_t)value);
    } else {
        snprintf(text, sizeof text, "%.15g", value);
        if (strtod(text, NULL) != value) {
            snprintf(text, sizeof text, "%.17g", value);
        }
        buf_append_str(out, text);
    }
}

/* name + suffix + {labels} + value; le may be NULL. */
static void append_sample(struct buf *out, const struct row *row, const struct series *s,
                          const char *suffix, const char *le, double value) {
    buf_append_str(out, row->name);
    buf_append_str(out, suffix);
    size_t named = row->label_count;
    for (size_t i = 0; i < named; i++) {
        buf_printf(out, "%c%s=\"", i == 0 ? '{' : ',', row->labels[i]);
        append_label_value(out, s->labels[i]);
        buf_append_char(out, '"');
    }
    if (le != NULL) {
        buf_printf(out, "%cle=\"%s\"", named > 0 ? ',' : '{', le);
    }
    if (named > 0 || le != NULL) {
        buf_append_char(out, '}');
    }
    buf_append_char(out, ' ');
    append_number(out, value);
    buf_append_char(out, '\n');
}

static void append_series(struct buf *out, const struct row *row, const struct series *s) {
    if (row->kind != HISTOGRAM) {
        append_sample(out, row, s, "", NULL, read_value(row->kind, s));
        return;
    }
    uint64_t cumulative = 0;
    for (size_t i = 0; i <= METRICS_BUCKETS; i++) {
        cumulative += s->histogram.counts[i];
        append_sample(out, row, s, "_bucket", bucket_texts[i], (double)cumulative);
    }
    append_sample(out, row, s, "_sum", NULL, s->histogram.sum);
    append_sample(out, row, s, "_count", NULL, (double)cumulative);
}

void metrics_render(struct buf *out) {
    static const char *const kinds[] = {
        [COUNTER] = "counter", [GAUGE] = "gauge", [PEAK] = "gauge", [HISTOGRAM] = "histogram"};
    for (enum metric_id id = 0; id < METRIC_COUNT; id++) {
        const struct row *row = &rows[id];
        /* Counters and histograms without labels start at 0. Gauges, and series with labels, have
         * no sample before they are first set. */
        if ((row->kind == COUNTER || row->kind == HISTOGRAM) && row->label_count == 0) {
            get_series(id, NULL, NULL);
        }
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
                   kinds[row->kind]);
        for (size_t i = 0; i < metrics[id].count; i++) {
            append_series(out, row, metrics[id].order[i]);
        }
    }
}
