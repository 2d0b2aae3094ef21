/* `wslockctl status`: the state of an instance, from its operations endpoint. */
#include <stdio.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "daemon.h"
#include "metrics_text.h"
#include "text.h"

/* GETs the path. A 503 counts as an answer. */
static enum ctl_exit ask(struct ctl_daemon *daemon, const char *path, struct buf *body) {
    const struct ctl_request request = {.method = "GET", .path = path, .timeout_ms = CTL_READ_MS};
    int status = 0;
    const enum ctl_exit result = ctl_daemon_ask(daemon, &request, &status, body);

    if (result == CTL_OK && status != 200 && status != 503) {
        ctl_complain("%s answered %d: is this the operations endpoint of wslockd?", path, status);
        return CTL_FAILED;
    }
    return result;
}

struct sum {
    json_t *object; /* label value to count */
    const char *label;
};

static void add_sample(void *ctx, struct str labels, double value) {
    struct sum *sum = ctx;
    struct str label = ctl_metrics_label(labels, sum->label);
    char *key = str_dup(label);
    json_int_t before = json_integer_value(json_object_get(sum->object, key));

    (void)json_object_set_new(sum->object, key, json_integer(before + (json_int_t)value));
    mem_free(key);
}

static json_t *sum_by(const char *metrics, const char *name, const char *label) {
    struct sum sum = {json_object(), label};

    ctl_metrics_each(metrics, name, add_sample, &sum);
    return sum.object;
}

static void take_up(void *ctx, struct str labels, double value) {
    (void)labels;
    *(bool *)ctx = value > 0;
}

static void take_version(void *ctx, struct str labels, double value) {
    struct str version = ctl_metrics_label(labels, "version");

    (void)value;
    (void)json_object_set_new(ctx, "version",
                              json_stringn(version.p != NULL ? version.p : "", version.len));
}

/* All answers as one object, which --json prints unchanged. NULL after a message. */
static json_t *gather(const struct ctl_daemon *daemon, const struct buf *ready,
                      const char *metrics) {
    json_t *answer = jsonr_object((struct str){ready->data, ready->len}, NULL);
    const json_t *is_ready = json_object_get(answer, "ready");
    json_t *status = NULL;
    json_t *instance = json_object_get(answer, "instance");
    bool store_up = false;

    if (!json_is_boolean(is_ready) || !json_is_array(json_object_get(answer, "reasons"))) {
        ctl_complain("/readyz did not answer as wslockd does");
        json_decref(answer);
        return NULL;
    }
    status = json_object();
    if (json_is_string(instance)) {
        (void)json_object_set(status, "instance", instance);
    } else if (daemon->config != NULL) {
        (void)json_object_set_new(status, "instance", json_string(daemon->config->instance));
    }
    ctl_metrics_each(metrics, "wslock_build_info", take_version, status);
    (void)json_object_set(status, "ready", json_object_get(answer, "ready"));
    (void)json_object_set(status, "reasons", json_object_get(answer, "reasons"));
    ctl_metrics_each(metrics, "wslock_store_up", take_up, &store_up);
    (void)json_object_set_new(status, "storeUp", json_boolean(store_up));
    (void)json_object_set_new(status, "connections",
                              sum_by(metrics, "wslock_connections", "framing"));
    (void)json_object_set_new(status, "locks", sum_by(metrics, "wslock_locks", "state"));
    json_decref(answer);
    return status;
}

/* What follows is the value. */
static void begin_entry(struct buf *out, const char *title) {
    buf_printf(out, "%-12s ", title);
}

static void append_text(struct buf *out, const char *title, const json_t *text) {
    if (json_is_string(text)) {
        begin_entry(out, title);
        ctl_append_printable(out, jsonr_str(text));
        buf_append_char(out, '\n');
    }
}

static void append_counts(struct buf *out, const char *title, json_t *counts) {
    const char *key, *separator = " (";
    json_t *value;
    json_int_t total = 0;

    json_object_foreach(counts, key, value) {
        total += json_integer_value(value);
    }
    begin_entry(out, title);
    buf_append_i64(out, total);
    json_object_foreach(counts, key, value) {
        buf_append_str(out, separator);
        ctl_append_printable(out, str_of(key));
        buf_append_char(out, ' ');
        buf_append_i64(out, json_integer_value(value));
        separator = ", ";
    }
    buf_append_str(out, json_object_size(counts) > 0 ? ")\n" : "\n");
}

static void print_table(const json_t *status) {
    const json_t *reasons = json_object_get(status, "reasons");
    struct buf out;

    buf_init(&out);
    append_text(&out, "instance", json_object_get(status, "instance"));
    append_text(&out, "version", json_object_get(status, "version"));
    begin_entry(&out, "ready");
    buf_append_str(&out, json_is_true(json_object_get(status, "ready")) ? "yes" : "no");
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        buf_append_str(&out, i == 0 ? ": " : "; ");
        ctl_append_printable(&out, jsonr_str(json_array_get(reasons, i)));
    }
    buf_append_char(&out, '\n');
    begin_entry(&out, "store");
    buf_append_str(&out, json_is_true(json_object_get(status, "storeUp")) ? "up\n" : "down\n");
    append_counts(&out, "connections", json_object_get(status, "connections"));
    append_counts(&out, "locks", json_object_get(status, "locks"));
    fwrite(out.data, 1, out.len, stdout);
    buf_fini(&out);
}

enum ctl_exit ctl_status(const struct ctl_options *options) {
    struct ctl_daemon daemon;
    struct buf ready, metrics;
    json_t *status = NULL;
    enum ctl_exit result = ctl_daemon_find(options, &daemon);

    buf_init(&ready);
    buf_init(&metrics);
    if (result == CTL_OK) {
        result = ask(&daemon, "/readyz", &ready);
    }
    if (result == CTL_OK) {
        result = ask(&daemon, "/metrics", &metrics);
    }
    if (result == CTL_OK) {
        status = gather(&daemon, &ready, buf_cstr(&metrics));
        result = json_is_true(json_object_get(status, "ready")) ? CTL_OK : CTL_FAILED;
    }
    if (options->json && status != NULL) {
        json_dumpf(status, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (status != NULL) {
        print_table(status);
    }
    json_decref(status);
    ctl_daemon_forget(&daemon);
    buf_fini(&ready);
    buf_fini(&metrics);
    return result;
}
