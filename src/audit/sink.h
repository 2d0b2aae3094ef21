/*
 * The place where lines go: a regular file (append-only, may be cut back) or a stream (standard
 * output, a pipe, a device).
 */
#ifndef WSLOCK_AUDIT_SINK_H
#define WSLOCK_AUDIT_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sink {
    int fd;
    bool regular;
    bool sync;        /* fdatasync before bytes count as committed (regular files) */
    bool moved;       /* path is another file by now, or none (regular files) */
    bool dirty;       /* bytes behind dirty_from are not whole lines, or not known to be on disk */
    off_t dirty_from; /* cut back to here before the next write */
    uint64_t sync_us; /* how long fdatasync took in the last sink_commit; 0: it was not called */
    char *path;       /* NULL: none */
};

/* A sink on fd, which must be open for appending, and owned if it has a path (copied). */
void sink_init(struct sink *s, int fd, const char *path, bool sync);
void sink_fini(struct sink *s);

/*
 * Writes data, which is whole lines, and syncs. Returns how many of its bytes are committed; *error
 * is 0 exactly when that is all. A file takes whole lines only: what a full disk leaves of a line
 * is cut off again, and the caller offers the rest anew. After a failed fdatasync the kernel has
 * forgotten which pages were not written, so everything of this call is cut off and counts as not
 * written. A stream may stop in the middle of a line and goes on there. Waits at most a second for
 * a stream.
 */
size_t sink_commit(struct sink *s, const char *data, size_t len, int *error);

/* The directory of a file; heap. */
char *sink_directory(const char *path);
/* Brings the file's name to disk. */
void sink_sync_name(const char *path);

#endif
