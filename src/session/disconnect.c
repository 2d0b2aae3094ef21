/*
 * The end of a membership in the store: repeated with backoff until it succeeds, and once more
 * after the last moment at which an unanswered call of the same session can still be carried out. A
 * session that continues may join again only when none of these repeats can follow the join.
 *
 * When many connections are lost at once, only some attempts are under way at a time: joins of the
 * sessions that come back do not wait behind all of them. The script is told how long ago the
 * connection ended. Attempts that somebody waits for are not held up.
 */
#include "disconnect.h"

#include <string.h>

#include "audit_events.h"
#include "registry.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 2000
#define LATE_MARGIN_MS 500
#define CALLING_MAX 256 /* as many as a connection to the store has in flight */

struct disconnect {
    struct list node;
    struct list turn; /* gateway.disconnects_due, while it waits for its turn */
    struct gateway *gateway;
    enum lock_disconnect kind;
    struct wire_resource resource;
    char *user_id, *client_id, *session_id;
    bool lives_on;  /* the session: no attempt may come late */
    bool settled;   /* succeeded once */
    bool again;     /* calls were unanswered: once more when they cannot run any more */
    bool urgent;    /* it may free a lock, or an operator waits for it */
    bool calling;   /* an attempt has no answer yet */
    bool abandoned; /* freed by that answer */
    void (*on_first_answer)(struct gateway *g, const char *session_id, bool ok); /* or NULL */
    uint64_t ended_ms;      /* boot time: end of the membership */
    uint64_t sent_ms;       /* boot time: last attempt */
    uint64_t late_until_ms; /* boot time: an unanswered attempt may be carried out until then */
    uint64_t retry_ms;
    struct wheel_timer timer;
};

static void start(struct disconnect *d);

static void disconnect_free(struct disconnect *d) {
    wheel_cancel(&d->timer);
    list_remove(&d->node);
    list_remove(&d->turn);
    mem_free(d->user_id);
    mem_free(d->client_id);
    mem_free(d->session_id);
    mem_free(d);
}

static void on_timer(struct wheel_timer *timer) {
    start(CONTAINER_OF(timer, struct disconnect, timer));
}

static void wait(struct disconnect *d, uint64_t delay_ms) {
    wheel_set(d->gateway->parts.wheel, &d->timer, delay_ms, on_timer);
}

/* From the sending of a call until its notAfter has passed. */
static uint64_t call_life_ms(const struct disconnect *d) {
    return (uint64_t)d->gateway->parts.config->redis.command_timeout_ms + LATE_MARGIN_MS;
}

static void take_result(struct disconnect *d, const struct lock_result *result) {
    d->calling = false;
    session_audit_events(d->gateway, NULL, result);
    if (d->on_first_answer != NULL) {
        d->on_first_answer(d->gateway, d->session_id, result->status == LOCK_OK);
    }
    d->on_first_answer = NULL;
    if (d->abandoned) {
        disconnect_free(d);
        return;
    }
    if (result->status == LOCK_UNKNOWN && d->lives_on) {
        d->late_until_ms = d->sent_ms + call_life_ms(d);
        d->again = true;
    }
    if (result->status != LOCK_OK) {
        d->retry_ms = d->retry_ms * 2 < RETRY_MAX_MS ? d->retry_ms * 2 : RETRY_MAX_MS;
        wait(d, d->retry_ms);
        return;
    }
    d->settled = true;
    if (!d->again) {
        disconnect_free(d);
        return;
    }
    d->again = false;
    wait(d, call_life_ms(d));
}

static void attempt(struct disconnect *d);

static void on_result(void *arg, const struct lock_result *result) {
    struct disconnect *d = arg;
    struct gateway *g = d->gateway;
    g->disconnects_calling -= d->urgent ? 0 : 1;
    take_result(d, result);
    while (g->disconnects_calling < CALLING_MAX && !list_empty(&g->disconnects_due)) {
        d = CONTAINER_OF(g->disconnects_due.next, struct disconnect, turn);
        list_remove(&d->turn);
        attempt(d);
    }
}

