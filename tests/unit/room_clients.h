/*
 * For the walk: what each one must be told of the lock, in plain order, and a client for each one
 * that believes what it is told.
 */
#ifndef WSLOCK_TESTS_UNIT_ROOM_CLIENTS_H
#define WSLOCK_TESTS_UNIT_ROOM_CLIENTS_H

#include "room_world.h"

#define QUEUE_MAX 64
#define IDS_MAX 32

/* What is to be told of the lock: an event of the log, or that it is as it was after a gap. */
struct expected {
    int64_t rev;
    const struct lock_event *event; /* NULL: RECOVERED */
};

struct ids {
    char id[IDS_MAX][24];
    size_t count;
};

/* One person's page. */
struct client {
    enum { OUT, ASKED, ENTERED, IN } state;
    bool joining_again, asking; /* a reply is on its way */
    bool ahead; /* of the room, when that missed something: who came and went may stay unknown */
    int64_t snapshot_rev; /* of the join */
    int64_t high;         /* the highest rev of an event */
    int64_t place_rev;    /* of what it heard last of its place */
    int64_t token;        /* the lock that it believes to have */
    int64_t lock_rev;     /* of what it heard of that last: questions from before are over */
    char lock[64];
    int64_t expires;
    int connections[PEOPLE], editor; /* by the first person of that name; -1: nobody edits */
    int64_t position;                /* -1: its turn; 0: none */
    struct ids received;
    char takeover[24];
    struct expected expect[256]; /* in order */
    size_t expect_first, expect_end;
    struct expected held[256]; /* while its first join is under way */
    size_t held_count;
    int64_t lost[64]; /* tokens it was told to have lost */
    size_t lost_count;
};

/* An answer of the store on its way. They come in the order of their questions. */
struct reply {
    struct person *p;
    unsigned session; /* whose it is: a later one of the same tab does not get it */
    enum reply_kind { REPORTED, JOINED, GRANTED, QUEUED, RELEASED, LEFT } kind;
    struct picture snapshot;
    struct lock_view lock;
    int64_t rev, position;
};

struct walk {
    struct world *w;
    struct seeded random;
    bool losses;
    struct client clients[PEOPLE];
    unsigned sessions[PEOPLE];
    struct reply replies[QUEUE_MAX];
    size_t reply_count;
    /* the room, plainly */
    bool synced, degraded, resyncing;
    int64_t position; /* its rev */
    const struct lock_event *waiting[LOG_MAX];
    size_t waiting_count;
    int64_t missed_token; /* of a takeover that the room knew nothing of */
    size_t told, missed;  /* messages, events: for the record */
};

static struct walk *walk;

/* WSLOCK_TEST_VERBOSE=1: says what it does. */
static void trace(const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (getenv("WSLOCK_TEST_VERBOSE") != NULL) {
        vprintf(format, args);
    }
    va_end(args);
}

static bool chance(unsigned percent) {
    return seeded_below(&walk->random, 100) < percent;
}

static size_t index_of(const struct person *p) {
    return (size_t)(p - walk->w->people);
}

static struct client *client_of(const struct person *p) {
    return &walk->clients[index_of(p)];
}

static struct person *any_person(void) {
    return &walk->w->people[seeded_below(&walk->random, PEOPLE)];
}

/* ---- what must be told ---- */

static void expect(struct client *c, struct expected e) {
    assert_true(c->expect_end - c->expect_first < ARRAY_LEN(c->expect));
    c->expect[c->expect_end++ % ARRAY_LEN(c->expect)] = e;
}

static void room_says(struct expected e) {
    for (size_t i = 0; i < PEOPLE; i++) {
        struct client *c = &walk->clients[i];
        bool first = c->state == ASKED || c->state == ENTERED;
        if (first) {
            assert_true(c->held_count < ARRAY_LEN(c->held));
            c->held[c->held_count++] = e;
        } else if (c->state == IN &&
                   (e.event != NULL ? e.rev > c->snapshot_rev : e.rev >= c->snapshot_rev)) {
            expect(c, e);
        }
    }
}

static void room_takes(const struct lock_event *e) {
    if (e->rev <= walk->position) {
        return;
    }
    walk->position = e->rev;
    if (e->kind == LOCK_EVENT_LOCK) {
        room_says((struct expected){e->rev, e});
    }
}

static void room_takes_waiting(void) {
    for (size_t i = 0; i < walk->waiting_count; i++) {
        room_takes(walk->waiting[i]);
    }
    walk->waiting_count = 0;
}

/* ---- the clients ---- */

static int who(const json_t *user) {
    const char *id = json_string_value(json_object_get(user, "userId"));
    for (size_t i = 0; i < PEOPLE; i++) {
        if (strcmp(walk->w->people[i].name, id) == 0) {
            return (int)i;
        }
    }
    fail();
    return -1;
}

