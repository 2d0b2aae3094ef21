#include "crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "report.h"
#include "socketio.h"
#include "wslock/base/mem.h"

#define MESSAGE_BYTES 4096

enum phase { OUT, SIGNING_IN, JOINING, IN };

struct session {
    enum phase phase;
    int64_t lock_token; /* 0: has none */
    uint64_t retry_ns;  /* when to join again; 0: not */
    char *token;
};

struct crowd {
    struct crowd_plan plan;
    crowd_message_cb on_message;
    void *ctx;
    struct load *load;
    struct session *sessions;
    bool broken;
    /* of crowd_enter */
    unsigned next, end, under_way, retries, retrying;
    unsigned degraded; /* messages that the store is away */
};

static bool is_editor(const struct crowd *c, unsigned index) {
    return c->plan.editors && index % c->plan.per_room == 0;
}

static unsigned room_of(const struct crowd *c, unsigned index) {
    unsigned room = index / c->plan.per_room;

    return c->plan.rooms != NULL ? c->plan.rooms[room] : room;
}

/* ---- life ---- */

static void on_open(void *ctx, unsigned index);
static void on_text(void *ctx, unsigned index, const char *text, size_t len);

static void on_close(void *ctx, unsigned index, unsigned code) {
    struct crowd *c = ctx;
    if (!c->broken) {
        complain("connection %u ended, code %u, in phase %d", index, code,
                 (int)c->sessions[index].phase);
    }
    c->broken = true;
}

struct crowd *crowd_create(const struct crowd_plan *plan, crowd_message_cb on_message, void *ctx) {
    struct crowd *c = mem_zalloc(sizeof *c);
    const struct load_ops ops = {on_open, on_text, on_close, c};
    c->plan = *plan;
    c->on_message = on_message;
    c->ctx = ctx;
    c->load = load_create(plan->count, plan->port, plan->tls,
                          plan->dialect == CROWD_SOCKETIO ? SOCKETIO_PATH : "/ws", &ops);
    c->sessions = mem_calloc(plan->count, sizeof *c->sessions);
    return c;
}

void crowd_destroy(struct crowd **crowd) {
    struct crowd *c = *crowd;
    if (c == NULL) {
        return;
    }
    load_destroy(&c->load);
    for (unsigned i = 0; i < c->plan.count; i++) {
        free(c->sessions[i].token); /* libjwt's */
    }
    mem_free(c->sessions);
    mem_free(c);
    *crowd = NULL;
}

void crowd_drop(struct crowd *c) {
    for (unsigned i = 0; i < c->plan.count; i++) {
        load_abort(c->load, i);
        c->sessions[i].phase = OUT;
    }
}

/* ---- coming in ---- */

static bool make_token(struct crowd *c, unsigned index) {
    char user[32];
    if (c->sessions[index].token != NULL) {
        return true;
    }
    snprintf(user, sizeof user, "user-%06u", index);
    c->sessions[index].token = keys_token(c->plan.keys, c->plan.alg, user);
    if (c->sessions[index].token == NULL) {
        complain("cannot sign a token");
    }
    return c->sessions[index].token != NULL;
}

bool crowd_make_tokens(struct crowd *c) {
    for (unsigned i = 0; i < c->plan.count; i++) {
        if (!make_token(c, i)) {
            return false;
        }
    }
    return true;
}

static void enter_more(struct crowd *c, unsigned at_once) {
    while (!c->broken && c->next < c->end && c->under_way < at_once) {
        if (!make_token(c, c->next) || !load_connect(c->load, c->next)) {
            complain("cannot connect, after %u connections", c->next);
            c->broken = true;
            return;
        }
        c->next++;
        c->under_way++;
    }
}

/* A request in the crowd's dialect; Socket.IO acknowledges it under the same id. */
static void request(struct crowd *c, unsigned index, const char *event, unsigned id,
                    const char *data) {
    static const char *const formats[] = {
        [CROWD_NATIVE] = "{\"event\":\"%2$s\",\"id\":%1$u,\"data\":%3$s}",
        [CROWD_SOCKETIO] = "42%1$u[\"%2$s\",%3$s]",
    };
    char text[MESSAGE_BYTES];
    int len = snprintf(text, sizeof text, formats[c->plan.dialect], id, event, data);
    load_send(c->load, index, text, (size_t)len);
}

