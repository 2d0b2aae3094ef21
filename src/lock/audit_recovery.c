/*
 * What the audit may lack. A change is written by the instance that got the reply which made it.
 * Where no reply came, or the instance died, it is read back from the shard's stream `audit`, which
 * keeps what some instance has not said to have on disk: of a call of ours with an unknown outcome
 * when nothing of it can still be under way, of a dead instance when the sweeper hands it out.
 */
#include "store_private.h"

#include <inttypes.h>
#include <stdio.h>

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

/* Behind commandTimeout: until then a disconnect, which carries no notAfter, has been repeated. */
#define OUTCOME_DUE_MS 2500
#define RETRY_MS 500
#define PAGE_TEXT "256" /* entries */
#define PAGE 256

/* ---- on disk or not ---- */

/* Calls back when all that the audit was given so far is on disk, or cannot be put there (ok is
 * false). */
typedef void (*flush_done)(struct lock_store *store, struct shard *s, bool ok);
struct flush {
    struct list node;
    struct lock_store *store; /* NULL: it is gone */
    struct shard *shard;      /* NULL: of all of them */
    flush_done done;
};

static void on_flushed(void *arg, bool ok) {
    struct flush *flush = arg;

    list_remove(&flush->node);
    if (flush->store) {
        flush->done(flush->store, flush->shard, ok);
    }
    mem_free(flush);
}

static void flush_then(struct lock_store *store, struct shard *s, flush_done done) {
    struct flush *flush = mem_alloc(sizeof *flush);

    *flush = (struct flush){.store = store, .shard = s, .done = done};
    list_push_back(&store->flushes, &flush->node);
    store->callbacks.flush(store->callbacks.ctx, on_flushed, flush);
}

static void on_own_flushed(struct lock_store *store, struct shard *s, bool ok) {
    (void)s;
    store->flushing = false;
    store->last_flush = store->last_flush == FLUSH_ASKED ? FLUSH_DONE : store->last_flush;
    for (unsigned i = 0; ok && i < store->shard_count; i++) {
        struct audit_recovery *u = &store->shards[i].audit_recovery;

        u->written = u->asked;
    }
}

void audit_recovery_flush(struct lock_store *store) {
    if (store->flushing) {
        return;
    }
    store->flushing = true;
    for (unsigned i = 0; i < store->shard_count; i++) {
        store->shards[i].audit_recovery.asked = store->shards[i].audit_recovery.answered;
    }
    flush_then(store, NULL, on_own_flushed);
}

bool lock_store_flushed(struct lock_store *store) {
    if (store->last_flush == FLUSH_NONE && !store->flushing) {
        store->last_flush = FLUSH_ASKED;
        audit_recovery_flush(store);
    }
    return store->last_flush == FLUSH_DONE;
}

int64_t audit_recovery_tick(const struct shard *s) {
    const struct audit_recovery *u = &s->audit_recovery;

    return u->unknown && u->unknown_from < u->written ? u->unknown_from : u->written;
}

bool audit_recovery_is_settled(const struct shard *s) {
    return !s->audit_recovery.unknown && s->calls_open == 0 &&
           s->audit_recovery.written >= s->audit_recovery.made;
}

/* ---- reading back ---- */

static bool has_seen(const struct audit_recovery *u, int64_t tick) {
    size_t low = 0, high = u->seen_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (u->seen[middle] == tick) {
            return true;
        }
        if (u->seen[middle] < tick) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return false;
}

static void forget_seen(struct audit_recovery *u) {
    mem_free(u->seen);
    u->seen = NULL;
    u->seen_count = u->seen_cap = 0;
}

static void on_unknown_timer(struct wheel_timer *timer);

static uint64_t outcome_due_ms(const struct shard *s) {
    return OUTCOME_DUE_MS + (uint64_t)s->store->config->redis.command_timeout_ms;
}

static void look_later(struct shard *s, uint64_t delay_ms) {
    if (!wheel_armed(&s->audit_recovery
                          .timer)) { /* otherwise each further unknown outcome would put it off */
        wheel_set(s->store->wheel, &s->audit_recovery.timer, delay_ms, on_unknown_timer);
    }
}