static void note_id(struct ids *ids, const char *id) {
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(ids->id[i], id) == 0) {
            return;
        }
    }
    assert_true(ids->count < IDS_MAX);
    snprintf(ids->id[ids->count++], sizeof ids->id[0], "%s", id);
}

static void forget_id(struct ids *ids, const char *id) {
    for (size_t i = 0; i < ids->count; i++) {
        if (strcmp(ids->id[i], id) == 0) {
            memcpy(ids->id[i], ids->id[--ids->count], sizeof ids->id[0]);
        }
    }
}

static void describe_lock(char *out, size_t size, const char *state, const char *name, size_t len) {
    snprintf(out, size, "%s %.*s", state, (int)len, name);
}

static void hear_lock(struct client *c, const char *mine, int64_t rev, const char *cause,
                      const json_t *lock) {
    assert_true(c->expect_first < c->expect_end);
    struct expected e = c->expect[c->expect_first++ % ARRAY_LEN(c->expect)];
    const json_t *person = json_object_get(lock, "holder");
    person = person != NULL ? person : json_object_get(lock, "reservedFor");
    const char *name = person != NULL ? json_string_value(json_object_get(person, "userId")) : "";
    assert_int_equal(rev, e.rev);
    assert_string_equal(cause, e.event ? lock_cause_text(e.event->cause) : "RECOVERED");
    describe_lock(c->lock, sizeof c->lock, json_string_value(json_object_get(lock, "state")), name,
                  strlen(name));
    if (c->position == -1 && (strncmp(c->lock, "reserved", 8) != 0 || strcmp(name, mine) != 0)) {
        c->position = 0; /* its turn is over, whatever else it hears */
    }
    c->expires = json_integer_value(json_object_get(lock, "expiresAt"));
}

static void hear_users(struct client *c, const json_t *users) {
    for (size_t i = 0; i < json_array_size(users); i++) {
        const json_t *user = json_array_get(users, i);
        int n = who(user);
        c->connections[n] = (int)json_integer_value(json_object_get(user, "connections"));
        if (json_is_true(json_object_get(user, "hasLock"))) {
            c->editor = n;
        } else if (c->editor == n) {
            c->editor = -1;
        }
    }
}

/* Up to this token it has no lock, and is asked nothing about it. */
static void forget_lock(struct client *c, int64_t rev, int64_t token) {
    c->token = c->token <= token ? 0 : c->token;
    c->lock_rev = rev;
    c->received.count = 0;
    c->takeover[0] = '\0';
}

/* Of a grant that this tab had, once before its reply and once after it. */
static void hear_lost(struct person *p, struct client *c, int64_t rev, int64_t token) {
    const struct world *w = p->world;
    bool had = false;
    unsigned told = 0;
    for (size_t i = 0; i < w->logged && !had; i++) {
        const struct lock_view *l = &w->log[i].lock;
        had = l->token == token && is_at(p, l->user_id, l->client_id);
    }
    assert_true(had);
    for (size_t i = 0; i < c->lost_count; i++) {
        told += c->lost[i] == token;
    }
    assert_true(told == 0 || (told == 1 && c->token == token));
    c->lost[c->lost_count++ % ARRAY_LEN(c->lost)] = token;
    forget_lock(c, rev, token);
    if (c->place_rev < token) {
        c->position = 0; /* that grant was what it waited for */
    }
}

static void hear_presence(struct client *c, const json_t *data) {
    const json_t *left = json_object_get(data, "left"), *users = json_object_get(data, "users");
    if (users != NULL) {
        memset(c->connections, 0, sizeof c->connections);
        c->editor = -1;
    }
    hear_users(c, users);
    hear_users(c, json_object_get(data, "joined"));
    hear_users(c, json_object_get(data, "changed"));
    for (size_t i = 0; i < json_array_size(left); i++) {
        int n = who(json_array_get(left, i));
        c->connections[n] = 0;
        c->editor = c->editor == n ? -1 : c->editor;
    }
}

/* What is older than what was heard of the same is ignored: a reply may be ahead of the events, or
 * behind them. */
static void take_place(struct client *c, int64_t rev, int64_t position) {
    if (rev >= c->place_rev) {
        c->place_rev = rev;
        c->position = position;
    }
}

