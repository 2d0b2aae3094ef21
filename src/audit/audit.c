/* The log's public side, on the loop's thread. */
#include "wslock/audit/audit.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "admin.h"
#include "chain.h"
#include "known.h"
#include "record.h"
#include "reports.h"
#include "rotation.h"
#include "sink.h"
#include "sync_wait.h"
#include "tail.h"
#include "writer.h"
#include "wslock/base/buf.h"
#include "wslock/base/clock.h"
#include "wslock/base/list.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

/* A disk that does not answer must not hold an answer to an administrator for ever. */
#define SYNC_TIMEOUT_MS 5000

struct audit {
    uv_loop_t *loop;
    uv_async_t async;     /* from the writer: its state changed */
    uv_prepare_t prepare; /* wakes the writer once a turn of the loop */
    uv_timer_t checkpoint;
    uv_timer_t sync_timer;  /* due at the oldest waiter's deadline */
    uv_timer_t moved_timer; /* from when the file has been moved until that is reported */
    int open_handles;

    struct writer *writer;
    struct rotation_file file;
    int64_t checkpoint_ms;
    struct known *known;
    char *instance;
    uint64_t last_seq, first_seq; /* first: at the start */
    bool unkicked;                /* records were pushed in this turn */
    struct buf line;

    struct list waiters; /* oldest first */
    bool stalled;        /* a waiter's deadline passed; until a commit */
    uint64_t stalled_at_seq;
    struct list watched; /* see admin.h */

    uint64_t dropped; /* records since the queue was full; 0: it takes records */
    int64_t dropped_from_us, dropped_to_us;

    struct reports reports;
};

static struct record_stamp make_stamp(const struct audit *a, int64_t wall_us, uint64_t seq) {
    return (struct record_stamp){
        .wall_us = wall_us,
        .seq = seq,
        .instance = str_of(a->instance),
    };
}

/* Encodes the next record into a->line. */
static struct record_stamp encode(struct audit *a, const struct audit_record *r, int64_t wall_us) {
    const struct record_stamp stamp = make_stamp(a, wall_us, a->last_seq + 1);
    buf_reset(&a->line);
    record_encode(&a->line, r, &stamp);
    return stamp;
}

static uint64_t push(struct audit *a, const struct audit_record *r, int64_t wall_us, bool marked) {
    const struct record_stamp stamp = encode(a, r, wall_us);
    const struct str line = {a->line.data, a->line.len};
    if (r->recovered && known_has(a->known, line)) {
        return a->last_seq;
    }
    if (!writer_push(a->writer, stamp.seq, a->line.data, a->line.len, marked)) {
        return 0;
    }
    if (r->recovered) {
        known_add(a->known, line);
    }
    a->unkicked = true;
    a->last_seq = stamp.seq;
    return stamp.seq;
}

/* A record about the audit log itself. */
static struct audit_record own_record(enum audit_action action, const char *detail) {
    return (struct audit_record){
        .action = action,
        .held_ms = -1,
        .previous_dirty = -1,
        .detail = str_of(detail),
    };
}

static uint64_t push_own(struct audit *a, enum audit_action action, const char *detail) {
    const struct audit_record r = own_record(action, detail);
    return push(a, &r, clock_wall_us(),
                action == AUDIT_AUDIT_STARTED || action == AUDIT_AUDIT_CHECKPOINT ||
                    action == AUDIT_AUDIT_STOPPED);
}

static void update_notify(struct audit *a) {
    writer_notify_commits(a->writer, !list_empty(&a->waiters) || !list_empty(&a->watched) ||
                                         a->dropped > 0 || a->stalled);
}

static void drop(struct audit *a, int64_t wall_us) {
    if (a->dropped == 0) {
        a->dropped_from_us = wall_us;
        log_error("audit_queue_full", LFI("queueBytes", WRITER_QUEUE_BYTES));
    }
    a->dropped_to_us = wall_us;
    a->dropped++;
    metrics_add(METRIC_AUDIT_ERRORS, 1, NULL, NULL);
    update_notify(a);
}

/* Ends a time of dropping with AUDIT_GAP, once half of the queue is free. */
static void end_gap(struct audit *a, const struct writer_state *state) {
    if (a->dropped == 0 || state->queued_bytes > WRITER_QUEUE_BYTES / 2) {
        return;
    }
    char from[RECORD_TIME_LEN + 1];
    char to[RECORD_TIME_LEN + 1];
    char detail[160];
    record_format_time(a->dropped_from_us, from);
    record_format_time(a->dropped_to_us, to);
    (void)snprintf(detail, sizeof detail, "%" PRIu64 " records dropped from %s to %s: queue full",
                   a->dropped, from, to);
    if (push_own(a, AUDIT_AUDIT_GAP, detail) != 0) {
        log_error("audit_gap", LFI("dropped", a->dropped));
        a->dropped = 0;
    }
}

