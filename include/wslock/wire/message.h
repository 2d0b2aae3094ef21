/*
 * Encoding of the messages that the server sends. One function for each message encodes typed
 * values to the message's `data`; the caller owns the result's one reference. The frame around the
 * data depends on the receiver's framing: each framing's frame is made on first demand and shared
 * by all receivers with that framing. Pure, no I/O. Names and fields: docs/protocol.md.
 *
 * Texts called `by` are written as given: where presence is minimal, the caller passes a user id.
 * An empty username counts as the user id.
 */
#ifndef WSLOCK_WIRE_MESSAGE_H
#define WSLOCK_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/frame.h"
#include "wslock/base/str.h"
#include "wslock/config/config.h"
#include "wslock/wire/request.h"

enum wire_close {
#define WIRE_CLOSE(id, code, reason, reconnect, lock) WIRE_CLOSE_##id,
#include "wslock/wire/tables.def"
#undef WIRE_CLOSE
    WIRE_CLOSE_COUNT
};
uint16_t wire_close_code(enum wire_close close);
const char *wire_close_reason(enum wire_close close);
bool wire_close_reconnect(enum wire_close close);

/* A message whose data has been encoded. Reference-counted, not thread-safe. */
struct wire_message;
struct wire_message *wire_message_ref(struct wire_message *m);
void wire_message_unref(struct wire_message *m); /* NULL is fine */
#define WIRE_FRAMES_MAX 2
/* The frames of the message in their order, i from 0; NULL behind the last. In the native framing
 * there is one. In Socket.IO, where a frame is an Engine.IO packet, a reply has the acknowledgement
 * and the event; the other answers to CONNECT and the end of a connection have packets of their
 * own. Owned by the message. */
struct frame *wire_message_frame(struct wire_message *m, enum wire_framing framing, size_t i);
/* Socket.IO's answer to a packet with WIRE_DECODED_NAMESPACE. */
struct wire_message *wire_namespace_refused(struct str packet);

/* What a message answers, and how much it shows. */
struct wire_to {
    const struct wire_ref *ref; /* NULL: an event that the server starts */
    bool minimal;               /* presence minimal: no username; display names are user ids */
};

struct wire_person {
    struct str user_id, username;
};

struct wire_lock {
    const char *state;         /* "free", "held", "grace", "reserved" */
    struct wire_person person; /* holder, or for whom it is reserved */
    int64_t since_ms, expires_ms, grace_until_ms, reserved_until_ms;
    bool dirty;
    int64_t queue_length;
    int mine; /* -1: left out */
};

struct wire_user {
    struct wire_person person;
    bool has_lock;           /* mode "editor" */
    int64_t lock_expires_ms; /* 0: left out */
    int64_t connections, since_ms;
};

struct wire_ending { /* previous */
    struct wire_person person;
    const char *reason;
    bool dirty;
    struct str revision; /* p NULL: left out */
    int64_t ended_ms;
};

struct wire_lost { /* `lost` of resource:joined */
    int64_t token;
    const char *reason;
    int64_t at_ms; /* 0: left out */
    struct str by; /* len 0: left out */
};

/* The room, its rev and the time of the message. */
struct wire_at {
    struct str resource;
    int64_t rev;
    int64_t server_time_ms;
};

/* `pending` of resource:joined and of the reply to lock:status: what one tab waits for or is to
 * answer. Zero-initialise. */
struct wire_open_request {
    struct str request_id;
    struct wire_person from;
    struct str message;
    int64_t expires_ms;
};
struct wire_pending {
    int64_t position; /* in the queue; 0: none */
    int64_t wait_ms;  /* < 0: unknown */
    int64_t claim_by_ms;
    struct wire_open_request own;             /* request_id.len 0: none */
    const struct wire_open_request *received; /* open requests to the holder */
    size_t received_count;
    struct str takeover_id; /* len 0: none of this tab */
    struct wire_person admin;
    struct str takeover_reason;
    int64_t force_at_ms;
};

struct wire_message *wire_welcome(const struct wire_to *to, struct str session_id,
                                  struct str user_id, struct str username, const char *const *roles,
                                  size_t role_count, bool admin, int64_t server_time_ms,
                                  int64_t token_expires_ms, int64_t max_message_bytes,
                                  const char *instance);

struct wire_message *wire_auth_refreshed(const struct wire_to *to, int64_t token_expires_ms,
                                         int64_t server_time_ms);
struct wire_message *wire_auth_expiring(const struct wire_to *to, int64_t token_expires_ms,
                                        int64_t server_time_ms);

struct wire_message *wire_pong(const struct wire_to *to, int64_t server_time_ms);

/* Further fields of `error`; zero-initialise. */
struct wire_error_extra {
    struct str resource;    /* len 0: none */
    const char *field;      /* INVALID_ARGUMENT */
    int64_t retry_after_ms; /* > 0: RATE_LIMITED, BACKEND_UNAVAILABLE */
    int64_t limit;          /* > 0 */
    const struct str *held; /* MAX_TAB_LOCKS_EXCEEDED */
    size_t held_count;
    int64_t rev; /* > 0: with resource, where known */
};
/* error_ref is `ref` in the payload; the log line has the same. */
struct wire_message *wire_error(const struct wire_to *to, enum wire_error_code code,
                                const char *message, const char *error_ref,
                                const struct wire_error_extra *extra);

