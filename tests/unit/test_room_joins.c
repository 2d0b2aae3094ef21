/* Where two streams meet: joins and their snapshots, events held for those who are pending, the
 * store away, events missed. */
#include "room_world.h"

static int setup(void **state) {
    return begin_with(state, BOB + 1);
}

/* ---- joins ---- */

static void what_comes_while_pending_is_held(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_subscribe(&p[CID]);
    person_acquire(&p[ANN]);
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    do_renew(w);
    feed_all(w);
    assert_told_nothing(&p[CID]);
    person_answer(&p[CID], &snapshot);
    assert_told(&p[CID], "joined @1020", "lock:state @1030 held ann RENEWED");
}

static void what_the_snapshot_has_is_not_told_when_it_comes(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_subscribe(&p[CID]);
    person_acquire(&p[ANN]);
    do_acquire(&p[BOB]);
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    person_answer(&p[CID], &snapshot);
    do_renew(w);
    feed_all(w);
    assert_told(&p[CID], "joined @1030", "lock:state @1040 held ann RENEWED");
    after_ms(w, 200); /* that it came is known, and the lock as well */
    assert_told(&p[CID], "presence:diff @1040 2 +cid ~ann");
}

static void a_place_that_the_snapshot_has_is_told_again_after_it(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_acquire(&p[ANN]);
    do_acquire(&p[BOB]);
    feed_all(w);
    person_part(&p[BOB]);
    do_depart(&p[BOB], false);
    person_subscribe(&p[BOB]);
    do_enter(&p[BOB]);
    take_picture(w, &snapshot);
    person_answer(&p[BOB], &snapshot);
    feed_all(w);
    assert_told(&p[BOB], "joined @1060", "lock:queued @1060 1");
}

static void the_holder_gets_its_open_requests_again(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    do_request(&p[BOB], "please");
    feed_all(w);
    person_part(&p[ANN]);
    do_depart(&p[ANN], false);
    person_join(&p[ANN]);
    feed_all(w);
    assert_told(&p[ANN], "joined @1060", "lock:request_received @1060 request-1 bob");
}

static void a_request_that_the_snapshot_has_is_told_once(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    takes_it(w, &p[ANN]);
    do_request(&p[BOB], "please");
    room_pause(&p[ANN].sub);
    take_picture(w, &snapshot);
    person_answer(&p[ANN], &snapshot);
    feed_all(w);
    do_request(&p[CID], "me too");
    feed_all(w);
    assert_told(&p[ANN], "joined @1020", "lock:request_received @1020 request-1 bob",
                "lock:request_received @1030 request-2 cid");
}

static void a_first_snapshot_is_caught_up_with_by_what_was_held(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_part(&p[ANN]);
    person_part(&p[BOB]); /* the room is not known here any more */
    person_subscribe(&p[CID]);
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    do_acquire(&p[BOB]);
    feed_all(w);
    person_answer(&p[CID], &snapshot);
    assert_told(&p[CID], "joined @1010", "lock:state @1020 held bob ACQUIRED");
    person_subscribe(&p[DAN]);
    feed_all(w);
    take_picture(w, &snapshot);
    person_answer(&p[DAN], &snapshot);
    assert_told(&p[DAN], "joined @1020");
}

static void joining_again_tells_first_what_was_held_up_to_the_answer(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    room_pause(&p[BOB].sub);
    person_acquire(&p[ANN]);
    do_renew(w);
    take_picture(w, &snapshot);
    do_renew(w);
    feed_all(w);
    assert_told_nothing(&p[BOB]);
    person_answer(&p[BOB], &snapshot);
    assert_told(&p[BOB], "lock:state @1010 held ann ACQUIRED", "lock:state @1020 held ann RENEWED",
                "joined @1020", "lock:state @1030 held ann RENEWED");
}

static void a_join_without_answer_changes_nothing(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    room_pause(&p[BOB].sub);
    person_acquire(&p[ANN]);
    do_acquire(&p[BOB]);
    feed_all(w);
    assert_true(room_activate(&p[BOB].sub, 0));
    assert_told(&p[BOB], "lock:state @1010 held ann ACQUIRED", "lock:queued @1020 1");
}