static void on_open(void *ctx, unsigned index) {
    struct crowd *c = ctx;
    struct session *s = &c->sessions[index];
    char data[MESSAGE_BYTES - 64];
    s->phase = SIGNING_IN;
    if (c->plan.dialect == CROWD_SOCKETIO) {
        return; /* the server speaks first */
    }
    snprintf(data, sizeof data,
             "{\"token\":\"%s\",\"clientId\":\"tab-%08u-bench\",\"pageId\":\"page-%08u-bench\"}",
             s->token, index, index);
    request(c, index, "auth", 1, data);
}

static void join(struct crowd *c, unsigned index) {
    struct session *s = &c->sessions[index];
    char data[512], token[48] = "";
    if (s->lock_token != 0) {
        snprintf(token, sizeof token, ",\"token\":%lld", (long long)s->lock_token);
    }
    snprintf(data, sizeof data,
             "{\"resourceId\":\"document:room-%u:main\",\"mode\":\"%s\",\"presence\":\"%s\"%s}",
             room_of(c, index), is_editor(c, index) ? "editor" : "viewer", c->plan.presence, token);
    s->phase = JOINING;
    s->retry_ns = 0;
    request(c, index, "resource:join", 2, data);
}

/* The number behind the first `"key":`; 0 if there is none. */
static int64_t find_number(const struct crowd_message *m, const char *key) {
    const char *p = memmem(m->text, m->len, key, strlen(key)), *end = m->text + m->len;
    int64_t number = 0;
    for (p = p != NULL ? p + strlen(key) : end; p < end && *p >= '0' && *p <= '9'; p++) {
        number = number * 10 + (*p - '0');
    }
    return number;
}

/* What a client does that is told to come back later. */
static bool join_later(struct crowd *c, unsigned index, const struct crowd_message *m) {
    static const char code[] = "\"code\":\"BACKEND_UNAVAILABLE\"";
    struct session *s = &c->sessions[index];
    if (s->phase != JOINING || !crowd_event_is(m, "error") ||
        memmem(m->text, m->len, code, sizeof code - 1) == NULL) {
        return false;
    }
    s->retry_ns = monotonic_ns() + (uint64_t)find_number(m, "\"retryAfterMs\":") * 1000000;
    c->retries++;
    c->retrying++;
    return true;
}

static void join_again(struct crowd *c) {
    uint64_t now = monotonic_ns();
    for (unsigned i = 0; c->retrying > 0 && i < c->plan.count; i++) {
        if (c->sessions[i].retry_ns == 0 || c->sessions[i].retry_ns > now) {
            continue;
        }
        c->retrying--;
        join(c, i);
    }
}

static void come_in(struct crowd *c, unsigned index, const struct crowd_message *m) {
    struct session *s = &c->sessions[index];
    if (s->phase == SIGNING_IN && crowd_event_is(m, "welcome")) {
        join(c, index);
        return;
    }
    /* An editor is in when it has its lock, which is told behind the room. */
    if (s->phase != JOINING ||
        !crowd_event_is(m, is_editor(c, index) ? "lock:acquired" : "resource:joined")) {
        return;
    }
    s->phase = IN;
    c->under_way--;
}

static bool all_in(void *ctx) {
    struct crowd *c = ctx;
    return c->next == c->end && c->under_way == 0;
}

bool crowd_enter(struct crowd *c, unsigned first, unsigned end, unsigned at_once,
                 unsigned timeout_ms) {
    uint64_t deadline = monotonic_ns() + timeout_ms * 1000000ull;
    c->next = first;
    c->end = end;
    c->under_way = c->retries = c->retrying = c->degraded = 0;
    while (!c->broken && !all_in(c) && monotonic_ns() < deadline) {
        enter_more(c, at_once);
        join_again(c);
        load_poll(c->load, 20);
    }
    if (!c->broken && !all_in(c)) {
        complain("%u sessions were not in after %u ms", c->under_way + (end - c->next), timeout_ms);
    }
    return !c->broken && all_in(c);
}

unsigned crowd_retries(const struct crowd *c) {
    return c->retries;
}

unsigned crowd_degraded(const struct crowd *c) {
    return c->degraded;
}

uint64_t crowd_received(const struct crowd *c) {
    return load_received(c->load);
}

/* ---- talking ---- */

bool crowd_event_is(const struct crowd_message *m, const char *event) {
    return strlen(event) == m->event_len && memcmp(event, m->event, m->event_len) == 0;
}