struct wire_message *wire_joined(const struct wire_to *to, const struct wire_at *at, bool editor,
                                 struct str client_id, const struct wire_lock *lock,
                                 const struct wire_user *users, size_t user_count, int64_t viewers,
                                 const struct config_policy *policy, const struct wire_lost *lost,
                                 const struct wire_pending *pending);
struct wire_message *wire_left(const struct wire_to *to, const struct wire_at *at);
struct wire_message *wire_policy(const struct wire_to *to, const struct wire_at *at,
                                 const struct config_policy *policy);
/* Whether clients see no difference between two policies. */
bool wire_policies_equal(const struct config_policy *a, const struct config_policy *b);

/* previous: NULL: none. ticket.len 0: none. */
struct wire_message *wire_acquired(const struct wire_to *to, const struct wire_at *at,
                                   int64_t token, int64_t expires_ms,
                                   const struct config_policy *policy,
                                   const struct wire_ending *previous, bool resumed,
                                   struct str ticket);
/* lock: for currentHolder, holder and expiresAt; NULL: without them. */
struct wire_message *wire_denied(const struct wire_to *to, const struct wire_at *at,
                                 const char *reason, const struct wire_lock *lock,
                                 int64_t retry_after_ms, const char *error_ref);
struct wire_message *wire_renewed(const struct wire_to *to, const struct wire_at *at, int64_t token,
                                  int64_t expires_ms, bool resumed, struct str ticket);
/* The direct reply; reason "RELEASED". */
struct wire_message *wire_released_reply(const struct wire_to *to, const struct wire_at *at,
                                         const char *reason);
/* To everyone in the room. */
struct wire_message *wire_released(const struct wire_to *to, const struct wire_at *at,
                                   const char *reason, struct str previous_holder);
/* cause NULL: the reply to lock:status. pending: only there, else NULL. */
struct wire_message *wire_lock_state(const struct wire_to *to, const struct wire_at *at,
                                     const struct wire_lock *lock, const char *cause,
                                     const struct wire_pending *pending);
struct wire_message *wire_lost(const struct wire_to *to, const struct wire_at *at, int64_t token,
                               const char *reason, struct str by);
struct wire_message *wire_expiring(const struct wire_to *to, const struct wire_at *at,
                                   int64_t expires_ms);

/* wait_ms < 0: unknown. */
struct wire_message *wire_queued(const struct wire_to *to, const struct wire_at *at,
                                 int64_t position, int64_t wait_ms);
struct wire_message *wire_your_turn(const struct wire_to *to, const struct wire_at *at,
                                    int64_t claim_by_ms);
struct wire_message *wire_available(const struct wire_to *to, const struct wire_at *at,
                                    int64_t claim_by_ms);
struct wire_message *wire_queue_left(const struct wire_to *to, const struct wire_at *at,
                                     const char *reason);
/* expires_ms 0: it is approved, or its turn has come. */
struct wire_message *wire_requested(const struct wire_to *to, const struct wire_at *at,
                                    struct str request_id, int64_t expires_ms,
                                    const char *holder_state);
struct wire_message *wire_request_received(const struct wire_to *to, const struct wire_at *at,
                                           const struct wire_open_request *request);
/* holder: user_id.len 0: none. */
struct wire_message *wire_request_timeout(const struct wire_to *to, const struct wire_at *at,
                                          struct str request_id, const char *reason,
                                          const struct wire_person *holder);
/* Without resourceId and rev, like takeover_denied and takeover_closed: requestId identifies it. */
struct wire_message *wire_request_closed(const struct wire_to *to, struct str request_id,
                                         const char *outcome);
struct wire_message *wire_holder_disconnected(const struct wire_to *to, const struct wire_at *at,
                                              const struct wire_person *holder,
                                              int64_t grace_until_ms);
struct wire_message *wire_takeover_pending(const struct wire_to *to, const struct wire_at *at,
                                           struct str request_id, int64_t force_at_ms);
struct wire_message *wire_takeover_requested(const struct wire_to *to, const struct wire_at *at,
                                             struct str request_id, const struct wire_person *admin,
                                             struct str reason, int64_t force_at_ms);
struct wire_message *wire_takeover_denied(const struct wire_to *to, struct str request_id,
                                          struct str by, int64_t force_at_ms);
struct wire_message *wire_takeover_closed(const struct wire_to *to, struct str request_id,
                                          struct str outcome);
struct wire_message *wire_taken_by_admin(const struct wire_to *to, const struct wire_at *at,
                                         const struct wire_person *admin, struct str reason);
/* lock:request_replied, lock:takeover_replied: action; lock:request_cancelled,
 * lock:takeover_cancelled: action NULL. */
struct wire_message *wire_answered(const struct wire_to *to, const char *event,
                                   struct str request_id, const char *action);

struct wire_message *wire_presence_diff(const struct wire_to *to, const struct wire_at *at,
                                        const struct wire_user *joined, size_t joined_count,
                                        const struct str *left, size_t left_count,
                                        const struct wire_user *changed, size_t changed_count,
                                        int64_t viewers);
struct wire_message *wire_presence_update(const struct wire_to *to, const struct wire_at *at,
                                          const struct wire_user *users, size_t user_count,
                                          int64_t viewers);

struct wire_message *wire_session_closed(const struct wire_to *to, enum wire_close close);
/* confirmed_until_ms 0: null (the connection holds no lock). */
struct wire_message *wire_degraded(const struct wire_to *to, int64_t confirmed_until_ms);
struct wire_message *wire_recovered(const struct wire_to *to);
struct wire_message *wire_draining(const struct wire_to *to, int64_t reconnect_in_ms);

#endif
