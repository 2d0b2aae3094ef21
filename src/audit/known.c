/* The records that the end of the file holds already, found by event id. */
#include "known.h"

#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "wslock/base/buf.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"

/* An instance says every few seconds what it has on disk: what is older is not read back. */
#define KEEP_S 30
#define LOAD_BYTES ((off_t)64 * 1024 * 1024)
#define STEP_BYTES ((off_t)1024 * 1024)
#define LINE_BYTES ((off_t)128 * 1024) /* two of the longest lines */

/* So many of the newest are known at least, and twice as many at most: more than an instance does
 * in the time that is read back. */
#define KNOWN_MIN 65536

struct known {
    struct map *map;
    struct map *older; /* those before, looked at too */
};

struct known *known_create(void) {
    struct known *known = mem_alloc(sizeof *known);
    known->map = map_create();
    known->older = map_create();
    return known;
}

void known_destroy(struct known **known) {
    if (*known != NULL) {
        map_destroy(&(*known)->map);
        map_destroy(&(*known)->older);
        mem_free(*known);
        *known = NULL;
    }
}

/* What stands between `key` and the next quote. A quote inside of a value has a backslash before
 * it, so that no value can look like a key. */
static struct str field(struct str line, const char *key) {
    const size_t key_len = strlen(key);
    const char *at = memmem(line.p, line.len, key, key_len);
    if (at == NULL) {
        return (struct str){NULL, 0};
    }
    at += key_len;
    const char *end = memchr(at, '"', (size_t)(line.p + line.len - at));
    return (struct str){at, end != NULL ? (size_t)(end - at) : 0};
}

/* Empty: the record is not about a change. */
static void make_key(struct buf *out, struct str line) {
    const struct str resource = field(line, "\"resourceId\":\"");
    const struct str id = field(line, "\"eventId\":\"");
    const struct str action = field(line, "\"action\":\"");
    if (resource.len > 0 && id.len > 0) {
        buf_append(out, action.p, action.len);
        buf_append_str(out, "\n");
        buf_append(out, resource.p, resource.len);
        buf_append_str(out, "\n");
        buf_append(out, id.p, id.len);
    }
}

bool known_has(const struct known *known, struct str line) {
    struct buf key;
    buf_init(&key);
    make_key(&key, line);
    const struct str text = {key.data, key.len};
    const bool has =
        key.len > 0 && (map_get(known->map, text) != NULL || map_get(known->older, text) != NULL);
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
    if (map_count(known->map) >= KNOWN_MIN) {
        map_destroy(&known->older);
        known->older = known->map;
        known->map = map_create();
    }
    buf_fini(&key);
}

static size_t read_range(int fd, off_t start, off_t end, struct buf *out) {
    ssize_t n = 0;
    buf_reserve(out, (size_t)(end - start));
    while ((off_t)out->len < end - start &&
           (n = pread(fd, out->data + out->len, (size_t)(end - start) - out->len,
                      start + (off_t)out->len)) > 0) {
        out->len += (size_t)n;
    }
    return out->len;
}

/* Seconds since the epoch of a record; -1: it has no time. */
static int64_t time_of(struct str line) {
    const struct str text = field(line, "\"time\":\"");
    char copy[32];
    struct tm tm = {0};
    if (text.len < 19 || text.len >= sizeof copy) {
        return -1;
    }
    memcpy(copy, text.p, text.len);
    copy[text.len] = '\0';
    return strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm) != NULL ? (int64_t)timegm(&tm) : -1;
}

/* The time of the last line of a range, or of the first that begins in it. */
static int64_t time_in(int fd, off_t start, off_t end, bool last) {
    struct buf part;
    int64_t at = -1;
    buf_init(&part);
    if (read_range(fd, start, end, &part) > 1) {
        const char *stop = part.data + part.len;
        const char *from =
            last ? memrchr(part.data, '\n', part.len - 1) : memchr(part.data, '\n', part.len - 1);
        from = from != NULL ? from + 1 : part.data;
        at = time_of((struct str){from, (size_t)(stop - from)});
    }
    buf_fini(&part);
    return at;
}

/* Where the records of the last KEEP_S begin, or somewhat before. */
static off_t load_from(int fd, off_t end) {
    const off_t near_end = end > LINE_BYTES ? end - LINE_BYTES : 0;
    const int64_t newest = time_in(fd, near_end, end, true);
    off_t start = end;
    while (start > 0 && end - start < LOAD_BYTES) {
        start = start > STEP_BYTES ? start - STEP_BYTES : 0;
        const off_t stop = end - start < LINE_BYTES ? end : start + LINE_BYTES;
        if (newest >= 0 && start > 0 && time_in(fd, start, stop, false) < newest - KEEP_S) {
            break;
        }
    }
    return start;
}

void known_load(struct known *known, int fd, off_t end) {
    struct buf all;
    buf_init(&all);
    if (end > 0) {
        (void)read_range(fd, load_from(fd, end), end, &all);
    }
    for (size_t at = 0; at < all.len;) {
        const char *line = all.data + at;
        const char *newline = memchr(line, '\n', all.len - at);
        if (newline == NULL) {
            break;
        }
        known_add(known, (struct str){line, (size_t)(newline - line)});
        at += (size_t)(newline - line) + 1;
    }
    buf_fini(&all);
}
