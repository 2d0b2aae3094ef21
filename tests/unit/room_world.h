/*
 * A room without Redis. The functions of lock.h that rooms call are defined here, in place of the
 * library's; events are given to the rooms when the test says so. A person is one tab's connection:
 * what session does for a membership, and what it was told, as text.
 */
#ifndef WSLOCK_TESTS_UNIT_ROOM_WORLD_H
#define WSLOCK_TESTS_UNIT_ROOM_WORLD_H

#include "room_truth.h"

/* ---- lock.h ---- */

int64_t lock_store_now_ms(const struct lock_store *store) {
    return store->now_ms;
}

int64_t lock_store_now_at_ms(const struct lock_store *store, struct str resource) {
    (void)resource;
    return store->now_ms;
}

unsigned lock_store_shard(const struct lock_store *store, struct str resource) {
    (void)store;
    (void)resource;
    return 0;
}

int64_t lock_store_fed(const struct lock_store *store, struct str resource) {
    (void)resource;
    return store->fed;
}

void lock_store_follow(struct lock_store *store, struct str resource) {
    (void)resource;
    store->followed++;
}

void lock_store_unfollow(struct lock_store *store, struct str resource) {
    (void)resource;
    assert_true(store->followed-- > 0);
}

bool lock_store_window_open(const struct lock_store *store) {
    return store->window;
}

bool lock_store_is_away(const struct lock_store *store, struct str resource) {
    (void)resource;
    return !store->served;
}

int64_t lock_store_confirmed_until_ms(const struct lock_store *store, struct str resource,
                                      int64_t expires_ms, const struct config_policy *policy) {
    (void)resource;
    (void)policy;
    return expires_ms < store->confirmed_until_ms ? expires_ms : store->confirmed_until_ms;
}

void lock_note_ending(struct lock_store *store, const struct lock_event *event) {
    (void)store;
    (void)event;
}

static inline struct report *new_report(struct lock_store *store, void *arg) {
    assert_true(store->report_count < REPORTS_MAX);
    struct report *r = &store->reports[store->report_count++];
    *r = (struct report){.arg = arg};
    return r;
}

void lock_report(struct lock_store *store, struct str resource, const struct config_policy *policy,
                 const struct lock_report_member *members, size_t count,
                 const struct lock_report_waiting *waiting, int64_t seen_token, int64_t known,
                 lock_report_cb cb, void *arg) {
    struct report *r = new_report(store, arg);
    (void)policy;
    assert_string_equal(resource.p, R);
    assert_true(count <= PEOPLE + 1);
    r->report_cb = cb;
    r->count = count;
    memcpy(r->members, members, count * sizeof *members);
    r->waiting = *waiting;
    r->seen_token = seen_token;
    r->known = known;
}

void lock_report_done(struct lock_store *store, unsigned shard) {
    (void)shard;
    store->done++;
}

void lock_status(struct lock_store *store, struct str resource, lock_cb cb, void *arg) {
    (void)resource;
    struct report *r = new_report(store, arg);
    r->cb = cb;
    r->kind = REPORT_STATUS;
}

void lock_give_up(struct lock_store *store, const struct lock_caller *caller, int64_t token,
                  lock_cb cb, void *arg) {
    struct report *r = new_report(store, arg);
    (void)caller;
    r->cb = cb;
    r->kind = REPORT_GIVE_UP;
    r->token = token;
}

/* ---- a person ---- */

static inline void put(char *out, const char *sep, const char *text) {
    size_t len = strlen(out);
    snprintf(out + len, sizeof((struct person *)0)->told[0] - len, "%s%s", sep, text);
}

static inline void put_users(char *out, const char *sign, const json_t *users) {
    for (size_t i = 0; i < json_array_size(users); i++) {
        put(out, sign, json_string_value(json_object_get(json_array_get(users, i), "userId")));
    }
}

