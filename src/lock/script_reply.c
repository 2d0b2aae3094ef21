/* Decoding of script replies. */
#include "script_reply.h"

#include "event.h"

#include "wslock/base/mem.h"

enum {
#define FLAG_VALUE(name, number) FLAG_##name = (number),
#include "layouts.def"
#undef FLAG_VALUE
};

static const char *const status_words[] = {"OK", "LATE", "SHARDS", "SCHEMA", "AHEAD"};

static const char *const outcome_words[] = {
#define LOCK_OUTCOME(id) #id,
#include "wslock/lock/tables.def"
#undef LOCK_OUTCOME
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

/* Returns space for count items. count is at most the size of the reply in bytes. */
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
                       struct script_reply *out) {
    struct msgpack_list l;

    msgpack_list(list, &l);
    out->name_count = l.left;
    scratch->names = grown(scratch->names, &scratch->name_cap, l.left, sizeof *scratch->names);
    for (size_t i = 0; i < out->name_count; i++) {
        scratch->names[i] = msgpack_str(&l);
    }
    out->names = scratch->names;
}

/* The reply has the newest first, the snapshot the oldest first: the order in which members join.
 */
static void read_members(struct msgpack_list *list, struct decode_scratch *scratch,
                         struct script_reply *out) {
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

static void read_place(struct msgpack_list *list, struct script_reply *out) {
    struct msgpack_list l;

    if (!msgpack_list(list, &l)) {
        return;
    }
#define PLACE_FIELD(name, kind, member) READ_##kind(&l, out->member)
#include "layouts.def"
#undef PLACE_FIELD
    msgpack_list_end(&l);
}

static void read_waiters(struct msgpack_list *list, struct decode_scratch *scratch,
                         struct script_reply *out) {
    struct msgpack_list l;
    size_t count;

    msgpack_list(list, &l);
    count = l.left / 2;
    scratch->waiters =
        grown(scratch->waiters, &scratch->waiter_cap, count, sizeof *scratch->waiters);
    for (size_t i = 0; i < count && l.m->ok; i++) {
        lock_waiter_read(&l, &scratch->waiters[i]);
    }
    msgpack_list_end(&l);
    out->snapshot.waiters = scratch->waiters;
    out->snapshot.waiter_count = count;
}

static void read_flags(struct msgpack_list *list, struct script_reply *out) {
    int64_t flags = msgpack_int(list);

    out->resumed = (flags & FLAG_RESUMED) != 0;
    out->joined = (flags & FLAG_JOINED) != 0;
    out->late = (flags & FLAG_LATE) != 0;
    out->more = (flags & FLAG_MORE) != 0;
    out->unreadable = (flags & FLAG_UNREADABLE) != 0;
}

#define READ_STATUS(l, to)                                                                         \
    out->status = (enum script_status)read_word(l, status_words, ARRAY_LEN(status_words));
#define READ_OUTCOME(l, to)                                                                        \
    out->common.outcome = (enum lock_outcome)read_word(l, outcome_words, ARRAY_LEN(outcome_words));
/* The reply of a refused call ends here. */
#define READ_WINDOW(l, to)                                                                         \
    (to) = msgpack_int(l);                                                                         \
    if (!m.ok || out->status != SCRIPT_OK) {                                                       \
        return m.ok;                                                                               \
    }
#define READ_FLAGS(l, to) read_flags(l, out);
#define READ_EVENTS(l, to) read_events(l, scratch, &out->common);
#define READ_NAMES(l, to) read_names(l, scratch, out);
#define READ_MEMBERS(l, to) read_members(l, scratch, out);
#define READ_PLACE(l, to) read_place(l, out);
/* Absent in most replies, like PLACE and WAITERS. */
#define READ_MEDIAN(l, to) (to) = (l)->left > 0 ? msgpack_int(l) : -1;
#define READ_WAITERS(l, to) read_waiters(l, scratch, out);

bool script_reply_decode(struct str packed, struct decode_scratch *scratch,
                         struct script_reply *out) {
    struct msgpack m;
    struct msgpack_list list;

    memset(out, 0, sizeof *out);
    msgpack_open(&m, &list, packed);
#define REPLY_FIELD(name, kind, member) READ_##kind(&list, out->member)
#include "layouts.def"
#undef REPLY_FIELD
    out->snapshot.rev = out->common.rev;
    out->snapshot.before_rev =
        out->common.event_count > 0 ? out->common.events[0].prev : out->common.rev;
    out->snapshot.lock = out->common.lock;
    return m.ok;
}

void decode_scratch_fini(struct decode_scratch *scratch) {
    mem_free(scratch->events);
    mem_free(scratch->names);
    mem_free(scratch->members);
    mem_free(scratch->waiters);
    memset(scratch, 0, sizeof *scratch);
}
