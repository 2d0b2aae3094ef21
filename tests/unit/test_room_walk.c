/*
 * A random walk: people join, leave and come back, take, ask for and lose a lock; replies and
 * events come at different speeds; events are missed and the store goes away. Beside the rooms goes
 * a plain model of what each one must be told of the lock, and a client for each one that believes
 * what it is told. When all has come through, each client knows the room as it is.
 */
#include "room_clients.h"

#define ROUNDS 400
#define STEPS 120

/* ---- replies ---- */

static struct reply *new_reply(struct person *p, enum reply_kind kind) {
    assert_true(walk->reply_count < QUEUE_MAX);
    struct reply *r = &walk->replies[walk->reply_count++];
    r->p = p;
    r->session = walk->sessions[index_of(p)];
    r->kind = kind;
    r->rev = walk->w->rev;
    r->lock = walk->w->lock;
    take_picture(walk->w, &r->snapshot);
    return r;
}

/* What the rooms asked on their own is dealt with by the store at once. */
static void send_reports(size_t from) {
    for (size_t i = from; i < walk->w->store.report_count; i++) {
        new_reply(walk->w->people, REPORTED);
    }
}

static void note_ahead(void) {
    for (size_t i = 0; i < PEOPLE; i++) {
        struct client *c = &walk->clients[i];
        c->ahead =
            c->ahead || c->state == ENTERED || c->joining_again || c->snapshot_rev > walk->position;
    }
}

/* Events that the room never takes: it knows nothing of a takeover that came and went in them. */
static void note_missed(int64_t until) {
    for (size_t i = 0; i < walk->w->logged; i++) {
        const struct lock_event *e = &walk->w->log[i];
        if (e->kind == LOCK_EVENT_LOCK && e->takeover.present && e->rev > walk->position &&
            e->rev <= until) {
            walk->missed_token = e->lock.token;
        }
    }
}

static void answer_reported(const struct picture *snapshot) {
    struct world *w = walk->w;
    size_t left = w->store.report_count - 1;
    int64_t rev = walk->waiting_count > 0 ? walk->waiting[0]->rev - 1 : w->store.fed;
    note_ahead();
    walk->degraded = false;
    note_missed(snapshot->s.rev);
    if (snapshot->s.rev > walk->position) {
        walk->position = snapshot->s.rev;
    }
    room_says((struct expected){rev > walk->position ? rev : walk->position, NULL});
    room_takes_waiting();
    answer_report(w, &(struct lock_report_result){.common.status = LOCK_OK}, snapshot);
    send_reports(left);
    walk->resyncing = w->store.done == 0;
}

static void take_grant(struct person *p, const struct lock_view *lock, int64_t rev) {
    client_of(p)->token = lock->token;
    wire_message_unref(person_take(p, &(struct wire_at){str_of(R), rev, NOW_MS}, lock, false));
    if (p->lost_token >= lock->token) {
        p->token = 0;
        room_tell_ended(&p->sub, lock->token, p->lost_reason);
    }
}

static void answer_join(struct person *p, struct client *c, const struct picture *snapshot) {
    const struct lock_view *l = &snapshot->s.lock;
    c->joining_again = false;
    if (p->joined_ms == 0) {
        p->joined_ms = NOW_MS;
    }
    if (!walk->synced) {
        walk->synced = true;
        walk->position = snapshot->s.rev;
        room_takes_waiting();
    }
    for (size_t i = 0; i < c->held_count; i++) {
        const struct expected *e = &c->held[i];
        if (e->event != NULL ? e->rev > snapshot->s.rev : e->rev >= snapshot->s.rev) {
            expect(c, *e);
        }
    }
    c->held_count = 0;
    room_take_snapshot(&p->sub, &snapshot->s);
    c->state = IN;
    hear_joined(p, snapshot);
    if (l->state == LOCK_STATE_HELD && is_at(p, l->user_id, l->client_id)) {
        take_grant(p, l, snapshot->s.rev);
    }
    assert_true(room_activate(&p->sub, snapshot->s.rev));
    room_send_open_requests(&p->sub, &snapshot->s);
}

