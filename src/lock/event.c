#include "decode.h"

#include <stdlib.h>

bool lock_state_parse(struct str text, enum lock_state *out) {
    for (int s = LOCK_STATE_FREE; s <= LOCK_STATE_RESERVED; s++) {
        if (str_eqz(text, lock_state_text((enum lock_state)s))) {
            *out = (enum lock_state)s;
            return true;
        }
    }
    return false;
}

static void require(struct msgpack *m, bool condition) {
    m->ok = m->ok && condition;
}

bool lock_takeover_decode(struct str packed, struct lock_takeover *out) {
    struct msgpack m;
    struct msgpack_list l;

    memset(out, 0, sizeof *out);
    msgpack_open(&m, &l, packed);
    out->present = true;
    out->packed = packed;
    out->request_id = msgpack_str(&l);
    out->user_id = msgpack_str(&l);
    out->username = msgpack_str(&l);
    out->client_id = msgpack_str(&l);
    out->reason = msgpack_str(&l);
    out->force_at_ms = msgpack_int(&l);
    out->urgent = msgpack_int(&l) != 0;
    msgpack_int(&l); /* length */
    out->denied = msgpack_int(&l) != 0;
    msgpack_int(&l); /* the server made the clientId */
    out->ended = msgpack_str(&l);
    msgpack_list_end(&l);
    require(&m, out->request_id.len > 0 && out->user_id.len > 0);
    if (!m.ok) {
        memset(out, 0, sizeof *out);
    }
    return m.ok;
}

/* Empty, nil or false: there is none. */
static void read_takeover(struct msgpack *outer, struct str packed, struct lock_takeover *out) {
    memset(out, 0, sizeof *out);
    require(outer, packed.len <= 1 || lock_takeover_decode(packed, out));
}

bool lock_waiter_decode(struct str user_id, struct str client_id, struct str packed,
                        struct lock_waiter *out) {
    struct msgpack m;
    struct msgpack_list l;
    int64_t kind;

    memset(out, 0, sizeof *out);
    out->user_id = user_id;
    out->client_id = client_id;
    out->packed = packed;
    msgpack_open(&m, &l, packed);
    out->username = msgpack_str(&l);
    out->order = msgpack_int(&l);
    kind = msgpack_int(&l);
    out->queues = (kind & 1) != 0;
    out->requests = (kind & 2) != 0;
    out->request_id = msgpack_str(&l);
    out->message = msgpack_str(&l);
    out->ends_ms = msgpack_int(&l);
    msgpack_int(&l); /* length */
    out->absent_until_ms = msgpack_int(&l);
    msgpack_int(&l); /* grace */
    msgpack_int(&l); /* the server made the clientId */
    out->since_ms = msgpack_int(&l);
    msgpack_list_end(&l);
    require(&m, kind >= 1 && kind <= 3 && user_id.len >= 1 && user_id.len <= LOCK_USER_MAX &&
                    client_id.len <= LOCK_CLIENT_MAX);
    return m.ok;
}

void lock_waiter_read(struct msgpack_list *list, struct lock_waiter *out) {
    struct str user_id = msgpack_str(list), client_id, packed = msgpack_raw(list);

    require(list->m, str_cut(&user_id, ':', &client_id) &&
                         lock_waiter_decode(user_id, client_id, packed, out));
}

void lock_read(struct msgpack_list *list, struct lock_view *out) {
    struct msgpack_list l;
    int64_t until;

    require(list->m, msgpack_list(list, &l));
    out->token = msgpack_int(&l);
    out->since_ms = msgpack_int(&l);
    out->expires_ms = msgpack_int(&l);
    out->idle_until_ms = msgpack_int(&l);
    until = msgpack_int(&l);
    msgpack_int(&l); /* told */
    out->dirty = msgpack_int(&l) != 0;
    out->client_made = msgpack_int(&l) != 0;
    out->queue_length = msgpack_int(&l);
    require(list->m, lock_state_parse(msgpack_str(&l), &out->state));
    out->user_id = msgpack_str(&l);
    out->username = msgpack_str(&l);
    out->client_id = msgpack_str(&l);
    msgpack_str(&l); /* policy */
    read_takeover(list->m, msgpack_str(&l), &out->takeover);
    msgpack_int(&l); /* the deadline of those who wait */
    out->prompt = msgpack_int(&l) != 0;
    out->page_id = msgpack_str(&l);
    out->grace_until_ms = out->state == LOCK_STATE_GRACE ? until : 0;
    out->reserved_until_ms = out->state == LOCK_STATE_RESERVED ? until : 0;
    msgpack_list_end(&l);
}