static bool split(const char *text, size_t len, struct crowd_message *m) {
    static const char head[] = "{\"event\":\"", id[] = "\",\"id\":";
    const size_t head_len = sizeof head - 1;
    if (len < head_len || memcmp(text, head, head_len) != 0) {
        return false;
    }
    const char *event = text + head_len, *quote = memchr(event, '"', len - head_len);
    if (quote == NULL) {
        return false;
    }
    size_t left = len - (size_t)(quote - text);
    *m = (struct crowd_message){event, (size_t)(quote - event),
                                left > sizeof id && memcmp(quote, id, sizeof id - 1) == 0, text,
                                len};
    return true;
}

/* Under a storm the daemon may find the store too slow; that it does is counted, not the end. */
static bool is_about_store(struct crowd *c, const struct crowd_message *m) {
    bool degraded = crowd_event_is(m, "system:degraded");
    c->degraded += degraded ? 1 : 0;
    return degraded || crowd_event_is(m, "system:recovered");
}

static bool is_unexpected(const struct crowd_message *m) {
    static const char *const events[] = {"error", "lock:denied", "lock:lost", "session:closed"};
    for (size_t i = 0; i < ARRAY_LEN(events); i++) {
        if (crowd_event_is(m, events[i])) {
            return true;
        }
    }
    return false;
}

/* What Socket.IO says before and between messages. */
static bool is_packet(struct crowd *c, unsigned index, enum socketio_kind kind) {
    char text[MESSAGE_BYTES];
    switch (kind) {
    case SOCKETIO_OPEN:
        load_send(
            c->load, index, text,
            (size_t)snprintf(text, sizeof text, "40{\"token\":\"%s\"}", c->sessions[index].token));
        return true;
    case SOCKETIO_PING:
        load_send(c->load, index, SOCKETIO_PONG, 1);
        return true;
    case SOCKETIO_CONNECTED:
        join(c, index);
        return true;
    case SOCKETIO_MESSAGE:
    case SOCKETIO_UNKNOWN:
        break;
    }
    return false;
}

static void on_text(void *ctx, unsigned index, const char *text, size_t len) {
    struct crowd *c = ctx;
    struct session *s = &c->sessions[index];
    struct crowd_message m;
    bool understood;
    if (c->plan.dialect == CROWD_SOCKETIO) {
        struct socketio_message packet = {0};
        enum socketio_kind kind = socketio_parse(text, len, &packet);
        if (is_packet(c, index, kind)) {
            return;
        }
        understood = kind == SOCKETIO_MESSAGE;
        m = (struct crowd_message){packet.event, packet.event_len, packet.is_reply, text, len};
    } else {
        understood = split(text, len, &m);
    }
    if (understood && (join_later(c, index, &m) || is_about_store(c, &m))) {
        return;
    }
    if (!understood || is_unexpected(&m)) {
        if (!c->broken) {
            complain("session %u got: %.*s", index, (int)(len < 400 ? len : 400), text);
        }
        c->broken = true;
        return;
    }
    if (crowd_event_is(&m, "lock:acquired")) {
        s->lock_token = find_number(&m, "\"token\":");
    }
    if (s->phase == IN) {
        c->on_message(c->ctx, c, index, &m);
    } else {
        come_in(c, index, &m);
    }
}

void crowd_send(struct crowd *c, unsigned index, enum crowd_request what) {
    static const char *const events[] = {
        [CROWD_ACQUIRE] = "lock:acquire",
        [CROWD_RELEASE] = "lock:release",
        [CROWD_HEARTBEAT] = "lock:heartbeat",
    };
    char data[256], token[48] = "";
    if (what == CROWD_HEARTBEAT) {
        snprintf(token, sizeof token, ",\"token\":%lld", (long long)c->sessions[index].lock_token);
    }
    snprintf(data, sizeof data, "{\"resourceId\":\"document:room-%u:main\"%s}", room_of(c, index),
             token);
    request(c, index, events[what], 3 + (unsigned)what, data);
}

bool crowd_run(struct crowd *c, unsigned timeout_ms, bool (*done)(void *ctx), void *ctx) {
    uint64_t deadline = monotonic_ns() + timeout_ms * 1000000ull;
    while (!c->broken && !(done != NULL && done(ctx))) {
        uint64_t now = monotonic_ns();
        if (now >= deadline) {
            return true;
        }
        load_poll(c->load, (int)((deadline - now) / 1000000 + 1));
    }
    return !c->broken;
}
