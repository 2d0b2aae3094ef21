/* What each kind of change brings to whom: the holder, those who wait, everyone else in the room.
 */
#include "room_world.h"

static int setup(void **state) {
    return begin_with(state, DAN + 1);
}

/* ---- the lock ---- */

static void taken_renewed_and_released(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_acquire(&p[ANN]);
    feed_all(w);
    assert_told(&p[ANN], "lock:acquired @1010 1010", "lock:state @1010 held ann ACQUIRED");
    assert_told(&p[BOB], "lock:state @1010 held ann ACQUIRED");
    do_renew(w);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1020 held ann RENEWED");
    assert_told(&p[BOB], "lock:state @1020 held ann RENEWED");
    do_end(w, LOCK_CAUSE_RELEASED, p[ANN].session);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1030 free RELEASED", "lock:released @1030 RELEASED ann");
    assert_told(&p[BOB], "lock:state @1030 free RELEASED", "lock:released @1030 RELEASED ann");
    after_ms(w, 200);
    assert_told_nothing(&p[BOB]); /* gathered, and as it was */
}

static void expired(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    after_ms(w, 200);
    assert_told(&p[ANN], "presence:diff @1010 3 ~ann");
    assert_told(&p[BOB], "presence:diff @1010 3 ~ann");
    after_ms(w, 49000);
    assert_told(&p[ANN], "lock:expiring @1010");
    do_end(w, LOCK_CAUSE_EXPIRED, "");
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1020 free EXPIRED", "lock:released @1020 EXPIRED ann",
                "lock:lost @1020 EXPIRED 1010");
    assert_told(&p[BOB], "lock:state @1020 free EXPIRED", "lock:released @1020 EXPIRED ann");
    assert_int_equal(p[ANN].token, 0);
}

static void a_connection_that_ends_and_comes_back(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    w->policy.disconnect = CONFIG_DISCONNECT_PROMPT;
    takes_it(w, &p[ANN]);
    person_part(&p[ANN]);
    do_depart(&p[ANN], false);
    feed_all(w);
    assert_told(&p[BOB], "lock:state @1020 grace ann GRACE_STARTED",
                "lock:holder_disconnected @1020 ann");
    person_join(&p[ANN]);
    feed_all(w);
    assert_told(&p[ANN], "joined @1050");
    assert_told(&p[BOB], "lock:state @1050 held ann RESUMED");
    after_ms(w, 200);
    assert_told(&p[BOB], "presence:diff @1050 3 ~ann");
}

static void moved_to_another_tab(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    person_join(&p[ANN2]);
    takes_it(w, &p[ANN]);
    struct lock_ending ending = end_grant(w, LOCK_CAUSE_MOVED, (struct str){"", 0});
    hold_lock(&p[ANN2]);
    emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_MOVED, p[ANN2].session)->ended = ending;
    person_acquired(&p[ANN2], &w->lock, w->rev);
    feed_all(w);
    assert_told(&p[ANN2], "lock:acquired @1030 1030", "lock:state @1030 held ann MOVED");
    assert_told(&p[ANN], "lock:state @1030 held ann MOVED", "lock:lost @1030 MOVED 1020");
}

static void an_operator_takes_or_releases_it(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    struct lock_ending ending = end_grant(w, LOCK_CAUSE_TAKEN_BY_ADMIN, str_of("root"));
    struct lock_event *e = emit(w, LOCK_EVENT_OPERATION, LOCK_CAUSE_TAKEN_BY_ADMIN, "");
    e->ended = ending;
    e->operation = (struct lock_operation){.actor = str_of("root"),
                                           .reason = str_of("urgent"),
                                           .uid = 0,
                                           .user_id = str_of("bob"),
                                           .username = str_of("bob")};
    clear_lock(w, LOCK_STATE_RESERVED);
    w->lock.user_id = w->lock.username = str_of("bob"); /* on whatever tab */
    w->lock.reserved_until_ms = w->store.now_ms + SOME_MS;
    emit(w, LOCK_EVENT_LOCK, LOCK_CAUSE_TAKEN_BY_ADMIN, "")->ended = ending;
    feed_all(w);
    assert_told(&p[ANN], "lock:taken_by_admin @1020 urgent root",
                "lock:state @1030 reserved bob TAKEN_BY_ADMIN",
                "lock:released @1030 TAKEN_BY_ADMIN ann",
                "lock:lost @1030 TAKEN_BY_ADMIN root 1010");
    assert_told(&p[BOB], "lock:state @1030 reserved bob TAKEN_BY_ADMIN",
                "lock:released @1030 TAKEN_BY_ADMIN ann", "lock:your_turn @1030");
    assert_told(&p[CID], "lock:state @1030 reserved bob TAKEN_BY_ADMIN",
                "lock:released @1030 TAKEN_BY_ADMIN ann");
}

