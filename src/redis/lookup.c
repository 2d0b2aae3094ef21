/* Names to addresses. A request may outlive the one who asked for it. */
#include "lookup.h"

#include <arpa/inet.h>
#include <netdb.h>

#include "wslock/base/mem.h"

struct redis_lookup {
    uv_getaddrinfo_t req;
    redis_lookup_cb cb; /* NULL: forgotten */
    void *ctx;
};

bool redis_is_address(const char *host) {
    struct in6_addr ignored;

    return inet_pton(AF_INET, host, &ignored) == 1 || inet_pton(AF_INET6, host, &ignored) == 1;
}

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found) {
    struct redis_lookup *lookup = CONTAINER_OF(req, struct redis_lookup, req);
    redis_lookup_cb cb = lookup->cb;
    void *ctx = lookup->ctx;
    struct redis_addresses addresses = {.count = 0};

    mem_free(lookup);
    for (struct addrinfo *a = found; a != NULL && addresses.count < LOOKUP_MAX_ADDRESSES;
         a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, addresses.text[addresses.count],
                        LOOKUP_ADDRESS_LEN, NULL, 0, NI_NUMERICHOST) == 0) {
            addresses.count++;
        }
    }
    uv_freeaddrinfo(found);
    if (cb != NULL) {
        cb(ctx, &addresses, status != 0 ? uv_strerror(status) : "no address");
    }
}

struct redis_lookup *redis_lookup_start(uv_loop_t *loop, const char *host, redis_lookup_cb cb,
                                        void *ctx, const char **problem) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct redis_lookup *lookup = mem_zalloc(sizeof *lookup);
    int status;

    lookup->cb = cb;
    lookup->ctx = ctx;
    status = uv_getaddrinfo(loop, &lookup->req, on_resolved, host, NULL, &hints);
    if (status != 0) {
        *problem = uv_strerror(status);
        mem_free(lookup);
        return NULL;
    }
    return lookup;
}

void redis_lookup_forget(struct redis_lookup **lookup) {
    if (*lookup != NULL) {
        (*lookup)->cb = NULL;
        uv_cancel((uv_req_t *)&(*lookup)->req);
        *lookup = NULL;
    }
}