static void attempt(struct disconnect *d) {
    struct lock_caller caller = {
        .resource = wire_resource_str(&d->resource),
        .user_id = str_of(d->user_id),
        .client_id = str_of(d->client_id),
        .session_id = str_of(d->session_id),
        .lives_on = d->lives_on,
    };
    d->gateway->disconnects_calling += d->urgent ? 0 : 1;
    d->calling = true;
    d->sent_ms = clock_boot_ms();
    lock_disconnect(d->gateway->store, &caller, d->kind, d->sent_ms - d->ended_ms, on_result, d);
}

static void start(struct disconnect *d) {
    if (d->urgent || d->gateway->disconnects_calling < CALLING_MAX) {
        attempt(d);
    } else {
        list_push_back(&d->gateway->disconnects_due, &d->turn);
    }
}

/* Protocol §7. A superseded session has no lock: the tab's new connection has it. */
static bool leaves_grace(const struct session *s, enum lock_disconnect kind,
                         const struct config_policy *policy) {
    if (s->close_set && s->close == WIRE_CLOSE_SUPERSEDED) {
        return false;
    }
    return kind == LOCK_DISCONNECT_SERVER ||
           (kind == LOCK_DISCONNECT_LOST && policy->disconnect != CONFIG_DISCONNECT_RELEASE);
}

void disconnect_start(struct membership *m, enum lock_disconnect kind, bool calls_open) {
    struct session *s = m->session;
    struct disconnect *d = mem_zalloc(sizeof *d);
    d->gateway = s->gateway;
    d->kind = m->state == MEMBER_LEAVING ? LOCK_DISCONNECT_LEFT : kind;
    d->resource = m->resource;
    d->user_id = mem_strdup(s->identity->user_id);
    d->client_id = mem_strdup(s->client_id);
    d->session_id = mem_strdup(s->id);
    d->lives_on = s->state == SESSION_READY;
    d->on_first_answer = s->on_room_ended;
    d->urgent = m->token != 0 || d->kind == LOCK_DISCONNECT_LEFT || s->on_room_ended != NULL;
    d->again = calls_open;
    d->retry_ms = RETRY_FIRST_MS;
    d->ended_ms = clock_boot_ms();
    if (leaves_grace(s, d->kind, m->type->policy)) {
        room_note_departed(&m->sub, d->kind == LOCK_DISCONNECT_LOST &&
                                        m->type->policy->disconnect == CONFIG_DISCONNECT_PROMPT);
    }
    wheel_timer_init(&d->timer);
    list_init(&d->turn);
    list_push_back(&d->gateway->disconnects, &d->node);
    start(d);
}

static void disconnect_end(struct disconnect *d) {
    wheel_cancel(&d->timer);
    list_remove(&d->node);
    list_remove(&d->turn);
    if (d->calling) {
        d->abandoned = true;
    } else {
        disconnect_free(d);
    }
}

bool disconnect_cancel(struct session *s, struct str resource) {
    LIST_FOREACH_ENTRY(struct disconnect, d, node, &s->gateway->disconnects) {
        if (strcmp(d->session_id, s->id) != 0 ||
            !str_eq(wire_resource_str(&d->resource), resource)) {
            continue;
        }
        if (d->calling || clock_boot_ms() < d->late_until_ms) {
            return false;
        }
        disconnect_end(d);
    }
    return true;
}

void disconnect_stop_all(struct gateway *g) {
    LIST_FOREACH_ENTRY(struct disconnect, d, node, &g->disconnects) {
        disconnect_end(d);
    }
}

bool disconnect_is_under_way(const struct gateway *g, struct str session_id, struct str resource) {
    LIST_FOREACH_ENTRY(const struct disconnect, d, node, &g->disconnects) {
        if (str_eqz(session_id, d->session_id) &&
            str_eq(wire_resource_str(&d->resource), resource)) {
            return true;
        }
    }
    return false;
}

bool disconnects_settled(const struct gateway *g) {
    LIST_FOREACH_ENTRY(const struct disconnect, d, node, &g->disconnects) {
        if (!d->settled) {
            return false;
        }
    }
    return true;
}
