/* The open request or takeover that a message names by its requestId. */
#include "open_request.h"

#include "errors.h"

static bool knows_request(const struct membership *m, struct str id) {
    return id.len > 0 && id.len <= RAND_ID_LEN &&
           (str_eqz(id, m->request_id) || str_eqz(id, m->takeover_id) ||
            room_knows_request(&m->sub, id));
}

struct membership *open_request_room(struct session *s, const struct wire_request *r) {
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        if (m->state == MEMBER_IN && knows_request(m, r->request_id)) {
            return m;
        }
    }
    session_refuse(s, r->kind, &r->ref, WIRE_ERR_UNKNOWN_REQUEST,
                   "There is no open request or takeover with this requestId.", NULL);
    return NULL;
}
