/* Formats log lines and writes them to standard error. */
#include "wslock/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wslock/base/buf.h"
#include "wslock/base/clock.h"

#define VALUE_MAX_BYTES 4096
#define WINDOW_MS 60000

static enum log_level max_level = LOG_LEVEL_INFO;
static enum log_format current_format = LOG_FORMAT_TEXT;
static bool to_journal;
/* Lines left out by a log_limit since the last line written. */
static uint32_t suppressed_unlogged;

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream, if it is still our stderr. */
static bool stderr_is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (stream == NULL || fstat(STDERR_FILENO, &st) != 0) {
        return false;
    }
    char expected[48];
    snprintf(expected, sizeof expected, "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(stream, expected) == 0;
}

void log_configure(enum log_level level, enum log_format format) {
    max_level = level;
    current_format = format;
    to_journal = stderr_is_journal();
}

bool log_enabled(enum log_level level) {
    return level <= max_level;
}

static const char *level_name(enum log_level level) {
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARN:
        return "warn";
    case LOG_LEVEL_INFO:
        return "info";
    case LOG_LEVEL_DEBUG:
        return "debug";
    }
    return "";
}

/* sd-daemon(3) */
static int journal_priority(enum log_level level) {
    switch (level) {
    case LOG_LEVEL_ERROR:
        return 3;
    case LOG_LEVEL_WARN:
        return 4;
    case LOG_LEVEL_INFO:
        return 6;
    case LOG_LEVEL_DEBUG:
        return 7;
    }
    return 7;
}

/* What must not reach a terminal or a line-based reader as it is: controls (C0, DEL, C1), the line
 * and paragraph separators, and the marks that turn the direction of text. */
static bool is_unsafe(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

/* A JSON string, in the text format too. */
static void append_quoted(struct buf *out, struct str s, size_t max_bytes) {
    buf_append_char(out, '"');
    size_t end = s.len < max_bytes ? s.len : max_bytes;
    size_t step;
    for (size_t i = 0; i < end; i += step) {
        step = utf8_sequence(s.p + i, s.len - i);
        if (step == 0) {
            buf_append_str(out, "\xef\xbf\xbd");
            step = 1;
            continue;
        }
        uint32_t code = utf8_code(s.p + i, step);
        if (code == '"' || code == '\\') {
            buf_append_char(out, '\\');
            buf_append_char(out, (char)code);
        } else if (code == '\n') {
            buf_append_str(out, "\\n");
        } else if (is_unsafe(code)) {
            buf_printf(out, "\\u%04x", (unsigned)code);
        } else {
            buf_append(out, s.p + i, step);
        }
    }
    if (end < s.len) {
        buf_append_str(out, "...");
    }
    buf_append_char(out, '"');
}

/* A value that stands in a text line without quotes. */
static bool is_bare(struct str s) {
    if (s.len == 0 || s.len > VALUE_MAX_BYTES) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '=') {
            return false;
        }
    }
    return true;
}

static void append_field(struct buf *out, const struct log_field *field) {
    if (current_format == LOG_FORMAT_JSON) {
        buf_append_char(out, ',');
        append_quoted(out, str_of(field->key), VALUE_MAX_BYTES);
        buf_append_char(out, ':');
    } else {
        buf_append_char(out, ' ');
        buf_append_str(out, field->key);
        buf_append_char(out, '=');
    }
    if (field->type == LOG_FIELD_INT) {
        buf_append_i64(out, field->i);
    } else if (current_format == LOG_FORMAT_TEXT && is_bare(field->s)) {
        buf_append(out, field->s.p, field->s.len);
    } else {
        append_quoted(out, field->s, field->whole ? SIZE_MAX : VALUE_MAX_BYTES);
    }
}

/* RFC 3339 in UTC with milliseconds. */
static void format_time(char *out, size_t size) {
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    size_t len = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(out + len, size - len, ".%03dZ", (int)(now_ms % 1000));
}

/* The reader of standard error may be stopped. The daemon must not block on it. */
static bool can_write(void) {
    struct pollfd fd = {.fd = STDERR_FILENO, .events = POLLOUT};
    return poll(&fd, 1, 0) != 0; /* an error shows at the write */
}

static void write_line(const struct buf *line) {
    size_t at = 0;
    while (at < line->len) {
        ssize_t written = write(STDERR_FILENO, line->data + at, line->len - at);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return; /* nowhere to say it */
        }
        at += (size_t)written;
    }
}

void log_write(enum log_level level, const char *event, const struct log_field *fields,
               size_t count) {
    static struct buf line;
    int saved_errno = errno;
    char time_text[40];
    if (!can_write()) {
        suppressed_unlogged++;
        return;
    }
    format_time(time_text, sizeof time_text);
    buf_reset(&line);
    if (to_journal) {
        buf_printf(&line, "<%d>", journal_priority(level));
    }
    if (current_format == LOG_FORMAT_JSON) {
        buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"event\":", time_text,
                   level_name(level));
        append_quoted(&line, str_of(event), VALUE_MAX_BYTES);
    } else {
        if (!to_journal) { /* which keeps both by itself */
            buf_printf(&line, "%s %s ", time_text, level_name(level));
        }
        buf_append_str(&line, event);
    }
    for (size_t i = 0; i < count; i++) {
        append_field(&line, &fields[i]);
    }
    if (suppressed_unlogged > 0) {
        append_field(&line, &(struct log_field)LFI("suppressed", suppressed_unlogged));
        suppressed_unlogged = 0;
    }
    buf_append_str(&line, current_format == LOG_FORMAT_JSON ? "}\n" : "\n");
    write_line(&line);
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, uint32_t per_minute) {
    uint64_t now_ms = clock_boot_ms();
    if (limit->window_start_ms == 0 || now_ms - limit->window_start_ms >= WINDOW_MS) {
        limit->window_start_ms = now_ms;
        limit->written = 0;
    }
    if (limit->written >= per_minute) {
        limit->suppressed++;
        return false;
    }
    limit->written++;
    suppressed_unlogged += limit->suppressed;
    limit->suppressed = 0;
    return true;
}