/* Its data is encoded once and framed once, whatever the number of receivers, also for those who
 * get it later. */
static void a_message_to_all_is_one_frame(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    struct picture before;
    person_subscribe(&p[EVE]);
    do_enter(&p[EVE]);
    take_picture(w, &before);
    takes_it(w, &p[ANN]); /* lock:state comes last */
    person_answer(&p[EVE], &before);
    for (size_t i = BOB; i <= EVE; i++) {
        assert_ptr_equal(p[i].last, p[ANN].last);
    }
    assert_int_equal(p[ANN].last->refs, EVE + 1); /* one of each receiver */
}

/* ---- the queue ---- */

static void places_move_up_and_a_turn_comes(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_acquire(&p[BOB]);
    do_acquire(&p[CID]);
    feed_all(w);
    assert_told(&p[BOB], "lock:queued @1020 1");
    assert_told(&p[CID], "lock:queued @1030 2");
    do_end(w, LOCK_CAUSE_RELEASED, p[ANN].session);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1040 reserved bob RELEASED",
                "lock:released @1040 RELEASED ann");
    assert_told(&p[BOB], "lock:state @1040 reserved bob RELEASED",
                "lock:released @1040 RELEASED ann", "lock:your_turn @1040");
    assert_told(&p[CID], "lock:state @1040 reserved bob RELEASED",
                "lock:released @1040 RELEASED ann", "lock:queued @1040 1");
    do_decline(w, LOCK_CAUSE_CLAIM_EXPIRED, "");
    feed_all(w);
    assert_told(&p[BOB], "lock:queue_left @1050 CLAIM_EXPIRED",
                "lock:state @1060 reserved cid RESERVATION_EXPIRED");
    assert_told(&p[CID], "lock:state @1060 reserved cid RESERVATION_EXPIRED",
                "lock:your_turn @1060");
    person_acquire(&p[CID]);
    feed_all(w);
    assert_told(&p[CID], "lock:acquired @1070 1070", "lock:state @1070 held cid CLAIMED");
    assert_told(
        &p[DAN], "lock:state @1040 reserved bob RELEASED", "lock:released @1040 RELEASED ann",
        "lock:state @1060 reserved cid RESERVATION_EXPIRED", "lock:state @1070 held cid CLAIMED");
}

static void a_position_that_was_answered_is_not_told(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_acquire(&p[BOB]);
    do_acquire(&p[CID]);
    room_note_position(&p[CID].sub, 2, w->rev);
    feed_all(w);
    assert_told_nothing(&p[CID]);
    do_drop_place(&p[BOB], false, LOCK_CAUSE_LEFT, p[BOB].session);
    feed_all(w);
    assert_told(&p[CID], "lock:queued @1040 1");
}

/* ---- requests ---- */

static void a_request_that_is_approved(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_request(&p[BOB], "please");
    feed_all(w);
    assert_told(&p[ANN], "lock:request_received @1020 request-1 bob");
    assert_told_nothing(&p[BOB]); /* the reply says it */
    do_approve(&p[BOB], p[ANN].session);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1030 reserved bob TRANSFERRED",
                "lock:released @1030 TRANSFERRED ann", "lock:lost @1030 TRANSFERRED bob 1010");
    assert_told(&p[BOB], "lock:state @1030 reserved bob TRANSFERRED",
                "lock:released @1030 TRANSFERRED ann", "lock:available @1030");
    assert_told(&p[CID], "lock:state @1030 reserved bob TRANSFERRED",
                "lock:released @1030 TRANSFERRED ann");
}

static void requests_that_end_otherwise(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_request(&p[BOB], "please");
    do_request(&p[CID], "now");
    do_request(&p[DAN], "mine");
    feed_all(w);
    assert_told(&p[ANN], "lock:request_received @1020 request-1 bob",
                "lock:request_received @1030 request-2 cid",
                "lock:request_received @1040 request-3 dan");
    assert_true(room_knows_request(&p[DAN].sub, str_of("request-1")));
    do_drop_place(&p[BOB], true, LOCK_CAUSE_DENIED, p[ANN].session);
    do_drop_place(&p[CID], true, LOCK_CAUSE_TIMEOUT, "");
    do_drop_place(&p[DAN], true, LOCK_CAUSE_CANCELLED, p[DAN].session);
    feed_all(w);
    assert_told(&p[BOB], "lock:request_timeout @1050 DENIED request-1");
    assert_told(&p[CID], "lock:request_timeout @1060 TIMEOUT request-2");
    assert_told_nothing(&p[DAN]); /* its own request is answered */
    assert_told(&p[ANN], "lock:request_closed TIMEOUT request-2",
                "lock:request_closed CANCELLED request-3");
    assert_true(room_knows_request(&p[DAN].sub, str_of("request-1"))); /* did lately */
    assert_false(room_knows_request(&p[DAN].sub, str_of("request-9")));
}

