/*
 * Which changes the log has a record of already, as far as they could be read back from the store
 * once more: those at the end of the file as it was found, and those read back before, the newest
 * of them. A record is known by its action, its resource and its event id.
 */
#ifndef WSLOCK_AUDIT_KNOWN_H
#define WSLOCK_AUDIT_KNOWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "wslock/base/str.h"

struct known;

struct known *known_create(void);
void known_destroy(struct known **known);
/* The records of the last 30 s before that which ends at `end`, in 64 MiB at most; what cannot be
 * read is not known. */
void known_load(struct known *known, int fd, off_t end);
/* line: a record, or the begin of one up to its eventId. */
bool known_has(const struct known *known, struct str line);
void known_add(struct known *known, struct str line);

#endif
