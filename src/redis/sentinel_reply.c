/* Reads and checks what a Sentinel sends (RESP2). */
#include "sentinel_reply.h"

#include <string.h>

enum { INCOMPLETE = 0, MALFORMED = -1 };

/* The rest of the line that begins at `at`. Gives where the next line begins. */
static ssize_t read_line(struct str data, size_t at, struct str *out) {
    const char *from = data.p + at;
    const char *end = memchr(from, '\r', data.len - at);

    if (end == NULL || end + 1 == data.p + data.len) {
        return data.len >= SENTINEL_REPLY_MAX_BYTES ? MALFORMED : INCOMPLETE;
    }
    if (end[1] != '\n') {
        return MALFORMED;
    }
    *out = (struct str){from, (size_t)(end - from)};
    return end + 2 - data.p;
}

/* A decimal number from 0 to max. */
static bool read_number(struct str text, int max, int *out) {
    int n = 0;

    if (text.len == 0 || text.len > 5) { /* five digits cannot overflow */
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        n = n * 10 + (text.p[i] - '0');
    }
    *out = n;
    return n <= max;
}

/* The content of a bulk string, which begins at `at` behind its first line. */
static ssize_t read_content(struct str data, size_t at, int len, struct str *out) {
    size_t end = at + (size_t)len;

    if (data.len < end + 2) {
        return INCOMPLETE;
    }
    if (data.p[end] != '\r' || data.p[end + 1] != '\n') {
        return MALFORMED;
    }
    *out = (struct str){data.p + at, (size_t)len};
    return (ssize_t)end + 2;
}

/* Any reply but an array. */
static ssize_t read_item(struct str data, size_t at, struct str *out, bool *nil) {
    ssize_t next;
    int len;

    if (at == data.len) {
        return INCOMPLETE;
    }
    if (strchr("+-:$", data.p[at]) == NULL || data.p[at] == '\0') {
        return MALFORMED;
    }
    next = read_line(data, at + 1, out);
    *nil = data.p[at] == '$' && str_eqz(*out, "-1");
    if (next <= 0 || data.p[at] != '$' || *nil) {
        return next;
    }
    if (!read_number(*out, SENTINEL_REPLY_MAX_BYTES, &len)) {
        return MALFORMED;
    }
    return read_content(data, (size_t)next, len, out);
}

static ssize_t read_array(struct str data, struct sentinel_reply *out) {
    struct str line = {NULL, 0};
    ssize_t at = read_line(data, 1, &line);
    int count;
    bool nil;

    out->count = 0;
    out->nil = str_eqz(line, "-1");
    if (at <= 0 || out->nil) {
        return at;
    }
    if (!read_number(line, SENTINEL_REPLY_MAX_ITEMS, &count)) {
        return MALFORMED;
    }
    while (out->count < (size_t)count) {
        at = read_item(data, (size_t)at, &out->items[out->count], &nil);
        if (at <= 0 || nil) {
            return at <= 0 ? at : MALFORMED;
        }
        out->count++;
    }
    return at;
}

static ssize_t read_reply(struct str data, struct sentinel_reply *out) {
    ssize_t len;

    if (data.len == 0) {
        return INCOMPLETE;
    }
    out->type = data.p[0];
    if (out->type == '*') {
        return read_array(data, out);
    }
    out->items[0] = (struct str){NULL, 0};
    len = read_item(data, 0, &out->items[0], &out->nil);
    out->count = out->nil ? 0 : 1;
    return len;
}

ssize_t sentinel_reply_read(struct str data, struct sentinel_reply *out) {
    ssize_t len;

    *out = (struct sentinel_reply){.type = '\0'};
    len = read_reply(data, out);
    return len == INCOMPLETE && data.len > SENTINEL_REPLY_MAX_BYTES ? MALFORMED
           : len > SENTINEL_REPLY_MAX_BYTES                         ? MALFORMED
                                                                    : len;
}

static bool read_address(struct str host, struct str port, struct redis_address *out) {
    int number;

    return read_number(port, 65535, &number) && redis_address_set(out, host, number);
}

bool sentinel_reply_address(const struct sentinel_reply *reply, struct redis_address *out,
                            struct str *problem) {
    if (reply->type == '-') {
        *problem = reply->items[0];
    } else if (reply->nil) {
        *problem = str_of("it does not know this master");
    } else if (reply->type != '*' || reply->count != 2 ||
               !read_address(reply->items[0], reply->items[1], out)) {
        *problem = str_of("its answer is not an address");
    } else {
        return true;
    }
    return false;
}

/* "<name> <old address> <old port> <new address> <new port>" */
bool sentinel_reply_switch(const struct sentinel_reply *reply, const char *master,
                           struct redis_address *out) {
    struct str rest, words[4];

    if (reply->type != '*' || reply->count != 3 || !str_eqz(reply->items[0], "message") ||
        !str_eqz(reply->items[1], SENTINEL_SWITCH_CHANNEL)) {
        return false;
    }
    rest = reply->items[2];
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (!str_cut(&rest, ' ', &words[i])) {
            return false;
        }
    }
    return str_eqz(words[0], master) && read_address(words[3], rest, out);
}