/* "event @rev", and of the fields what tells one message from another. */
static inline void describe_message(char *out, const char *event, const json_t *data) {
    static const char *const texts[] = {"cause", "reason", "outcome", "requestId",     "admin",
                                        "from",  "by",     "holder",  "previousHolder"};
    static const char *const numbers[] = {"token", "position", "viewers"};
    const json_t *lock = json_object_get(data, "lock"), *rev = json_object_get(data, "rev");
    char number[32];

    out[0] = '\0';
    put(out, "", event);
    if (rev != NULL) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(rev));
        put(out, " @", number);
    }
    if (lock != NULL) {
        const json_t *who = json_object_get(lock, "holder");
        who = who != NULL ? who : json_object_get(lock, "reservedFor");
        put(out, " ", json_string_value(json_object_get(lock, "state")));
        if (who != NULL) {
            put(out, " ", json_string_value(json_object_get(who, "userId")));
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const char *text = json_string_value(json_object_get(data, texts[i]));
        if (text != NULL) {
            put(out, " ", text);
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        const json_t *value = json_object_get(data, numbers[i]);
        if (value != NULL) {
            snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
            put(out, " ", number);
        }
    }
    put_users(out, " +", json_object_get(data, "joined"));
    put_users(out, " -", json_object_get(data, "left"));
    put_users(out, " ~", json_object_get(data, "changed"));
    put_users(out, " =", json_object_get(data, "users"));
}

static inline struct person *person_of(struct room_sub *sub) {
    return CONTAINER_OF(sub, struct person, sub);
}

static inline void person_deliver(struct room_sub *sub, struct wire_message *m) {
    struct person *p = person_of(sub);
    if (p->deaf) {
        return;
    }
    struct frame *frame = wire_message_frame(m, WIRE_FRAMING_NATIVE, 0);
    frame_unref(p->last);
    p->last = frame_ref(frame);
    json_t *message = json_loadb((const char *)frame_payload(frame), frame->len, 0, NULL);
    const char *event = json_string_value(json_object_get(message, "event"));
    const json_t *data = json_object_get(message, "data");

    assert_non_null(event);
    assert_true(p->told_count < TOLD_MAX);
    describe_message(p->told[p->told_count++], event, data);
    if (p->world->on_told != NULL) {
        p->world->on_told(p, event, data);
    }
    json_decref(message);
}

static inline bool person_on_lost(struct room_sub *sub, int64_t rev, int64_t token,
                                  enum lock_cause reason) {
    struct person *p = person_of(sub);

    if (token <= p->lost_token) {
        return false;
    }
    p->lost_token = token;
    p->lost_rev = rev;
    p->lost_reason = reason;
    if (p->token <= token) {
        p->token = 0;
    }
    return true;
}

static inline bool person_describe(struct room_sub *sub, struct lock_report_member *out) {
    struct person *p = person_of(sub);
    struct lock_view lock;

    room_lock(sub, &lock);
    *out = (struct lock_report_member){
        .user_id = str_of(p->name),
        .username = str_of(p->name),
        .client_id = str_of(p->client),
        .session_id = str_of(p->session),
        .joined_ms = p->joined_ms,
        .token = p->token,
        .since_ms = p->since_ms,
        .expires_ms = lock.token == p->token ? lock.expires_ms : p->expires_ms,
    };
    return p->joined_ms != 0;
}

static inline bool person_holds(struct room_sub *sub, int64_t token) {
    const struct person *p = person_of(sub);
    return p->joined_ms != 0 && p->token == token;
}

static inline bool person_is_asking(struct room_sub *sub) {
    return person_of(sub)->asking;
}

static inline struct wire_message *person_take(struct person *p, const struct wire_at *at,
                                               const struct lock_view *lock, bool resumed) {
    struct wire_to to = {0};

    if (p->lost_token >= lock->token && p->lost_rev <= at->rev) {
        p->lost_token = lock->token - 1;
    }
    p->token = lock->token;
    p->since_ms = lock->since_ms;
    p->expires_ms = lock->expires_ms;
    room_note_lock(&p->sub, lock);
    return wire_acquired(&to, at, lock->token, lock->expires_ms, &p->world->policy, NULL, resumed,
                         (struct str){NULL, 0});
}

static inline struct wire_message *person_granted(struct room_sub *sub, const struct wire_at *at,
                                                  const struct lock_event *e) {
    struct person *p = person_of(sub);
    bool over =
        e->lock.token < p->token || (e->lock.token <= p->lost_token && at->rev < p->lost_rev);
    if (str_eqz(e->actor_session_id, p->session) || over) {
        return NULL;
    }
    return person_take(p, at, &e->lock, false);
}

static inline struct wire_message *person_lifted(struct room_sub *sub, const struct wire_at *at,
                                                 const struct lock_view *lock) {
    return person_take(person_of(sub), at, lock, true);
}

static const struct room_sub_ops person_ops = {.deliver = person_deliver,
                                               .on_lost = person_on_lost,
                                               .granted = person_granted,
                                               .lifted = person_lifted,
                                               .holds = person_holds,
                                               .describe = person_describe,
                                               .is_asking = person_is_asking};

/* ---- the program around the rooms ---- */

static inline void on_reported(void *ctx, const struct lock_result *result) {
    (void)ctx;
    (void)result;
}

static inline void on_superseded(void *ctx, struct str session_id) {
    struct world *w = ctx;
    snprintf(w->superseded, sizeof w->superseded, "%.*s", (int)session_id.len, session_id.p);
}

static inline void report_answer(const struct report *r, const struct lock_report_result *result) {
    if (r->kind == REPORT_ROOM) {
        r->report_cb(r->arg, result);
    } else {
        r->cb(r->arg, &result->common);
    }
}

static inline struct world *world_create(void) {
    static const char *const names[PEOPLE][2] = {{"ann", "a1"}, {"bob", "b1"}, {"cid", "c1"},
                                                 {"dan", "d1"}, {"eve", "e1"}, {"ann", "a2"}};
    struct world *w = calloc(1, sizeof *w);
    w->type.policy = &w->policy;
    w->policy = (struct config_policy){
        .type = "page",
        .lock_ttl_ms = 60000,
        .heartbeat_interval_ms = 20000,
        .max_tab_locks = CONFIG_NO_LIMIT,
        .max_viewers = CONFIG_NO_LIMIT,
        .claim_window_ms = SOME_MS,
        .disconnect = CONFIG_DISCONNECT_GRACE,
        .grace_period_ms = SOME_MS,
        .idle_release_ms = CONFIG_NO_LIMIT,
        .presence_max_listed = 200,
    };
    w->store.now_ms = NOW_MS;
    w->store.confirmed_until_ms = INT64_MAX;
    w->rev = w->store.fed = 100;
    w->wheel = wheel_create(0);
    w->rooms = rooms_create(w->wheel, &w->store, on_reported, on_superseded, w);
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *p = &w->people[i];
        p->world = w;
        p->name = names[i][0];
        p->client = names[i][1];
    }
    return w;
}

