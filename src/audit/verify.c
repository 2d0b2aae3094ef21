/* Checks files of audit records line by line; memory does not grow with the files. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "chain.h"
#include "record.h"
#include "wslock/audit/audit.h"
#include "wslock/base/mem.h"

#define READ_BYTES (4 * RECORD_LINE_MAX)

struct reader {
    int fd;
    char data[READ_BYTES];
    size_t start, end;
    bool eof;
};

enum read_line { READ_LINE, READ_TOO_LONG, READ_TORN, READ_END, READ_FAILED };

struct verify {
    struct chain *chain;
    void (*on_problem)(void *ctx, const char *path, uint64_t line, const char *text);
    void *ctx;
    const char *path;
    uint64_t line;
    bool whole;
    bool anchored; /* head is the record before */
    struct chain_link head;
};

/* Takes over text. */
static void tell(struct verify *v, char *text) {
    v->whole = false;
    v->on_problem(v->ctx, v->path, v->line, text);
    mem_free(text);
}

/* Reads on; false at the end or on an error. */
static bool fill(struct reader *r) {
    if (r->start > 0) {
        memmove(r->data, r->data + r->start, r->end - r->start);
        r->end -= r->start;
        r->start = 0;
    }
    const ssize_t n = read(r->fd, r->data + r->end, sizeof r->data - r->end);
    if (n <= 0) {
        r->eof = n == 0;
        return false;
    }
    r->end += (size_t)n;
    return true;
}

/* Skips the rest of a line that is too long. */
static void skip_line(struct reader *r) {
    do {
        const char *newline = memchr(r->data + r->start, '\n', r->end - r->start);
        if (newline != NULL) {
            r->start = (size_t)(newline - r->data) + 1;
            return;
        }
        r->start = r->end;
    } while (fill(r));
}

/* The next line without its newline; borrowed until the next call. */
static enum read_line next_line(struct reader *r, struct str *line) {
    for (;;) {
        const char *at = r->data + r->start;
        const char *newline = memchr(at, '\n', r->end - r->start);
        const size_t len = newline != NULL ? (size_t)(newline - at) : r->end - r->start;
        if (len >= RECORD_LINE_MAX) {
            skip_line(r);
            return READ_TOO_LONG;
        }
        if (newline != NULL) {
            *line = (struct str){at, len};
            r->start += len + 1;
            return READ_LINE;
        }
        if (!fill(r)) {
            if (!r->eof) {
                return READ_FAILED;
            }
            return r->start == r->end ? READ_END : READ_TORN;
        }
    }
}

static bool is_rotation(struct str line) {
    static const char mark[] = "\",\"action\":\"AUDIT_ROTATED\"";
    const size_t at = strlen("{\"time\":\"") + RECORD_TIME_LEN;
    return line.len > at + sizeof mark && memcmp(line.p + at, mark, sizeof mark - 1) == 0;
}

/* The first line of all: the chain's beginning, or that of a file that rotation began. */
static void check_beginning(struct verify *v, struct str line, const struct chain_link *link) {
    if (link->seq == 1 && strcmp(link->prev, CHAIN_GENESIS) != 0) {
        tell(v, mem_printf("seq 1 must have a prev of zeros"));
    } else if (link->seq != 1 && !is_rotation(line)) {
        tell(v, mem_printf("the chain begins at seq %" PRIu64 ", in the middle of a file: "
                           "lines before it are missing",
                           link->seq));
    }
}

static void check_order(struct verify *v, const struct chain_link *link) {
    const uint64_t due = v->head.seq + 1;
    if (link->seq > due) {
        tell(v, mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: lines are missing or "
                           "in another order",
                           link->seq, due));
    } else if (link->seq < due) {
        tell(v, mem_printf("seq is %" PRIu64 " where %" PRIu64 " is due: %s", link->seq, due,
                           link->seq == 1 ? "another chain begins here"
                                          : "a line is repeated or in another order"));
    } else if (strcmp(link->prev, v->head.hash) != 0) {
        tell(v, mem_printf("prev is not the hash of the line before: the line before, or this "
                           "one's place, was changed"));
    }
}

static void check_line(struct verify *v, struct str line) {
    struct chain_link link;
    switch (chain_check_line(v->chain, line, &link)) {
    case CHAIN_MALFORMED:
        tell(v, mem_printf("not an audit record"));
        return;
    case CHAIN_MISMATCH:
        tell(v, mem_printf("hash does not fit the line's bytes: the line was changed, or chained "
                           "with another key"));
        break;
    case CHAIN_OK:
        break;
    }
    if (v->anchored) {
        check_order(v, &link);
    } else {
        check_beginning(v, line, &link);
    }
    v->head = link;
    v->anchored = true;
}

/* A daemon that holds the file is perhaps writing its last line right now. */
static bool is_being_written(int fd) {
    if (flock(fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(fd, LOCK_UN);
        return false;
    }
    return errno == EWOULDBLOCK;
}

static void check_lines(struct verify *v, struct reader *r) {
    struct str line;
    for (;;) {
        v->line++;
        switch (next_line(r, &line)) {
        case READ_LINE:
            check_line(v, line);
            break;
        case READ_TOO_LONG:
            tell(v, mem_printf("longer than any audit record"));
            break;
        case READ_TORN:
            if (!is_being_written(r->fd)) {
                tell(v, mem_printf("the last line is torn: it has no line end"));
            }
            return;
        case READ_FAILED:
            tell(v, mem_printf("cannot read: %s", strerror(errno)));
            return;
        case READ_END:
            if (v->line == 1) {
                tell(v, mem_printf("holds no records"));
            }
            return;
        }
    }
}

static void check_file(struct verify *v, const char *path) {
    v->path = path;
    v->line = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        tell(v, mem_printf("cannot open: %s", strerror(errno)));
        return;
    }
    struct reader *r = mem_zalloc(sizeof *r);
    r->fd = fd;
    check_lines(v, r);
    mem_free(r);
    close(fd);
}

bool audit_verify_files(const char *const *paths, size_t count, const char *hmac_key_file,
                        void (*on_problem)(void *ctx, const char *path, uint64_t line,
                                           const char *text),
                        void *ctx) {
    struct verify v = {.on_problem = on_problem, .ctx = ctx, .whole = true};
    char *problem = NULL;
    v.chain = chain_create(hmac_key_file, &problem);
    if (v.chain == NULL) {
        v.path = hmac_key_file;
        tell(&v, problem);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        check_file(&v, paths[i]);
    }
    chain_destroy(&v.chain);
    return v.whole;
}
