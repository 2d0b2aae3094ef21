/*
 * Changes that the audit may lack. The instance that gets the reply to a call writes its changes.
 * Without a reply, or if that instance died, they are read back from the shard's stream `audit`,
 * which keeps every change until an instance confirms that it is on disk. The changes of a call
 * with an unknown outcome are read when the call can no longer be under way; those of a dead
 * instance when a sweep returns its name.
 */
#include "audit_recovery.h"

#include <inttypes.h>
#include <stdio.h>

#include "event.h"
#include "script.h"
#include "store_time.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

/* After commandTimeout. A disconnect, which has no notAfter, has been repeated by then. */
#define OUTCOME_DUE_MS 2500
#define RETRY_MS 500
#define PAGE_TEXT "256" /* entries */
#define PAGE 256

/* The ticks of a shard's changes, in order: written <= flushing <= answered. */
struct audit_recovery {
    struct shard *shard;
    int64_t answered; /* rev of the last reply: the audit has our changes up to here */
    int64_t flushing; /* `answered` when the audit was last asked to write to disk */
    int64_t written;  /* on disk */
    int64_t made;     /* our last change in a reply */

    bool unknown;         /* calls after unknown_from had no answer */
    bool unknown_again;   /* another one since reading began */
    int64_t unknown_from; /* the changes up to this tick are complete */
    int64_t *seen;        /* ticks of changes in replies since then, ascending */
    size_t seen_count, seen_cap;
    struct wheel_timer timer;

    char reading[LOCK_INCARNATION_MAX + 1]; /* whose changes are being read; empty: none */
    int64_t read_from, read_to;             /* ticks */
    size_t found;
};

struct flushes {
    struct list open; /* struct flush, without an answer of the audit */
    bool own_open;    /* one for all shards among them */
    enum { FLUSH_NONE, FLUSH_ASKED, FLUSH_DONE } last; /* before the end */
};

/* ---- on disk or not ---- */

/* Called when all that the audit has been given is on disk, or cannot be written (ok is false). */
typedef void (*flush_done)(struct lock_store *store, struct shard *s, bool ok);
struct flush {
    struct list node;
    struct lock_store *store; /* NULL: destroyed */
    struct shard *shard;      /* NULL: all shards */
    flush_done done;
};

static void on_flushed(void *arg, bool ok) {
    struct flush *flush = arg;

    list_remove(&flush->node);
    if (flush->store != NULL) {
        flush->done(flush->store, flush->shard, ok);
    }
    mem_free(flush);
}

static void flush_then(struct lock_store *store, struct shard *s, flush_done done) {
    struct flush *flush = mem_alloc(sizeof *flush);

    *flush = (struct flush){.store = store, .shard = s, .done = done};
    list_push_back(&store->flushes->open, &flush->node);
    store->callbacks.flush(store->callbacks.ctx, on_flushed, flush);
}

static void on_own_flushed(struct lock_store *store, struct shard *s, bool ok) {
    struct flushes *f = store->flushes;

    (void)s;
    f->own_open = false;
    f->last = f->last == FLUSH_ASKED ? FLUSH_DONE : f->last;
    for (unsigned i = 0; ok && i < store->shard_count; i++) {
        struct audit_recovery *r = store->shards[i].audit_recovery;

        r->written = r->flushing;
    }
}

void audit_recovery_flush(struct lock_store *store) {
    if (store->flushes->own_open) {
        return;
    }
    store->flushes->own_open = true;
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct audit_recovery *r = store->shards[i].audit_recovery;

        r->flushing = r->answered;
    }
    flush_then(store, NULL, on_own_flushed);
}

bool lock_store_flushed(struct lock_store *store) {
    struct flushes *f = store->flushes;

    if (f->last == FLUSH_NONE && !f->own_open) {
        f->last = FLUSH_ASKED;
        audit_recovery_flush(store);
    }
    return f->last == FLUSH_DONE;
}

int64_t audit_recovery_tick(const struct shard *s) {
    const struct audit_recovery *r = s->audit_recovery;

    return r->unknown && r->unknown_from < r->written ? r->unknown_from : r->written;
}

bool audit_recovery_is_settled(const struct shard *s) {
    const struct audit_recovery *r = s->audit_recovery;

    return !r->unknown && s->calls_open == 0 && r->written >= r->made;
}

/* ---- reading back ---- */

static bool has_seen(const struct audit_recovery *r, int64_t tick) {
    size_t low = 0, high = r->seen_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->seen[middle] == tick) {
            return true;
        }
        if (r->seen[middle] < tick) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static void forget_seen(struct audit_recovery *r) {
    mem_free(r->seen);
    r->seen = NULL;
    r->seen_count = r->seen_cap = 0;
}

