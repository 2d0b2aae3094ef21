#include <limits.h>
#include <sys/resource.h>

#include "private.h"
#include "wslock/base/log.h"

/* The hard limit may be a thousand million, and libwebsockets makes tables of the soft one: so not
 * more than what is needed. */
void descriptors_prepare(struct net *n) {
    struct rlimit limit;
    rlim_t wanted = (rlim_t)n->limits.connections + NET_HANDSHAKE_ROOM + NET_RESERVED_DESCRIPTORS;
    rlim_t got = 1024;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            getrlimit(RLIMIT_NOFILE, &limit);
        got = limit.rlim_cur;
    }
    n->descriptor_max = got < INT_MAX ? (int)got : INT_MAX;
    rlim_t reserved = NET_RESERVED_DESCRIPTORS;
    n->public_max = (size_t)(got > 2 * reserved ? got - reserved : got / 2);
    if (got < wanted)
        log_warn("few_descriptors", LFI("limit", got), LFI("wanted", wanted),
                 LFI("connections_possible", n->public_max),
                 LF("hint", "raise LimitNOFILE or lower limits.maxConnections"));
}