/* Completes every waiter whose outcome is known. now_ms: deadlines up to then have passed. */
static void complete_waiters(struct audit *a, const struct writer_state *state, uint64_t now_ms) {
    struct list done;
    if (sync_wait_take_done(&a->waiters, state, now_ms, &done) && !a->stalled) {
        a->stalled = true;
        a->stalled_at_seq = state->durable_seq;
        metrics_add(METRIC_AUDIT_ERRORS, 1, NULL, NULL);
        log_error("audit_write_stalled", LFI("seq", state->durable_seq));
    }
    sync_wait_tell(&done);
}

static void on_sync_deadline(uv_timer_t *timer);

static void arm_sync_timer(struct audit *a) {
    if (list_empty(&a->waiters)) {
        uv_timer_stop(&a->sync_timer);
        return;
    }
    uv_timer_start(&a->sync_timer, on_sync_deadline,
                   sync_wait_left_ms(&a->waiters, uv_now(a->loop)), 0);
}

static void on_moved_for_long(uv_timer_t *timer);

static void report(struct audit *a, const struct writer_state *state) {
    const uint64_t wait_ms = reports_look(&a->reports, state, uv_now(a->loop));
    if (wait_ms > 0) {
        uv_timer_start(&a->moved_timer, on_moved_for_long, wait_ms, 0);
    } else {
        uv_timer_stop(&a->moved_timer);
    }
}

static void look_at_writer(struct audit *a, uint64_t deadlines_ms) {
    struct writer_state state;
    writer_get_state(a->writer, &state);
    if (a->stalled && state.durable_seq > a->stalled_at_seq) {
        a->stalled = false;
    }
    report(a, &state);
    end_gap(a, &state);
    complete_waiters(a, &state, deadlines_ms);
    admin_look(&a->watched, &state, a->stalled);
    update_notify(a);
    arm_sync_timer(a);
}

static void on_moved_for_long(uv_timer_t *timer) {
    look_at_writer(timer->data, 0);
}

static void on_async(uv_async_t *async) {
    look_at_writer(async->data, 0);
}

static void on_sync_deadline(uv_timer_t *timer) {
    look_at_writer(timer->data, uv_now(timer->loop));
}

static void on_prepare(uv_prepare_t *prepare) {
    struct audit *a = prepare->data;
    if (a->unkicked) {
        a->unkicked = false;
        writer_kick(a->writer);
    }
}

static void on_checkpoint(uv_timer_t *timer) {
    struct audit *a = timer->data;
    if (a->dropped > 0 || push_own(a, AUDIT_AUDIT_CHECKPOINT, "") == 0) {
        drop(a, clock_wall_us());
    }
}

static void start_checkpoints(struct audit *a) {
    const uint64_t ms = (uint64_t)a->checkpoint_ms;
    uv_timer_start(&a->checkpoint, on_checkpoint, ms, ms);
}

static void notify_loop(void *ctx) {
    struct audit *a = ctx;
    (void)uv_async_send(&a->async);
}

static void free_own(struct audit *a) {
    known_destroy(&a->known);
    buf_fini(&a->line);
    mem_free(a->file.path);
    mem_free(a->instance);
    mem_free(a);
}

static void on_handle_closed(uv_handle_t *handle) {
    struct audit *a = handle->data;
    if (--a->open_handles > 0) {
        return;
    }
    free_own(a);
}

static void close_handles(struct audit *a) {
    uv_handle_t *const handles[] = {(uv_handle_t *)&a->async, (uv_handle_t *)&a->prepare,
                                    (uv_handle_t *)&a->checkpoint, (uv_handle_t *)&a->sync_timer,
                                    (uv_handle_t *)&a->moved_timer};
    a->open_handles = (int)ARRAY_LEN(handles);
    for (size_t i = 0; i < ARRAY_LEN(handles); i++) {
        uv_close(handles[i], on_handle_closed);
    }
}

/* The handles do not keep the loop alive. Only uv_async_init can fail, and it comes first. */
static int open_handles(struct audit *a) {
    const int error = uv_async_init(a->loop, &a->async, on_async);
    if (error != 0) {
        return error;
    }
    uv_prepare_init(a->loop, &a->prepare);
    uv_timer_init(a->loop, &a->checkpoint);
    uv_timer_init(a->loop, &a->sync_timer);
    uv_timer_init(a->loop, &a->moved_timer);
    a->async.data = a->prepare.data = a->checkpoint.data = a->sync_timer.data =
        a->moved_timer.data = a;
    uv_prepare_start(&a->prepare, on_prepare);
    start_checkpoints(a);
    uv_unref((uv_handle_t *)&a->async);
    uv_unref((uv_handle_t *)&a->prepare);
    uv_unref((uv_handle_t *)&a->checkpoint);
    uv_unref((uv_handle_t *)&a->sync_timer);
    uv_unref((uv_handle_t *)&a->moved_timer);
    return 0;
}

