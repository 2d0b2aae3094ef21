/* The state of a link, for its other files and for its owner. */
#include "link_private.h"

#include <stdio.h>

void link_wake(struct redis_link *link) {
    if (link->state != LINK_CLOSED) {
        uv_idle_start(&link->idle, link->on_idle);
    }
}

void link_free_context(struct redis_link *link, const char *reason) {
    if (reason != link->reason) {
        snprintf(link->reason, sizeof link->reason, "%s", reason);
    }
    redisAsyncFree(link->ac);
}

void redis_link_send(struct redis_link *link) {
    if (link->dirty && link->ac != NULL) {
        redis_adapter_send(link->adapter);
    }
}

void redis_link_end_asking(struct redis_link *link) {
    link->address.asking = false;
}

bool redis_link_is_up(const struct redis_link *link) {
    return link->state == LINK_UP && !link->gone && !link->drop;
}

void redis_link_catch_up(struct redis_link *link) {
    if (redis_link_is_up(link)) {
        redis_adapter_read(link->adapter);
    }
}

const char *redis_link_target(const struct redis_link *link) {
    return link->target;
}

void redis_link_reset(struct redis_link *link, const char *reason) {
    if (link->ac == NULL || link->drop || link->state == LINK_CLOSED) {
        return;
    }
    link->drop = true;
    link->finder.up = false;
    snprintf(link->reason, sizeof link->reason, "%s", reason);
    link_wake(link);
}