/* The oldest are kept; that there were more is said when it goes on. */
static void no_more_is_held_than_a_bound(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    feed_all(w);
    room_pause(&p[BOB].sub);
    for (int i = 0; i < 4097; i++) {
        do_renew(w);
        feed_all(w);
        p[ANN].told_count = 0;
    }
    p[BOB].told_count = 0;
    p[BOB].deaf = true;
    assert_false(room_activate(&p[BOB].sub, 0));
}

/* ---- presence, where somebody joined between two diffs ---- */

static void who_came_and_left_while_a_join_was_under_way(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_subscribe(&p[CID]);
    do_enter(&p[DAN]);
    do_enter(&p[CID]);
    take_picture(w, &snapshot); /* has Dan */
    do_depart(&p[DAN], true);
    feed_all(w);
    after_ms(w, 200);
    person_answer(&p[CID], &snapshot);
    assert_told(&p[CID], "joined @1020", "presence:diff @1030 3 +cid -dan");
}

static void a_lock_that_a_join_was_told_ahead_of_the_feed(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    do_enter(&p[DAN]);
    feed_all(w);
    person_acquire(&p[ANN]);
    person_subscribe(&p[CID]);
    do_enter(&p[CID]);
    take_picture(w, &snapshot); /* Ann edits */
    do_end(w, LOCK_CAUSE_EXPIRED, "");
    person_answer(&p[CID], &snapshot);
    after_ms(w, 200); /* Dan's coming is told */
    feed_all(w);
    forget_told(w);
    after_ms(w, 200);
    assert_told(&p[CID], "presence:diff @1040 4 +cid ~ann");
}

/* ---- users from the room's copy ---- */

static void answer_from_copy(struct person *p, struct picture *snapshot, const char *expected) {
    char names[128] = "";
    struct wire_user *users;
    snapshot->s.member_listed = 0;
    room_take_snapshot(&p->sub, &snapshot->s);
    size_t count = room_joined_users(&p->sub, &snapshot->s,
                                     &(struct lock_member){.user_id = str_of(p->name),
                                                           .username = str_of(p->name),
                                                           .client_id = str_of(p->client)},
                                     &users);
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names);
        snprintf(names + len, sizeof names - len, "%s%s%.*s", i > 0 ? " " : "",
                 users[i].has_lock ? "~" : "", (int)users[i].person.user_id.len,
                 users[i].person.user_id.p);
    }
    mem_free(users);
    assert_string_equal(names, expected);
    assert_true(room_activate(&p->sub, snapshot->s.rev));
}

static void users_of_a_known_room_come_from_the_copy(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_acquire(&p[ANN]);
    feed_all(w);
    after_ms(w, 200);
    person_subscribe(&p[CID]);
    assert_true(room_has_users(&p[CID].sub));
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    snapshot.s.before_rev = w->rev - TICK;
    answer_from_copy(&p[CID], &snapshot, "~ann bob cid");
    feed_all(w);
    after_ms(w, 200);
    assert_told_nothing(&p[CID]); /* its own join */
}

static void a_copy_behind_the_join_is_caught_up_with(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_subscribe(&p[CID]);
    do_enter(&p[DAN]);
    do_depart(&p[BOB], true);
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    snapshot.s.before_rev = w->rev - TICK;
    answer_from_copy(&p[CID], &snapshot, "ann bob cid");
    feed_one(w);      /* Dan */
    after_ms(w, 200); /* its rev is not below that of the join */
    assert_told(&p[CID], "presence:diff @1030 3 +dan");
    assert_told(&p[ANN], "presence:diff @1010 3 +dan"); /* does not wait for others */
    feed_all(w);
    after_ms(w, 200);
    assert_told(&p[CID], "presence:diff @1030 3 +cid -bob");
}

