/* Whether the store knows of those who are here, and of nobody else (lock.h, compare_begin). */
#include "private.h"

void comparison_begin(void *ctx) {
    struct gateway *g = ctx;
    g->comparison++;
}

bool comparison_member(void *ctx, struct str session_id, struct str resource) {
    struct gateway *g = ctx;
    struct session *s = map_get(g->sessions, session_id);
    if (!s)
        return farewell_is_under_way(g, session_id, resource);
    bool here = false;
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (str_eq(wire_resource_str(&m->resource), resource)) {
            m->compared = g->comparison;
            here = true;
        }
    }
    return here || farewell_is_under_way(g, session_id, resource);
}

static void find_forgotten(void *ctx, struct str id, void *value) {
    (void)id;
    struct gateway *g = ctx;
    struct session *s = value;
    if (s->state != SESSION_READY)
        return;
    LIST_FOREACH_SAFE(it, tmp, &s->memberships) {
        struct membership *m = CONTAINER_OF(it, struct membership, node);
        if (m->state == MEMBER_IN && m->compared != g->comparison)
            lock_store_forgot(g->store, wire_resource_str(&m->resource));
    }
}

void comparison_end(void *ctx) {
    struct gateway *g = ctx;
    map_each(g->sessions, find_forgotten, g);
}
