/*
 * The part of MessagePack that goes to and from the scripts: arrays of strings, integers, false and
 * arrays.
 *
 * Reading is bounded and copies nothing. A list knows how many items it has left: what is missing
 * at its end reads as empty or 0, what is left over is skipped by msgpack_list_end, so that both
 * sides may grow. After the first thing that is not as asked for, `ok` is false and every further
 * read gives empty or 0.
 */
#ifndef WSLOCK_SRC_LOCK_MSGPACK_H
#define WSLOCK_SRC_LOCK_MSGPACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/str.h"

struct msgpack {
    const unsigned char *p, *end;
    bool ok;
};

struct msgpack_list {
    struct msgpack *m;
    size_t left; /* never more than there are bytes */
};

/* The one array that bytes is; *m and *list are the caller's. */
void msgpack_open(struct msgpack *m, struct msgpack_list *list, struct str bytes);
/* A string; false and nil give p == NULL. */
struct str msgpack_str(struct msgpack_list *list);
/* An integer below 2^53 in size; false is 0, true 1. */
int64_t msgpack_int(struct msgpack_list *list);
/* The bytes of one item, whatever it is. */
struct str msgpack_raw(struct msgpack_list *list);
/* An array in the array. False where false, nil or nothing stands; *inner is empty then. */
bool msgpack_list(struct msgpack_list *list, struct msgpack_list *inner);
/* Skips the rest. Each list is ended before its outer one is read on. */
void msgpack_list_end(struct msgpack_list *list);

/* Writing: one item each. */
void msgpack_put_str(struct buf *out, struct str value);
void msgpack_put_int(struct buf *out, int64_t value);
void msgpack_put_false(struct buf *out);

#endif
