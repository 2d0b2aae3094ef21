/* Reads regular files whole. */
#include "wslock/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char NOT_REGULAR[] = "not a regular file";

/* One read into memory reserved beforehand, so that no copy of a secret is left behind by growth.
 */
static bool read_all(int fd, size_t max_bytes, struct buf *out, const char **why) {
    struct stat st;

    if (fstat(fd, &st) != 0) {
        *why = strerror(errno);
        return false;
    }
    if (!S_ISREG(st.st_mode)) {
        *why = NOT_REGULAR;
        return false;
    }
    if (st.st_size < 0 || (uintmax_t)st.st_size > max_bytes) {
        *why = "the file is too large";
        return false;
    }
    buf_reserve(out, (size_t)st.st_size + 1);
    while (out->len < (size_t)st.st_size) {
        ssize_t n = read(fd, out->data + out->len, (size_t)st.st_size - out->len);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            *why = strerror(errno);
            return false;
        }
        if (n == 0) {
            break;
        }
        out->len += (size_t)n;
    }
    return true;
}

bool file_read(const char *path, size_t max_bytes, struct buf *out, const char **why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool ok;

    if (fd < 0) {
        *why = strerror(errno);
        return false;
    }
    ok = read_all(fd, max_bytes, out, why);
    close(fd);
    return ok;
}

bool file_check(const char *path, const char **why) {
    struct stat st;

    if (stat(path, &st) != 0) {
        *why = strerror(errno);
    } else if (!S_ISREG(st.st_mode)) {
        *why = NOT_REGULAR;
    } else {
        return true;
    }
    return false;
}
