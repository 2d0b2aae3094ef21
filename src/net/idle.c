/* Connections that are idle between two requests, and their eviction. */
#include "idle.h"

#include "conn.h"
#include "output.h"
#include "wslock/base/clock.h"

#define IDLE_TIMEOUT_MS 15000

static bool is_half_full(const struct listener *l) {
    return l->kind == LISTENER_PUBLIC ? l->net->public_count > l->net->public_max / 2
                                      : l->count > NET_OPS_CONNECTIONS / 2;
}

/* On a public listener only connections that count for its limits, or come from a trusted proxy. */
bool idle_may_begin(const struct conn *c) {
    const struct listener *l = c->listener;
    return !c->net->draining && !is_half_full(l) &&
           (l->kind == LISTENER_OPS || c->place.counted ||
            address_ranges_contain(&l->trusted, &c->socket_peer));
}

void idle_begin(struct conn *c) {
    if (c->net->draining) {
        conn_drain(c);
        return;
    }
    list_push_back(&c->net->idle, &c->idle);
    conn_end_after(c, IDLE_TIMEOUT_MS);
}

/* Releases the connection's place at once, and its descriptor in the next turn of the loop. */
static void end(struct conn *c) {
    list_remove(&c->idle);
    admit_leave(c->net->admit, &c->place, clock_boot_us());
    c->phase = CONN_DRAINING;
    conn_fail(c);
}

/* Ends the connection that is idle for longest among those that share the listener's limit. from:
 * only of this address; NULL: of any. */
static bool end_one(struct listener *l, const struct address *from) {
    LIST_FOREACH_ENTRY(struct conn, c, idle, &l->net->idle) {
        bool shared = c->listener == l ||
                      (c->listener->kind == LISTENER_PUBLIC && l->kind == LISTENER_PUBLIC);
        if (shared &&
            (from == NULL || (c->place.counted && str_eq(address_limit_key(&c->socket_peer),
                                                         address_limit_key(from))))) {
            end(c);
            return true;
        }
    }
    return false;
}

void idle_make_room(struct listener *l) {
    if (is_half_full(l)) {
        (void)end_one(l, NULL);
    }
}

enum admit_result idle_admit(struct listener *l, const struct address *from,
                             struct admit_place *place) {
    struct net *n = l->net;
    enum admit_result result;
    do {
        result = admit_enter(n->admit, &n->limits, from, clock_boot_us(), place);
    } while (result != ADMIT_OK && end_one(l, result == ADMIT_ADDRESS_FULL ? from : NULL));
    return result;
}

void idle_close_all(struct net *n) {
    LIST_FOREACH_ENTRY(struct conn, c, idle, &n->idle) {
        end(c);
    }
}