/* What was not answered when the program ends is answered LOCK_UNKNOWN. */
static inline void world_destroy(struct world *w) {
    static const struct lock_report_result unknown = {.common.status = LOCK_UNKNOWN};
    for (size_t i = 0; i < PEOPLE; i++) {
        room_unsubscribe(&w->people[i].sub);
        frame_unref(w->people[i].last);
    }
    while (w->store.report_count > 0) {
        struct report r = w->store.reports[--w->store.report_count];
        report_answer(&r, &unknown);
    }
    assert_int_equal(w->store.followed, rooms_type(w->rooms, str_of(R)) != NULL);
    rooms_destroy(&w->rooms);
    wheel_destroy(&w->wheel);
    for (size_t i = 0; i < w->kept_count; i++) {
        mem_free(w->kept[i]);
    }
    free(w);
}

/* Gives the rooms the next of what they have not had; false: there is none. */
static inline bool feed_one(struct world *w) {
    if (w->fed == w->logged) {
        return false;
    }
    const struct lock_event *e = &w->log[w->fed++];
    w->store.fed = e->rev;
    rooms_on_event(w->rooms, e);
    return true;
}

static inline void feed_all(struct world *w) {
    while (feed_one(w)) {
    }
}

/* The rest is missed. */
static inline void lose_feed(struct world *w) {
    w->fed = w->logged;
}

/* Answers the oldest call that the rooms made on their own. snapshot NULL: the room as it is. */
static inline void answer_report(struct world *w, struct lock_report_result *result,
                                 const struct picture *snapshot) {
    struct picture now;
    struct report r = w->store.reports[0];
    w->store.report_count--;
    memmove(w->store.reports, w->store.reports + 1, w->store.report_count * sizeof r);
    take_picture(w, &now);
    result->snapshot = snapshot != NULL ? snapshot->s : now.s;
    result->common.rev = result->snapshot.rev;
    result->common.now_ms = w->store.now_ms;
    result->common.lock = result->snapshot.lock;
    report_answer(&r, result);
}

static inline void answer_reports(struct world *w) {
    while (w->store.report_count > 0) {
        answer_report(w, &(struct lock_report_result){.common.status = LOCK_OK}, NULL);
    }
}