static void a_copy_that_missed_events_is_corrected_by_the_report(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_join(&p[CID]);
    feed_all(w);
    after_ms(w, 200);
    forget_told(w);
    do_enter(&p[DAN]);
    do_enter(&p[EVE]);
    take_picture(w, &snapshot);
    room_pause(&p[CID].sub);
    assert_true(room_has_users(&p[CID].sub));
    w->fed++; /* Dan is missed */
    feed_all(w);
    answer_from_copy(&p[CID], &snapshot, "ann bob eve cid");
    rooms_resync(w->rooms, 0);
    answer_reports(w);
    after_ms(w, 200);
    assert_told(&p[CID], "lock:state @1030 free RECOVERED", "presence:diff @1030 5 +eve +dan");
}

static void the_store_lists_a_room_whose_copy_is_not_enough(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    w->policy.presence_max_listed = 4;
    person_part(&p[ANN]);
    person_part(&p[BOB]);
    person_subscribe(&p[CID]);
    assert_false(room_has_users(&p[CID].sub)); /* no copy yet */
    do_enter(&p[CID]);
    take_picture(w, &snapshot);
    snapshot.s.members += 1; /* Ann is not listed */
    snapshot.s.member_listed = 2;
    person_answer(&p[CID], &snapshot);
    assert_false(room_has_users(&p[CID].sub));
    w->policy.presence_max_listed = 2;
    assert_true(room_has_users(&p[CID].sub));
    do_acquire(&p[ANN]);
    feed_all(w);
    assert_false(room_has_users(&p[CID].sub)); /* the holder would be missing */
}

/* ---- a room with more members than are listed ---- */

static void a_diff_of_a_large_room_names_the_newest(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    char names[80][8];
    for (int i = 0; i < 80; i++) {
        struct lock_event e = {.kind = LOCK_EVENT_JOIN,
                               .rev = w->rev + 1,
                               .prev = w->rev,
                               .resource = str_of(R),
                               .member_count = 200 + i};
        snprintf(names[i], sizeof names[i], "u%d", i);
        e.member.user_id = e.member.username = e.member.client_id = str_of(names[i]);
        w->store.fed = w->rev = e.rev;
        rooms_on_event(w->rooms, &e);
    }
    after_ms(w, 200);
    assert_int_equal(p[BOB].told_count, 1);
    assert_null(strstr(p[BOB].told[0], "+u59 "));
    assert_non_null(strstr(p[BOB].told[0], " 279 +u60 +u61 "));
}

/* ---- the store away ---- */

static void while_the_store_is_away_events_wait_for_the_report(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    rooms_on_degraded(w->rooms);
    do_renew(w);
    feed_all(w);
    assert_told_nothing(&p[BOB]);
    rooms_resync(w->rooms, 0);
    assert_int_equal(w->store.report_count, 1);
    struct report *r = &w->store.reports[0];
    assert_int_equal(r->count, 2);
    assert_int_equal(r->members[0].token, 1010); /* the owner comes first */
    assert_int_equal(r->members[1].token, 0);
    assert_int_equal(r->seen_token, 1010);
    assert_int_equal(r->known, 1019); /* what it holds back it does not know */
    assert_int_equal(w->store.done, 0);
    answer_reports(w);
    assert_int_equal(w->store.done, 1);
    assert_told(&p[ANN], "lock:state @1020 held ann RECOVERED");
    assert_told(&p[BOB], "lock:state @1020 held ann RECOVERED");
}

