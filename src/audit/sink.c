/* The open file: lock, write, sync. */
#include "sink.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wslock/base/clock.h"
#include "wslock/base/macros.h"
#include "wslock/base/mem.h"

#define STREAM_WAIT_MS 1000

void sink_init(struct sink *s, int fd, const char *path, bool sync) {
    struct stat st;
    *s = (struct sink){.fd = fd, .sync = sync};
    if (path != NULL) {
        s->path = mem_strdup(path);
    }
    s->regular = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

void sink_fini(struct sink *s) {
    if (s->path != NULL && s->fd >= 0) {
        close(s->fd);
    }
    s->fd = -1;
    mem_free(s->path);
    s->path = NULL;
}

static size_t write_all(int fd, const char *data, size_t len, int *error) {
    size_t done = 0;
    while (done < len) {
        const ssize_t n = write(fd, data + done, len - done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            *error = n < 0 ? errno : ENOSPC;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

/* One piece that does not block for ever: a pipe that polls writable takes PIPE_BUF bytes. */
static ssize_t write_piece(int fd, const char *data, size_t len) {
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    const int ready = poll(&p, 1, STREAM_WAIT_MS);
    if (ready < 0) {
        return -1;
    }
    if (ready == 0) {
        errno = ETIMEDOUT;
        return -1;
    }
    const ssize_t n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0 || errno != ENOTSOCK) {
        return n;
    }
    return write(fd, data, len < PIPE_BUF ? len : PIPE_BUF);
}

static size_t commit_stream(int fd, const char *data, size_t len, int *error) {
    size_t done = 0;
    while (done < len) {
        const ssize_t n = write_piece(fd, data + done, len - done);
        if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
            continue;
        }
        if (n <= 0) {
            *error = n < 0 ? errno : EIO;
            break;
        }
        done += (size_t)n;
    }
    return done;
}

static void mark_dirty(struct sink *s, off_t from) {
    s->dirty = true;
    s->dirty_from = from;
}

/* Somebody has renamed or removed it. It is written on with all the same. */
static bool is_elsewhere(const struct sink *s, const struct stat *open_file) {
    struct stat st;
    if (s->path == NULL) {
        return false;
    }
    if (stat(s->path, &st) != 0) {
        return errno == ENOENT || errno == ENOTDIR || s->moved;
    }
    return st.st_ino != open_file->st_ino || st.st_dev != open_file->st_dev;
}

/* Cuts off what an earlier call could not; the file's end in *end. */
static bool settle_end(struct sink *s, off_t *end) {
    struct stat st;
    if (fstat(s->fd, &st) != 0) {
        return false;
    }
    if (s->dirty && st.st_size > s->dirty_from) {
        if (ftruncate(s->fd, s->dirty_from) != 0) {
            return false;
        }
        st.st_size = s->dirty_from;
    }
    s->dirty = false;
    s->moved = is_elsewhere(s, &st);
    *end = st.st_size;
    return true;
}

static bool sync_data(struct sink *s) {
    const uint64_t begin_us = clock_boot_us();
    const bool ok = fdatasync(s->fd) == 0;
    s->sync_us = clock_boot_us() - begin_us + 1;
    return ok;
}

static size_t commit_file(struct sink *s, const char *data, size_t len, int *error) {
    off_t start = 0;
    if (!settle_end(s, &start)) {
        *error = errno;
        return 0;
    }
    const size_t written = write_all(s->fd, data, len, error);
    size_t whole = written;
    if (written < len) {
        const char *newline = memrchr(data, '\n', written);
        whole = newline != NULL ? (size_t)(newline - data) + 1 : 0;
    }
    if (whole < written && ftruncate(s->fd, start + (off_t)whole) != 0) {
        mark_dirty(s, start + (off_t)whole);
    }
    if (whole > 0 && s->sync && !sync_data(s)) {
        *error = errno;
        mark_dirty(s, start);
        return 0;
    }
    return whole;
}

size_t sink_commit(struct sink *s, const char *data, size_t len, int *error) {
    assert(len > 0 && data[len - 1] == '\n');
    *error = 0;
    s->sync_us = 0;
    return s->regular ? commit_file(s, data, len, error) : commit_stream(s->fd, data, len, error);
}

char *sink_directory(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash != NULL ? mem_strndup(path, slash == path ? 1 : (size_t)(slash - path))
                         : mem_strdup(".");
}

void sink_sync_name(const char *path) {
    char *dir = sink_directory(path);
    const int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd);
        close(fd);
    }
    mem_free(dir);
}