static void answer(const struct reply *r) {
    static const char *const kinds[] = {"reported", "joined",   "granted",
                                        "queued",   "released", "left"};
    struct person *p = r->p;
    trace("    reply %s %s %lld\n", p->client, kinds[r->kind], (long long)r->rev);
    if (r->kind == REPORTED) {
        answer_reported(&r->snapshot);
        return;
    }
    struct client *c = client_of(p);
    if (r->session != walk->sessions[index_of(p)] || c->state == OUT) {
        return; /* that connection is gone */
    }
    if (r->kind == JOINED) {
        answer_join(p, c, &r->snapshot);
        return;
    }
    c->asking = false;
    if (r->kind == GRANTED) {
        take_place(c, r->rev, 0);
        take_grant(p, &r->lock, r->rev);
    } else if (r->kind == QUEUED) {
        take_place(c, r->rev, r->position);
        room_note_position(&p->sub, r->position, r->rev);
    } else if (r->kind == LEFT) {
        take_place(c, r->rev, 0);
    } else {
        if (p->token > p->lost_token) {
            p->lost_token = p->token;
            p->lost_rev = r->rev;
            p->lost_reason = LOCK_CAUSE_RELEASED;
        }
        p->token = 0;
        forget_lock(c, r->rev, INT64_MAX);
    }
}

static bool answer_one(void) {
    static struct reply r;
    if (walk->reply_count == 0) {
        return false;
    }
    r = walk->replies[0];
    walk->reply_count--;
    memmove(walk->replies, walk->replies + 1, walk->reply_count * sizeof r);
    r.snapshot.s.members = r.snapshot.members;
    r.snapshot.s.waiters = r.snapshot.waiters;
    answer(&r);
    return true;
}

/* ---- what people do; nothing is asked of a store that is away ---- */

static bool may_ask(const struct client *c) {
    return c->state == IN && !c->asking && !c->joining_again && !walk->degraded && !walk->resyncing;
}

/* As in the daemon, the store lists the members only if the room's copy does not have them. */
static void reply_join(struct person *p, int64_t before_rev) {
    struct lock_snapshot *s = &new_reply(p, JOINED)->snapshot.s;
    s->before_rev = before_rev;
    if (room_has_users(&p->sub)) {
        s->member_listed = 0;
    }
}

static void step_join(struct person *p, struct client *c) {
    int64_t rev = p->world->rev;
    if (c->state == OUT) {
        walk->sessions[index_of(p)]++;
        memset(c, 0, sizeof *c);
        c->state = ASKED;
        p->sub.presence = chance(30) ? WIRE_PRESENCE_FULL : WIRE_PRESENCE_DIFF;
        person_subscribe(p);
    } else if (c->state == ASKED && !walk->degraded && !walk->resyncing) {
        c->state = ENTERED;
        do_enter(p);
        if (owns(p) && chance(50)) {
            do_resume(p);
        }
        reply_join(p, rev);
    } else if (may_ask(c)) {
        c->joining_again = true;
        room_pause(&p->sub);
        reply_join(p, rev);
    }
}

static void step_part(struct person *p, struct client *c) {
    bool on_purpose = chance(50);
    if (c->state == OUT || p == &p->world->people[0]) { /* somebody stays, and so does the room */
        return;
    }
    if (!on_purpose) {
        room_note_departed(&p->sub, false);
    }
    person_part(p);
    if (c->state != ASKED) {
        do_depart(p, on_purpose);
    }
    c->state = OUT;
}

static void step_acquire(struct person *p, struct client *c) {
    struct world *w = p->world;
    if (!may_ask(c) || owns(p)) {
        return;
    }
    do_acquire(p);
    c->asking = true;
    new_reply(p, owns(p) ? GRANTED : QUEUED)->position =
        owns(p) ? 0 : waiter_of(p) - w->waiters + 1;
}

static void step_release(struct person *p, struct client *c) {
    if (may_ask(c) && owns(p) && c->token == p->world->lock.token) {
        do_end(p->world, LOCK_CAUSE_RELEASED, p->session);
        c->asking = true;
        new_reply(p, RELEASED);
    }
}

static bool knows_of(const struct client *c, struct str id) {
    for (size_t i = 0; i < c->received.count; i++) {
        if (str_eqz(id, c->received.id[i])) {
            return true;
        }
    }
    return false;
}

static void step_request(struct person *p, struct client *c) {
    struct world *w = p->world;
    struct lock_waiter *mine = waiter_of(p);
    struct person *holder = owner(w);
    if (mine == NULL || !mine->requests) {
        if (may_ask(c) && !has_turn(p) && holder != NULL && !str_eqz(w->lock.user_id, p->name)) {
            do_request(p, "please");
        }
        return;
    }
    if (mine->ends_ms == 0) {
        return;
    }
    if (holder != NULL && may_ask(client_of(holder)) && w->lock.state == LOCK_STATE_HELD && p->in &&
        knows_of(client_of(holder), mine->request_id)) {
        char id[24];
        snprintf(id, sizeof id, "%.*s", (int)mine->request_id.len, mine->request_id.p);
        forget_id(&client_of(holder)->received, id);
        room_note_answered(&holder->sub, str_of(id));
        if (chance(50)) {
            do_approve(p, holder->session);
        } else {
            do_drop_place(p, true, LOCK_CAUSE_DENIED, holder->session);
        }
    } else {
        do_drop_place(p, true, may_ask(c) ? LOCK_CAUSE_CANCELLED : LOCK_CAUSE_TIMEOUT, p->session);
    }
}

