/* Parses the head of a request. */
#include "http_head.h"

#include <ctype.h>
#include <strings.h>

static bool is_control(char c) {
    return (unsigned char)c < ' ' || c == 0x7f;
}

enum http_head_state http_head_scan(struct http_head_scan *scan, struct str bytes) {
    while (scan->at < bytes.len) {
        char c = bytes.p[scan->at++];
        if (scan->cr && c != '\n') {
            return HTTP_HEAD_BAD;
        }
        scan->cr = c == '\r';
        if (c == '\n') {
            if (scan->line == 0 && scan->begun) {
                return HTTP_HEAD_WHOLE;
            }
            scan->line = 0;
        } else if (c != '\r') {
            if (is_control(c) && c != '\t') {
                return HTTP_HEAD_BAD;
            }
            scan->line++;
            scan->begun = true;
        }
    }
    return HTTP_HEAD_MORE;
}

/* ---- lists and tokens ---- */

bool http_list_next(struct str *rest, char separator, struct str *part) {
    if (rest->p == NULL) {
        return false;
    }
    const char *end = rest->len > 0 ? memchr(rest->p, separator, rest->len) : NULL;
    size_t len = end != NULL ? (size_t)(end - rest->p) : rest->len;
    *part = str_trim((struct str){rest->p, len});
    if (end != NULL) {
        *rest = (struct str){end + 1, rest->len - len - 1};
    } else {
        *rest = (struct str){NULL, 0};
    }
    return true;
}

bool http_is_token(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        if (!isalnum((unsigned char)s.p[i]) && memchr("!#$%&'*+-.^_`|~", s.p[i], 15) == NULL) {
            return false;
        }
    }
    return s.len > 0;
}

static bool equals_ignoring_case(struct str s, const char *text) {
    return s.len == strlen(text) && strncasecmp(s.p, text, s.len) == 0;
}

/* ---- the request line and the fields ---- */

/* Removes the first line of rest and returns it without its line end. */
static bool next_line(struct str *rest, struct str *line) {
    if (!str_cut(rest, '\n', line)) {
        return false;
    }
    if (line->len > 0 && line->p[line->len - 1] == '\r') {
        line->len--;
    }
    return true;
}

static bool split_field(struct str line, struct str *name, struct str *value) {
    if (!str_cut(&line, ':', name)) {
        return false;
    }
    *value = str_trim(line);
    return true;
}

static bool is_version(struct str s) {
    return s.len == 8 && memcmp(s.p, "HTTP/", 5) == 0 && isdigit((unsigned char)s.p[5]) &&
           s.p[6] == '.' && isdigit((unsigned char)s.p[7]);
}

/* "/path?query", or the absolute form "http://host/path?query". */
static bool split_target(struct str target, struct http_head *out) {
    static const char *const SCHEMES[] = {"http://", "https://"};
    for (size_t i = 0; i < ARRAY_LEN(SCHEMES); i++) {
        size_t len = strlen(SCHEMES[i]);
        if (target.len <= len || strncasecmp(target.p, SCHEMES[i], len) != 0) {
            continue;
        }
        const char *slash = memchr(target.p + len, '/', target.len - len);
        /* A slash in the query does not begin a path. */
        if (slash == NULL ||
            memchr(target.p + len, '?', (size_t)(slash - target.p) - len) != NULL) {
            return false;
        }
        target = (struct str){slash, target.len - (size_t)(slash - target.p)};
        break;
    }
    out->query = target;
    if (!str_cut(&out->query, '?', &out->path)) {
        out->path = target;
        out->query = (struct str){NULL, 0};
    }
    return out->path.len > 0 && out->path.p[0] == '/';
}

static bool read_request_line(struct str line, struct http_head *out) {
    struct str target;
    if (!str_cut(&line, ' ', &out->method) || !str_cut(&line, ' ', &target)) {
        return false;
    }
    out->version = line;
    return http_is_token(out->method) && is_version(out->version) &&
           memchr(target.p, '\t', target.len) == NULL && split_target(target, out);
}

bool http_head_parse(struct str text, struct http_head *out) {
    struct str line = {NULL, 0}, name, value;
    while (line.len == 0) {
        if (!next_line(&text, &line)) {
            return false;
        }
    }
    if (!read_request_line(line, out)) {
        return false;
    }
    out->fields = text;
    /* A line that begins with a space (obs-fold) is refused: RFC 9112 §5.2. */
    while (next_line(&text, &line) && line.len > 0) {
        if (!split_field(line, &name, &value) || !http_is_token(name)) {
            return false;
        }
    }
    return true;
}

bool http_head_next(struct str *rest, const char *name, struct str *value) {
    struct str line, found;
    while (next_line(rest, &line)) {
        if (split_field(line, &found, value) && equals_ignoring_case(found, name)) {
            return true;
        }
    }
    return false;
}

size_t http_head_count(const struct http_head *head, const char *name) {
    struct str rest = head->fields, value;
    size_t count = 0;
    while (http_head_next(&rest, name, &value)) {
        count++;
    }
    return count;
}

struct str http_head_first(const struct http_head *head, const char *name) {
    struct str rest = head->fields, value;
    return http_head_next(&rest, name, &value) ? value : (struct str){NULL, 0};
}

bool http_head_lists(const struct http_head *head, const char *name, const char *item) {
    struct str rest = head->fields, list, part;
    while (http_head_next(&rest, name, &list)) {
        while (http_list_next(&list, ',', &part)) {
            if (equals_ignoring_case(part, item)) {
                return true;
            }
        }
    }
    return false;
}

bool http_head_has_body(const struct http_head *head) {
    struct str rest = head->fields, value;
    while (http_head_next(&rest, "Content-Length", &value)) {
        for (size_t i = 0; i < value.len; i++) {
            if (value.p[i] != '0') {
                return true;
            }
        }
        if (value.len == 0) {
            return true;
        }
    }
    return http_head_count(head, "Transfer-Encoding") > 0;
}

bool http_head_persists(const struct http_head *head) {
    return str_eqz(head->version, "HTTP/1.1") && !http_head_lists(head, "Connection", "close");
}

bool http_head_is_addressed(const struct http_head *head) {
    size_t hosts = http_head_count(head, "Host");
    return str_eqz(head->version, "HTTP/1.1") ? hosts == 1
                                              : str_eqz(head->version, "HTTP/1.0") && hosts <= 1;
}

/* ---- URLs ---- */

static int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)tolower((unsigned char)c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool http_url_decode(struct str s, bool plus, char *out, size_t size) {
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        int c = (unsigned char)s.p[i];
        if (c == '%') {
            if (s.len - i < 3 || hex_value(s.p[i + 1]) < 0 || hex_value(s.p[i + 2]) < 0) {
                return false;
            }
            c = hex_value(s.p[i + 1]) * 16 + hex_value(s.p[i + 2]);
            i += 2;
        } else if (c == '+' && plus) {
            c = ' ';
        }
        if (c == '\0' || len + 1 >= size) {
            return false;
        }
        out[len++] = (char)c;
    }
    out[len] = '\0';
    return true;
}
