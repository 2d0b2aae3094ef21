/* An audit file that a daemon appends to, read as it grows. */
#ifndef CTL_AUDIT_FILE_H
#define CTL_AUDIT_FILE_H

#include <sys/stat.h>

#include "ctl.h"

struct ctl_audit_file {
    int fd; /* -1: none */
    struct stat st;
    off_t at;      /* behind the last line that was read */
    bool skipping; /* up to the next line end */
};

/* line.p is NULL for a line that is longer than any record. Borrowed. */
typedef void (*ctl_audit_line_cb)(void *ctx, struct str line);

/* False with errno. A file that is no regular file is refused (ENOTSUP). */
bool ctl_audit_file_open(struct ctl_audit_file *f, const char *path) MUST_CHECK;
void ctl_audit_file_close(struct ctl_audit_file *f);
/* To begin with, at the earliest, so many of the longest lines before the end. */
void ctl_audit_file_seek(struct ctl_audit_file *f, size_t lines);
/* The whole lines from f->at to the end of the file as it is now. False with errno. */
bool ctl_audit_file_read(struct ctl_audit_file *f, ctl_audit_line_cb on_line, void *ctx) MUST_CHECK;
/* The file was cut (a torn last line was repaired, say): goes on at its end. */
void ctl_audit_file_check_cut(struct ctl_audit_file *f);
/* `prev` of the first record, empty if there is none. */
void ctl_audit_file_prev(const struct ctl_audit_file *f, struct buf *out);

#endif
