/* Opening audit files: lock, find the end of the chain, cut off what a crash left of a line. */
#ifndef WSLOCK_AUDIT_TAIL_H
#define WSLOCK_AUDIT_TAIL_H

#include <stdbool.h>
#include <sys/types.h>

#include "chain.h"
#include "wslock/base/macros.h"

struct tail {
    int fd;                 /* open for appending, flock()ed if a regular file; the caller's */
    off_t end;              /* of the last record */
    struct chain_link head; /* the last record; seq 0 and CHAIN_GENESIS if there is none */
    char *repaired; /* what was cut off, for AUDIT_REPAIRED; NULL if nothing; the caller's */
};

/*
 * Creates path (0640) or opens it. Cut off are bytes behind the last newline, and a last line that
 * does not verify if the line before it does; they are kept in `PATH.torn-<time>`. keep_text:
 * whether what could not be kept there (full disk) may be quoted in *repaired. If neither of the
 * last two lines verifies, the file is left alone and is a problem, as is a file that another
 * process has locked.
 */
bool tail_open(struct tail *t, const char *path, struct chain *chain, bool keep_text,
               char **problem) MUST_CHECK;
/* Opens the file in which a rotation continues the chain, creating it 0640. The descriptor is the
 * caller's. -1 with *problem (heap), also if the file holds something. */
int tail_begin(const char *path, char **problem) MUST_CHECK;
/* Whether tail_open could; nothing is made, locked or cut. False with *problem (heap). */
bool tail_check(const char *path, struct chain *chain, char **problem) MUST_CHECK;

#endif