void lock_ending_read(struct msgpack_list *list, struct lock_ending *out) {
    struct msgpack_list l;

    if (!msgpack_list(list, &l)) {
        return;
    }
    out->present = true;
    out->user_id = msgpack_str(&l);
    out->username = msgpack_str(&l);
    out->client_id = msgpack_str(&l);
    out->token = msgpack_int(&l);
    out->reason = lock_cause_parse(msgpack_str(&l));
    out->dirty = msgpack_int(&l) != 0;
    out->revision = msgpack_str(&l);
    out->since_ms = msgpack_int(&l);
    out->ended_ms = msgpack_int(&l);
    out->by = msgpack_str(&l);
    out->request_id = msgpack_str(&l);
    require(l.m, out->reason != LOCK_CAUSE_NONE);
    msgpack_list_end(&l);
}

static void read_operation(struct msgpack_list *list, struct lock_event *out) {
    struct lock_operation *o = &out->operation;
    struct msgpack_list l;

    require(list->m, msgpack_list(list, &l));
    o->actor = msgpack_str(&l);
    o->reason = msgpack_str(&l);
    o->address = msgpack_str(&l);
    o->uid = msgpack_int(&l);
    msgpack_list_end(&l);
    lock_ending_read(list, &out->ended);
    o->user_id = msgpack_str(list);
    o->username = msgpack_str(list);
    require(list->m, out->cause == LOCK_CAUSE_ADMIN_RELEASED ||
                         (out->cause == LOCK_CAUSE_TAKEN_BY_ADMIN && o->user_id.len > 0));
}

static bool digits(struct str text, int64_t *out) {
    if (text.len == 0 || text.len > 15) {
        return false;
    }
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        *out = *out * 10 + (text.p[i] - '0');
    }
    return true;
}

void lock_member_read(struct msgpack_list *list, struct lock_member *out) {
    struct str field = msgpack_str(list), value = msgpack_str(list), instance, at;
    struct str joined = {NULL, 0};

    require(list->m, str_cut(&field, ':', &out->client_id) &&
                         str_cut(&value, ' ', &out->session_id) &&
                         str_cut(&value, ' ', &instance) && str_cut(&value, ' ', &joined));
    at = joined;
    (void)str_cut(&joined, '/', &at); /* what is left is the page */
    require(list->m, digits(at, &out->joined_ms));
    out->user_id = field;
    out->username = value;
}

void lock_event_read(struct msgpack_list *list, struct lock_event *out) {
    int64_t kind = msgpack_int(list);

    memset(out, 0, sizeof *out);
    out->rev = msgpack_int(list);
    out->prev = msgpack_int(list);
    out->resource = msgpack_str(list);
    out->actor_session_id = msgpack_str(list);
    if (kind == LOCK_EVENT_LOCK) {
        out->kind = LOCK_EVENT_LOCK;
        out->cause = lock_cause_parse(msgpack_str(list));
        require(list->m, out->cause != LOCK_CAUSE_NONE);
        lock_read(list, &out->lock);
        lock_ending_read(list, &out->ended);
        read_takeover(list->m, msgpack_raw(list), &out->takeover);
    } else if (kind == LOCK_EVENT_PLACE) {
        out->kind = LOCK_EVENT_PLACE;
        out->cause = lock_cause_parse(msgpack_str(list));
        require(list->m, out->cause != LOCK_CAUSE_NONE);
        lock_waiter_read(list, &out->waiter);
        out->there = msgpack_int(list) != 0;
        out->queue_length = msgpack_int(list);
        out->median_ms = msgpack_int(list);
    } else if (kind == LOCK_EVENT_TAKEOVER) {
        out->kind = LOCK_EVENT_TAKEOVER;
        out->cause = lock_cause_parse(msgpack_str(list));
        require(list->m, out->cause != LOCK_CAUSE_NONE);
        read_takeover(list->m, msgpack_raw(list), &out->takeover);
        require(list->m, out->takeover.present);
        out->token = msgpack_int(list);
    } else if (kind == LOCK_EVENT_OPERATION) {
        out->kind = LOCK_EVENT_OPERATION;
        out->cause = lock_cause_parse(msgpack_str(list));
        read_operation(list, out);
    } else {
        require(list->m, kind == LOCK_EVENT_JOIN || kind == LOCK_EVENT_LEAVE);
        out->kind = kind == LOCK_EVENT_JOIN ? LOCK_EVENT_JOIN : LOCK_EVENT_LEAVE;
        lock_member_read(list, &out->member);
        out->old_session_id = msgpack_str(list);
        msgpack_str(list); /* the instance that had it */
        out->member_count = msgpack_int(list);
    }
    require(list->m, out->prev >= 0 && out->rev > out->prev && out->resource.len > 0);
    msgpack_list_end(list);
}

bool stream_id_read(struct str id, int64_t *tick) {
    char text[24], *end;

    if (id.len < 3 || id.len >= sizeof text || id.p[0] < '0' || id.p[0] > '9') {
        return false;
    }
    memcpy(text, id.p, id.len);
    text[id.len] = '\0';
    *tick = strtoll(text, &end, 10);
    return strcmp(end, "-0") == 0;
}

bool lock_event_decode(struct str packed, struct lock_event *out) {
    struct msgpack m;
    struct msgpack_list list;

    msgpack_open(&m, &list, packed);
    lock_event_read(&list, out);
    return m.ok;
}