static void a_lock_that_cannot_be_certain_any_more_is_told_lost_once(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    w->store.confirmed_until_ms = w->store.now_ms + 8000;
    rooms_on_degraded(w->rooms);
    assert_int_equal(room_confirmed_until_ms(&p[ANN].sub), w->store.confirmed_until_ms);
    assert_int_equal(room_confirmed_until_ms(&p[BOB].sub), 0);
    after_ms(w, 7900);
    assert_told(&p[ANN], "presence:diff @1010 1 ~ann");
    after_ms(w, 200);
    assert_told(&p[ANN], "lock:lost @1010 STORE_LOST 1010");
    rooms_resync(w->rooms, 0);
    assert_int_equal(w->store.reports[0].members[0].token, 0); /* nobody believes in it */
    answer_reports(w);
    after_ms(w, 10);
    assert_int_equal(w->store.report_count, 1); /* it is given up instead of confirmed */
    assert_int_equal(w->store.reports[0].kind, REPORT_GIVE_UP);
    assert_int_equal(w->store.reports[0].token, 1010);
    do_end(w, LOCK_CAUSE_STORE_LOST, p[ANN].session);
    answer_report(
        w,
        &(struct lock_report_result){.common.status = LOCK_OK, .common.outcome = LOCK_OUT_RELEASED},
        NULL);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1020 free STORE_LOST", "lock:released @1020 STORE_LOST ann");
}

static void a_room_whose_shard_is_served_goes_on(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    w->store.confirmed_until_ms = w->store.now_ms + 8000;
    w->store.served = true;
    rooms_on_degraded(w->rooms);
    assert_int_equal(room_confirmed_until_ms(&p[ANN].sub), 0);
    do_renew(w);
    feed_all(w);
    assert_told(&p[BOB], "lock:state @1020 held ann RENEWED");
    after_ms(w, 8100);
    assert_told(&p[ANN], "lock:state @1020 held ann RENEWED", "presence:diff @1020 1 ~ann");
}

static void a_lost_lock_that_its_tab_asks_for_is_not_given_up(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    w->store.confirmed_until_ms = w->store.now_ms + 100;
    rooms_on_degraded(w->rooms);
    after_ms(w, 200);
    assert_told(&p[ANN], "presence:diff @1010 1 ~ann", "lock:lost @1010 STORE_LOST 1010");
    rooms_resync(w->rooms, 0);
    answer_reports(w);
    p[ANN].asking = true;
    after_ms(w, 1000);
    assert_int_equal(w->store.report_count, 0);
    struct lock_view lock;
    room_lock(&p[ANN].sub, &lock);
    p[ANN].asking = false; /* the answer: the lock is hers */
    p[ANN].token = lock.token;
    room_note_lock(&p[ANN].sub, &lock);
    after_ms(w, 1000);
    assert_int_equal(w->store.report_count, 0);
}

static void a_session_that_a_report_shows_superseded_is_named(void **state) {
    struct world *w = *state;
    struct str session = str_of("a1-0");
    takes_it(w, &w->people[ANN]);
    rooms_resync(w->rooms, 0);
    assert_string_equal(w->superseded, "");
    answer_report(w, &(struct lock_report_result){.superseded = &session, .superseded_count = 1},
                  NULL);
    assert_string_equal(w->superseded, "a1-0");
}

static void no_rev_is_above_that_of_what_is_held_back(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    takes_it(w, &p[ANN]);
    rooms_on_degraded(w->rooms);
    take_picture(w, &snapshot);
    do_renew(w);
    do_renew(w);
    feed_all(w);
    rooms_resync(w->rooms, 0);
    answer_report(w, &(struct lock_report_result){.common.status = LOCK_OK}, &snapshot);
    assert_told(&p[BOB], "lock:state @1019 held ann RECOVERED", "lock:state @1020 held ann RENEWED",
                "lock:state @1030 held ann RENEWED");
}

static void who_has_left_with_a_lock_is_reported(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    feed_all(w);
    rooms_on_degraded(w->rooms);
    room_note_departed(&p[ANN].sub, true);
    person_part(&p[ANN]);
    rooms_resync(w->rooms, 0);
    struct report *r = &w->store.reports[0];
    assert_int_equal(r->count, 2);
    assert_true(r->members[0].gone && r->members[0].prompt);
    assert_int_equal(r->members[0].token, 1010);
    assert_true(r->members[0].grace_until_ms <= w->store.now_ms + SOME_MS);
    answer_reports(w);
}

/* ---- events missed ---- */