/* Asks to join; pending until person_answer. */
static inline void person_subscribe(struct person *p) {
    struct world *w = p->world;
    char *session = keep(w, mem_alloc(24)); /* the log names it */
    snprintf(session, 24, "%s-%u", p->client, ++w->sessions);
    p->session = session;
    p->token = p->lost_token = p->joined_ms = 0;
    p->told_count = 0;
    p->here = true;
    p->sub = (struct room_sub){.ops = &person_ops,
                               .user_id = str_of(p->name),
                               .client_id = str_of(p->client),
                               .presence = p->sub.presence};
    rooms_subscribe(w->rooms, str_of(R), &w->type, &p->sub);
}

/* The join's reply: resource:joined stands among what it was told as "joined @rev". */
static inline void person_answer(struct person *p, const struct picture *snapshot) {
    struct world *w = p->world;
    if (p->joined_ms == 0) {
        p->joined_ms = w->store.now_ms;
    }
    room_take_snapshot(&p->sub, &snapshot->s);
    snprintf(p->told[p->told_count++], sizeof p->told[0], "joined @%lld",
             (long long)snapshot->s.rev);
    const struct lock_view *l = &snapshot->s.lock;
    if (l->state == LOCK_STATE_HELD && is_at(p, l->user_id, l->client_id)) {
        wire_message_unref(person_take(
            p, &(struct wire_at){str_of(R), snapshot->s.rev, w->store.now_ms}, l, true));
    }
    assert_true(room_activate(&p->sub, snapshot->s.rev));
    room_send_open_requests(&p->sub, &snapshot->s);
}

static inline void person_join(struct person *p) {
    struct picture now;
    person_subscribe(p);
    do_enter(p);
    if (owns(p)) {
        do_resume(p);
    }
    take_picture(p->world, &now);
    person_answer(p, &now);
}

static inline void person_part(struct person *p) {
    room_unsubscribe(&p->sub);
    p->here = false;
}

/* A reply to lock:acquire. */
static inline void person_acquired(struct person *p, const struct lock_view *lock, int64_t rev) {
    struct wire_at at = {str_of(R), rev, p->world->store.now_ms};
    struct wire_message *message = person_take(p, &at, lock, false);
    person_deliver(&p->sub, message);
    wire_message_unref(message);
    if (p->lost_token >= lock->token) {
        p->token = 0;
        room_tell_ended(&p->sub, lock->token, p->lost_reason);
    }
}

static inline void person_acquire(struct person *p) {
    struct world *w = p->world;
    do_acquire(p);
    if (owns(p)) {
        person_acquired(p, &w->lock, w->rev);
    }
}

static inline void after_ms(struct world *w, int64_t ms) {
    w->boot_ms += (uint64_t)ms;
    w->store.now_ms += ms;
    wheel_advance(w->wheel, w->boot_ms);
}

/* ---- what was told ---- */

/* Exactly these, in this order, since the last look; NULL ends the list. */
static inline void assert_told_list(struct person *p, int line, const char *const *expected) {
    size_t n = 0;
    bool same = true;
    while (expected[n] != NULL) {
        same = same && n < p->told_count && strcmp(expected[n], p->told[n]) == 0;
        n++;
    }
    if (!same || n != p->told_count) {
        for (size_t i = 0; i < p->told_count; i++) {
            print_message("    told %s: \"%s\"\n", p->client, p->told[i]);
        }
        print_message("    expected in line %d:\n", line);
        for (size_t i = 0; i < n; i++) {
            print_message("        \"%s\"\n", expected[i]);
        }
        fail();
    }
    p->told_count = 0;
}
#define assert_told(p, ...) assert_told_list(p, __LINE__, (const char *const[]){__VA_ARGS__, NULL})
#define assert_told_nothing(p) assert_told_list(p, __LINE__, (const char *const[]){NULL})

static inline void forget_told(struct world *w) {
    for (size_t i = 0; i < PEOPLE; i++) {
        w->people[i].told_count = 0;
    }
}

/* ---- how tests begin and end ---- */

enum { ANN, BOB, CID, DAN, EVE, ANN2 };

/* So many are in the room, and the next rev is 1010. */
static inline int begin_with(void **state, size_t people) {
    struct world *w = world_create();
    for (size_t i = 0; i < people; i++) {
        person_join(&w->people[i]);
    }
    feed_all(w);
    after_ms(w, 200);
    forget_told(w);
    w->rev = w->store.fed = 1000;
    *state = w;
    return 0;
}

static inline int teardown(void **state) {
    world_destroy(*state);
    return 0;
}

static inline void takes_it(struct world *w, struct person *p) {
    person_acquire(p);
    feed_all(w);
    forget_told(w);
}

#endif
