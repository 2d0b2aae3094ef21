/* Blocks of memory, and the functions through which hiredis builds replies in them. */
#include "reply_memory.h"

#include <assert.h>
#include <stdalign.h>
#include <stdlib.h>

#define BLOCK_BYTES 32768

struct reply_block {
    struct reply_block *older;
    size_t size;
    alignas(max_align_t) char bytes[];
};

/* A reply that is no element of another one. hiredis frees only these. */
struct root {
    redisReply reply;
    struct reply_memory *memory;
};

void reply_memory_init(struct reply_memory *m) {
    *m = (struct reply_memory){.newest = NULL};
}

/* Keeps one block of the usual size. */
static void forget(struct reply_memory *m) {
    while (m->newest != NULL && (m->newest->older != NULL || m->newest->size > BLOCK_BYTES)) {
        struct reply_block *older = m->newest->older;
        free(m->newest);
        m->newest = older;
    }
    m->used = 0;
}

void reply_memory_fini(struct reply_memory *m) {
    forget(m);
    free(m->newest);
    m->newest = NULL;
}

/* NULL: there is no memory. The size may be what a broken server has sent: hiredis closes the
 * connection then. */
static void *take(struct reply_memory *m, size_t size) {
    size = (size + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);
    if (m->newest == NULL || m->newest->size - m->used < size) {
        size_t room = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        struct reply_block *block = malloc(sizeof *block + room);
        if (block == NULL) {
            return NULL;
        }
        block->older = m->newest;
        block->size = room;
        m->newest = block;
        m->used = 0;
    }
    void *taken = m->newest->bytes + m->used;
    m->used += size;
    return taken;
}

static redisReply *create(const redisReadTask *task) {
    struct reply_memory *m = task->privdata;
    if (task->parent == NULL) {
        assert(m->used == 0);
        struct root *root = take(m, sizeof *root);
        if (root == NULL) {
            return NULL;
        }
        *root = (struct root){.reply.type = task->type, .memory = m};
        return &root->reply;
    }
    redisReply *r = take(m, sizeof *r);
    if (r != NULL) {
        const redisReply *parent = task->parent->obj;
        *r = (redisReply){.type = task->type};
        parent->element[task->idx] = r;
    }
    return r;
}

static void *create_string(const redisReadTask *task, char *text, size_t len) {
    redisReply *r = create(task);
    char *copy = r != NULL ? take(task->privdata, len + 1) : NULL;
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, text, len);
    copy[len] = '\0';
    r->str = copy;
    r->len = len;
    return r;
}

static void *create_integer(const redisReadTask *task, long long value) {
    redisReply *r = create(task);
    if (r != NULL) {
        r->integer = value;
    }
    return r;
}

/* The task tells what could have been there: a string or an array. */
static void *create_nil(const redisReadTask *task) {
    redisReply *r = create(task);
    if (r != NULL) {
        r->type = REDIS_REPLY_NIL;
    }
    return r;
}

static void *create_elements(const redisReadTask *task, size_t count) {
    redisReply *r = create(task);
    if (r == NULL || count > SIZE_MAX / 2 / sizeof(redisReply *)) {
        return NULL;
    }
    r->element = take(task->privdata, count * sizeof *r->element);
    r->elements = count;
    return r->element != NULL ? r : NULL;
}

#if HIREDIS_MAJOR >= 1
static void *create_array(const redisReadTask *task, size_t count) {
    return create_elements(task, count);
}

/* The rest is RESP3, which is not asked for; but a reader must know what to do with it. */
static void *create_double(const redisReadTask *task, double value, char *text, size_t len) {
    (void)value;
    return create_string(task, text, len);
}

static void *create_bool(const redisReadTask *task, int value) {
    return create_integer(task, value);
}
#else
static void *create_array(const redisReadTask *task, int count) {
    return create_elements(task, (size_t)count);
}
#endif

static void free_root(void *reply) {
    forget(CONTAINER_OF(reply, struct root, reply)->memory);
}

void reply_memory_use(struct reply_memory *m, redisReader *reader) {
    static redisReplyObjectFunctions functions = {
        .createString = create_string,
        .createArray = create_array,
        .createInteger = create_integer,
        .createNil = create_nil,
#if HIREDIS_MAJOR >= 1
        .createDouble = create_double,
        .createBool = create_bool,
#endif
        .freeObject = free_root,
    };
    reader->fn = &functions;
    reader->privdata = m;
}