static void step_queue(struct person *p, struct client *c) {
    struct lock_waiter *mine = waiter_of(p);
    if (has_turn(p)) {
        do_decline(p->world, LOCK_CAUSE_CLAIM_EXPIRED, "");
    } else if (mine != NULL && mine->queues && may_ask(c)) {
        do_drop_place(p, false, LOCK_CAUSE_LEFT, p->session);
        c->asking = true;
        new_reply(p, LEFT);
    }
}

static void step_takeover(struct person *p, struct client *c) {
    struct world *w = p->world;
    if (w->lock.state != LOCK_STATE_HELD) {
        return;
    }
    if (!w->lock.takeover.present) {
        if (may_ask(c) && !str_eqz(w->lock.user_id, p->name)) {
            do_ask_takeover(p, "now");
        }
    } else if (chance(40)) {
        do_force_takeover(w);
    } else if (chance(50) && !w->lock.takeover.denied) {
        do_deny_takeover(w, owner(w)->session);
    } else {
        do_cancel_takeover(w, "CANCELLED", "");
    }
}

static void step_time(void) {
    struct world *w = walk->w;
    struct person *holder = owner(w);
    bool held = w->lock.state == LOCK_STATE_HELD;
    if (holder != NULL && chance(20)) {
        do_end(w, held ? LOCK_CAUSE_EXPIRED : LOCK_CAUSE_GRACE_PERIOD_EXPIRED, "");
    } else if (holder != NULL && held && chance(50)) {
        do_renew(w);
    }
    after_ms(w, (int64_t)seeded_below(&walk->random, 80));
}

/* ---- the feed ---- */

static bool feed_next(void) {
    struct world *w = walk->w;
    if (w->fed == w->logged) {
        return false;
    }
    const struct lock_event *e = &w->log[w->fed];
    trace("    fed %lld\n", (long long)e->rev);
    w->store.fed = e->rev;
    if (walk->synced && !walk->degraded) {
        room_takes(e);
    } else {
        walk->waiting[walk->waiting_count++] = e;
    }
    return feed_one(w);
}

static void resync(void) {
    struct world *w = walk->w;
    walk->resyncing = true;
    w->store.done = 0;
    rooms_resync(w->rooms, 0);
    send_reports(w->store.report_count - 1);
}

/* Some events never come: the next one shows it. Or the store is away. */
static void step_trouble(void) {
    struct world *w = walk->w;
    size_t behind = w->logged - w->fed;
    if (!walk->losses || walk->clients[0].state != IN || walk->resyncing) {
        return; /* where nobody is in the room nothing is reported */
    }
    if (walk->degraded) {
        resync();
    } else if (chance(30)) {
        walk->degraded = true;
        rooms_on_degraded(w->rooms);
    } else if (behind > 1) {
        size_t lost = 1 + seeded_below(&walk->random, behind - 1);
        walk->missed += lost;
        note_missed(w->log[w->fed + lost - 1].rev);
        note_ahead();
        w->fed += lost;
        feed_next();
        resync();
    }
}

/* ---- the walk ---- */

static void step(void) {
    struct person *p = any_person();
    struct client *c = client_of(p);
    switch (seeded_below(&walk->random, 16)) {
    case 0:
    case 1:
        step_join(p, c);
        break;
    case 2:
        if (chance(40)) {
            step_part(p, c);
        }
        break;
    case 3:
    case 4:
        step_acquire(p, c);
        break;
    case 5:
        step_release(p, c);
        break;
    case 6:
        step_request(p, c);
        break;
    case 7:
        step_queue(p, c);
        break;
    case 8:
        step_takeover(p, c);
        break;
    case 9:
        step_time();
        break;
    case 10:
    case 11:
    case 12:
        answer_one();
        break;
    case 13:
        step_trouble();
        break;
    default:
        for (uint64_t n = seeded_below(&walk->random, 4); n > 0; n--) {
            feed_next();
        }
        break;
    }
}

/* All that is on its way arrives. */
static void settle(void) {
    if (walk->degraded && !walk->resyncing) {
        resync();
    }
    while (answer_one() || feed_next()) {
    }
    after_ms(walk->w, 200);
}

