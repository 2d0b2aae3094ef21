/* Resolves a host's name by uv_getaddrinfo. */
#include "lookup.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

#include "wslock/base/buf.h"
#include "wslock/base/mem.h"

#define ADDRESSES_MAX 8
#define ADDRESS_LEN 64

/* The request outlives a lookup that is cancelled while the resolver's thread runs. */
struct lookup {
    uv_getaddrinfo_t req;
    bool loopback_only;
    lookup_cb done; /* NULL: cancelled */
    void *ctx;
};

static bool is_loopback(const struct sockaddr *address) {
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const void *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    const struct sockaddr_in6 *v6 = (const void *)address;
    return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

static const char *append_addresses(const struct lookup *l, const struct addrinfo *found,
                                    struct buf *out) {
    size_t count = 0;
    for (const struct addrinfo *a = found; a != NULL && count < ADDRESSES_MAX; a = a->ai_next) {
        char text[ADDRESS_LEN];
        if ((a->ai_family != AF_INET && a->ai_family != AF_INET6) ||
            getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST)) {
            continue;
        }
        if (l->loopback_only && !is_loopback(a->ai_addr)) {
            return "http is only for loopback addresses, and the host has another";
        }
        buf_printf(out, a->ai_family == AF_INET6 ? "%s[%s]" : "%s%s", count > 0 ? "," : "", text);
        count++;
    }
    return count == 0 ? "the host has no address" : NULL;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found) {
    struct lookup *l = CONTAINER_OF(req, struct lookup, req);
    struct buf addresses;
    buf_init(&addresses);
    if (l->done != NULL) {
        const char *problem =
            status != 0 ? uv_strerror(status) : append_addresses(l, found, &addresses);
        l->done(l->ctx, problem, buf_cstr(&addresses));
    }
    uv_freeaddrinfo(found);
    buf_fini(&addresses);
    mem_free(l);
}

struct lookup *lookup_start(uv_loop_t *loop, const char *host, bool loopback_only, lookup_cb done,
                            void *ctx, const char **problem) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *l = mem_zalloc(sizeof *l);
    l->loopback_only = loopback_only;
    l->done = done;
    l->ctx = ctx;
    int status = uv_getaddrinfo(loop, &l->req, on_resolved, host, NULL, &hints);
    if (status != 0) {
        *problem = uv_strerror(status);
        mem_free(l);
        return NULL;
    }
    return l;
}

void lookup_cancel(struct lookup **lookup) {
    struct lookup *l = *lookup;
    if (l != NULL) {
        l->done = NULL;
        uv_cancel((uv_req_t *)&l->req);
    }
    *lookup = NULL;
}
