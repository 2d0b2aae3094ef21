/* What an operator does: to a lock, and to a session. */
#include "operate.h"

#include <string.h>

#include "audit.h"
#include "audit_events.h"
#include "end.h"
#include "registry.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/session/operate.h"

static void refuse(operate_cb cb, void *arg, enum operate_verdict verdict) {
    const struct operate_answer answer = {.verdict = verdict};
    cb(arg, &answer);
}

/* ---- a lock ---- */

struct operation {
    struct gateway *gateway;
    operate_cb cb;
    void *arg;
};

static void on_result(void *arg, const struct lock_operate_result *result) {
    static struct log_limit limit;
    struct operation *o = arg;
    struct operate_answer answer = {
        .verdict = OPERATE_UNAVAILABLE,
        .lock = &result->common.lock,
        .ended = &result->ended,
        .in_room = result->in_room,
    };
    session_audit_events(o->gateway, NULL, &result->common);
    if (result->common.status != LOCK_OK && log_limit_pass(&limit, 60)) {
        log_warn("store_call_failed", LF("request", "operate"), LF("error", result->common.error));
    }
    if (result->common.status == LOCK_OK && result->common.outcome == LOCK_OUT_NOT_HOLDER) {
        answer.verdict = OPERATE_NOTHING;
    } else if (result->common.status == LOCK_OK && result->common.outcome != LOCK_OUT_RECOVERING) {
        answer.verdict = OPERATE_DONE;
    }
    o->cb(o->arg, &answer);
    mem_free(o);
}

void gateway_operate_lock(struct gateway *g, const struct wire_resource *resource, bool takeover,
                          const struct lock_operation *operation, operate_cb cb, void *arg) {
    struct str name = wire_resource_str(resource);
    const struct config_resource_type *type = gateway_type_of(g, resource);
    if (session_audit_forbids_admin(g)) {
        refuse(cb, arg, OPERATE_UNAUDITED);
        return;
    }
    struct operation *o = mem_alloc(sizeof *o);
    *o = (struct operation){g, cb, arg};
    lock_operate(g->store, name, type->policy, takeover, operation, on_result, o);
}

/* ---- a session ---- */

/* An ended session. The answer to the operator waits for the store's answer for each room. */
struct termination {
    struct list node; /* of the gateway */
    char session_id[RAND_ID_LEN + 1];
    char *user_id, *username;
    size_t rooms, open; /* open: the store has not answered their disconnect */
    bool failed;
    operate_cb cb;
    void *arg;
};

static void termination_end(struct termination *t, enum operate_verdict verdict) {
    const struct operate_answer answer = {
        .verdict = verdict,
        .user_id = str_of(t->user_id),
        .username = str_of(t->username),
        .rooms = t->rooms,
        .complete = !t->failed,
    };
    list_remove(&t->node);
    t->cb(t->arg, &answer);
    mem_free(t->user_id);
    mem_free(t->username);
    mem_free(t);
}

static void on_room_ended(struct gateway *g, const char *session_id, bool ok) {
    LIST_FOREACH_ENTRY(struct termination, t, node, &g->terminations) {
        if (strcmp(t->session_id, session_id) != 0) {
            continue;
        }
        t->failed = t->failed || !ok;
        if (--t->open == 0) {
            termination_end(t, OPERATE_DONE);
        }
        return;
    }
}

void operate_forget_all(struct gateway *g) {
    LIST_FOREACH_ENTRY(struct termination, t, node, &g->terminations) {
        termination_end(t, OPERATE_UNAVAILABLE);
    }
}

static void terminate(struct session *s, const struct lock_operation *by, operate_cb cb,
                      void *arg) {
    struct gateway *g = s->gateway;
    struct termination *t = mem_zalloc(sizeof *t);
    memcpy(t->session_id, s->id, sizeof t->session_id);
    t->user_id = mem_strdup(s->identity->user_id);
    t->username = mem_strdup(s->identity->username);
    t->rooms = t->open = s->membership_count;
    t->cb = cb;
    t->arg = arg;
    list_push_back(&g->terminations, &t->node);
    session_audit_terminated(s, by);
    session_terminate(s, on_room_ended);
    if (t->rooms == 0) {
        termination_end(t, OPERATE_DONE);
    }
}

void gateway_end_session(struct gateway *g, struct str session_id, const struct lock_operation *by,
                         operate_cb cb, void *arg) {
    struct session *s = map_get(g->sessions, session_id);
    if (s == NULL || s->state != SESSION_READY) {
        refuse(cb, arg, OPERATE_NOTHING);
        return;
    }
    if (session_audit_forbids_admin(g)) {
        refuse(cb, arg, OPERATE_UNAUDITED);
        return;
    }
    terminate(s, by, cb, arg);
}

/* ---- all sessions of a user ---- */

struct user_end {
    size_t sessions, open; /* open: not ended yet */
    bool failed, stopped;  /* stopped: this instance ends before them */
    operate_cb cb;
    void *arg;
};

static void on_one_ended(void *arg, const struct operate_answer *one) {
    struct user_end *u = arg;
    u->stopped = u->stopped || one->verdict != OPERATE_DONE;
    u->failed = u->failed || !one->complete;
    if (--u->open > 0) {
        return;
    }
    const struct operate_answer answer = {
        .verdict = u->stopped ? OPERATE_UNAVAILABLE : OPERATE_DONE,
        .sessions = u->sessions,
        .complete = !u->failed,
    };
    u->cb(u->arg, &answer);
    mem_free(u);
}

static size_t count_ready(const struct list *sessions) {
    size_t count = 0;
    if (sessions != NULL) {
        LIST_FOREACH_ENTRY(struct session, s, of_user, sessions) {
            count += s->state == SESSION_READY;
        }
    }
    return count;
}

void gateway_end_user(struct gateway *g, struct str user_id, const struct lock_operation *by,
                      operate_cb cb, void *arg) {
    struct list *sessions = gateway_sessions_of(g, user_id);
    size_t count = count_ready(sessions);
    if (count == 0) {
        refuse(cb, arg, OPERATE_NOTHING);
        return;
    }
    if (session_audit_forbids_admin(g)) {
        refuse(cb, arg, OPERATE_UNAUDITED);
        return;
    }
    struct user_end *u = mem_zalloc(sizeof *u);
    *u = (struct user_end){.sessions = count, .open = count, .cb = cb, .arg = arg};
    LIST_FOREACH_ENTRY(struct session, s, of_user, sessions) {
        if (s->state == SESSION_READY) {
            terminate(s, by, on_one_ended, u);
        }
    }
}
