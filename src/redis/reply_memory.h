/*
 * Memory for the replies that hiredis reads on one connection. hiredis allocates each element of a
 * reply twice; here they all come from one block, and are freed together. There is one reply at a
 * time: hiredis frees a reply before it begins to read the next one.
 */
#ifndef WSLOCK_SRC_REDIS_REPLY_MEMORY_H
#define WSLOCK_SRC_REDIS_REPLY_MEMORY_H

#include "hiredis_api.h"

struct reply_memory {
    struct reply_block *newest;
    size_t used; /* of the newest block */
};

void reply_memory_init(struct reply_memory *m);
void reply_memory_fini(struct reply_memory *m);
/* The reader takes all memory from m, which must outlive it. */
void reply_memory_use(struct reply_memory *m, redisReader *reader);

#endif
