/*
 * What a Sentinel sends, checked. Pure: bytes in, values out. A Sentinel is asked only for what has
 * a short, flat reply, so anything else is refused before it is stored. (hiredis' asynchronous
 * client ends the process by an assertion if a server sends a reply that nobody has asked for.)
 */
#ifndef WSLOCK_SRC_REDIS_SENTINEL_REPLY_H
#define WSLOCK_SRC_REDIS_SENTINEL_REPLY_H

#include <stdbool.h>
#include <sys/types.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/redis/address.h"

#define SENTINEL_REPLY_MAX_ITEMS 4
#define SENTINEL_REPLY_MAX_BYTES 2048
#define SENTINEL_SWITCH_CHANNEL "+switch-master"

/* A status, an error, an integer, a bulk string, or an array of them. */
struct sentinel_reply {
    char type;                                  /* the first byte: + - : $ * */
    bool nil;                                   /* a null string or array: no items */
    size_t count;                               /* 1 if it is no array */
    struct str items[SENTINEL_REPLY_MAX_ITEMS]; /* borrowed from the bytes that were read */
};

/* Reads the first reply in data. Gives its length in bytes; 0: it is not complete yet; -1: no reply
 * that a Sentinel gives to us. */
ssize_t sentinel_reply_read(struct str data, struct sentinel_reply *out) MUST_CHECK;
/* The reply to SENTINEL GET-MASTER-ADDR-BY-NAME. False: *problem is static text, or the Sentinel's
 * own (borrowed from the reply, without a NUL). */
bool sentinel_reply_address(const struct sentinel_reply *reply, struct redis_address *out,
                            struct str *problem) MUST_CHECK;
/* Whether it says that `master` is at another address now, which is set then. */
bool sentinel_reply_switch(const struct sentinel_reply *reply, const char *master,
                           struct redis_address *out) MUST_CHECK;

#endif