static void end_unknown(struct shard *s) {
    struct audit_recovery *u = &s->audit_recovery;

    /* What was found just now is not on disk yet. */
    u->asked = u->asked < u->unknown_from ? u->asked : u->unknown_from;
    u->written = u->written < u->unknown_from ? u->written : u->unknown_from;
    if (u->unknown_again) { /* something else came up, behind what was read */
        u->unknown_from = u->read_to;
        look_later(s, outcome_due_ms(s));
        return;
    }
    u->unknown = false;
    forget_seen(u);
}

static void ignore(void *arg, enum redis_status status, const struct redis_reply *reply,
                   const char *error) {
    (void)arg;
    (void)status;
    (void)reply;
    (void)error;
}

static void command(struct shard *s, int argc, const struct str *argv, redis_cb cb) {
    redis_link_command(s->store->link, argc, argv,
                       (uint64_t)s->store->config->redis.command_timeout_ms, cb, s);
}

/* It is off the list; had it come back to life meanwhile, it would not have been on it. */
static void on_taken_off(void *arg, enum redis_status status, const struct redis_reply *reply,
                         const char *error) {
    struct shard *s = arg;
    int64_t removed;

    (void)error;
    if (s->store->closing) {
        return;
    }
    if (status == REDIS_OK && redis_reply_int(reply, &removed) && removed == 1) {
        const struct str forget[] = {str_of("HDEL"), s->keys.written,
                                     str_of(s->audit_recovery.reading)};

        command(s, ARRAY_LEN(forget), forget, ignore);
    }
    s->audit_recovery.reading[0] = '\0';
}

/* All of a dead instance's is on disk here: nobody need look again. */
static void on_dead_flushed(struct lock_store *store, struct shard *s, bool ok) {
    struct audit_recovery *u = &s->audit_recovery;
    char due[LOCK_INCARNATION_MAX + 3];

    (void)store;
    snprintf(due, sizeof due, "a:%s", u->reading);
    const struct str done[] = {str_of("ZREM"), s->keys.due, str_of(due)};

    if (ok) {
        command(s, ARRAY_LEN(done), done, on_taken_off);
    } else {
        u->reading[0] = '\0'; /* it is handed out again */
    }
}

static bool is_own(const struct shard *s) {
    return strcmp(s->audit_recovery.reading, s->store->incarnation) == 0;
}

static void give_up_reading(struct shard *s) {
    if (is_own(s)) {
        look_later(s, RETRY_MS);
    } /* else it is handed out again */
    s->audit_recovery.reading[0] = '\0';
}

/* The last thing asked: up to where the stream's cap cut off what nobody had written. */
static void on_cut(void *arg, enum redis_status status, const struct redis_reply *reply,
                   const char *error) {
    struct shard *s = arg;
    struct audit_recovery *u = &s->audit_recovery;
    int64_t cut;

    (void)error;
    if (s->store->closing) {
        return;
    }
    if (status != REDIS_OK) {
        give_up_reading(s);
        return;
    }
    if (redis_reply_int(reply, &cut) && cut > u->read_from) {
        s->store->callbacks.on_audit_gap(s->store->callbacks.ctx, s->index, u->reading,
                                         u->read_from, cut);
    }
    if (u->found > 0) {
        log_info("audit_read_back", LFI("shard", s->index), LF("instance", u->reading),
                 LFI("records", u->found));
    }
    if (is_own(s)) {
        u->reading[0] = '\0';
        end_unknown(s);
    } else {
        flush_then(s->store, s, on_dead_flushed);
    }
}

/* An entry: its id, and the fields e and i with their values. False: malformed. */
static bool take_entry(struct shard *s, const struct redis_reply *entry) {
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    struct audit_recovery *u = &s->audit_recovery;
    struct lock_event event;
    struct str id, packed, by;
    int64_t tick;

    if (!redis_reply_str(redis_reply_at(entry, 0), &id) || !stream_id_read(id, &tick) ||
        tick <= u->read_to) {
        return false;
    }
    u->read_to = tick;
    if (!redis_reply_str(redis_reply_at(fields, 1), &packed) ||
        !redis_reply_str(redis_reply_at(fields, 3), &by) || !lock_event_decode(packed, &event) ||
        event.rev != tick) {
        return false;
    }
    if (str_eqz(by, u->reading) && !(is_own(s) && has_seen(u, tick))) {
        u->found++;
        s->store->callbacks.on_unasked(s->store->callbacks.ctx, &event, true);
    }
    return true;
}

