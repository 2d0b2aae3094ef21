/*
 * What the scripts answer and what the streams carry, made typed (src/lock/lua/README.md, Reply and
 * EVENT). The same decoder serves replies and stream entries. Nothing is believed unchecked;
 * strings are borrowed from the reply.
 */
#ifndef WSLOCK_SRC_LOCK_DECODE_H
#define WSLOCK_SRC_LOCK_DECODE_H

#include "msgpack.h"

#include "wslock/base/macros.h"
#include "wslock/lock/lock.h"

/* How an item of a kind of layouts.def is read. */
#define READ_INT(l, to) (to) = msgpack_int(l);
#define READ_FLAG(l, to) (to) = msgpack_int(l) != 0;
#define READ_TEXT(l, to) (to) = msgpack_str(l);
#define READ_SKIP(l, to) (void)msgpack_raw(l);
#define READ_SKIP_TEXT(l, to) (void)msgpack_str(l);
#define READ_LOCK(l, to) lock_read(l, &(to));
#define READ_ENDING(l, to) lock_ending_read(l, &(to));

bool lock_state_parse(struct str text, enum lock_state *out) MUST_CHECK;
/* Each reads one item of the list (a member, a waiter: two); faults show in list->m->ok. */
void lock_read(struct msgpack_list *list, struct lock_view *out);
void lock_ending_read(struct msgpack_list *list,
                      struct lock_ending *out); /* out is zeroed before */
void lock_member_read(struct msgpack_list *list, struct lock_member *out);
void lock_waiter_read(struct msgpack_list *list, struct lock_waiter *out);
/* The items of the list itself. */
void lock_event_read(struct msgpack_list *list, struct lock_event *out);

/* The id of an entry, "<tick>-0". */
bool stream_id_read(struct str id, int64_t *tick) MUST_CHECK;
/* An entry of a stream. False: malformed, *out must not be used. */
bool lock_event_decode(struct str packed, struct lock_event *out) MUST_CHECK;

enum script_status {
    SCRIPT_OK,
    SCRIPT_LATE,   /* after notAfter: nothing happened */
    SCRIPT_SHARDS, /* laid out for `rev` shards */
    SCRIPT_SCHEMA, /* laid out under schema `rev` */
    SCRIPT_AHEAD,  /* a reported tick is more than a day ahead */
};

/* What a reply says beside the result. */
struct script_head {
    enum script_status status;
    int64_t rev, now_ms;
    int64_t window;  /* when the open recovery window was opened; 0: none */
    int64_t next_ms; /* the next deadline; 0: none */
    bool late;       /* lease: had run out, or was not there */
    bool more;       /* sweep: more is due already */
    bool unreadable; /* sweep: something that is due could not be settled */
};

/* Arrays that a result points into; reused from reply to reply. */
struct decode_scratch {
    struct lock_event *events;
    struct str *names;
    struct lock_member *members;
    struct lock_waiter *waiters;
    size_t event_cap, name_cap, member_cap, waiter_cap;
};
void decode_scratch_fini(struct decode_scratch *scratch);

/* False: the reply cannot be from our scripts. Fills status LOCK_OK and everything that the reply
 * has. */
bool script_reply_decode(struct str packed, struct decode_scratch *scratch,
                         struct script_head *head, struct lock_result *out) MUST_CHECK;

#endif
