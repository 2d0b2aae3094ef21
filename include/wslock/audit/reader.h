/*
 * Reads the log while it is written, on behalf of the loop: the disk is read by libuv's threads. At
 * the end of a file that was rotated it goes on with the one in force. Memory does not grow with
 * the log.
 */
#ifndef WSLOCK_AUDIT_READER_H
#define WSLOCK_AUDIT_READER_H

#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

typedef struct uv_loop_s uv_loop_t;
struct audit_reader;

enum audit_read {
    AUDIT_READ_LINES,
    AUDIT_READ_END, /* there are no further lines now */
    AUDIT_READ_FAILED,
};

/* text: whole lines with their line ends; or why it failed. Borrowed for the call. */
typedef void (*audit_reader_cb)(void *ctx, enum audit_read result, struct str text);

/* Reads the records with a higher seq than after; of those that the file has at the first read only
 * the newest ones, unless newest is 0. */
struct audit_reader *audit_reader_create(uv_loop_t *loop, uint64_t after, uint64_t newest);
/* A read under way calls back nobody any more; what it uses is freed when it ends. */
void audit_reader_destroy(struct audit_reader **r);
/* Reads on. path: of the file in force. One call at a time; cb is called once, never from inside.
 */
void audit_reader_next(struct audit_reader *r, const char *path, audit_reader_cb cb, void *ctx);

#endif