static void read_page(struct shard *s);

static void on_page(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct shard *s = arg;
    size_t count = redis_reply_count(reply);
    int64_t before = s->audit_recovery.read_to;
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
    if (count == PAGE && s->audit_recovery.read_to > before) {
        read_page(s);
        return;
    }
    const struct str argv[] = {str_of("HGET"), s->keys.meta, str_of("audit_cut")};

    command(s, ARRAY_LEN(argv), argv, on_cut);
}

static void read_page(struct shard *s) {
    char from[32];

    snprintf(from, sizeof from, "%" PRId64 "-1", s->audit_recovery.read_to);

    const struct str argv[] = {str_of("XRANGE"), s->keys.audit,   str_of(from),
                               str_of("+"),      str_of("COUNT"), str_of(PAGE_TEXT)};

    command(s, ARRAY_LEN(argv), argv, on_page);
}

static void begin(struct shard *s, struct str incarnation, int64_t from) {
    struct audit_recovery *u = &s->audit_recovery;

    memcpy(u->reading, incarnation.p, incarnation.len);
    u->reading[incarnation.len] = '\0';
    u->read_from = u->read_to = from;
    u->found = 0;
    read_page(s);
}

static void on_unknown_timer(struct wheel_timer *timer) {
    struct shard *s = CONTAINER_OF(timer, struct shard, audit_recovery.timer);
    struct audit_recovery *u = &s->audit_recovery;

    if (s->state != SHARD_SERVING || u->reading[0] != '\0' ||
        clock_boot_ms() - s->opened_ms < outcome_due_ms(s)) {
        look_later(s, RETRY_MS);
        return;
    }
    u->unknown_again = false;
    begin(s, str_of(s->store->incarnation), u->unknown_from);
}

void audit_recovery_read_dead(struct shard *s, struct str incarnation, struct str written) {
    int64_t from;

    if (incarnation.len == 0 || incarnation.len > LOCK_INCARNATION_MAX ||
        !stream_id_read(written, &from)) {
        return; /* none of ours wrote that */
    }
    if (s->audit_recovery.reading[0] == '\0' && !str_eqz(incarnation, s->store->incarnation)) {
        begin(s, incarnation, from);
    }
}

/* ---- what came back, and what did not ---- */

void audit_recovery_note(struct shard *s, const struct script_head *head,
                         const struct lock_result *result) {
    struct audit_recovery *u = &s->audit_recovery;

    if (head->status == SCRIPT_OK || head->status == SCRIPT_LATE) {
        u->answered = head->rev;
    }
    if (result->event_count > 0) {
        u->made = result->events[result->event_count - 1].rev;
    }
    for (size_t i = 0; u->unknown && i < result->event_count; i++) {
        if (result->events[i].kind == LOCK_EVENT_LOCK &&
            result->events[i].cause == LOCK_CAUSE_RENEWED) {
            continue; /* not in that stream */
        }
        if (u->seen_count == u->seen_cap) {
            u->seen_cap = u->seen_cap * 2 + 64;
            u->seen = mem_realloc(u->seen, u->seen_cap * sizeof *u->seen);
        }
        u->seen[u->seen_count++] = result->events[i].rev;
    }
}

void audit_recovery_note_unknown(struct shard *s) {
    struct audit_recovery *u = &s->audit_recovery;

    if (s->store->closing) {
        return;
    }
    if (!u->unknown) {
        u->unknown = true;
        u->unknown_from = u->answered;
    }
    u->unknown_again = true;
    look_later(s, outcome_due_ms(s));
}

void audit_recovery_rewind(struct shard *s, int64_t tick) {
    struct audit_recovery *u = &s->audit_recovery;

    forget_seen(u);
    u->answered = u->asked = u->written = u->made = u->unknown_from = tick;
}

void audit_recovery_init(struct shard *s) {
    wheel_timer_init(&s->audit_recovery.timer);
}

void audit_recovery_fini(struct shard *s) {
    wheel_cancel(&s->audit_recovery.timer);
    forget_seen(&s->audit_recovery);
}

void audit_recovery_leave(struct lock_store *store) {
    LIST_FOREACH_SAFE(it, tmp, &store->flushes) {
        CONTAINER_OF(it, struct flush, node)->store = NULL;
        list_remove(it);
    }
}
