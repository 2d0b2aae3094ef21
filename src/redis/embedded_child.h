/* Fork, exec and end of the embedded server. */
#ifndef WSLOCK_SRC_REDIS_EMBEDDED_CHILD_H
#define WSLOCK_SRC_REDIS_EMBEDDED_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "wslock/base/macros.h"

/* Starts program with nothing open but /dev/null, standard error and lock_fd (as descriptor 3); it
 * gets SIGTERM when the calling thread ends. -1 with errno set. */
pid_t embedded_child_spawn(const char *program, char *const argv[], int lock_fd) MUST_CHECK;

/* SIGTERM, then SIGKILL after patience_ms; reaps. False if it took the latter. Blocks. */
bool embedded_child_end(pid_t pid, uint64_t patience_ms) MUST_CHECK;

#endif