static void on_unknown_timer(struct wheel_timer *timer);

static uint64_t outcome_due_ms(const struct shard *s) {
    return OUTCOME_DUE_MS + store_timeout_ms(s->store);
}

/* A further unknown outcome does not put it off. */
static void look_later(struct shard *s, uint64_t delay_ms) {
    if (!wheel_armed(&s->audit_recovery->timer)) {
        wheel_set(s->store->wheel, &s->audit_recovery->timer, delay_ms, on_unknown_timer);
    }
}

static void end_unknown(struct shard *s) {
    struct audit_recovery *r = s->audit_recovery;

    /* The changes that were found are not on disk yet. */
    r->flushing = r->flushing < r->unknown_from ? r->flushing : r->unknown_from;
    r->written = r->written < r->unknown_from ? r->written : r->unknown_from;
    if (r->unknown_again) { /* the outcome of a later call is unknown */
        r->unknown_from = r->read_to;
        look_later(s, outcome_due_ms(s));
        return;
    }
    r->unknown = false;
    forget_seen(r);
}

static void on_recorded(struct script_call *call, const struct script_reply *reply) {
    (void)reply; /* after a failure a later sweep returns the instance again */
    call->shard->audit_recovery->reading[0] = '\0';
}

/* All changes of a dead instance are on disk here: no other instance needs to read them. */
static void on_dead_flushed(struct lock_store *store, struct shard *s, bool ok) {
    struct script_args a;

    (void)store;
    if (!ok) {
        s->audit_recovery->reading[0] = '\0'; /* a later sweep returns it again */
        return;
    }
    args_init(&a, &s->store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->node);
    args_str(&a, str_of(s->audit_recovery->reading));
    script_send(s, &lock_script_recorded, &a, on_recorded, (struct script_cb){0});
}

static bool is_own(const struct shard *s) {
    return strcmp(s->audit_recovery->reading, s->store->incarnation) == 0;
}

static void give_up_reading(struct shard *s) {
    if (is_own(s)) {
        look_later(s, RETRY_MS);
    } /* else a later sweep returns it again */
    s->audit_recovery->reading[0] = '\0';
}

/* The last reply: up to where the cap of the stream removed changes that were not on disk. */
static void on_cut(void *arg, enum redis_status status, const struct redis_reply *reply,
                   const char *error) {
    struct shard *s = arg;
    struct audit_recovery *r = s->audit_recovery;
    int64_t cut;

    (void)error;
    if (s->store->closing) {
        return;
    }
    if (status != REDIS_OK) {
        give_up_reading(s);
        return;
    }
    if (redis_reply_int(reply, &cut) && cut > r->read_from) {
        s->store->callbacks.on_audit_gap(s->store->callbacks.ctx, s->index, r->reading,
                                         r->read_from, cut);
    }
    if (r->found > 0) {
        log_info("audit_read_back", LFI("shard", s->index), LF("instance", r->reading),
                 LFI("records", r->found));
    }
    if (is_own(s)) {
        r->reading[0] = '\0';
        end_unknown(s);
    } else {
        flush_then(s->store, s, on_dead_flushed);
    }
}

/* An entry: its id and the fields e (event) and i (instance). False: malformed. */
static bool take_entry(struct shard *s, const struct redis_reply *entry) {
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    struct audit_recovery *r = s->audit_recovery;
    struct lock_event event;
    struct str id, packed, by;
    int64_t tick;

    if (!redis_reply_str(redis_reply_at(entry, 0), &id) || !stream_id_read(id, &tick) ||
        tick <= r->read_to) {
        return false;
    }
    r->read_to = tick;
    if (!redis_reply_str(redis_reply_at(fields, 1), &packed) ||
        !redis_reply_str(redis_reply_at(fields, 3), &by) || !lock_event_decode(packed, &event) ||
        event.rev != tick) {
        return false;
    }
    if (str_eqz(by, r->reading) && !(is_own(s) && has_seen(r, tick))) {
        r->found++;
        s->store->callbacks.on_unasked(s->store->callbacks.ctx, &event, true);
    }
    return true;
}

static void read_page(struct shard *s);

