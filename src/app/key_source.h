/* How the daemon fetches the key sets of identity providers: the fetcher and libuv's threads. */
#ifndef APP_KEY_SOURCE_H
#define APP_KEY_SOURCE_H

#include <uv.h>

#include "wslock/auth/auth.h"
#include "wslock/fetch/fetch.h"

/* Both are borrowed, as is the struct. */
struct key_source {
    uv_loop_t *loop;
    struct fetcher *fetcher;
};

struct auth_key_source key_source_of(struct key_source *source, struct wheel *wheel) MUST_CHECK;

#endif
