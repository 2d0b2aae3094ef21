/* One room that a session has joined, is joining or is leaving. */
#ifndef WSLOCK_SESSION_MEMBERSHIP_H
#define WSLOCK_SESSION_MEMBERSHIP_H

#include "state.h"
#include "wslock/room/room.h"

struct membership {
    struct list node;
    struct session *session;
    uint64_t seq; /* differs from a later membership of the same resource */
    struct wire_resource resource;
    const struct config_resource_type *type;
    enum { MEMBER_JOINING, MEMBER_IN, MEMBER_LEAVING } state;
    unsigned answers_open;   /* joins and takeovers without an answer; events wait for them */
    bool send_open_requests; /* a join was answered: due after the last of answers_open */
    char request_id[RAND_ID_LEN + 1];  /* of the last lock:request and takeover, as answered; the */
    char takeover_id[RAND_ID_LEN + 1]; /* event may reach the room later */
    unsigned reconciliation;           /* the latest one in which the store had this member */
    struct room_sub sub;
    int64_t joined_ms; /* the store's clock; 0: no join was answered */
    int64_t token;     /* of the lock that this tab holds, as far as its client knows; 0: none */
    int64_t since_ms, expires_ms;
    bool dirty;
    int64_t lost_token; /* the highest token of which the tab got lock:lost; its rev and reason */
    int64_t lost_rev;
    enum lock_cause lost_reason;
};

void membership_destroy(struct membership *m);
/* Not one that is being left. */
struct membership *membership_find(struct session *s, struct str resource);
struct membership *membership_by_seq(struct session *s, uint64_t seq);
void membership_caller(const struct membership *m, struct lock_caller *out);
/* Resource, rev and time of a message that no result of a script goes with. */
struct wire_at membership_at(const struct membership *m);
bool membership_may_edit(const struct membership *m);
/* Sets request_id or takeover_id. */
void membership_note_id(char slot[RAND_ID_LEN + 1], struct str id);
/* The lock was granted or confirmed under this token. */
void membership_granted(struct membership *m, const struct lock_view *lock, int64_t rev);
/* A reply says that the lock has ended: no lock:lost follows. */
void membership_ended(struct membership *m, int64_t rev, enum lock_cause reason);
/* Called after the tab got a grant: sends lock:lost if that has ended meanwhile. */
void membership_check_lost(struct membership *m, int64_t token);

#endif