static void check_place(struct person *p, const struct client *c) {
    const struct lock_waiter *mine = waiter_of(p);
    int64_t position = has_turn(p) ? -1 : 0;
    if (mine != NULL && mine->queues) {
        position = mine - p->world->waiters + 1;
    }
    assert_int_equal(c->position, position);
}

static void check_questions(struct person *p, const struct client *c) {
    const struct world *w = p->world;
    size_t open = 0;
    for (size_t i = 0; i < w->waiter_count; i++) {
        if (w->waiters[i].requests && w->waiters[i].ends_ms > 0) {
            assert_true(knows_of(c, w->waiters[i].request_id));
            open++;
        }
    }
    if (w->lock.takeover.present) {
        assert_true(str_eqz(w->lock.takeover.request_id, c->takeover));
    }
    assert_int_equal(c->received.count, open);
    assert_true(w->lock.takeover.present || c->takeover[0] == '\0');
}

static void check_presence(const struct world *w, const struct client *c) {
    int connections[PEOPLE] = {0};
    for (size_t i = 0; i < w->member_count; i++) {
        for (int n = 0; n < PEOPLE - 1; n++) {
            connections[n] += str_eqz(w->members[i].user_id, w->people[n].name);
        }
    }
    assert_memory_equal(c->connections, connections, sizeof connections);
    for (int n = 0; n < PEOPLE - 1; n++) {
        bool edits = connections[n] > 0 && lock_is_owned(&w->lock) &&
                     str_eqz(w->lock.user_id, w->people[n].name);
        assert_int_equal(c->editor == n, edits);
    }
}

static void check(struct person *p) {
    const struct world *w = p->world;
    const struct client *c = client_of(p);
    trace("check %s: editor %d\n", p->client, c->editor);
    bool holds = owns(p) && w->lock.state == LOCK_STATE_HELD;
    char lock[64];
    if (c->state != IN) {
        return;
    }
    assert_int_equal(c->expect_first, c->expect_end);
    describe_lock(lock, sizeof lock, lock_state_text(w->lock.state), w->lock.user_id.p,
                  w->lock.user_id.len);
    assert_string_equal(c->lock, lock);
    assert_int_equal(c->expires, w->lock.expires_ms);
    if (!holds || w->lock.token != walk->missed_token) {
        assert_int_equal(c->token, holds ? w->lock.token : 0);
    }
    if (walk->losses) {
        /* What became of a place or a question may have been missed for good. */
    } else if (holds) {
        check_questions(p, c);
    } else {
        check_place(p, c);
    }
    if (!c->ahead) {
        check_presence(w, c);
    }
}

static void trace_events(size_t from) {
    static const char *const kinds[] = {"lock", "join", "leave", "place", "takeover", "operation"};
    for (size_t i = from; i < walk->w->logged; i++) {
        const struct lock_event *e = &walk->w->log[i];
        struct str whose = e->kind == LOCK_EVENT_LOCK       ? e->lock.client_id
                           : e->kind == LOCK_EVENT_WAITER   ? e->waiter.client_id
                           : e->kind == LOCK_EVENT_TAKEOVER ? e->takeover.client_id
                                                            : e->member.client_id;
        trace("%lld %s %s %.*s\n", (long long)e->rev, kinds[e->kind], lock_cause_text(e->cause),
              (int)whose.len, whose.p);
    }
}

static void walks(bool losses) {
    struct seeded random = seeded_start(losses ? "with losses" : "without losses");
    size_t told = 0, missed = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        uint64_t state = random.state;
        walk = calloc(1, sizeof *walk);
        walk->random.state = seeded_next(&random);
        walk->losses = losses;
        walk->w = world_create();
        walk->w->on_told = on_told;
        trace("round %u: WSLOCK_TEST_SEED=%llu\n", round, (unsigned long long)state);
        step_join(&walk->w->people[0], &walk->clients[0]);
        for (unsigned i = 0; i < STEPS; i++) {
            size_t before = walk->w->logged;
            step();
            trace_events(before);
        }
        trace("settle\n");
        settle();
        for (size_t i = 0; i < PEOPLE; i++) {
            check(&walk->w->people[i]);
        }
        told += walk->told;
        missed += walk->missed;
        world_destroy(walk->w);
        free(walk);
    }
    printf("told %zu, missed %zu\n", told, missed);
}

static void without_losses(void **state) {
    (void)state;
    walks(false);
}

static void with_losses(void **state) {
    (void)state;
    walks(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_losses),
        cmocka_unit_test(with_losses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
