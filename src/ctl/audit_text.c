/* Audit records for people. */
#include <stdio.h>
#include <time.h>

#include "wslock/base/jsonr.h"

#include "audit.h"
#include "text.h"

/* before, the text and after; nothing if there is no text. */
static void append_text(struct buf *out, const char *before, const json_t *value,
                        const char *after) {
    const struct str text = jsonr_str(value);

    if (text.p != NULL && text.len > 0) {
        buf_append_str(out, before);
        ctl_append_printable(out, text);
        buf_append_str(out, after);
    }
}

/* ` before Name (id)` */
static void append_person(struct buf *out, const char *before, const json_t *person) {
    const json_t *name = json_object_get(person, "name");
    const json_t *id = json_object_get(person, "id");

    if (jsonr_str(name).len == 0) {
        append_text(out, before, id, "");
        return;
    }
    append_text(out, before, name, "");
    append_text(out, " (", id, ")");
}

/* Local time with its offset; what is no time as it is. */
static void append_time(struct buf *out, const json_t *value) {
    const char *text = json_string_value(value);
    char day[32] = "", zone[8] = "";
    int64_t us = 0;
    time_t seconds;
    struct tm tm;

    if (text == NULL || !ctl_parse_time(text, &us)) {
        append_text(out, "", value, "");
        return;
    }
    seconds = (time_t)(us / 1000000);
    if (localtime_r(&seconds, &tm) == NULL || strftime(day, sizeof day, "%FT%T", &tm) == 0 ||
        strftime(zone, sizeof zone, "%z", &tm) != 5) {
        append_text(out, "", value, "");
        return;
    }
    buf_printf(out, "%s.%03d%.3s:%s", day, (int)(us / 1000 % 1000), zone, zone + 3);
}

void ctl_audit_text(struct buf *out, const json_t *record) {
    append_time(out, json_object_get(record, "time"));
    append_text(out, " ", json_object_get(record, "action"), "");
    if (jsonr_is(json_object_get(record, "outcome"), "failure")) {
        buf_append_str(out, " (failure)");
    }
    append_text(out, " ", json_object_get(record, "resourceId"), "");
    append_person(out, " ", json_object_get(record, "user"));
    append_person(out, " from ", json_object_get(record, "previousHolder"));
    append_person(out, " by ", json_object_get(record, "admin"));
    append_text(out, ": ", json_object_get(record, "reason"), "");
    append_text(out, " [", json_object_get(record, "decision"), "]");
    append_text(out, "; ", json_object_get(record, "detail"), "");
    if (json_is_true(json_object_get(record, "recovered"))) {
        buf_append_str(out, "; recovered");
    }
    buf_append_char(out, '\n');
}
