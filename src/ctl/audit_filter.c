/* Which records `audit tail` prints. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "wslock/base/clock.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "audit.h"

#define SECOND_US INT64_C(1000000)

static const char *const ACTIONS[] = {
#define AUDIT_ACTION(name) #name,
#include "wslock/audit/actions.def"
#undef AUDIT_ACTION
};

/* `Z` or `+hh:mm`, and the end, in seconds east of UTC. */
static bool parse_zone(const char *text, int64_t *seconds) {
    char *end;
    long hours, minutes;

    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0') {
        *seconds = 0;
        return true;
    }
    if (strlen(text) != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':' ||
        strspn(text + 1, "0123456789") != 2 || strspn(text + 4, "0123456789") != 2) {
        return false;
    }
    hours = strtol(text + 1, &end, 10);
    minutes = strtol(text + 4, &end, 10);
    *seconds = (hours * 60 + minutes) * (text[0] == '-' ? -60 : 60);
    return hours < 24 && minutes < 60;
}

bool ctl_parse_time(const char *text, int64_t *us) {
    struct tm tm = {0};
    int64_t fraction = 0, zone = 0;
    const char *rest;

    if (strspn(text, "0123456789") != 4) {
        return false;
    }
    rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest == NULL || (*rest != 'T' && *rest != 't' && *rest != ' ')) {
        return false;
    }
    rest = strptime(rest + 1, "%H:%M:%S", &tm);
    if (rest == NULL) {
        return false;
    }
    if (*rest == '.') {
        int64_t unit = SECOND_US / 10;

        if (strspn(++rest, "0123456789") == 0) {
            return false;
        }
        for (; *rest >= '0' && *rest <= '9'; rest++, unit /= 10) {
            fraction += (*rest - '0') * unit;
        }
    }
    if (!parse_zone(rest, &zone)) {
        return false;
    }
    *us = ((int64_t)timegm(&tm) - zone) * SECOND_US + fraction;
    return true;
}

/* A time, or a duration such as `2h` or `2h ago`. */
static bool parse_since(const char *text, int64_t *us) {
    const char *ago = strstr(text, " ago");
    char *duration;
    int64_t ms;
    bool ok;

    if (ctl_parse_time(text, us)) {
        return true;
    }
    duration =
        ago != NULL && ago[4] == '\0' ? mem_strndup(text, (size_t)(ago - text)) : mem_strdup(text);
    ok = ctl_parse_ttl(duration, &ms);
    mem_free(duration);
    if (ok) {
        *us = clock_wall_us() - ms * 1000;
    }
    return ok;
}

static bool is_action(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(ACTIONS); i++) {
        if (strcmp(ACTIONS[i], name) == 0) {
            return true;
        }
    }
    return false;
}

bool ctl_audit_filter_init(struct ctl_audit_filter *f, const struct ctl_options *options) {
    *f = (struct ctl_audit_filter){
        .resource = options->resource,
        .action = options->action,
        .user = options->user,
        .has_since = options->since != NULL,
    };
    if (f->action != NULL && !is_action(f->action)) {
        ctl_complain("--action %s: there is no such action; LOCK_ACQUIRED is one", f->action);
        return false;
    }
    if (options->since != NULL && !parse_since(options->since, &f->since_us)) {
        ctl_complain("--since %s: a time such as 2025-11-24T08:00:00+01:00, or a duration from 1s "
                     "to 365d such as 2h",
                     options->since);
        return false;
    }
    return true;
}

static bool is_person(const json_t *record, const char *role, const char *id) {
    return jsonr_is(json_object_get(json_object_get(record, role), "id"), id);
}

bool ctl_audit_matches(const struct ctl_audit_filter *f, const json_t *record) {
    const char *time_text = json_string_value(json_object_get(record, "time"));
    int64_t us = 0;

    if (f->resource != NULL && !jsonr_is(json_object_get(record, "resourceId"), f->resource)) {
        return false;
    }
    if (f->action != NULL && !jsonr_is(json_object_get(record, "action"), f->action)) {
        return false;
    }
    if (f->user != NULL && !is_person(record, "user", f->user) &&
        !is_person(record, "previousHolder", f->user) && !is_person(record, "admin", f->user)) {
        return false;
    }
    return !f->has_since ||
           (time_text != NULL && ctl_parse_time(time_text, &us) && us >= f->since_us);
}