/* The sink and where its chain ends. */
static bool open_sink(const struct config *config, struct chain *chain, struct sink *sink,
                      struct tail *tail, char **problem) {
    const bool sync = config->audit.fsync == CONFIG_FSYNC_BATCH;
    if (strcmp(config->audit.file, "-") == 0) {
        *tail = (struct tail){.fd = -1};
        memcpy(tail->head.hash, CHAIN_GENESIS, sizeof CHAIN_GENESIS);
        sink_init(sink, STDOUT_FILENO, NULL, sync);
        return true;
    }
    if (!tail_open(tail, config->audit.file, chain, !config->audit.omit_free_text, problem)) {
        return false;
    }
    sink_init(sink, tail->fd, config->audit.file, sync);
    return true;
}

bool audit_check(const struct config *config, config_finding_cb on_problem, void *ctx) {
    char *problem = NULL;
    struct chain *chain = chain_create(config->audit.hmac_key_file, &problem);
    const bool ok = chain != NULL && (strcmp(config->audit.file, "-") == 0 ||
                                      tail_check(config->audit.file, chain, &problem));
    if (!ok) {
        on_problem(ctx, problem);
    }
    mem_free(problem);
    chain_destroy(&chain);
    return ok;
}

static const char *chain_kind(bool keyed) {
    return keyed ? "HMAC-SHA-256" : "SHA-256";
}

static void write_start(struct audit *a, const struct tail *tail, bool keyed) {
    char detail[96];
    if (tail->repaired != NULL) {
        log_warn("audit_repaired", LF("detail", tail->repaired));
        (void)push_own(a, AUDIT_AUDIT_REPAIRED, tail->repaired);
    }
    (void)snprintf(detail, sizeof detail, "version %s, pid %ld, chain %s", WSLOCK_VERSION,
                   (long)getpid(), chain_kind(keyed));
    (void)push_own(a, AUDIT_AUDIT_STARTED, detail);
    writer_kick(a->writer);
}

struct audit *audit_open(uv_loop_t *loop, const struct config *config, const char *instance,
                         char **problem) {
    struct sink sink = {.fd = -1};
    struct tail tail = {.fd = -1};
    struct chain *chain = chain_create(config->audit.hmac_key_file, problem);
    if (chain == NULL) {
        return NULL;
    }
    const bool keyed = chain_is_keyed(chain);
    struct audit *a = mem_zalloc(sizeof *a);
    a->loop = loop;
    a->instance = mem_strdup(instance);
    list_init(&a->waiters);
    list_init(&a->watched);
    buf_init(&a->line);
    a->known = known_create();
    if (!open_sink(config, chain, &sink, &tail, problem)) {
        goto fail;
    }
    a->last_seq = a->first_seq = tail.head.seq;
    known_load(a->known, tail.fd, tail.end);
    rotation_describe(&a->file, config->audit.file, chain, &sink);
    a->checkpoint_ms = config->audit.checkpoint_ms;
    const int error = open_handles(a);
    if (error != 0) {
        *problem = mem_printf("cannot start the audit log: %s", uv_strerror(error));
        goto fail;
    }
    a->writer = writer_create(chain, &sink, &tail.head, notify_loop, a, problem);
    if (a->writer == NULL) {
        sink_fini(&sink);
        chain_destroy(&chain);
        mem_free(tail.repaired);
        close_handles(a); /* frees a */
        return NULL;
    }
    write_start(a, &tail, keyed);
    mem_free(tail.repaired);
    return a;
fail:
    sink_fini(&sink);
    chain_destroy(&chain);
    mem_free(tail.repaired);
    free_own(a);
    return NULL;
}

/* ---- reload ---- */

struct audit_next {
    struct rotation rotation;
    bool sync;
    int64_t checkpoint_ms;
};

struct audit_next *audit_prepare(const struct audit *a, const struct config *next, char **problem) {
    struct audit_next *prepared = mem_zalloc(sizeof *prepared);
    prepared->sync = next->audit.fsync == CONFIG_FSYNC_BATCH;
    prepared->checkpoint_ms = next->audit.checkpoint_ms;
    if (!rotation_prepare(&prepared->rotation, &a->file, next, problem)) {
        mem_free(prepared);
        return NULL;
    }
    return prepared;
}

