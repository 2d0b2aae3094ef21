/*
 * Sessions on top of load.h: each signs in and joins its room, then the scenario talks. A crowd
 * goes to the daemon, to the floor and to the peers alike; over Socket.IO the same events have the
 * same data. What no scenario expects (an error, a denial, a lost
 * lock, an end) makes the crowd broken, which ends the run.
 */
#ifndef WSLOCK_BENCH_CROWD_H
#define WSLOCK_BENCH_CROWD_H

#include "keys.h"
#include "load.h"

enum crowd_dialect { CROWD_NATIVE, CROWD_SOCKETIO };

struct crowd_plan {
    enum crowd_dialect dialect;
    unsigned count;
    unsigned per_room;
    const unsigned *rooms; /* their numbers, as many as there are; NULL: from 0 */
    bool editors;          /* the first of each room has its lock */
    const char *presence;  /* as in resource:join */
    enum keys_alg alg;
    const struct keys *keys;
    bool tls;
    uint16_t port;
};

/* A message: its event, and whether it answers a request. Borrowed. */
struct crowd_message {
    const char *event;
    size_t event_len;
    bool is_reply;
    const char *text;
    size_t len;
};

struct crowd;
/* Messages of sessions that are in. */
typedef void (*crowd_message_cb)(void *ctx, struct crowd *c, unsigned index,
                                 const struct crowd_message *m);

struct crowd *crowd_create(const struct crowd_plan *plan, crowd_message_cb on_message, void *ctx);
void crowd_destroy(struct crowd **c);
/* Makes the tokens now that crowd_enter would make when they are needed. */
bool crowd_make_tokens(struct crowd *c) MUST_CHECK;

/* Brings in the sessions from `first` to before `end`, at most `at_once` in the middle of it;
 * waits. A session whose token of a lock is known asks for that lock again. */
bool crowd_enter(struct crowd *c, unsigned first, unsigned end, unsigned at_once,
                 unsigned timeout_ms) MUST_CHECK;
/* How many joins of the last crowd_enter were answered BACKEND_UNAVAILABLE, and made again when the
 * answer said. */
unsigned crowd_retries(const struct crowd *c);
/* How many system:degraded came since then. */
unsigned crowd_degraded(const struct crowd *c);
/* Bytes received by all sessions. */
uint64_t crowd_received(const struct crowd *c);
/* Resets every connection. */
void crowd_drop(struct crowd *c);

enum crowd_request { CROWD_ACQUIRE, CROWD_RELEASE, CROWD_HEARTBEAT };
void crowd_send(struct crowd *c, unsigned index, enum crowd_request what);

bool crowd_event_is(const struct crowd_message *m, const char *event);
/* Handles input until done(ctx) or the time is up; false when the crowd is broken. done may be
 * NULL. */
bool crowd_run(struct crowd *c, unsigned timeout_ms, bool (*done)(void *ctx), void *ctx) MUST_CHECK;

#endif
