#include "known.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "wslock/base/buf.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"

#define LOAD_BYTES ((off_t)1024 * 1024)

struct known {
    struct map *map;
};

struct known *known_create(void) {
    struct known *known = mem_alloc(sizeof *known);
    known->map = map_create();
    return known;
}

void known_destroy(struct known **known) {
    if (*known) {
        map_destroy(&(*known)->map);
        mem_free(*known);
        *known = NULL;
    }
}

/* What stands between `key` and the next quote. A quote inside of a value has a backslash before
 * it, so that no value can look like a key. */
static struct str field(struct str line, const char *key) {
    const size_t key_len = strlen(key);
    const char *at = memmem(line.p, line.len, key, key_len);
    if (!at) {
        return (struct str){NULL, 0};
    }
    at += key_len;
    const char *end = memchr(at, '"', (size_t)(line.p + line.len - at));
    return (struct str){at, end ? (size_t)(end - at) : 0};
}

/* Empty: the record is not about a change. */
static void make_key(struct buf *out, struct str line) {
    const struct str resource = field(line, "\"resourceId\":\"");
    const struct str id = field(line, "\"eventId\":\"");
    if (resource.len > 0 && id.len > 0) {
        buf_append(out, resource.p, resource.len);
        buf_append_str(out, "\n");
        buf_append(out, id.p, id.len);
    }
}

bool known_has(const struct known *known, struct str line) {
    struct buf key;
    buf_init(&key);
    make_key(&key, line);
    const bool has = key.len > 0 && map_get(known->map, (struct str){key.data, key.len}) != NULL;
    buf_fini(&key);
    return has;
}

void known_add(struct known *known, struct str line) {
    static char present;
    struct buf key;
    buf_init(&key);
    make_key(&key, line);
    if (key.len > 0) {
        map_set(known->map, (struct str){key.data, key.len}, &present);
    }
    buf_fini(&key);
}

void known_load(struct known *known, int fd, off_t end) {
    const off_t start = end > LOAD_BYTES ? end - LOAD_BYTES : 0;
    struct buf all;
    ssize_t n = 0;
    buf_init(&all);
    buf_reserve(&all, (size_t)(end - start));
    while ((off_t)all.len < end - start &&
           (n = pread(fd, all.data + all.len, (size_t)(end - start) - all.len,
                      start + (off_t)all.len)) > 0) {
        all.len += (size_t)n;
    }
    for (const char *p = all.data, *stop = p + all.len; p && p < stop;) {
        const char *newline = memchr(p, '\n', (size_t)(stop - p));
        if (!newline) {
            break;
        }
        known_add(known, (struct str){p, (size_t)(newline - p)});
        p = newline + 1;
    }
    buf_fini(&all);
}