/* The record is the first of the other file. */
static void rotate(struct audit *a, struct rotation *r) {
    char detail[32];
    (void)snprintf(detail, sizeof detail, "chain %s", chain_kind(chain_is_keyed(r->chain)));
    const struct audit_record record = own_record(AUDIT_AUDIT_ROTATED, detail);
    const struct record_stamp stamp = encode(a, &record, clock_wall_us());
    writer_rotate(a->writer, stamp.seq, a->line.data, a->line.len, r->chain, &r->sink);
    a->last_seq = stamp.seq;
    a->unkicked = true;
    mem_free(a->file.path);
    a->file = r->file;
    log_info("audit_rotated", LF("file", a->file.path), LFI("seq", stamp.seq));
}

void audit_reload(struct audit *a, struct audit_next **next) {
    struct audit_next *n = *next;
    *next = NULL;
    writer_set_sync(a->writer, n->sync);
    if (n->rotation.chain != NULL) {
        rotate(a, &n->rotation);
    }
    if (a->checkpoint_ms != n->checkpoint_ms) {
        a->checkpoint_ms = n->checkpoint_ms;
        start_checkpoints(a);
    }
    mem_free(n);
}

/* ---- writing ---- */

/* seq: 0 if it was dropped. */
static void keep_in_sight(struct audit *a, const struct audit_record *r, int64_t wall_us,
                          uint64_t seq) {
    const struct record_stamp stamp = make_stamp(a, wall_us, seq);
    struct writer_state state;
    if (seq == 0 || !audit_healthy(a)) {
        admin_tell(r, &stamp);
        return;
    }
    writer_get_state(a->writer, &state);
    admin_watch(&a->watched, r, &stamp, &state);
    update_notify(a);
}

uint64_t audit_write(struct audit *a, const struct audit_record *r) {
    const int64_t wall_us = clock_wall_us();
    /* Once records are dropped, all are, until AUDIT_GAP can say so: one gap, not many. */
    const uint64_t seq = a->dropped > 0 ? 0 : push(a, r, wall_us, false);
    if (seq == 0) {
        drop(a, wall_us);
    }
    if (admin_is_action(r->action) && !r->recovered) {
        keep_in_sight(a, r, wall_us, seq);
    }
    return seq;
}

void audit_sync(struct audit *a, void (*on_done)(void *ctx, bool ok), void *ctx) {
    struct sync_wait *waiter = mem_zalloc(sizeof *waiter);
    const bool first = list_empty(&a->waiters);
    struct writer_state state;
    waiter->on_done = on_done;
    waiter->ctx = ctx;
    waiter->seq = a->last_seq;
    waiter->deadline_ms = uv_now(a->loop) + SYNC_TIMEOUT_MS;
    list_push_back(&a->waiters, &waiter->node);
    /* From here on a commit is notified, so what the state does not show yet will be. */
    update_notify(a);
    writer_get_state(a->writer, &state);
    waiter->failures_seen = state.failures;
    if (a->dropped > 0) {
        waiter->seq = SYNC_NEVER_COMMITTED;
        waiter->deadline_ms = 0;
    }
    if (waiter->seq <= state.durable_seq || a->dropped > 0) {
        (void)uv_async_send(&a->async);
    }
    if (first) {
        arm_sync_timer(a);
    }
    a->unkicked = false;
    writer_kick(a->writer);
}

void audit_collect_metrics(struct audit *a) {
    struct writer_state state;
    writer_get_state(a->writer, &state);
    metrics_set(METRIC_AUDIT_RECORDS, (double)(a->last_seq - a->first_seq), NULL, NULL);
    metrics_set(METRIC_AUDIT_QUEUE, (double)state.queued_bytes, NULL, NULL);
    metrics_publish(METRIC_AUDIT_SYNC_SECONDS, &state.syncs);
}

bool audit_healthy(const struct audit *a) {
    return !a->stalled && a->dropped == 0 && writer_is_healthy(a->writer);
}

bool audit_close(struct audit **audit, int patience_ms) {
    struct audit *a = *audit;
    if (a == NULL) {
        return true;
    }
    struct writer_state state;
    writer_get_state(a->writer, &state);
    end_gap(a, &state);
    (void)push_own(a, AUDIT_AUDIT_STOPPED, "");
    const bool ended = writer_stop(&a->writer, patience_ms, &state);
    (void)reports_look(&a->reports, &state, UINT64_MAX);
    if (state.durable_seq < a->last_seq || a->dropped > 0) {
        log_error("audit_records_lost", LFI("afterSeq", state.durable_seq),
                  LFI("lost", a->last_seq - state.durable_seq + a->dropped));
    }
    complete_waiters(a, &state, UINT64_MAX);
    admin_look(&a->watched, &state, true);
    assert(list_empty(&a->waiters));
    if (ended) {
        close_handles(a);
    }
    *audit = NULL;
    return ended;
}
