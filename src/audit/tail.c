/* Reads the end of the file at start, and repairs a torn last line. */
#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "record.h"
#include "sink.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define BLOCK_BYTES ((size_t)64 * 1024)
/* A tail without any line end that is longer than this is no torn line. */
#define TORN_MAX_BYTES ((off_t)64 * 1024 * 1024)
#define QUOTED_BYTES 512

/* Where the line that ends before `end` begins: behind the newline before it, or 0; -1 with errno.
 */
static off_t line_start(int fd, off_t end) {
    char block[BLOCK_BYTES];
    off_t at = end;
    while (at > 0) {
        if (end - at > TORN_MAX_BYTES) {
            errno = EFBIG;
            return -1;
        }
        const size_t len = at < (off_t)sizeof block ? (size_t)at : sizeof block;
        const ssize_t n = pread(fd, block, len, at - (off_t)len);
        if (n != (ssize_t)len) {
            errno = n < 0 ? errno : EIO;
            return -1;
        }
        const char *newline = memrchr(block, '\n', len);
        if (newline != NULL) {
            return at - (off_t)len + (newline - block) + 1;
        }
        at -= (off_t)len;
    }
    return 0;
}

/* Checks the line in [start, end), whose newline is at end - 1. */
static enum chain_check check_line_at(int fd, off_t start, off_t end, struct chain *chain,
                                      struct chain_link *link) {
    char line[RECORD_LINE_MAX];
    const off_t len = end - start - 1;
    if (len <= 0 || len > (off_t)sizeof line) {
        return CHAIN_MALFORMED;
    }
    if (pread(fd, line, (size_t)len, start) != (ssize_t)len) {
        return CHAIN_MALFORMED;
    }
    return chain_check_line(chain, (struct str){line, (size_t)len}, link);
}

/* Finds the end of the chain: *whole_end is where whole, verified lines end. */
static bool find_head(struct tail *t, const char *path, off_t size, struct chain *chain,
                      off_t *whole_end, char **problem) {
    off_t end = line_start(t->fd, size);
    if (end == 0) { /* no line was ever whole: the chain begins here */
        *whole_end = 0;
        return true;
    }
    for (int lines = 0; lines < 2 && end > 0; lines++) {
        const off_t start = line_start(t->fd, end - 1);
        struct chain_link link;
        if (start >= 0 && check_line_at(t->fd, start, end, chain, &link) == CHAIN_OK) {
            t->head = link;
            *whole_end = end;
            return true;
        }
        end = start;
    }
    if (end >= 0) {
        *problem = mem_printf("audit.file: %s: its last lines do not verify: they were changed, "
                              "chained with another key than audit.hmacKeyFile, or are no audit "
                              "records; move the file away to begin a new chain",
                              path);
    } else if (errno == EFBIG) {
        *problem = mem_printf("audit.file: %s: no line end in its last %lld bytes: not an audit "
                              "file; move it away",
                              path, (long long)TORN_MAX_BYTES);
    } else {
        *problem = mem_printf("audit.file: %s: cannot read: %s", path, strerror(errno));
    }
    return false;
}

/* A new file `PATH.torn-<UTC>[-N]`; its name (heap) in *name. -1 with errno. */
static int create_torn_file(const char *path, char **name) {
    char time_text[RECORD_TIME_LEN + 1];
    record_format_time(clock_wall_us(), time_text);
    time_text[19] = '\0';
    for (int i = 1; i <= 100; i++) {
        char suffix[8] = "";
        if (i > 1) {
            (void)snprintf(suffix, sizeof suffix, "-%d", i);
        }
        *name = mem_printf("%s.torn-%sZ%s", path, time_text, suffix);
        const int fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
        mem_free(*name);
        *name = NULL;
    }
    errno = EEXIST;
    return -1;
}

static bool copy_range(int from, off_t start, off_t end, int to) {
    char block[BLOCK_BYTES];
    for (off_t at = start; at < end;) {
        const size_t want = end - at < (off_t)sizeof block ? (size_t)(end - at) : sizeof block;
        const ssize_t n = pread(from, block, want, at);
        if (n <= 0) {
            errno = n < 0 ? errno : EIO;
            return false;
        }
        ssize_t done = 0;
        while (done < n) {
            const ssize_t w = write(to, block + done, (size_t)(n - done));
            if (w <= 0) {
                errno = w < 0 ? errno : ENOSPC;
                return false;
            }
            done += w;
        }
        at += n;
    }
    return fsync(to) == 0;
}

/* The file that now holds [start, end), its name on the heap; NULL with errno. */
static char *keep_torn(int fd, const char *path, off_t start, off_t end) {
    char *name = NULL;
    const int to = create_torn_file(path, &name);
    if (to < 0) {
        const int error = errno;
        mem_free(name);
        errno = error;
        return NULL;
    }
    if (!copy_range(fd, start, end, to)) {
        const int error = errno;
        close(to);
        unlink(name);
        mem_free(name);
        errno = error;
        return NULL;
    }
    close(to);
    sink_sync_name(path);
    return name;
}

static void hash_range(int fd, off_t start, off_t end, char out[CHAIN_HASH_LEN + 1]) {
    struct buf all;
    buf_init(&all);
    buf_reserve(&all, (size_t)(end - start));
    ssize_t n = 0;
    while ((off_t)all.len < end - start &&
           (n = pread(fd, all.data + all.len, (size_t)(end - start) - all.len,
                      start + (off_t)all.len)) > 0) {
        all.len += (size_t)n;
    }
    chain_sha256_hex(all.data, all.len, out);
    buf_fini(&all);
}

