/* Reads files line by line; zlib passes on what is not compressed. */
#include "wslock/audit/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "wslock/base/mem.h"

#define READ_BYTES (4 * AUDIT_LINE_MAX_BYTES)

struct audit_lines {
    int fd; /* gz has a duplicate */
    gzFile gz;
    const char *problem;
    bool eof;
    size_t start, end;
    char data[READ_BYTES];
};

struct audit_lines *audit_lines_open(const char *path, const char **why) {
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        *why = strerror(errno);
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        *why = "is no regular file";
        goto fail;
    }
    struct audit_lines *l = mem_zalloc(sizeof *l);
    l->fd = fd;
    l->gz = gzdopen(fcntl(fd, F_DUPFD_CLOEXEC, 0), "rb");
    if (l->gz == NULL) {
        mem_exhausted();
    }
    return l;
fail:
    if (fd >= 0) {
        close(fd);
    }
    return NULL;
}

void audit_lines_close(struct audit_lines **lines) {
    if (*lines != NULL) {
        (void)gzclose_r((*lines)->gz);
        close((*lines)->fd);
        mem_free(*lines);
        *lines = NULL;
    }
}

/* False at the end or on an error. */
static bool fill(struct audit_lines *l) {
    if (l->start > 0) {
        memmove(l->data, l->data + l->start, l->end - l->start);
        l->end -= l->start;
        l->start = 0;
    }
    errno = 0;
    const int n = gzread(l->gz, l->data + l->end, (unsigned)(sizeof l->data - l->end));
    if (n > 0) {
        l->end += (size_t)n;
        return true;
    }
    int code = Z_OK;
    const char *text = gzerror(l->gz, &code);
    if (n < 0 || code != Z_OK) {
        const char *prefix_end = strstr(text, ": "); /* behind the "<fd:N>" of zlib's own texts */
        l->problem = code == Z_ERRNO ? strerror(errno) : prefix_end != NULL ? prefix_end + 2 : text;
    }
    l->eof = l->problem == NULL;
    return false;
}

/* Skips the rest of a line that is too long. */
static void skip_line(struct audit_lines *l) {
    do {
        const char *newline = memchr(l->data + l->start, '\n', l->end - l->start);
        if (newline != NULL) {
            l->start = (size_t)(newline - l->data) + 1;
            return;
        }
        l->start = l->end;
    } while (fill(l));
}

enum audit_line audit_lines_next(struct audit_lines *l, struct str *line) {
    for (;;) {
        const char *at = l->data + l->start;
        const char *newline = memchr(at, '\n', l->end - l->start);
        const size_t len = newline != NULL ? (size_t)(newline - at) : l->end - l->start;
        if (len >= AUDIT_LINE_MAX_BYTES) {
            skip_line(l);
            return AUDIT_LINE_TOO_LONG;
        }
        if (newline != NULL) {
            *line = (struct str){at, len};
            l->start += len + 1;
            return AUDIT_LINE_WHOLE;
        }
        if (!fill(l)) {
            if (!l->eof) {
                return AUDIT_LINE_FAILED;
            }
            return l->start == l->end ? AUDIT_LINE_END : AUDIT_LINE_TORN;
        }
    }
}

const char *audit_lines_problem(const struct audit_lines *l) {
    return l->problem;
}

bool audit_lines_in_use(const struct audit_lines *l) {
    if (flock(l->fd, LOCK_SH | LOCK_NB) == 0) {
        (void)flock(l->fd, LOCK_UN);
        return false;
    }
    return errno == EWOULDBLOCK;
}
