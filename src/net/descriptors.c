/* Raises RLIMIT_NOFILE and derives the limits on sockets from it. */
#include "descriptors.h"

#include <limits.h>
#include <sys/resource.h>

#include "wslock/base/log.h"

/* Sockets beyond maxConnections: in their handshake, or waiting for their refusal. */
#define HANDSHAKE_ROOM 256
/* Descriptors that clients may never use, besides the listeners and the operators' connections: an
 * idle daemon has about 20 (event loop, Redis, audit file). */
#define RESERVED_DESCRIPTORS 32

static rlim_t reserved_descriptors(const struct net *n) {
    rlim_t count = RESERVED_DESCRIPTORS + n->listener_count;
    for (size_t i = 0; i < n->listener_count; i++) {
        if (n->listeners[i].kind == LISTENER_OPS) {
            count += NET_OPS_CONNECTIONS;
        }
    }
    return count;
}

/* libwebsockets allocates tables of the size of the soft limit. The hard limit may be 10^9, so the
 * soft limit is raised only as far as needed. */
void descriptors_prepare(struct net *n) {
    struct rlimit limit;
    rlim_t reserved = reserved_descriptors(n);
    rlim_t wanted = (rlim_t)n->limits.connections + HANDSHAKE_ROOM + reserved;
    rlim_t got = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
            getrlimit(RLIMIT_NOFILE, &limit);
        }
        got = limit.rlim_cur;
    }
    n->descriptor_max = got < INT_MAX ? (int)got : INT_MAX;
    n->public_max = (size_t)(got > 2 * reserved ? got - reserved : got / 2);
    if (got < wanted) {
        log_warn("few_descriptors", LFI("limit", got), LFI("wanted", wanted),
                 LFI("connections_possible", n->public_max),
                 LF("hint", "raise LimitNOFILE or lower limits.maxConnections"));
    }
}
