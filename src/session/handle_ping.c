/* session:ping: a sign of life both ways. The store is not asked. */
#include "handlers.h"
#include "registry.h"
#include "send.h"
#include "state.h"
#include "wslock/metrics/metrics.h"

void handle_ping(struct session *s, const struct wire_request *r, struct membership *m,
                 const struct config_resource_type *type) {
    (void)m;
    (void)type;
    struct wire_to to = session_to(&r->ref, NULL);
    metrics_add(METRIC_REQUESTS, 1, wire_request_name(r->kind), "ok");
    session_send(s, wire_pong(&to, lock_store_now_ms(s->gateway->store)));
}
