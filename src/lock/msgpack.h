/*
 * The part of MessagePack that scripts use: arrays of strings, integers, false and arrays.
 *
 * Reading is bounded and copies nothing. A list counts the items that it has left. Items missing at
 * its end read as empty or 0, and msgpack_list_end skips those left over, so that records may get
 * new items. After the first item of another type `ok` is false, and every further read returns
 * empty or 0.
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
    size_t left; /* items; at most the number of bytes left */
};

/* bytes: one array. */
void msgpack_open(struct msgpack *m, struct msgpack_list *list, struct str bytes);
/* A string; false and nil give p == NULL. */
struct str msgpack_str(struct msgpack_list *list);
/* An integer below 2^53 in size; false is 0, true 1. */
int64_t msgpack_int(struct msgpack_list *list);
/* The bytes of one item of any type. */
struct str msgpack_raw(struct msgpack_list *list);
/* An array in the array. False: false, nil or no item; *inner is empty then. */
bool msgpack_list(struct msgpack_list *list, struct msgpack_list *inner);
/* Skips the rest. End a list before reading on in the outer one. */
void msgpack_list_end(struct msgpack_list *list);

/* Writing: one item each. */
void msgpack_put_str(struct buf *out, struct str value);
void msgpack_put_int(struct buf *out, int64_t value);
void msgpack_put_false(struct buf *out);

#endif
