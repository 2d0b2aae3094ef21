/* Reads by offset and keeps no part of a line, so that a line may be cut and written anew. */
#include "audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "wslock/audit/lines.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#define READ_BYTES (4 * AUDIT_LINE_MAX_BYTES)

bool ctl_audit_file_open(struct ctl_audit_file *f, const char *path) {
    *f = (struct ctl_audit_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
    if (f->fd < 0) {
        return false;
    }
    if (fstat(f->fd, &f->st) == 0 && S_ISREG(f->st.st_mode)) {
        return true;
    }
    ctl_audit_file_close(f);
    errno = ENOTSUP;
    return false;
}

void ctl_audit_file_close(struct ctl_audit_file *f) {
    if (f->fd >= 0) {
        close(f->fd);
        f->fd = -1;
    }
}

void ctl_audit_file_seek(struct ctl_audit_file *f, size_t lines) {
    const off_t bytes = (off_t)(lines * AUDIT_LINE_MAX_BYTES);

    if (f->st.st_size > bytes) {
        f->at = f->st.st_size - bytes - 1; /* which may be a line end */
        f->skipping = true;
    }
}

/* Gives the whole lines of the n bytes at f->at; returns how many bytes these are. */
static size_t take_lines(struct ctl_audit_file *f, const char *data, size_t n,
                         ctl_audit_line_cb on_line, void *ctx) {
    struct str rest = {data, n}, line;

    while (str_cut(&rest, '\n', &line)) {
        if (!f->skipping) {
            on_line(ctx, line.len < AUDIT_LINE_MAX_BYTES ? line : (struct str){NULL, 0});
        }
        f->skipping = false;
    }
    if (rest.len >= AUDIT_LINE_MAX_BYTES && !f->skipping) {
        on_line(ctx, (struct str){NULL, 0});
        f->skipping = true;
    }
    return f->skipping ? n : n - rest.len;
}

bool ctl_audit_file_read(struct ctl_audit_file *f, ctl_audit_line_cb on_line, void *ctx) {
    char *data = mem_alloc(READ_BYTES);
    size_t taken;
    ssize_t n;

    do {
        n = pread(f->fd, data, READ_BYTES, f->at);
        taken = n > 0 ? take_lines(f, data, (size_t)n, on_line, ctx) : 0;
        f->at += (off_t)taken;
    } while (taken > 0);
    mem_free(data);
    return n >= 0;
}

void ctl_audit_file_check_cut(struct ctl_audit_file *f) {
    if (fstat(f->fd, &f->st) == 0 && f->st.st_size < f->at) {
        f->at = f->st.st_size;
        f->skipping = false;
    }
}

void ctl_audit_file_prev(const struct ctl_audit_file *f, struct buf *out) {
    char *data = mem_alloc(AUDIT_LINE_MAX_BYTES);
    const ssize_t n = pread(f->fd, data, AUDIT_LINE_MAX_BYTES, 0);
    struct str rest = {data, n > 0 ? (size_t)n : 0}, line;

    buf_reset(out);
    if (str_cut(&rest, '\n', &line)) {
        json_t *record = jsonr_object(line, NULL);
        const struct str prev = jsonr_str(json_object_get(record, "prev"));

        buf_append(out, prev.p, prev.len);
        json_decref(record);
    }
    mem_free(data);
}
