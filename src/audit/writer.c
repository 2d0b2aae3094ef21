/* The thread that chains records and writes them to disk. */
#include "writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "wslock/base/buf.h"
#include "wslock/base/list.h"
#include "wslock/base/mem.h"

#define CHUNK_BYTES ((size_t)1024 * 1024)
#define GATHER_MS 50
#define RETRY_FIRST_MS 100
#define RETRY_MAX_MS 1000
#define STOP_SLACK_MS 1200 /* a stream's write waits for a second */

/* In front of each record in the queue. */
struct entry {
    uint64_t seq;
    uint32_t len;
    bool marked;
    bool opens_file; /* the first record of writer.next_files' first */
};

struct next_file {
    struct list node;
    struct chain *chain;
    struct sink sink;
};

struct writer {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    void (*notify)(void *ctx);
    void *notify_ctx;

    /* Under the mutex. */
    struct buf pending; /* entries */
    struct list next_files;
    bool sync; /* of sink, from the next time records are taken */
    struct writer_state state;
    bool idle;      /* the thread waits for records */
    bool gathering; /* the thread has some and lets more come, since nobody waits for them */
    bool stopping;
    struct timespec give_up; /* no attempt after it, once stopping */
    bool notify_commits;

    /* The thread's own. */
    struct chain *chain;
    struct sink sink;
    struct chain_link head;
    struct buf taken;         /* entries being written */
    struct buf chunk;         /* lines made of some of them */
    size_t chunk_entry_bytes; /* what they took of the queue */
    uint64_t chunk_mark_seq;  /* a marked record in the chunk, 0: none */
    char chunk_mark_hash[CHAIN_HASH_LEN + 1];
    uint64_t committed_seq;
    int retry_ms;
    struct timespec gather_until;
};

static struct timespec monotonic_in(int ms) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_sec += ms / 1000;
    ts.tv_nsec += (long)(ms % 1000) * 1000000L;
    if (ts.tv_nsec >= 1000000000L) {
        ts.tv_sec++;
        ts.tv_nsec -= 1000000000L;
    }
    return ts;
}

/* An emptied buffer, its memory given back if a burst made it large. */
static void empty_buffer(struct buf *b) {
    if (b->cap > 2 * CHUNK_BYTES) {
        buf_fini(b);
        buf_init(b);
    }
    buf_reset(b);
}

/* Under the mutex: whether what is there goes out without waiting for more. */
static bool is_urgent(const struct writer *w) {
    return w->stopping || w->notify_commits || w->pending.len >= CHUNK_BYTES;
}

/* Waits for records and takes them, GATHER_MS after the last time at the earliest unless somebody
 * waits for them; false when there are none and none will come. */
static bool take_pending(struct writer *w) {
    empty_buffer(&w->taken);
    pthread_mutex_lock(&w->mutex);
    w->idle = true;
    while (w->pending.len == 0 && !w->stopping) {
        pthread_cond_wait(&w->wake, &w->mutex);
    }
    w->idle = false;
    w->gathering = true;
    while (!is_urgent(w) &&
           pthread_cond_timedwait(&w->wake, &w->mutex, &w->gather_until) != ETIMEDOUT) {
    }
    w->gathering = false;
    w->gather_until = monotonic_in(GATHER_MS);
    w->sink.sync = w->sync;
    const struct buf swap = w->pending;
    w->pending = w->taken;
    w->taken = swap;
    pthread_mutex_unlock(&w->mutex);
    return w->taken.len > 0;
}

static struct next_file *take_next_file(struct writer *w) {
    pthread_mutex_lock(&w->mutex);
    struct next_file *next = CONTAINER_OF(w->next_files.next, struct next_file, node);
    list_remove(&next->node);
    pthread_mutex_unlock(&w->mutex);
    return next;
}

/* The records so far are committed. */
static void open_next_file(struct writer *w) {
    struct next_file *next = take_next_file(w);
    chain_destroy(&w->chain);
    sink_fini(&w->sink);
    w->chain = next->chain;
    w->sink = next->sink;
    mem_free(next);
    if (w->sink.regular && w->sink.sync) {
        sink_sync_name(w->sink.path);
    }
}

/* Makes lines of the entries from `at` on, until the chunk is full or another file begins; returns
 * where it stopped. */
