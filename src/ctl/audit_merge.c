/*
 * `wslockctl audit merge`: the records of several instances in one order. All lines go to a
 * nameless file; in memory stands only where each one is, when it was written, and which change it
 * is about.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/audit/lines.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"

#include "audit.h"

struct entry {
    int64_t time_us;
    uint64_t event[2]; /* the parts of the eventId; zeros if there is none */
    off_t at;          /* in the spool */
    uint32_t len;
    bool recovered, dropped;
};

struct merge {
    int spool;
    struct buf block; /* of the spool, not written yet */
    off_t spooled;
    struct entry *entries;
    size_t count, capacity;
    struct map *changes; /* to the index of a entry plus 1 */
    enum ctl_exit result;
};

static void complain_line(struct merge *m, const char *path, uint64_t line, const char *text) {
    ctl_complain("%s:%" PRIu64 ": %s: left out", path, line, text);
    if (m->result == CTL_OK) {
        m->result = CTL_FAILED;
    }
}

static int spool_open(void) {
    const char *dir = getenv("TMPDIR");
    char *path = mem_printf("%s/wslockctl-XXXXXX", dir != NULL && *dir != '\0' ? dir : "/tmp");
    const int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        ctl_complain("%s: %s", path, strerror(errno));
    } else {
        (void)unlink(path);
    }
    mem_free(path);
    return fd;
}

static bool spool_flush(struct merge *m) {
    size_t done = 0;

    while (done < m->block.len) {
        const ssize_t n = write(m->spool, m->block.data + done, m->block.len - done);

        if (n <= 0) {
            ctl_complain("cannot write a temporary file: %s", strerror(n < 0 ? errno : ENOSPC));
            return false;
        }
        done += (size_t)n;
    }
    m->spooled += (off_t)m->block.len;
    buf_reset(&m->block);
    return true;
}

/* `milliseconds-number` */
static void read_event(struct str id, uint64_t event[2]) {
    char text[48];
    char *end;

    if (id.len == 0 || id.len >= sizeof text) {
        return;
    }
    memcpy(text, id.p, id.len);
    text[id.len] = '\0';
    event[0] = strtoull(text, &end, 10);
    event[1] = *end == '-' ? strtoull(end + 1, NULL, 10) : 0;
}

static void append_part(struct buf *key, struct str part) {
    buf_printf(key, "%zu:", part.len);
    buf_append(key, part.p, part.len);
}

/* What two records of the same change have alike; of a record that is about none, its hash. */
static void make_key(struct buf *key, const json_t *record) {
    const struct str event = jsonr_str(json_object_get(record, "eventId"));

    buf_reset(key);
    append_part(key, event);
    if (event.len == 0) {
        append_part(key, jsonr_str(json_object_get(record, "hash")));
    } else {
        append_part(key, jsonr_str(json_object_get(record, "action")));
        append_part(key, jsonr_str(json_object_get(record, "resourceId")));
    }
}

/* Of the records of one change the one that was not read back from the store is kept, else the
 * oldest. */
static bool is_better(const struct entry *a, const struct entry *b) {
    return a->recovered != b->recovered ? !a->recovered : a->time_us < b->time_us;
}

static void drop_duplicate(struct merge *m, const json_t *record) {
    const uintptr_t now = m->count;
    struct buf key;
    uintptr_t before;

    buf_init(&key);
    make_key(&key, record);
    before = (uintptr_t)map_get(m->changes, (struct str){key.data, key.len});
    if (before != 0 && !is_better(&m->entries[now - 1], &m->entries[before - 1])) {
        m->entries[now - 1].dropped = true;
    } else {
        if (before != 0) {
            m->entries[before - 1].dropped = true;
        }
        map_set(m->changes, (struct str){key.data, key.len}, (void *)now);
    }
    buf_fini(&key);
}