static void what_was_missed_is_told_from_the_answer(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture snapshot;
    person_join(&p[CID]);
    person_acquire(&p[ANN]);
    do_acquire(&p[BOB]);
    do_request(&p[CID], "please");
    feed_all(w);
    after_ms(w, 200);
    forget_told(w);
    do_end(w, LOCK_CAUSE_EXPIRED, ""); /* Bob's turn */
    do_drop_place(&p[CID], true, LOCK_CAUSE_TIMEOUT, "");
    lose_feed(w);
    w->store.fed = w->rev;
    rooms_resync(w->rooms, 0);
    take_picture(w, &snapshot);
    answer_reports(w);
    assert_told(&p[ANN], "lock:state @1060 reserved bob RECOVERED",
                "lock:lost @1060 STORE_LOST 1020");
    assert_told(&p[BOB], "lock:state @1060 reserved bob RECOVERED", "lock:your_turn @1060");
    assert_told(&p[CID], "lock:state @1060 reserved bob RECOVERED",
                "lock:request_timeout @1060 TIMEOUT request-1");
    after_ms(w, 200);
    assert_told(&p[CID], "presence:diff @1060 3 ~ann");
}

static void the_event_after_a_gap_shows_that_a_lock_was_lost(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_end(w, LOCK_CAUSE_EXPIRED, "");
    lose_feed(w);
    do_acquire(&p[BOB]);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1030 held bob ACQUIRED", "lock:lost @1030 STORE_LOST 1010");
}

static void a_report_that_changes_the_lock_leaves_that_to_its_event(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    rooms_resync(w->rooms, 0);
    do_renew(w);
    w->log[w->logged - 1].cause = LOCK_CAUSE_RECOVERED;
    answer_report(w,
                  &(struct lock_report_result){.common.status = LOCK_OK,
                                               .common.events = &w->log[w->logged - 1],
                                               .common.event_count = 1},
                  NULL);
    assert_told_nothing(&p[BOB]);
    feed_all(w);
    assert_told(&p[BOB], "lock:state @1020 held ann RECOVERED");
    assert_told(&p[ANN], "lock:state @1020 held ann RECOVERED");
}

static void a_report_that_is_older_than_the_feed_is_made_again(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    rooms_resync(w->rooms, 0);
    w->rev -= TICK; /* as it was before */
    answer_report(w, &(struct lock_report_result){.common.status = LOCK_OK}, NULL);
    w->rev += TICK;
    assert_told(&p[BOB], "lock:state @1010 held ann RECOVERED");
    assert_int_equal(w->store.done, 0);
    assert_int_equal(w->store.report_count, 1);
    answer_reports(w);
    assert_int_equal(w->store.done, 1);
}

static void a_lock_that_may_still_be_reported_is_not_told_free(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    feed_all(w);
    person_part(&p[ANN]);
    after_ms(w, 200);
    forget_told(w);
    w->store.window = true;
    clear_lock(w, LOCK_STATE_FREE);
    rooms_resync(w->rooms, 0);
    answer_reports(w);
    assert_told_nothing(&p[BOB]);
    w->store.window = false;
    after_ms(w, 1000);
    assert_int_equal(w->store.reports[0].kind, REPORT_STATUS);
    answer_reports(w);
    assert_told(&p[BOB], "lock:state @1010 free RECOVERED");
}

static void a_grant_that_the_feed_has_not_told_of_is_reported(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    forget_told(w);
    rooms_resync(w->rooms, 0);
    assert_int_equal(w->store.reports[0].members[0].token, 1010);
    clear_lock(w, LOCK_STATE_FREE);
    w->rev += TICK;
    answer_reports(w);
    assert_told(&p[ANN], "lock:state @1020 free RECOVERED", "lock:lost @1020 STORE_LOST 1010");
}

static void a_lock_that_goes_on_under_a_higher_token(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    rooms_resync(w->rooms, 0);
    w->lock.token = w->rev + TICK;
    emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_RECOVERED, "");
    answer_report(w,
                  &(struct lock_report_result){.common.status = LOCK_OK,
                                               .common.events = &w->log[w->logged - 1],
                                               .common.event_count = 1},
                  NULL);
    feed_all(w);
    assert_told(&p[ANN], "lock:acquired @1020 1020", "lock:state @1020 held ann RECOVERED");
    assert_told(&p[BOB], "lock:state @1020 held ann RECOVERED");
    assert_int_equal(p[ANN].token, 1020);
}