static size_t fill_chunk(struct writer *w, size_t at) {
    const size_t start = at;
    empty_buffer(&w->chunk);
    w->chunk_mark_seq = 0;
    while (at < w->taken.len && w->chunk.len < CHUNK_BYTES) {
        struct entry e;
        memcpy(&e, w->taken.data + at, sizeof e);
        if (e.opens_file && at > start) {
            break;
        }
        if (e.opens_file) {
            open_next_file(w);
        }
        at += sizeof e;
        const size_t line_start = w->chunk.len;
        buf_append(&w->chunk, w->taken.data + at, e.len);
        at += e.len;
        chain_finish_line(w->chain, &w->chunk, line_start, e.seq, &w->head);
        if (e.marked) {
            w->chunk_mark_seq = e.seq;
            memcpy(w->chunk_mark_hash, w->head.hash, sizeof w->chunk_mark_hash);
        }
    }
    w->chunk_entry_bytes = at - start;
    return at;
}

static void publish(struct writer *w, int error, bool whole) {
    pthread_mutex_lock(&w->mutex);
    const bool was_healthy = w->state.healthy;
    const bool marked = w->chunk_mark_seq != 0 && w->chunk_mark_seq <= w->committed_seq &&
                        w->chunk_mark_seq != w->state.mark_seq;
    w->state.durable_seq = w->committed_seq;
    w->state.healthy = error == 0;
    const bool moved = w->sink.moved != w->state.moved;
    w->state.moved = w->sink.moved;
    if (error != 0) {
        w->state.failures++;
        w->state.last_error = error;
    }
    if (marked) {
        w->state.mark_seq = w->chunk_mark_seq;
        memcpy(w->state.mark_hash, w->chunk_mark_hash, sizeof w->state.mark_hash);
    }
    if (w->sink.sync_us > 0) {
        metrics_histogram_add(&w->state.syncs, (double)w->sink.sync_us / 1e6);
    }
    if (whole) {
        w->state.queued_bytes -= w->chunk_entry_bytes;
    }
    const bool tell = w->notify_commits || error != 0 || !was_healthy || marked || moved;
    pthread_mutex_unlock(&w->mutex);
    if (tell) {
        w->notify(w->notify_ctx);
    }
}

static bool is_before(struct timespec a, struct timespec b) {
    return a.tv_sec < b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec < b.tv_nsec);
}

/* Waits before the next attempt; false when the writer is to stop and there is no more time. */
static bool wait_for_retry(struct writer *w) {
    struct timespec until = monotonic_in(w->retry_ms);
    w->retry_ms = w->retry_ms * 2 < RETRY_MAX_MS ? w->retry_ms * 2 : RETRY_MAX_MS;
    pthread_mutex_lock(&w->mutex);
    const bool was_stopping = w->stopping;
    if (was_stopping && is_before(w->give_up, until)) {
        until = w->give_up;
    }
    while (w->stopping == was_stopping &&
           pthread_cond_timedwait(&w->wake, &w->mutex, &until) != ETIMEDOUT) {
    }
    const bool go_on = !w->stopping || is_before(monotonic_in(0), w->give_up);
    pthread_mutex_unlock(&w->mutex);
    return go_on;
}

static uint64_t count_lines(const char *data, size_t len) {
    uint64_t lines = 0;
    const char *end = data + len;
    for (const char *p = data; p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        lines++;
    }
    return lines;
}

/* Brings the chunk to the sink; false when it had to give up. */
static bool commit_chunk(struct writer *w) {
    size_t at = 0;
    while (at < w->chunk.len) {
        int error = 0;
        const size_t n = sink_commit(&w->sink, w->chunk.data + at, w->chunk.len - at, &error);
        w->committed_seq += count_lines(w->chunk.data + at, n);
        at += n;
        publish(w, error, at == w->chunk.len);
        if (error == 0) {
            w->retry_ms = RETRY_FIRST_MS;
        } else if (!wait_for_retry(w)) {
            return false;
        }
    }
    return true;
}

static void *writer_main(void *arg) {
    struct writer *w = arg;
    while (take_pending(w)) {
        for (size_t at = 0; at < w->taken.len;) {
            at = fill_chunk(w, at);
            if (!commit_chunk(w)) {
                return NULL;
            }
        }
    }
    return NULL;
}

/* Signals stay with the loop's thread; SIGXFSZ and SIGPIPE become the write's errors. */
static int start_thread(struct writer *w) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    const int error = pthread_create(&w->thread, NULL, writer_main, w);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error == 0) {
        (void)pthread_setname_np(w->thread, "wslock-audit");
    }
    return error;
}

