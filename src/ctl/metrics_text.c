/* Parses samples of the Prometheus text format. */
#include "metrics_text.h"

#include <stdlib.h>

/* The position after the closing quote of the label value that starts at p; NULL without one. */
static const char *skip_value(const char *p, const char *end) {
    for (; p < end; p++) {
        if (*p == '\\') {
            p++;
        } else if (*p == '"') {
            return p + 1;
        }
    }
    return NULL;
}

/* The closing brace; NULL if there is none on the line. */
static const char *labels_end(const char *p, const char *end) {
    while (p != NULL && p < end && *p != '}') {
        p = *p == '"' ? skip_value(p + 1, end) : p + 1;
    }
    return p != NULL && p < end ? p : NULL;
}

static void read_line(const char *line, const char *end, const char *name, ctl_sample_cb on_sample,
                      void *ctx) {
    size_t len = strlen(name);
    struct str labels = {line, 0};
    const char *p = line + len;
    char *behind;
    double value;

    if ((size_t)(end - line) <= len || memcmp(line, name, len) != 0 || (*p != '{' && *p != ' ')) {
        return;
    }
    if (*p == '{') {
        const char *close = labels_end(p + 1, end);

        if (close == NULL) {
            return;
        }
        labels = (struct str){p + 1, (size_t)(close - p - 1)};
        p = close + 1;
    }
    value = strtod(p, &behind);
    if (behind > p && behind <= end) {
        on_sample(ctx, labels, value);
    }
}

void ctl_metrics_each(const char *text, const char *name, ctl_sample_cb on_sample, void *ctx) {
    for (const char *line = text; *line;) {
        const char *end = line + strcspn(line, "\n");

        read_line(line, end, name, on_sample, ctx);
        line = *end ? end + 1 : end;
    }
}

struct str ctl_metrics_label(struct str labels, const char *name) {
    const char *p = labels.p, *end = labels.p + labels.len;
    size_t len = strlen(name);

    while (p != NULL && p < end) {
        const char *equals = memchr(p, '=', (size_t)(end - p));
        const char *behind =
            equals != NULL && equals + 1 < end ? skip_value(equals + 2, end) : NULL;

        if (behind == NULL) {
            break;
        }
        if ((size_t)(equals - p) == len && memcmp(p, name, len) == 0) {
            return (struct str){equals + 2, (size_t)(behind - equals - 3)};
        }
        p = behind < end && *behind == ',' ? behind + 1 : behind;
    }
    return (struct str){NULL, 0};
}