static void on_page(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct shard *s = arg;
    size_t count = redis_reply_count(reply);
    int64_t before = s->audit_recovery->read_to;
    bool whole = true;

    (void)error;
    if (s->store->closing) {
        return;
    }
    if (status != REDIS_OK) {
        give_up_reading(s);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        whole = take_entry(s, redis_reply_at(reply, i)) && whole;
    }
    if (!whole) {
        static struct log_limit limit;

        if (log_limit_pass(&limit, 10)) {
            log_error("audit_entry_malformed", LFI("shard", s->index));
        }
    }
    if (count == PAGE && s->audit_recovery->read_to > before) {
        read_page(s);
        return;
    }
    const struct str argv[] = {str_of("HGET"), s->keys.meta, str_of("audit_cut")};

    node_command(s->node, ARRAY_LEN(argv), argv, on_cut, s);
}

static void read_page(struct shard *s) {
    char from[32];

    snprintf(from, sizeof from, "%" PRId64 "-1", s->audit_recovery->read_to);

    const struct str argv[] = {str_of("XRANGE"), s->keys.audit,   str_of(from),
                               str_of("+"),      str_of("COUNT"), str_of(PAGE_TEXT)};

    node_command(s->node, ARRAY_LEN(argv), argv, on_page, s);
}

static void begin(struct shard *s, struct str incarnation, int64_t from) {
    struct audit_recovery *r = s->audit_recovery;

    memcpy(r->reading, incarnation.p, incarnation.len);
    r->reading[incarnation.len] = '\0';
    r->read_from = r->read_to = from;
    r->found = 0;
    read_page(s);
}

static void on_unknown_timer(struct wheel_timer *timer) {
    struct audit_recovery *r = CONTAINER_OF(timer, struct audit_recovery, timer);
    struct shard *s = r->shard;

    if (s->state != SHARD_SERVING || r->reading[0] != '\0' ||
        clock_boot_ms() - s->opened_ms < outcome_due_ms(s)) {
        look_later(s, RETRY_MS);
        return;
    }
    r->unknown_again = false;
    begin(s, str_of(s->store->incarnation), r->unknown_from);
}

void audit_recovery_read_dead(struct shard *s, struct str incarnation, struct str written) {
    int64_t from;

    if (incarnation.len == 0 || incarnation.len > LOCK_INCARNATION_MAX ||
        !stream_id_read(written, &from)) {
        return; /* not written by an instance of ours */
    }
    if (s->audit_recovery->reading[0] == '\0' && !str_eqz(incarnation, s->store->incarnation)) {
        begin(s, incarnation, from);
    }
}

/* ---- replies and missing replies ---- */

void audit_recovery_note(struct shard *s, const struct script_reply *reply) {
    const struct lock_result *result = &reply->common;
    struct audit_recovery *r = s->audit_recovery;

    if (reply->status == SCRIPT_OK || reply->status == SCRIPT_LATE) {
        r->answered = result->rev;
    }
    if (result->event_count > 0) {
        r->made = result->events[result->event_count - 1].rev;
    }
    for (size_t i = 0; r->unknown && i < result->event_count; i++) {
        if (result->events[i].kind == LOCK_EVENT_LOCK &&
            result->events[i].cause == LOCK_CAUSE_RENEWED) {
            continue; /* not in the stream */
        }
        if (r->seen_count == r->seen_cap) {
            r->seen_cap = r->seen_cap * 2 + 64;
            r->seen = mem_realloc(r->seen, r->seen_cap * sizeof *r->seen);
        }
        r->seen[r->seen_count++] = result->events[i].rev;
    }
}

void audit_recovery_note_unknown(struct shard *s) {
    struct audit_recovery *r = s->audit_recovery;

    if (s->store->closing) {
        return;
    }
    if (!r->unknown) {
        r->unknown = true;
        r->unknown_from = r->answered;
    }
    r->unknown_again = true;
    look_later(s, outcome_due_ms(s));
}

void audit_recovery_rewind(struct shard *s, int64_t tick) {
    struct audit_recovery *r = s->audit_recovery;

    forget_seen(r);
    r->answered = r->flushing = r->written = r->made = r->unknown_from = tick;
}

void audit_recovery_init(struct lock_store *store) {
    store->flushes = mem_zalloc(sizeof *store->flushes);
    list_init(&store->flushes->open);
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct audit_recovery *r = mem_zalloc(sizeof *r);

        r->shard = &store->shards[i];
        r->shard->audit_recovery = r;
        wheel_timer_init(&r->timer);
    }
}

void audit_recovery_fini(struct lock_store *store) {
    for (unsigned i = 0; i < store->shard_count; i++) {
        struct audit_recovery *r = store->shards[i].audit_recovery;

        wheel_cancel(&r->timer);
        forget_seen(r);
        mem_free(r);
    }
    LIST_FOREACH_ENTRY(struct flush, flush, node, &store->flushes->open) {
        flush->store = NULL;
        list_remove(&flush->node);
    }
    mem_free(store->flushes);
}
