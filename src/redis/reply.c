/* Checked access to replies. */
#include "hiredis_api.h"

static const redisReply *raw(const struct redis_reply *r) {
    return (const redisReply *)r;
}

bool redis_reply_is_nil(const struct redis_reply *r) {
    return r == NULL || raw(r)->type == REDIS_REPLY_NIL;
}

static bool parse_decimal(const char *p, size_t len, int64_t *out) {
    bool negative = len > 0 && p[0] == '-';
    size_t i = negative ? 1 : 0;
    int64_t n = 0;

    if (i == len || len - i > 18) { /* 18 digits cannot overflow */
        return false;
    }
    for (; i < len; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return false;
        }
        n = n * 10 + (p[i] - '0');
    }
    *out = negative ? -n : n;
    return true;
}

bool redis_reply_int(const struct redis_reply *r, int64_t *out) {
    struct str s;

    if (r != NULL && raw(r)->type == REDIS_REPLY_INTEGER) {
        *out = raw(r)->integer;
        return true;
    }
    *out = 0;
    return redis_reply_str(r, &s) && parse_decimal(s.p, s.len, out);
}

bool redis_reply_str(const struct redis_reply *r, struct str *out) {
    *out = (struct str){NULL, 0};
    if (r == NULL || (raw(r)->type != REDIS_REPLY_STRING && raw(r)->type != REDIS_REPLY_STATUS)) {
        return false;
    }
    *out = (struct str){raw(r)->str, (size_t)raw(r)->len};
    return true;
}

size_t redis_reply_count(const struct redis_reply *r) {
    return r != NULL && raw(r)->type == REDIS_REPLY_ARRAY ? (size_t)raw(r)->elements : 0;
}

const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t index) {
    return index < redis_reply_count(r) ? (const struct redis_reply *)raw(r)->element[index] : NULL;
}
