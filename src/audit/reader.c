/* Reads the log while it is written. */
#include "wslock/audit/reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "chain.h"
#include "wslock/audit/lines.h"
#include "wslock/base/mem.h"

#define BUFFER_BYTES (2 * AUDIT_LINE_MAX_BYTES) /* has at least one whole line */

struct audit_reader {
    uv_loop_t *loop;
    uv_work_t work;
    bool busy;      /* a thread has what follows */
    bool destroyed; /* while it was busy */
    audit_reader_cb cb;
    void *ctx;

    char *path;
    int fd;      /* -1: no file is open */
    off_t at;    /* of the next line */
    bool placed; /* at is set */
    uint64_t after, newest;
    uint64_t last; /* the seq of the last line that was read; 0: none was */
    enum audit_read result;
    const char *problem;
    size_t start, end; /* the lines in data */
    char data[BUFFER_BYTES];
};

/* ---- in a thread ---- */

static bool fail(struct audit_reader *r, const char *problem) {
    r->result = AUDIT_READ_FAILED;
    r->problem = problem;
    return false;
}

static bool open_file(struct audit_reader *r) {
    struct stat st;
    r->fd = open(r->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (r->fd < 0 || fstat(r->fd, &st) != 0) {
        return fail(r, strerror(errno));
    }
    return S_ISREG(st.st_mode) || fail(r, "is no regular file");
}

/* Fills data from this offset. */
static bool fill(struct audit_reader *r, off_t from, size_t *len) {
    const ssize_t n = pread(r->fd, r->data, sizeof r->data, from);
    *len = n > 0 ? (size_t)n : 0;
    return n >= 0 || fail(r, strerror(errno));
}

/* The seq of the line that begins at data + start; 0: there is no whole record. *end: behind it. */
static uint64_t seq_at(const struct audit_reader *r, size_t start, size_t len, size_t *end) {
    const char *newline = memchr(r->data + start, '\n', len - start);
    if (newline == NULL) {
        return 0;
    }
    *end = (size_t)(newline - r->data) + 1;
    return chain_line_seq((struct str){r->data + start, *end - 1 - start});
}

/* The first whole record behind this offset: where it ends and its seq; 0: there is none near. */
static bool look(struct audit_reader *r, off_t from, uint64_t *seq, off_t *end) {
    size_t len, start, behind = 0;
    *seq = 0;
    if (!fill(r, from, &len)) {
        return false;
    }
    (void)seq_at(r, 0, len, &behind); /* the rest of a line */
    for (start = behind; start > 0 && start < len && *seq == 0; start = behind) {
        *seq = seq_at(r, start, len, &behind);
        if (behind == start) {
            break;
        }
    }
    *end = from + (off_t)behind;
    return true;
}

/* Raises `after` to the record before the newest ones. */
static bool pass_older(struct audit_reader *r, off_t size) {
    const off_t room = (off_t)sizeof r->data;
    size_t len, start = 0, end;
    if (!fill(r, size > room ? size - room : 0, &len)) {
        return false;
    }
    const char *last = len > 0 ? memrchr(r->data, '\n', len) : NULL;
    if (last == NULL) {
        return true;
    }
    const char *before = memrchr(r->data, '\n', (size_t)(last - r->data));
    if (before != NULL) {
        start = (size_t)(before - r->data) + 1;
    }
    const uint64_t seq = seq_at(r, start, len, &end);
    if (seq > r->newest && seq - r->newest > r->after) {
        r->after = seq - r->newest;
    }
    return true;
}

/* Searches for the records above `after` by halves. Lines up to there are skipped by skip_known. */
static bool place(struct audit_reader *r) {
    struct stat st;
    off_t low = 0, end;
    uint64_t seq;
    if (fstat(r->fd, &st) != 0) {
        return fail(r, strerror(errno));
    }
    if (r->newest > 0 && !pass_older(r, st.st_size)) {
        return false;
    }
    for (off_t high = st.st_size; high - low > (off_t)sizeof r->data;) {
        const off_t middle = low + (high - low) / 2;
        if (!look(r, middle, &seq, &end)) {
            return false;
        }
        if (seq != 0 && seq <= r->after && end > low) {
            low = end;
        } else {
            high = middle;
        }
    }
    r->at = low;
    r->placed = true;
    return true;
}

static void skip_known(struct audit_reader *r) {
    size_t end = 0;
    while (r->start < r->end) {
        const uint64_t seq = seq_at(r, r->start, r->end, &end);
        if (seq > r->after || (seq == 0 && r->after == 0)) {
            return;
        }
        r->start = end;
    }
}

static void note_last(struct audit_reader *r) {
    size_t end;
    if (r->end > 0) {
        const char *newline = memrchr(r->data, '\n', r->end - 1);
        const uint64_t seq =
            seq_at(r, newline != NULL ? (size_t)(newline - r->data) + 1 : 0, r->end, &end);
        r->last = seq != 0 ? seq : r->last;
    }
}

/* The whole lines at r->at. None: start == end. */
static bool read_lines(struct audit_reader *r) {
    size_t len;
    do {
        if (!fill(r, r->at, &len)) {
            return false;
        }
        const char *newline = len > 0 ? memrchr(r->data, '\n', len) : NULL;
        if (newline == NULL && len == sizeof r->data) {
            return fail(r, "has a line that is too long");
        }
        r->start = 0;
        r->end = newline != NULL ? (size_t)(newline - r->data) + 1 : 0;
        r->at += (off_t)r->end;
        note_last(r);
        skip_known(r);
    } while (r->end > 0 && r->start == r->end);
    return true;
}

/* The daemon has begun to write another file: then all records before are in this one. */
static bool is_rotated(const struct audit_reader *r) {
    struct stat own, next;
    return stat(r->path, &next) == 0 && fstat(r->fd, &own) == 0 && next.st_size > 0 &&
           (next.st_ino != own.st_ino || next.st_dev != own.st_dev);
}

/* If there were two rotations since, the file in between is not known here. */
static bool open_next(struct audit_reader *r) {
    size_t len, end;
    close(r->fd);
    r->at = 0;
    if (!open_file(r) || !fill(r, 0, &len)) {
        return false;
    }
    if (r->last != 0 && seq_at(r, 0, len, &end) > r->last + 1) {
        return fail(r, "was rotated twice before it was read");
    }
    return read_lines(r);
}

static bool go_on(struct audit_reader *r) {
    if ((r->fd < 0 && !open_file(r)) || (!r->placed && !place(r)) || !read_lines(r)) {
        return false;
    }
    while (r->start == r->end && is_rotated(r)) {
        if (!read_lines(r)) {
            return false;
        }
        if (r->start == r->end) {
            if (!open_next(r)) {
                return false;
            }
        }
    }
    r->result = r->start < r->end ? AUDIT_READ_LINES : AUDIT_READ_END;
    return true;
}

static void work(uv_work_t *request) {
    struct audit_reader *r = CONTAINER_OF(request, struct audit_reader, work);
    (void)go_on(r);
}

/* ---- on the loop ---- */

static void reader_free(struct audit_reader *r) {
    if (r->fd >= 0) {
        close(r->fd);
    }
    mem_free(r->path);
    mem_free(r);
}

static void after_work(uv_work_t *request, int status) {
    struct audit_reader *r = CONTAINER_OF(request, struct audit_reader, work);
    r->busy = false;
    if (r->destroyed) {
        reader_free(r);
        return;
    }
    if (status != 0) {
        (void)fail(r, uv_strerror(status));
    }
    r->cb(r->ctx, r->result,
          r->result == AUDIT_READ_FAILED ? str_of(r->problem)
                                         : (struct str){r->data + r->start, r->end - r->start});
}

struct audit_reader *audit_reader_create(uv_loop_t *loop, uint64_t after, uint64_t newest) {
    struct audit_reader *r = mem_zalloc(sizeof *r);
    r->loop = loop;
    r->after = after;
    r->newest = newest;
    r->fd = -1;
    return r;
}

void audit_reader_destroy(struct audit_reader **reader) {
    struct audit_reader *r = *reader;
    *reader = NULL;
    if (r == NULL) {
        return;
    }
    if (r->busy) {
        r->destroyed = true;
    } else {
        reader_free(r);
    }
}

void audit_reader_next(struct audit_reader *r, const char *path, audit_reader_cb cb, void *ctx) {
    assert(!r->busy);
    mem_free(r->path);
    r->path = mem_strdup(path);
    r->cb = cb;
    r->ctx = ctx;
    r->busy = true;
    if (uv_queue_work(r->loop, &r->work, work, after_work) != 0) {
        mem_exhausted();
    }
}
