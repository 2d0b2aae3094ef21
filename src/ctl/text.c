/* Writes text for people. */
#include "text.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "wslock/base/jsonr.h"

#include "terminal.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS (60 * MINUTE_MS)
#define DAY_MS (24 * HOUR_MS)

int64_t ctl_number(const json_t *object, const char *key) {
    const int64_t number = json_integer_value(json_object_get(object, key));

    return number >= -JSON_INTEGER_MAX && number <= JSON_INTEGER_MAX ? number : 0;
}

/* ---- names ---- */

/* C0, DEL and C1 controls, line separators, and what turns the direction of text. */
static bool is_unprintable(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

void ctl_append_printable(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.len;) {
        const size_t len = utf8_sequence(text.p + i, text.len - i);
        const uint32_t code = len > 0 ? utf8_code(text.p + i, len) : 0;

        if (len == 0) {
            buf_printf(out, "\\x%02x", (unsigned)(unsigned char)text.p[i++]);
            continue;
        }
        if (!is_unprintable(code)) {
            buf_append(out, text.p + i, len);
        } else if (code < 0x80) {
            buf_printf(out, "\\x%02x", (unsigned)code);
        } else {
            buf_printf(out, "\\u%04x", (unsigned)code);
        }
        i += len;
    }
}

void ctl_append_person(struct buf *out, struct str name, struct str id) {
    if (name.len == 0 || str_eq(name, id)) {
        ctl_append_printable(out, id);
        return;
    }
    ctl_append_printable(out, name);
    if (id.len > 0) {
        buf_append_str(out, " (");
        ctl_append_printable(out, id);
        buf_append_char(out, ')');
    }
}

void ctl_append_user(struct buf *out, const json_t *user) {
    ctl_append_person(out, jsonr_str(json_object_get(user, "username")),
                      jsonr_str(json_object_get(user, "userId")));
}

void ctl_append_count(struct buf *out, int64_t count, const char *noun) {
    buf_printf(out, "%" PRId64 " %s%s", count, noun, count == 1 ? "" : "s");
}

/* ---- times ---- */

void ctl_append_duration(struct buf *out, int64_t ms) {
    static const struct {
        int64_t ms, until_ms;
        const char *name;
    } UNITS[] = {{SECOND_MS, 90 * SECOND_MS, "s"},
                 {MINUTE_MS, 90 * MINUTE_MS, "min"},
                 {HOUR_MS, 36 * HOUR_MS, "h"},
                 {DAY_MS, INT64_MAX, "d"}};
    size_t i = 0;

    while (ms >= UNITS[i].until_ms) {
        i++;
    }
    buf_printf(out, "%" PRId64 " %s", (ms + UNITS[i].ms / 2) / UNITS[i].ms, UNITS[i].name);
}

void ctl_append_relative(struct buf *out, int64_t ms, int64_t now_ms) {
    const int64_t distance = ms - now_ms;

    if (distance > -SECOND_MS / 2 && distance < SECOND_MS / 2) {
        buf_append_str(out, "now");
    } else if (distance > 0) {
        buf_append_str(out, "in ");
        ctl_append_duration(out, distance);
    } else {
        ctl_append_duration(out, -distance);
        buf_append_str(out, " ago");
    }
}

void ctl_append_clock(struct buf *out, int64_t ms, int64_t now_ms) {
    const time_t at = (time_t)(ms / SECOND_MS), now = (time_t)(now_ms / SECOND_MS);
    struct tm tm, today;
    char text[48];

    if (localtime_r(&at, &tm) == NULL || localtime_r(&now, &today) == NULL) {
        buf_printf(out, "%" PRId64, ms);
        return;
    }
    const bool is_today = tm.tm_yday == today.tm_yday && tm.tm_year == today.tm_year;

    buf_append(out, text, strftime(text, sizeof text, is_today ? "%T" : "%F %T", &tm));
}

void ctl_append_time(struct buf *out, int64_t ms, int64_t now_ms) {
    ctl_append_clock(out, ms, now_ms);
    buf_append_str(out, " (");
    ctl_append_relative(out, ms, now_ms);
    buf_append_char(out, ')');
}

/* ---- columns ---- */

/* By the tables of UTF-8, whatever the environment's locale. */
static size_t columns_of(uint32_t code) {
    static locale_t locale;
    int width;

    if (code < 0x80) {
        return 1;
    }
    if (locale == NULL) {
        locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", NULL);
    }
    if (locale == NULL) {
        return 1;
    }
    const locale_t before = uselocale(locale);

    width = wcwidth((wchar_t)code);
    uselocale(before);
    return width < 0 ? 1 : (size_t)width;
}

size_t ctl_text_cut(struct str text, size_t columns) {
    size_t used = 0;

    for (size_t i = 0; i < text.len;) {
        const size_t len = utf8_sequence(text.p + i, text.len - i);

        used += len > 0 ? columns_of(utf8_code(text.p + i, len)) : 1;
        if (used > columns) {
            return i;
        }
        i += len > 0 ? len : 1;
    }
    return text.len;
}

size_t ctl_text_width(struct str text) {
    size_t used = 0;

    for (size_t i = 0; i < text.len;) {
        const size_t len = utf8_sequence(text.p + i, text.len - i);

        used += len > 0 ? columns_of(utf8_code(text.p + i, len)) : 1;
        i += len > 0 ? len : 1;
    }
    return used;
}

#define INDENT 4

/* How much of the text goes on a line: to the last blank that fits, or else to the first one. */
static size_t break_at(struct str text, size_t columns) {
    size_t end = ctl_text_cut(text, columns);

    if (end == text.len || text.p[end] == ' ') {
        return end;
    }
    for (size_t i = end; i > 0; i--) {
        if (text.p[i - 1] == ' ') {
            return i - 1;
        }
    }
    while (end < text.len && text.p[end] != ' ') {
        end++;
    }
    return end;
}

void ctl_print_wrapped(struct str line) {
    const size_t width = ctl_terminal_width();
    size_t begin = strspn(line.p, " "); /* a break is not there */
    size_t room = width > begin ? width - begin : 1;

    fwrite(line.p, 1, begin, stdout);
    while (begin < line.len) {
        const struct str rest = {line.p + begin, line.len - begin};
        const size_t len = break_at(rest, room);

        printf("%.*s\n", (int)len, rest.p);
        begin += len + 1; /* and the blank */
        room = width > INDENT ? width - INDENT : 1;
        if (begin < line.len) {
            printf("%*s", INDENT, "");
        }
    }
}
