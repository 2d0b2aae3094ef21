/* Compares the members that the store has of this instance with its sessions. */
#include "reconcile.h"

#include "disconnect.h"
#include "membership.h"
#include "registry.h"

void session_reconcile_begin(void *ctx) {
    struct gateway *g = ctx;
    g->reconciliation++;
}

bool session_reconcile_member(void *ctx, struct str session_id, struct str resource) {
    struct gateway *g = ctx;
    struct session *s = map_get(g->sessions, session_id);
    if (s == NULL) {
        return disconnect_is_under_way(g, session_id, resource);
    }
    bool here = false;
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (str_eq(wire_resource_str(&m->resource), resource)) {
            m->reconciliation = g->reconciliation;
            here = true;
        }
    }
    return here || disconnect_is_under_way(g, session_id, resource);
}

static void find_forgotten(void *ctx, struct str id, void *value) {
    (void)id;
    struct gateway *g = ctx;
    struct session *s = value;
    if (s->state != SESSION_READY) {
        return;
    }
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (m->state == MEMBER_IN && m->reconciliation != g->reconciliation) {
            lock_store_forgot(g->store, wire_resource_str(&m->resource));
        }
    }
}

void session_reconcile_end(void *ctx) {
    struct gateway *g = ctx;
    map_each(g->sessions, find_forgotten, g);
}