static bool add_record(struct merge *m, const json_t *record, struct str line) {
    const char *time_text = json_string_value(json_object_get(record, "time"));
    struct entry entry = {
        .at = m->spooled + (off_t)m->block.len,
        .len = (uint32_t)line.len,
        .recovered = json_is_true(json_object_get(record, "recovered")),
    };

    if (time_text == NULL || !ctl_parse_time(time_text, &entry.time_us)) {
        return false;
    }
    read_event(jsonr_str(json_object_get(record, "eventId")), entry.event);
    if (m->count == m->capacity) {
        m->capacity = m->capacity == 0 ? 1024 : m->capacity * 2;
        m->entries = mem_realloc(m->entries, m->capacity * sizeof *m->entries);
    }
    m->entries[m->count++] = entry;
    buf_append(&m->block, line.p, line.len);
    drop_duplicate(m, record);
    return true;
}

static bool add_line(struct merge *m, const char *path, uint64_t number, struct str line) {
    json_t *record = jsonr_object(line, NULL);

    if (record == NULL || !add_record(m, record, line)) {
        complain_line(m, path, number, "not an audit record");
    }
    json_decref(record);
    return m->block.len < AUDIT_LINE_MAX_BYTES || spool_flush(m);
}

/* False if it cannot go on. */
static bool add_lines(struct merge *m, const char *path, struct audit_lines *lines) {
    struct str line;

    for (uint64_t number = 1;; number++) {
        switch (audit_lines_next(lines, &line)) {
        case AUDIT_LINE_WHOLE:
            if (!add_line(m, path, number, line)) {
                return false;
            }
            break;
        case AUDIT_LINE_TOO_LONG:
            complain_line(m, path, number, "longer than any audit record");
            break;
        case AUDIT_LINE_TORN:
            if (!audit_lines_in_use(lines)) {
                complain_line(m, path, number, "the last line is torn");
            }
            return true;
        case AUDIT_LINE_FAILED:
            ctl_complain("%s:%" PRIu64 ": cannot read on: %s", path, number,
                         audit_lines_problem(lines));
            m->result = CTL_MISSING;
            return true;
        case AUDIT_LINE_END:
            return true;
        }
    }
}

static bool add_file(struct merge *m, const char *path) {
    const char *why = NULL;
    struct audit_lines *lines = audit_lines_open(path, &why);
    bool ok;

    if (lines == NULL) {
        ctl_complain("%s: %s", path, why);
        m->result = CTL_MISSING;
        return true;
    }
    ok = add_lines(m, path, lines);
    audit_lines_close(&lines);
    return ok;
}

#define COMPARE(x, y) ((x) < (y) ? -1 : (x) > (y))

static int compare(const void *left, const void *right) {
    const struct entry *a = left, *b = right;

    if (a->time_us != b->time_us) {
        return COMPARE(a->time_us, b->time_us);
    }
    if (a->event[0] != b->event[0]) {
        return COMPARE(a->event[0], b->event[0]);
    }
    if (a->event[1] != b->event[1]) {
        return COMPARE(a->event[1], b->event[1]);
    }
    return COMPARE(a->at, b->at);
}

static bool print(const struct merge *m) {
    char *line = mem_alloc(AUDIT_LINE_MAX_BYTES);
    bool ok = true;

    for (size_t i = 0; ok && i < m->count; i++) {
        const struct entry *entry = &m->entries[i];

        if (entry->dropped) {
            continue;
        }
        ok = pread(m->spool, line, entry->len, entry->at) == (ssize_t)entry->len;
        if (ok) {
            line[entry->len] = '\n';
            ok = fwrite(line, 1, entry->len + 1, stdout) == entry->len + 1;
        } else {
            ctl_complain("cannot read a temporary file: %s", strerror(errno));
        }
    }
    mem_free(line);
    return ok;
}

enum ctl_exit ctl_audit_merge(const struct ctl_options *options) {
    struct merge m = {.spool = spool_open(), .result = CTL_OK};
    bool ok = m.spool >= 0;

    m.changes = map_create();
    buf_init(&m.block);
    for (size_t i = 0; ok && i < options->word_count; i++) {
        ok = add_file(&m, options->words[i]);
    }
    ok = ok && spool_flush(&m);
    if (ok && m.count > 0) {
        qsort(m.entries, m.count, sizeof *m.entries, compare);
        ok = print(&m);
    }
    if (m.spool >= 0) {
        close(m.spool);
    }
    map_destroy(&m.changes);
    mem_free(m.entries);
    buf_fini(&m.block);
    return ok ? m.result : CTL_FAILED;
}
