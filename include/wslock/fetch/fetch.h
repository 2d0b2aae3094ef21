/*
 * Fetches a small document by HTTP or HTTPS on the loop, one at a time. libcurl is used here alone.
 *
 * Names are resolved by libuv: libcurl would wait for its resolver thread when a fetch is given up.
 * Certificates are verified against OpenSSL's default store (SSL_CERT_FILE and SSL_CERT_DIR in the
 * environment replace it). http is only for loopback addresses. Redirects are not followed, and
 * proxies of the environment are not used.
 */
#ifndef WSLOCK_FETCH_FETCH_H
#define WSLOCK_FETCH_FETCH_H

#include <stddef.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

typedef struct uv_loop_s uv_loop_t;
struct fetcher;

struct fetch_request {
    const char *url;    /* http or https, copied */
    const char *accept; /* the header Accept; static */
    size_t max_bytes;   /* of the body */
    uint64_t timeout_ms;
    /* Called once, in a later turn of the loop. problem NULL: status 200, and body is the whole
     * body. Otherwise body is empty. Both are valid during the call. */
    void (*done)(void *ctx, const char *problem, struct str body);
    void *ctx;
};

struct fetcher *fetcher_create(uv_loop_t *loop) MUST_CHECK;
/* Cancels; the loop must run until its handles are closed. */
void fetcher_destroy(struct fetcher **f);
/* No other fetch may be under way. */
void fetcher_start(struct fetcher *f, const struct fetch_request *request);
/* done is not called any more. Harmless if no fetch is under way. */
void fetcher_cancel(struct fetcher *f);

#endif
