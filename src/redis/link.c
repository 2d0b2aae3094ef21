/* A link from its creation to its end, and what its idle hook does. */
#include "link_private.h"

#include <assert.h>
#include <stdio.h>

#include "wslock/base/mem.h"

static void on_idle(uv_idle_t *idle) {
    struct redis_link *link = idle->data;

    uv_idle_stop(idle);
    if (link->drop && link->ac != NULL) {
        link_free_context(link, link->reason);
    }
    link->drop = false;
    if (link->dirty && link->ac != NULL) {
        link->dirty = false;
        redis_adapter_flush(link->adapter);
    }
    if (link->gone) {
        link_decline_waiting(link);
    }
    link_complete_unsent(link);
    if (link->gone) {
        link_handle_gone(link);
    }
}

static char *target_at(const char *host, int port) {
    return mem_printf(strchr(host, ':') != NULL ? "[%s]:%d" : "%s:%d", host, port);
}

static char *target_of(const struct config *config, const struct redis_address *address) {
    if (address->port != 0) {
        return target_at(address->host, address->port);
    }
    if (config->redis.sentinel_master != NULL) {
        return mem_printf("master %s", config->redis.sentinel_master);
    }
    if (config->redis.cluster_nodes.count > 0) {
        return mem_printf("cluster %s", config->redis.cluster_nodes.items[0]);
    }
    if (config->redis.unix_path != NULL) {
        return mem_strdup(config->redis.unix_path);
    }
    return target_at(config->redis.host != NULL ? config->redis.host : "", config->redis.port);
}

/* Which node it shall lead to is not known. */
static bool is_nowhere(const struct redis_link *link) {
    return link->address.port == 0 && link->config->redis.cluster_nodes.count > 0;
}

/* CLIENT SETNAME takes printable characters without spaces. */
static char *client_name_of(const char *name) {
    char *copy = mem_strdup(name);

    for (char *c = copy; *c; c++) {
        if (*c <= ' ' || *c > '~') {
            *c = '-';
        }
    }
    return copy;
}

static struct redis_link *create(uv_loop_t *loop, const struct config *config, const char *name,
                                 const struct redis_link_callbacks *callbacks,
                                 const struct redis_address *address,
                                 const struct redis_link *beside) {
    struct redis_link *link = mem_zalloc(sizeof *link);

    link->loop = loop;
    link->config = config;
    link->address = *address;
    link->name = client_name_of(name);
    link->target = target_of(config, address);
    link->callbacks = *callbacks;
    link->state = LINK_PAUSED;
    link->backoff_ms = LINK_BACKOFF_MIN_MS;
    link->next_deadline_ms = UINT64_MAX;
    list_init(&link->in_flight);
    list_init(&link->waiting);
    list_init(&link->unsent);
    link->on_idle = on_idle;
    uv_idle_init(loop, &link->idle);
    uv_timer_init(loop, &link->attempt);
    uv_timer_init(loop, &link->deadline);
    link->idle.data = link->attempt.data = link->deadline.data = link;
    link->open_handles = 3;
    link_init_finder(link, beside);
    if (!is_nowhere(link)) {
        link_attempt_soon(link, 0);
    }
    return link;
}

struct redis_link *redis_link_create(uv_loop_t *loop, const struct config *config, const char *name,
                                     const struct redis_link_callbacks *callbacks) {
    static const struct redis_address none;

    return create(loop, config, name, callbacks, &none, NULL);
}

struct redis_link *redis_link_create_at(uv_loop_t *loop, const struct config *config,
                                        const struct redis_address *address, const char *name,
                                        const struct redis_link_callbacks *callbacks) {
    return create(loop, config, name, callbacks, address, NULL);
}

struct redis_link *redis_link_create_beside(const struct redis_link *other, const char *name,
                                            const struct redis_link_callbacks *callbacks) {
    return create(other->loop, other->config, name, callbacks, &other->address, other);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct redis_link *link = handle->data;

    if (--link->open_handles > 0) {
        return;
    }
    mem_free(link->name);
    mem_free(link->target);
    mem_free(link);
}

void redis_link_destroy(struct redis_link **linkp) {
    struct redis_link *link = *linkp;

    if (link == NULL) {
        return;
    }
    *linkp = NULL;
    link->state = LINK_CLOSED;
    redis_lookup_forget(&link->lookup);
    if (link->dirty && link->ac != NULL) {
        redis_adapter_flush(link->adapter);
    }
    if (link->ac != NULL) {
        link_free_context(link, "closed");
    }
    link_decline_waiting(link);
    link_complete_unsent(link);
    assert(list_empty(&link->in_flight) && list_empty(&link->waiting));
    redis_tls_destroy(&link->tls);
    if (link->sentinel != NULL) {
        sentinel_leave(link->sentinel, &link->finder);
    }
    uv_close((uv_handle_t *)&link->idle, on_handle_closed);
    uv_close((uv_handle_t *)&link->attempt, on_handle_closed);
    uv_close((uv_handle_t *)&link->deadline, on_handle_closed);
}

bool redis_link_check(const struct config *config, config_finding_cb on_problem, void *ctx) {
    char *problem = NULL;
    struct redis_tls *tls;

    if (!config->redis.use_tls) {
        return true;
    }
    tls = redis_tls_create(config, &problem);
    if (tls == NULL) {
        on_problem(ctx, problem);
        mem_free(problem);
        return false;
    }
    redis_tls_destroy(&tls);
    return true;
}