static void writer_free(struct writer *w) {
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->mutex);
    buf_fini(&w->pending);
    buf_fini(&w->taken);
    buf_fini(&w->chunk);
    mem_free(w);
}

struct writer *writer_create(struct chain *chain, const struct sink *sink,
                             const struct chain_link *head, void (*notify)(void *ctx), void *ctx,
                             char **problem) {
    struct writer *w = mem_zalloc(sizeof *w);
    w->notify = notify;
    w->notify_ctx = ctx;
    w->chain = chain;
    w->sink = *sink;
    w->sync = sink->sync;
    list_init(&w->next_files);
    w->head = *head;
    w->committed_seq = head->seq;
    w->retry_ms = RETRY_FIRST_MS;
    w->state.durable_seq = head->seq;
    w->state.healthy = true;
    buf_init(&w->pending);
    buf_init(&w->taken);
    buf_init(&w->chunk);
    pthread_mutex_init(&w->mutex, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    const int error = start_thread(w);
    if (error != 0) {
        *problem = mem_printf("cannot start the audit writer's thread: %s", strerror(error));
        writer_free(w);
        return NULL;
    }
    return w;
}

/* Under the mutex. */
static void enqueue(struct writer *w, const struct entry *e, const char *data) {
    buf_append(&w->pending, e, sizeof *e);
    buf_append(&w->pending, data, e->len);
    w->state.queued_bytes += sizeof *e + e->len;
}

bool writer_push(struct writer *w, uint64_t seq, const char *data, size_t len, bool marked) {
    const struct entry e = {.seq = seq, .len = (uint32_t)len, .marked = marked};
    pthread_mutex_lock(&w->mutex);
    const bool fits = w->state.queued_bytes + sizeof e + len <= WRITER_QUEUE_BYTES;
    if (fits) {
        enqueue(w, &e, data);
    }
    pthread_mutex_unlock(&w->mutex);
    return fits;
}

void writer_rotate(struct writer *w, uint64_t seq, const char *data, size_t len,
                   struct chain *chain, const struct sink *sink) {
    const struct entry e = {.seq = seq, .len = (uint32_t)len, .marked = true, .opens_file = true};
    struct next_file *next = mem_zalloc(sizeof *next);
    next->chain = chain;
    next->sink = *sink;
    pthread_mutex_lock(&w->mutex);
    list_push_back(&w->next_files, &next->node);
    enqueue(w, &e, data);
    pthread_mutex_unlock(&w->mutex);
}

void writer_set_sync(struct writer *w, bool sync) {
    pthread_mutex_lock(&w->mutex);
    w->sync = sync;
    pthread_mutex_unlock(&w->mutex);
}

void writer_kick(struct writer *w) {
    pthread_mutex_lock(&w->mutex);
    const bool wake = w->pending.len > 0 && (w->idle || (w->gathering && is_urgent(w)));
    pthread_mutex_unlock(&w->mutex);
    if (wake) {
        pthread_cond_signal(&w->wake);
    }
}

void writer_get_state(struct writer *w, struct writer_state *out) {
    pthread_mutex_lock(&w->mutex);
    *out = w->state;
    pthread_mutex_unlock(&w->mutex);
}

bool writer_is_healthy(struct writer *w) {
    pthread_mutex_lock(&w->mutex);
    const bool healthy = w->state.healthy;
    pthread_mutex_unlock(&w->mutex);
    return healthy;
}

void writer_notify_commits(struct writer *w, bool on) {
    pthread_mutex_lock(&w->mutex);
    w->notify_commits = on;
    pthread_mutex_unlock(&w->mutex);
}

bool writer_stop(struct writer **writer, int patience_ms, struct writer_state *last) {
    struct writer *w = *writer;
    const struct timespec until = monotonic_in(patience_ms + STOP_SLACK_MS);
    *writer = NULL;
    pthread_mutex_lock(&w->mutex);
    w->stopping = true;
    w->give_up = monotonic_in(patience_ms);
    pthread_mutex_unlock(&w->mutex);
    pthread_cond_signal(&w->wake);
    const bool ended = pthread_clockjoin_np(w->thread, NULL, CLOCK_MONOTONIC, &until) == 0;
    writer_get_state(w, last);
    if (ended) {
        LIST_FOREACH_ENTRY(struct next_file, next, node, &w->next_files) {
            chain_destroy(&next->chain);
            sink_fini(&next->sink);
            mem_free(next);
        }
        chain_destroy(&w->chain);
        sink_fini(&w->sink);
        writer_free(w);
    }
    return ended;
}