static void a_request_is_asked_once_whatever_becomes_of_its_tab(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_request(&p[BOB], "please");
    feed_all(w);
    assert_told(&p[ANN], "lock:request_received @1020 request-1 bob");
    person_part(&p[BOB]);
    do_depart(&p[BOB], false);
    feed_all(w);
    assert_told_nothing(&p[ANN]);
}

static void a_request_outlives_its_holder(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_acquire(&p[CID]);
    do_request(&p[BOB], "please");
    feed_all(w);
    forget_told(w);
    do_end(w, LOCK_CAUSE_EXPIRED, "");
    feed_all(w);
    forget_told(w);
    person_acquire(&p[CID]);
    feed_all(w);
    assert_told(&p[CID], "lock:acquired @1050 1050", "lock:state @1050 held cid CLAIMED",
                "lock:request_received @1050 request-1 bob");
}

/* ---- takeovers ---- */

static void a_takeover_that_is_denied_and_forced(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_ask_takeover(&p[DAN], "deadline");
    feed_all(w);
    assert_told(&p[ANN], "lock:takeover_requested @1020 deadline takeover-1 dan");
    assert_told_nothing(&p[DAN]);
    do_deny_takeover(w, p[ANN].session);
    feed_all(w);
    assert_told(&p[DAN], "lock:takeover_denied takeover-1 ann");
    do_force_takeover(w);
    feed_all(w);
    assert_told(&p[ANN], "lock:state @1040 held dan TAKEN_BY_ADMIN",
                "lock:taken_by_admin @1040 deadline dan",
                "lock:lost @1040 TAKEN_BY_ADMIN dan 1010");
    assert_told(&p[DAN], "lock:state @1040 held dan TAKEN_BY_ADMIN", "lock:acquired @1040 1040");
    assert_told(&p[BOB], "lock:state @1040 held dan TAKEN_BY_ADMIN");
}

static void a_takeover_to_which_the_lock_is_given_up(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_ask_takeover(&p[DAN], "deadline");
    do_end(w, LOCK_CAUSE_RELEASED, p[ANN].session);
    feed_all(w);
    assert_told(&p[ANN], "lock:takeover_requested @1020 deadline takeover-1 dan",
                "lock:state @1030 held dan TAKEN_BY_ADMIN");
    assert_told(&p[DAN], "lock:state @1030 held dan TAKEN_BY_ADMIN", "lock:acquired @1030 1030");
}

static void a_takeover_that_is_cancelled(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    takes_it(w, &p[ANN]);
    do_ask_takeover(&p[DAN], "deadline");
    do_cancel_takeover(w, "CANCELLED", p[DAN].session);
    feed_all(w);
    assert_told(&p[ANN], "lock:takeover_requested @1020 deadline takeover-1 dan",
                "lock:takeover_closed CANCELLED takeover-1");
    assert_told_nothing(&p[DAN]);
}

/* ---- presence ---- */

static void who_comes_and_goes(void **state) {
    struct world *w = *state;
    struct person *p = w->people;
    p[CID].sub.presence = WIRE_PRESENCE_FULL;
    person_join(&p[EVE]);
    person_part(&p[BOB]);
    do_depart(&p[BOB], true);
    feed_all(w);
    assert_told_nothing(&p[ANN]);
    after_ms(w, 200);
    assert_told(&p[ANN], "presence:diff @1020 4 +eve -bob");
    assert_told(&p[CID], "presence:update @1020 4 =ann =cid =dan =eve");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(taken_renewed_and_released),
        CASE(expired),
        CASE(a_connection_that_ends_and_comes_back),
        CASE(moved_to_another_tab),
        CASE(an_operator_takes_or_releases_it),
        CASE(a_message_to_all_is_one_frame),
        CASE(places_move_up_and_a_turn_comes),
        CASE(a_position_that_was_answered_is_not_told),
        CASE(a_request_that_is_approved),
        CASE(requests_that_end_otherwise),
        CASE(a_request_is_asked_once_whatever_becomes_of_its_tab),
        CASE(a_request_outlives_its_holder),
        CASE(a_takeover_that_is_denied_and_forced),
        CASE(a_takeover_to_which_the_lock_is_given_up),
        CASE(a_takeover_that_is_cancelled),
        CASE(who_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