/* Of its place, or its turn. False: not about that. */
static bool hear_place(struct client *c, const char *event, const json_t *data, int64_t rev) {
    int64_t position = 0;
    if (strcmp(event, "lock:queued") == 0) {
        position = json_integer_value(json_object_get(data, "position"));
    } else if (strcmp(event, "lock:your_turn") == 0 || strcmp(event, "lock:available") == 0) {
        position = -1;
    } else if (strcmp(event, "lock:requested") == 0) {
        if (json_is_integer(json_object_get(data, "expiresAt")) || rev == c->place_rev) {
            return true;
        } /* else approved: it waits for nothing but an administrator */
    } else if (strcmp(event, "lock:queue_left") != 0) {
        return false;
    }
    take_place(c, rev, position);
    return true;
}

/* Of what it is asked as the holder. */
static void hear_question(struct client *c, const char *event, int64_t rev, const char *id) {
    if (rev > 0 && rev < c->lock_rev) {
        return;
    }
    if (strcmp(event, "lock:request_received") == 0) {
        note_id(&c->received, id);
    } else if (strcmp(event, "lock:request_closed") == 0) {
        forget_id(&c->received, id);
    } else if (strcmp(event, "lock:takeover_requested") == 0) {
        snprintf(c->takeover, sizeof c->takeover, "%s", id);
    } else if (strcmp(event, "lock:takeover_closed") == 0 && strcmp(c->takeover, id) == 0) {
        c->takeover[0] = '\0';
    }
}

static void on_told(struct person *p, const char *event, const json_t *data) {
    struct client *c = client_of(p);
    const json_t *rev_field = json_object_get(data, "rev");
    int64_t rev = json_integer_value(rev_field);

    walk->told++;
    trace("        %s: %s\n", p->client, p->told[0]);
    p->told_count = 0;
    if (rev_field != NULL) { /* never falls, and nothing is older than what it joined with */
        assert_true(rev >= c->high);
        assert_true(rev >= c->snapshot_rev);
        c->high = rev;
    }
    if (strcmp(event, "lock:state") == 0) {
        hear_lock(c, p->name, rev, json_string_value(json_object_get(data, "cause")),
                  json_object_get(data, "lock"));
    } else if (strcmp(event, "lock:acquired") == 0) {
        c->token = json_integer_value(json_object_get(data, "token"));
        take_place(c, rev, 0);
    } else if (strcmp(event, "lock:lost") == 0) {
        hear_lost(p, c, rev, json_integer_value(json_object_get(data, "token")));
    } else if (strncmp(event, "presence:", 9) == 0) {
        hear_presence(c, data);
    } else if (!hear_place(c, event, data, rev)) {
        hear_question(c, event, rev, json_string_value(json_object_get(data, "requestId")));
    }
}

/* resource:joined. */
static void hear_joined(struct person *p, const struct picture *snapshot) {
    struct client *c = client_of(p);
    const struct lock_view *l = &snapshot->s.lock;
    struct wire_pending pending;
    struct wire_open_request *received;
    const struct lock_member self = {.user_id = str_of(p->name),
                                     .username = str_of(p->name),
                                     .client_id = str_of(p->client),
                                     .joined_ms = p->joined_ms};
    struct wire_user *users;
    size_t count = room_joined_users(&p->sub, &snapshot->s, &self, &users);

    assert_true(snapshot->s.rev >= c->high);
    c->high = c->snapshot_rev = c->place_rev = snapshot->s.rev;
    describe_lock(c->lock, sizeof c->lock, lock_state_text(l->state), l->user_id.p, l->user_id.len);
    c->expires = l->expires_ms;
    memset(c->connections, 0, sizeof c->connections);
    c->editor = -1;
    for (size_t i = 0; i < count; i++) {
        for (size_t n = PEOPLE; n > 0; n--) {
            if (str_eqz(users[i].person.user_id, walk->w->people[n - 1].name)) {
                c->connections[n - 1] = (int)users[i].connections;
                c->editor = users[i].has_lock ? (int)n - 1 : c->editor;
            }
        }
    }
    mem_free(users);
    /* of two persons of a name the first counts */
    c->connections[5] = 0;
    c->editor = c->editor == 5 ? 0 : c->editor;
    room_pending(&p->sub, &snapshot->s, &pending, &received);
    c->position = pending.claim_by_ms > 0 ? -1 : pending.position;
    c->received.count = 0;
    for (size_t i = 0; i < pending.received_count; i++) {
        char id[24];
        snprintf(id, sizeof id, "%.*s", (int)received[i].request_id.len, received[i].request_id.p);
        note_id(&c->received, id);
    }
    mem_free(received);
    c->takeover[0] = '\0';
    if (pending.takeover_id.len > 0 && !str_eqz(pending.admin.user_id, p->name) &&
        l->state == LOCK_STATE_HELD && is_at(p, l->user_id, l->client_id)) {
        snprintf(c->takeover, sizeof c->takeover, "%.*s", (int)pending.takeover_id.len,
                 pending.takeover_id.p);
    }
}

#endif
