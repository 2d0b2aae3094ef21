/* What a reload finds: whether records go on in another file, which it opens then. */
#ifndef WSLOCK_AUDIT_ROTATION_H
#define WSLOCK_AUDIT_ROTATION_H

#include <stdbool.h>
#include <sys/types.h>

#include "chain.h"
#include "sink.h"
#include "wslock/base/macros.h"
#include "wslock/config/config.h"

/* The file in force, as a reload compares it. */
struct rotation_file {
    char *path;
    dev_t device;
    ino_t inode;
    char key_mark[CHAIN_HASH_LEN + 1]; /* another one for another key */
};

struct rotation {
    struct chain *chain; /* NULL: the file stays, and so does the key */
    struct sink sink;
    struct rotation_file file;
};

/* chain: not used by another thread yet. sink: as opened. */
void rotation_describe(struct rotation_file *file, const char *path, struct chain *chain,
                       const struct sink *sink);
/* Compares next with the file in force. False with *problem (heap): next cannot be taken. */
bool rotation_prepare(struct rotation *r, const struct rotation_file *now,
                      const struct config *next, char **problem) MUST_CHECK;

#endif