/* The grant and its end are missed, and its reply comes when the feed is past both. */
static void a_grant_of_which_the_feed_never_tells(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    do_acquire(&p[ANN]);
    struct lock_view granted = w->lock;
    lose_feed(w);
    do_enter(&p[CID]);
    feed_all(w);
    person_acquired(&p[ANN], &granted, granted.token);
    do_end(w, LOCK_CAUSE_EXPIRED, "");
    lose_feed(w);
    forget_told(w);
    rooms_resync(w->rooms, 0);
    answer_reports(w);
    assert_told(&p[ANN], "lock:state @1030 free RECOVERED", "lock:lost @1030 STORE_LOST 1010");
    assert_told(&p[BOB], "lock:state @1030 free RECOVERED");
}

static void a_place_of_which_the_feed_never_tells(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    feed_all(w);
    do_acquire(&p[BOB]);
    room_note_position(&p[BOB].sub, 1, w->rev);
    do_drop_place(&p[BOB], false, LOCK_CAUSE_LEFT, "");
    lose_feed(w);
    forget_told(w);
    rooms_resync(w->rooms, 0);
    answer_reports(w);
    assert_told(&p[BOB], "lock:state @1030 held ann RECOVERED", "lock:queue_left @1030 LEFT");
}

static void revs_that_begin_anew(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    rooms_rewind(w->rooms, 0);
    w->rev = 40;
    do_renew(w);
    feed_all(w);
    assert_told(&p[BOB], "lock:state @50 held ann RENEWED");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(what_comes_while_pending_is_held),
        CASE(what_the_snapshot_has_is_not_told_when_it_comes),
        CASE(a_place_that_the_snapshot_has_is_told_again_after_it),
        CASE(the_holder_gets_its_open_requests_again),
        CASE(a_request_that_the_snapshot_has_is_told_once),
        CASE(a_first_snapshot_is_caught_up_with_by_what_was_held),
        CASE(joining_again_tells_first_what_was_held_up_to_the_answer),
        CASE(a_join_without_answer_changes_nothing),
        CASE(no_more_is_held_than_a_bound),
        CASE(who_came_and_left_while_a_join_was_under_way),
        CASE(a_lock_that_a_join_was_told_ahead_of_the_feed),
        CASE(users_of_a_known_room_come_from_the_copy),
        CASE(a_copy_behind_the_join_is_caught_up_with),
        CASE(a_copy_that_missed_events_is_corrected_by_the_report),
        CASE(the_store_lists_a_room_whose_copy_is_not_enough),
        CASE(a_diff_of_a_large_room_names_the_newest),
        CASE(while_the_store_is_away_events_wait_for_the_report),
        CASE(a_lock_that_cannot_be_certain_any_more_is_told_lost_once),
        CASE(a_room_whose_shard_is_served_goes_on),
        CASE(a_lost_lock_that_its_tab_asks_for_is_not_given_up),
        CASE(a_session_that_a_report_shows_superseded_is_named),
        CASE(no_rev_is_above_that_of_what_is_held_back),
        CASE(who_has_left_with_a_lock_is_reported),
        CASE(what_was_missed_is_told_from_the_answer),
        CASE(the_event_after_a_gap_shows_that_a_lock_was_lost),
        CASE(a_report_that_changes_the_lock_leaves_that_to_its_event),
        CASE(a_report_that_is_older_than_the_feed_is_made_again),
        CASE(a_lock_that_may_still_be_reported_is_not_told_free),
        CASE(a_grant_that_the_feed_has_not_told_of_is_reported),
        CASE(a_lock_that_goes_on_under_a_higher_token),
        CASE(a_grant_of_which_the_feed_never_tells),
        CASE(a_place_of_which_the_feed_never_tells),
        CASE(revs_that_begin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
