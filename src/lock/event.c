/* Decoding of locks, members, waiters and events. */
#include "event.h"

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

enum {
#define WAITS_VALUE(name, number) WAITS_##name = (number),
#include "layouts.def"
#undef WAITS_VALUE
};

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
#define TAKEOVER_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef TAKEOVER_FIELD
    msgpack_list_end(&l);
    require(&m, out->request_id.len > 0 && out->user_id.len > 0);
    if (!m.ok) {
        memset(out, 0, sizeof *out);
    }
    return m.ok;
}

/* Empty, nil or false: no takeover. */
static void read_takeover(struct msgpack *outer, struct str packed, struct lock_takeover *out) {
    memset(out, 0, sizeof *out);
    require(outer, packed.len <= 1 || lock_takeover_decode(packed, out));
}

#define READ_WAITS(l, to) waits = msgpack_int(l);

bool lock_waiter_decode(struct str user_id, struct str client_id, struct str packed,
                        struct lock_waiter *out) {
    struct msgpack m;
    struct msgpack_list l;
    int64_t waits;

    memset(out, 0, sizeof *out);
    out->user_id = user_id;
    out->client_id = client_id;
    out->packed = packed;
    msgpack_open(&m, &l, packed);
#define WAITER_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef WAITER_FIELD
    msgpack_list_end(&l);
    out->queues = (waits & WAITS_QUEUE) != 0;
    out->requests = (waits & WAITS_REQUEST) != 0;
    require(&m, waits >= WAITS_QUEUE && waits <= WAITS_BOTH && user_id.len >= 1 &&
                    user_id.len <= LOCK_USER_MAX && client_id.len <= LOCK_CLIENT_MAX);
    return m.ok;
}

void lock_waiter_read(struct msgpack_list *list, struct lock_waiter *out) {
    struct str user_id = msgpack_str(list), client_id, packed = msgpack_raw(list);

    require(list->m, str_cut(&user_id, ':', &client_id) &&
                         lock_waiter_decode(user_id, client_id, packed, out));
}

#define READ_STATE(l, to) require((l)->m, lock_state_parse(msgpack_str(l), &(to)));
#define READ_PACKED_TAKEOVER(l, to) read_takeover((l)->m, msgpack_str(l), &(to));
#define READ_UNTIL(l, to) until_ms = msgpack_int(l);

void lock_read(struct msgpack_list *list, struct lock_view *out) {
    struct msgpack_list l;
    int64_t until_ms;

    require(list->m, msgpack_list(list, &l));
#define LOCK_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef LOCK_FIELD
    out->grace_until_ms = out->state == LOCK_STATE_GRACE ? until_ms : 0;
    out->reserved_until_ms = out->state == LOCK_STATE_RESERVED ? until_ms : 0;
    msgpack_list_end(&l);
}

static enum lock_cause read_cause(struct msgpack_list *list) {
    enum lock_cause cause = lock_cause_parse(msgpack_str(list));

    require(list->m, cause != LOCK_CAUSE_NONE);
    return cause;
}

#define READ_CAUSE(l, to) (to) = read_cause(l);

void lock_ending_read(struct msgpack_list *list, struct lock_ending *out) {
    struct msgpack_list l;

    if (!msgpack_list(list, &l)) {
        return;
    }
    out->present = true;
#define ENDING_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef ENDING_FIELD
    msgpack_list_end(&l);
}

static void read_operator(struct msgpack_list *list, struct lock_operation *out) {
    struct msgpack_list l;

    require(list->m, msgpack_list(list, &l));
#define OPERATOR_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef OPERATOR_FIELD
    msgpack_list_end(&l);
}

/* A list of one item. */
static struct msgpack_list single(struct msgpack *m, struct str bytes) {
    *m = (struct msgpack){(const unsigned char *)bytes.p,
                          (const unsigned char *)bytes.p + bytes.len, true};
    return (struct msgpack_list){m, 1};
}

bool lock_ending_decode(struct str bytes, struct lock_ending *out) {
    struct msgpack m;
    struct msgpack_list list = single(&m, bytes);

    memset(out, 0, sizeof *out);
    lock_ending_read(&list, out);
    return m.ok && out->present;
}

bool lock_decode(struct str bytes, struct lock_view *out) {
    struct msgpack m;
    struct msgpack_list list = single(&m, bytes);

    memset(out, 0, sizeof *out);
    lock_read(&list, out);
    return m.ok;
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
    (void)str_cut(&joined, '/', &at); /* the page follows the slash */
    require(list->m, digits(at, &out->joined_ms));
    out->user_id = field;
    out->username = value;
}

static enum lock_event_kind read_kind(struct msgpack_list *list) {
    int64_t kind = msgpack_int(list);

    require(list->m, kind >= LOCK_EVENT_LOCK && kind <= LOCK_EVENT_OPERATION);
    return list->m->ok ? (enum lock_event_kind)kind : LOCK_EVENT_LOCK;
}

#define READ_KIND(l, to) (to) = read_kind(l);
#define READ_TAKEOVER(l, to) read_takeover((l)->m, msgpack_raw(l), &(to));
#define READ_OPERATOR(l, to) read_operator(l, &(to));
/* Two items: the id and its value. */
#define READ_MEMBER(l, to) lock_member_read(l, &(to));
#define READ_WAITER(l, to) lock_waiter_read(l, &(to));
#define READ_WITH_ID(l, to)

static void read_lock_event(struct msgpack_list *list, struct lock_event *out) {
#define EVENT_LOCK_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_LOCK_FIELD
}

static void read_member_event(struct msgpack_list *list, struct lock_event *out) {
#define EVENT_MEMBER_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_MEMBER_FIELD
}

static void read_waiter_event(struct msgpack_list *list, struct lock_event *out) {
#define EVENT_WAITER_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_WAITER_FIELD
}

static void read_takeover_event(struct msgpack_list *list, struct lock_event *out) {
#define EVENT_TAKEOVER_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_TAKEOVER_FIELD
    require(list->m, out->takeover.present);
}

static void read_operation_event(struct msgpack_list *list, struct lock_event *out) {
#define EVENT_OPERATION_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_OPERATION_FIELD
    require(list->m,
            out->cause == LOCK_CAUSE_ADMIN_RELEASED ||
                (out->cause == LOCK_CAUSE_TAKEN_BY_ADMIN && out->operation.user_id.len > 0));
}

void lock_event_read(struct msgpack_list *list, struct lock_event *out) {
    memset(out, 0, sizeof *out);
#define EVENT_FIELD(name, kind, member) READ_##kind(list, out->member)
#include "layouts.def"
#undef EVENT_FIELD
    switch (out->kind) {
    case LOCK_EVENT_LOCK:
        read_lock_event(list, out);
        break;
    case LOCK_EVENT_JOIN:
    case LOCK_EVENT_LEAVE:
        read_member_event(list, out);
        break;
    case LOCK_EVENT_WAITER:
        read_waiter_event(list, out);
        break;
    case LOCK_EVENT_TAKEOVER:
        read_takeover_event(list, out);
        break;
    case LOCK_EVENT_OPERATION:
        read_operation_event(list, out);
        break;
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
