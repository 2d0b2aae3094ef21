/* The states of a connection: AUTH → READY → CLOSING → GONE. */
#include "state.h"

#include <assert.h>
#include <string.h>

#include "wslock/base/mem.h"

void session_enter(struct session *s, enum session_state next) {
    static const unsigned char allowed[4] = {
        [SESSION_AUTH] = 1 << SESSION_READY | 1 << SESSION_CLOSING | 1 << SESSION_GONE,
        [SESSION_READY] = 1 << SESSION_CLOSING | 1 << SESSION_GONE,
        [SESSION_CLOSING] = 1 << SESSION_GONE,
        [SESSION_GONE] = 0,
    };
    assert(allowed[s->state] & (1 << next));
    s->state = next;
    wheel_cancel(&s->life_timer);
    if (next != SESSION_READY) {
        wheel_cancel(&s->ping_timer);
    }
}

struct wire_to session_to(const struct wire_ref *ref, const struct config_policy *policy) {
    struct wire_to to = {
        .ref = ref != NULL && (ref->len > 0 || ref->connect) ? ref : NULL,
        .minimal = policy != NULL && policy->presence == CONFIG_PRESENCE_MINIMAL,
    };
    return to;
}

void session_set_name(char slot[65], struct str given) {
    if (given.len == 0) {
        return;
    }
    memcpy(slot, given.p, given.len);
    slot[given.len] = '\0';
}

void session_drop_offer(struct session *s) {
    auth_identity_destroy(&s->offered_identity);
    if (s->offered_token != NULL) {
        explicit_bzero(s->offered_token, strlen(s->offered_token));
        mem_free(s->offered_token);
        s->offered_token = NULL;
    }
}
