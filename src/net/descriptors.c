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

/* Connections that a reload can always allow, if the hard limit does. */
#define RELOAD_ROOM 100000

static size_t reserved_descriptors(const struct net *n) {
    size_t count = RESERVED_DESCRIPTORS + n->listener_count;
    for (size_t i = 0; i < n->listener_count; i++) {
        if (n->listeners[i].kind == LISTENER_OPS) {
            count += NET_OPS_CONNECTIONS;
        }
    }
    return count;
}

/* libwebsockets allocates tables of the size of the soft limit, which cannot grow later. The hard
 * limit may be 10^9, so the soft limit is raised only as far as needed, and so that a reload may
 * raise maxConnections. */
static rlim_t raise_limit(rlim_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1024;
    }
    limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur;
}

size_t descriptors_possible(const struct net *n) {
    size_t reserved = reserved_descriptors(n), got = (size_t)n->descriptor_max;
    return got > 2 * reserved ? got - reserved : got / 2;
}

/* Connections above a lowered limit stay. */
void descriptors_divide(struct net *n) {
    size_t possible = descriptors_possible(n), connections = (size_t)n->limits.connections;
    size_t most = connections > n->public_count ? connections : n->public_count;
    n->public_max = most + HANDSHAKE_ROOM < possible ? most + HANDSHAKE_ROOM : possible;
}

void descriptors_prepare(struct net *n) {
    int64_t connections = n->limits.connections;
    rlim_t others = HANDSHAKE_ROOM + (rlim_t)reserved_descriptors(n);
    rlim_t wanted = (rlim_t)(connections > RELOAD_ROOM ? connections : RELOAD_ROOM) + others;
    rlim_t got = raise_limit(wanted);
    n->descriptor_max = got < INT_MAX ? (int)got : INT_MAX;
    descriptors_divide(n);
    if (got < (rlim_t)connections + others) {
        log_warn("few_descriptors", LFI("limit", got), LFI("wanted", (rlim_t)connections + others),
                 LFI("connections_possible", descriptors_possible(n)),
                 LF("hint", "raise LimitNOFILE or lower limits.maxConnections"));
    }
}
