/* The table of the sessions, and how many of them each user has. */
#include "registry.h"

#include "state.h"

#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"
#include "wslock/base/rand.h"

struct user_count {
    size_t connections;
    struct list sessions; /* session.of_user */
};

struct gateway *registry_create(const struct gateway_parts *parts) {
    struct gateway *g = mem_zalloc(sizeof *g);
    g->parts = *parts;
    g->types = config_types_create(parts->config);
    g->sessions = map_create();
    g->user_count = map_create();
    list_init(&g->disconnects);
    list_init(&g->disconnects_due);
    list_init(&g->delayed_replies);
    list_init(&g->terminations);
    list_init(&g->key_waits);
    list_init(&g->key_waits_due);
    wheel_timer_init(&g->key_wait_timer);
    list_init(&g->listings);
    wheel_timer_init(&g->drain_timer);
    char id[RAND_ID_LEN + 1];
    rand_id(id);
    memcpy(g->ref_prefix, id, sizeof g->ref_prefix - 1);
    return g;
}

static void free_count(void *ctx, struct str id, void *value) {
    (void)ctx;
    (void)id;
    mem_free(value);
}

void registry_destroy(struct gateway *g) {
    map_destroy(&g->sessions);
    map_each(g->user_count, free_count, NULL);
    map_destroy(&g->user_count);
    config_types_destroy(&g->types);
    mem_free(g);
}

const struct config_resource_type *gateway_type_of(const struct gateway *g,
                                                   const struct wire_resource *resource) {
    const struct config_resource_type *type =
        config_types_find(g->types, wire_resource_type(resource));
    return type != NULL ? type : rooms_type(g->rooms, wire_resource_str(resource));
}

struct session *gateway_session(struct gateway *g, const char *id) {
    return map_get(g->sessions, str_of(id));
}

size_t gateway_session_count(const struct gateway *g) {
    return map_count(g->sessions);
}

bool gateway_count_user(struct session *s, const char *user_id) {
    struct gateway *g = s->gateway;
    struct user_count *count = map_get(g->user_count, str_of(user_id));
    if (count == NULL) {
        count = mem_zalloc(sizeof *count);
        list_init(&count->sessions);
        map_set(g->user_count, str_of(user_id), count);
    }
    if ((int64_t)count->connections >= g->parts.config->limits.max_connections_per_user) {
        return false;
    }
    count->connections++;
    list_push_back(&count->sessions, &s->of_user);
    return true;
}

void gateway_uncount_user(struct session *s) {
    struct gateway *g = s->gateway;
    const char *user_id = s->identity->user_id;
    struct user_count *count = map_get(g->user_count, str_of(user_id));
    list_remove(&s->of_user);
    if (count != NULL && --count->connections == 0) {
        mem_free(map_remove(g->user_count, str_of(user_id)));
    }
}

struct list *gateway_sessions_of(struct gateway *g, struct str user_id) {
    struct user_count *count = map_get(g->user_count, user_id);
    return count != NULL ? &count->sessions : NULL;
}

void gateway_make_ref(struct gateway *g, char out[32]) {
    snprintf(out, 32, "%s-%llx", g->ref_prefix, (unsigned long long)++g->ref_counter);
}
