#include "decode.h"

#include "wslock/base/mem.h"

enum { FLAG_RESUMED = 1, FLAG_JOINED = 4, FLAG_LATE = 8, FLAG_MORE = 16, FLAG_UNREADABLE = 32 };

static const char *const status_words[] = {"OK", "LATE", "SHARDS", "SCHEMA", "AHEAD"};

static const char *const outcome_words[] = {
    [LOCK_OUT_NONE] = "NONE",
    [LOCK_OUT_GRANTED] = "GRANTED",
    [LOCK_OUT_RENEWED] = "RENEWED",
    [LOCK_OUT_RELEASED] = "RELEASED",
    [LOCK_OUT_HELD] = "HELD",
    [LOCK_OUT_HELD_BY_YOU] = "HELD_BY_YOU",
    [LOCK_OUT_GRACE] = "GRACE",
    [LOCK_OUT_RESERVED] = "RESERVED",
    [LOCK_OUT_RECOVERING] = "RECOVERING",
    [LOCK_OUT_TAB_LIMIT] = "TAB_LIMIT",
    [LOCK_OUT_NOT_JOINED] = "NOT_JOINED",
    [LOCK_OUT_NOT_HOLDER] = "NOT_HOLDER",
    [LOCK_OUT_LOST] = "LOST",
    [LOCK_OUT_VIEWERS_FULL] = "VIEWERS_FULL",
    [LOCK_OUT_QUEUED] = "QUEUED",
    [LOCK_OUT_QUEUE_FULL] = "QUEUE_FULL",
    [LOCK_OUT_REQUESTED] = "REQUESTED",
    [LOCK_OUT_OWN] = "OWN",
    [LOCK_OUT_REPLIED] = "REPLIED",
    [LOCK_OUT_WITHDRAWN] = "WITHDRAWN",
    [LOCK_OUT_NOT_QUEUED] = "NOT_QUEUED",
    [LOCK_OUT_UNKNOWN_REQUEST] = "UNKNOWN",
    [LOCK_OUT_PENDING] = "PENDING",
    [LOCK_OUT_TAKEOVER_IN_PROGRESS] = "TAKEOVER_IN_PROGRESS",
};

static size_t read_word(struct msgpack_list *list, const char *const *words, size_t count) {
    struct str text = msgpack_str(list);

    for (size_t i = 0; i < count; i++) {
        if (str_eqz(text, words[i])) {
            return i;
        }
    }
    list->m->ok = false;
    return 0;
}

/* Room for count items; count is below the reply's bytes, which are here already. */
static void *grown(void *items, size_t *cap, size_t count, size_t item_bytes) {
    if (count > *cap) {
        *cap = count * 2;
        items = mem_realloc(items, *cap * item_bytes);
    }
    return items;
}

static void read_events(struct msgpack_list *list, struct decode_scratch *scratch,
                        struct lock_result *out) {
    struct msgpack_list l, event;

    msgpack_list(list, &l);
    out->event_count = l.left;
    scratch->events = grown(scratch->events, &scratch->event_cap, l.left, sizeof *scratch->events);
    for (size_t i = 0; i < out->event_count && l.m->ok; i++) {
        msgpack_list(&l, &event);
        lock_event_read(&event, &scratch->events[i]);
    }
    out->events = scratch->events;
}

static void read_names(struct msgpack_list *list, struct decode_scratch *scratch,
                       struct lock_result *out) {
    struct msgpack_list l;

    msgpack_list(list, &l);
    out->held_count = l.left;
    scratch->names = grown(scratch->names, &scratch->name_cap, l.left, sizeof *scratch->names);
    for (size_t i = 0; i < out->held_count; i++) {
        scratch->names[i] = msgpack_str(&l);
    }
    out->held = scratch->names;
}

/* They come newest first and are told oldest first, the order in which a room's later members
 * follow. */
static void read_members(struct msgpack_list *list, struct decode_scratch *scratch,
                         struct lock_result *out) {
    struct msgpack_list l;
    size_t count;

    msgpack_list(list, &l);
    count = l.left / 2;
    scratch->members =
        grown(scratch->members, &scratch->member_cap, count, sizeof *scratch->members);
    for (size_t i = count; i > 0 && l.m->ok; i--) {
        lock_member_read(&l, &scratch->members[i - 1]);
    }
    msgpack_list_end(&l);
    out->snapshot.members = scratch->members;
    out->snapshot.member_listed = count;
}

/* Items 16 to 18: the caller's own place, what holders took, everybody's place. */
static void read_waiting(struct msgpack_list *list, struct decode_scratch *scratch,
                         struct lock_result *out) {
    struct msgpack_list place, all;
    size_t count;

    out->median_ms = out->snapshot.median_ms = -1;
    if (list->left == 0) {
        return;
    }
    if (msgpack_list(list, &place)) {
        out->position = msgpack_int(&place);
        out->request_id = msgpack_str(&place);
        out->ends_ms = msgpack_int(&place);
        msgpack_list_end(&place);
    }
    out->median_ms = out->snapshot.median_ms = msgpack_int(list);
    msgpack_list(list, &all);
    count = all.left / 2;
    scratch->waiters =
        grown(scratch->waiters, &scratch->waiter_cap, count, sizeof *scratch->waiters);
    for (size_t i = 0; i < count && all.m->ok; i++) {
        lock_waiter_read(&all, &scratch->waiters[i]);
    }
    msgpack_list_end(&all);
    out->snapshot.waiters = scratch->waiters;
    out->snapshot.waiter_count = count;
}

static void read_flags(struct msgpack_list *list, struct script_head *head,
                       struct lock_result *out) {
    int64_t flags = msgpack_int(list);

    out->resumed = (flags & FLAG_RESUMED) != 0;
    out->joined = (flags & FLAG_JOINED) != 0;
    head->late = (flags & FLAG_LATE) != 0;
    head->more = (flags & FLAG_MORE) != 0;
    head->unreadable = (flags & FLAG_UNREADABLE) != 0;
}

bool script_reply_decode(struct str packed, struct decode_scratch *scratch,
                         struct script_head *head, struct lock_result *out) {
    struct msgpack m;
    struct msgpack_list list;

    memset(head, 0, sizeof *head);
    memset(out, 0, sizeof *out);
    msgpack_open(&m, &list, packed);
    head->status = (enum script_status)read_word(&list, status_words, ARRAY_LEN(status_words));
    out->outcome = (enum lock_outcome)read_word(&list, outcome_words, ARRAY_LEN(outcome_words));
    out->rev = head->rev = msgpack_int(&list);
    out->now_ms = head->now_ms = msgpack_int(&list);
    head->window = msgpack_int(&list);
    if (!m.ok || head->status != SCRIPT_OK) {
        return m.ok;
    }
    head->next_ms = msgpack_int(&list);
    read_flags(&list, head, out);
    lock_read(&list, &out->lock);
    out->limit = msgpack_int(&list);
    lock_ending_read(&list, &out->previous);
    lock_ending_read(&list, &out->lost);
    read_events(&list, scratch, out);
    read_names(&list, scratch, out);
    read_members(&list, scratch, out);
    out->snapshot.member_count = msgpack_int(&list);
    read_waiting(&list, scratch, out);
    out->snapshot.rev = out->rev;
    out->snapshot.lock = out->lock;
    return m.ok;
}

void decode_scratch_fini(struct decode_scratch *scratch) {
    mem_free(scratch->events);
    mem_free(scratch->names);
    mem_free(scratch->members);
    mem_free(scratch->waiters);
    memset(scratch, 0, sizeof *scratch);
}
