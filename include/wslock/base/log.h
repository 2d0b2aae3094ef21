/*
 * The operator's log, on standard error: one line an event, `time level event key=value …` (text;
 * if standard error is the journal, a journald priority prefix instead of time and level) or a JSON
 * object (json). Time is RFC 3339 in UTC with milliseconds.
 * Values are escaped, so that nobody outside can forge a line.
 */
#ifndef WSLOCK_BASE_LOG_H
#define WSLOCK_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/str.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

struct log_field {
    const char *key;
    enum { LOG_FIELD_STR, LOG_FIELD_INT } type;
    struct str s;
    int64_t i;
    bool whole; /* never shortened */
};

#define LF(k, text)                                                                                \
    { .key = (k), .type = LOG_FIELD_STR, .s = str_of(text) }
#define LFS(k, str_)                                                                               \
    { .key = (k), .type = LOG_FIELD_STR, .s = (str_) }
#define LFI(k, num)                                                                                \
    { .key = (k), .type = LOG_FIELD_INT, .i = (int64_t)(num) }

void log_configure(enum log_level level, enum log_format format);
bool log_enabled(enum log_level level);
void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* log_info("listening", LF("address", a), LFI("port", p)); the first element is a placeholder, so
 * that an event without fields compiles too. */
#define LOG_AT(level_, event_, ...)                                                                \
    do {                                                                                           \
        if (log_enabled(level_)) {                                                                 \
            const struct log_field log_fields_[] = {{.key = NULL}, __VA_ARGS__};                   \
            log_write((level_), (event_), log_fields_ + 1,                                         \
                      sizeof log_fields_ / sizeof log_fields_[0] - 1);                             \
        }                                                                                          \
    } while (0)
#define log_error(event_, ...) LOG_AT(LOG_LEVEL_ERROR, event_, __VA_ARGS__)
#define log_warn(event_, ...) LOG_AT(LOG_LEVEL_WARN, event_, __VA_ARGS__)
#define log_info(event_, ...) LOG_AT(LOG_LEVEL_INFO, event_, __VA_ARGS__)
#define log_debug(event_, ...) LOG_AT(LOG_LEVEL_DEBUG, event_, __VA_ARGS__)

/* For lines that a client can cause: at most `burst` a minute each; what was left out is counted
 * and reported with the next line. One static struct a call site. */
struct log_limit {
    uint64_t window_start_ms;
    uint32_t written, suppressed;
};
bool log_limit_pass(struct log_limit *limit, uint32_t per_minute);

#endif
