/* Reads the configuration file, which may also be a pipe. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool config_read_file(const char *path, size_t max_bytes, struct buf *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t total = 0;
    ssize_t got;

    if (fd < 0) {
        return false;
    }
    do {
        char chunk[4096];

        got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR) {
            got = 1;
            continue;
        }
        if (got > 0) {
            buf_append(out, chunk, (size_t)got);
            total += (size_t)got;
        }
        if (total > max_bytes) {
            errno = EFBIG;
            got = -1;
        }
    } while (got > 0);
    int saved = errno;
    close(fd);
    errno = saved;
    return got == 0;
}