/* Cuts [start, end) off the file, kept elsewhere if that can be. */
static bool cut_tail(struct tail *t, const char *path, off_t start, off_t end, bool keep_text,
                     char **problem) {
    struct buf what;
    char sha256[CHAIN_HASH_LEN + 1];
    hash_range(t->fd, start, end, sha256);
    buf_init(&what);
    buf_printf(&what, "cut off %lld bytes at offset %lld, sha256 %s, ", (long long)(end - start),
               (long long)start, sha256);
    char *kept = keep_torn(t->fd, path, start, end);
    if (kept != NULL) {
        buf_printf(&what, "kept in %s", kept);
    } else {
        buf_printf(&what, "not kept (%s)", strerror(errno));
        char quoted[QUOTED_BYTES];
        const ssize_t n = pread(t->fd, quoted, sizeof quoted, start);
        if (keep_text && n > 0) {
            buf_append_str(&what, ", began: ");
            buf_append(&what, quoted, (size_t)(n < end - start ? n : end - start));
        }
    }
    mem_free(kept);
    if (ftruncate(t->fd, start) != 0 || fsync(t->fd) != 0) {
        *problem =
            mem_printf("audit.file: %s: cannot cut off the torn end: %s", path, strerror(errno));
        buf_fini(&what);
        return false;
    }
    t->repaired = mem_strndup(what.data, what.len);
    buf_fini(&what);
    return true;
}

#define OPEN_FLAGS (O_RDWR | O_APPEND | O_CLOEXEC | O_NOCTTY)

/* Locks t->fd, which was just opened. */
static bool lock(struct tail *t, const char *path, struct stat *st, char **problem) {
    if (t->fd < 0 || fstat(t->fd, st) != 0) {
        *problem = mem_printf("audit.file: %s: %s", path, strerror(errno));
        return false;
    }
    if (!S_ISREG(st->st_mode)) {
        return true;
    }
    if (flock(t->fd, LOCK_EX | LOCK_NB) != 0) {
        *problem = errno == EWOULDBLOCK
                       ? mem_printf("audit.file: %s: is in use by another process: every daemon "
                                    "needs a file of its own",
                                    path)
                       : mem_printf("audit.file: %s: cannot lock: %s", path, strerror(errno));
        return false;
    }
    /* The size counts from when no one else may write. */
    if (fstat(t->fd, st) != 0) {
        *problem = mem_printf("audit.file: %s: cannot read: %s", path, strerror(errno));
        return false;
    }
    return true;
}

bool tail_open(struct tail *t, const char *path, struct chain *chain, bool keep_text,
               char **problem) {
    struct stat st;
    off_t whole_end = 0;
    *t = (struct tail){.fd = -1};
    memcpy(t->head.hash, CHAIN_GENESIS, sizeof CHAIN_GENESIS);
    t->fd = open(path, OPEN_FLAGS | O_CREAT, 0640);
    if (!lock(t, path, &st, problem)) {
        goto fail;
    }
    if (!S_ISREG(st.st_mode)) {
        return true;
    }
    if (st.st_size == 0) {
        sink_sync_name(path);
        return true;
    }
    if (!find_head(t, path, st.st_size, chain, &whole_end, problem)) {
        goto fail;
    }
    t->end = whole_end;
    if (whole_end < st.st_size && !cut_tail(t, path, whole_end, st.st_size, keep_text, problem)) {
        goto fail;
    }
    return true;
fail:
    if (t->fd >= 0) {
        close(t->fd);
        t->fd = -1;
    }
    return false;
}

int tail_begin(const char *path, char **problem) {
    struct stat st;
    struct tail t = {.fd = open(path, OPEN_FLAGS | O_CREAT | O_EXCL, 0640)};
    const bool made = t.fd >= 0;
    if (t.fd < 0 && errno == EEXIST) { /* a file, or a symbolic link that may lead to none */
        t.fd = open(path, OPEN_FLAGS | O_CREAT, 0640);
    }
    if (lock(&t, path, &st, problem)) {
        if (!S_ISREG(st.st_mode) || st.st_size == 0) {
            return t.fd;
        }
        *problem = mem_printf("audit.file: %s: is not empty. The audit log continues only in an "
                              "empty or a new file.",
                              path);
    }
    if (made) {
        (void)unlink(path);
    }
    if (t.fd >= 0) {
        close(t.fd);
    }
    return -1;
}

bool tail_check(const char *path, struct chain *chain, char **problem) {
    struct tail t = {.fd = open(path, OPEN_FLAGS)};
    struct stat st;
    off_t whole_end;
    bool ok = true;
    if (t.fd < 0 && errno == ENOENT) {
        char *dir = sink_directory(path);
        ok = faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) == 0;
        if (!ok) {
            *problem = mem_printf("audit.file: %s: %s", path, strerror(errno));
        }
        mem_free(dir);
        return ok;
    }
    if (t.fd < 0 || fstat(t.fd, &st) != 0) {
        *problem = mem_printf("audit.file: %s: %s", path, strerror(errno));
        ok = false;
    } else if (S_ISREG(st.st_mode) && st.st_size > 0) {
        ok = find_head(&t, path, st.st_size, chain, &whole_end, problem);
    }
    if (t.fd >= 0) {
        close(t.fd);
    }
    return ok;
}
