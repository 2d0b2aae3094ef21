/*
 * The end of a membership in the store: repeated with backoff until it went through, and once more
 * after the last moment at which an unanswered call of the same session could still be carried out.
 * Where the session lives on it may join again only when none of these repeats can come after that.
 */
#include "private.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 2000
#define LATE_MARGIN_MS 500

struct farewell {
    struct list node;
    struct gateway *gateway;
    enum lock_disconnect kind;
    struct wire_resource resource;
    char *user_id, *client_id, *session_id;
    bool lives_on;          /* the session: no attempt may come late */
    bool awaited;           /* an operator waits for the first answer */
    bool settled;           /* went through once */
    bool again;             /* calls were unanswered: once more when they cannot run any more */
    bool calling;           /* the store owes an answer */
    bool abandoned;         /* freed by that answer */
    uint64_t ended_ms;      /* boot time when the membership ended */
    uint64_t sent_ms;       /* boot time of the last attempt */
    uint64_t late_until_ms; /* boot time: until then an unanswered one may still be carried out */
    uint64_t retry_ms;
    struct wheel_timer timer;
};

static void attempt(struct farewell *f);

static void farewell_free(struct farewell *f) {
    wheel_cancel(&f->timer);
    list_remove(&f->node);
    mem_free(f->user_id);
    mem_free(f->client_id);
    mem_free(f->session_id);
    mem_free(f);
}

static void on_timer(struct wheel_timer *timer) {
    attempt(CONTAINER_OF(timer, struct farewell, timer));
}

static void wait(struct farewell *f, uint64_t delay_ms) {
    wheel_set(f->gateway->parts.wheel, &f->timer, delay_ms, on_timer);
}

/* From sending a call until it cannot be carried out any more, its notAfter being past. */
static uint64_t call_life_ms(const struct farewell *f) {
    return (uint64_t)f->gateway->parts.config->redis.command_timeout_ms + LATE_MARGIN_MS;
}

static void on_result(void *arg, const struct lock_result *result) {
    struct farewell *f = arg;
    f->calling = false;
    trail_events(f->gateway, NULL, result);
    if (f->awaited) {
        f->awaited = false;
        operate_room_ended(f->gateway, f->session_id, result->status == LOCK_OK);
    }
    if (f->abandoned) {
        farewell_free(f);
        return;
    }
    if (result->status == LOCK_UNKNOWN && f->lives_on) {
        f->late_until_ms = f->sent_ms + call_life_ms(f);
        f->again = true;
    }
    if (result->status != LOCK_OK) {
        f->retry_ms = f->retry_ms * 2 < RETRY_MAX_MS ? f->retry_ms * 2 : RETRY_MAX_MS;
        wait(f, f->retry_ms);
        return;
    }
    f->settled = true;
    if (!f->again) {
        farewell_free(f);
        return;
    }
    f->again = false;
    wait(f, call_life_ms(f));
}

static void attempt(struct farewell *f) {
    struct lock_caller caller = {
        .resource = wire_resource_str(&f->resource),
        .user_id = str_of(f->user_id),
        .client_id = str_of(f->client_id),
        .session_id = str_of(f->session_id),
        .lives_on = f->lives_on,
    };
    f->calling = true;
    f->sent_ms = clock_boot_ms();
    lock_disconnect(f->gateway->store, &caller, f->kind, f->sent_ms - f->ended_ms, on_result, f);
}

/* Protocol §6. Who was superseded has no lock any more: the tab's other connection has it. */
static bool leaves_grace(const struct session *s, enum lock_disconnect kind,
                         const struct config_policy *policy) {
    if (s->close_set && s->close == WIRE_CLOSE_SUPERSEDED)
        return false;
    return kind == LOCK_DISCONNECT_SERVER ||
           (kind == LOCK_DISCONNECT_LOST && policy->disconnect != CONFIG_DISCONNECT_RELEASE);
}

void farewell_start(struct membership *m, enum lock_disconnect kind, bool calls_open) {
    struct session *s = m->session;
    struct farewell *f = mem_zalloc(sizeof *f);
    f->gateway = s->gateway;
    f->kind = m->state == MEMBER_LEAVING ? LOCK_DISCONNECT_LEFT : kind;
    f->resource = m->resource;
    f->user_id = mem_strdup(s->identity->user_id);
    f->client_id = mem_strdup(s->client_id);
    f->session_id = mem_strdup(s->id);
    f->lives_on = s->state == SESSION_READY;
    f->awaited = kind == LOCK_DISCONNECT_TERMINATED;
    f->again = calls_open;
    f->retry_ms = RETRY_FIRST_MS;
    f->ended_ms = clock_boot_ms();
    if (leaves_grace(s, f->kind, m->policy))
        room_note_departed(&m->sub, f->kind == LOCK_DISCONNECT_LOST &&
                                    m->policy->disconnect == CONFIG_DISCONNECT_PROMPT);
    wheel_timer_init(&f->timer);
    list_push_back(&f->gateway->farewells, &f->node);
    attempt(f);
}

static void farewell_end(struct farewell *f) {
    wheel_cancel(&f->timer);
    list_remove(&f->node);
    if (f->calling)
        f->abandoned = true;
    else
        farewell_free(f);
}

bool farewell_cancel(struct session *s, struct str resource) {
    LIST_FOREACH_SAFE(it, tmp, &s->gateway->farewells) {
        struct farewell *f = CONTAINER_OF(it, struct farewell, node);
        if (strcmp(f->session_id, s->id) != 0 || !str_eq(wire_resource_str(&f->resource), resource))
            continue;
        if (f->calling || clock_boot_ms() < f->late_until_ms)
            return false;
        farewell_end(f);
    }
    return true;
}

void farewell_stop_all(struct gateway *g) {
    LIST_FOREACH_SAFE(it, tmp, &g->farewells) {
        farewell_end(CONTAINER_OF(it, struct farewell, node));
    }
}

bool farewell_is_under_way(const struct gateway *g, struct str session_id, struct str resource) {
    for (const struct list *it = g->farewells.next; it != &g->farewells; it = it->next) {
        const struct farewell *f = CONTAINER_OF(it, struct farewell, node);
        if (str_eqz(session_id, f->session_id) && str_eq(wire_resource_str(&f->resource), resource))
            return true;
    }
    return false;
}

bool farewells_settled(const struct gateway *g) {
    for (const struct list *it = g->farewells.next; it != &g->farewells; it = it->next)
        if (!CONTAINER_OF(it, struct farewell, node)->settled)
            return false;
    return true;
}
