/*
 * The event feed: XREAD over the streams of the shards of a server in which this instance has
 * rooms. In a Cluster each shard has a feed: Redis refuses to read several slots at once. A feed
 * has a connection of its own because it blocks. If a first room is opened in another shard
 * meanwhile, another connection takes its place: nothing else ends the read without more rights.
 * While there is nothing to read, the connection is only checked. Every event names the one before
 * it (`prev`). If that is not the last event taken, events were missed (trimmed, or the stream was
 * lost), and the shard is resynchronised. Events of our own replies are taken from the reply if
 * they come next; their copies in the stream are skipped.
 */
#include "feed.h"

#include <stdio.h>

#include "availability.h"
#include "endings.h"
#include "event.h"
#include "replicas.h"
#include "shard.h"
#include "store_time.h"

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define BLOCK_MAX_MS 5000
#define PROBE_TEXT "1"   /* ms that a read blocks while it is not known that events can be read */
#define COUNT_TEXT "256" /* entries of one stream in a reply */
#define RETRY_MAX_MS 1000
#define GATHER_MS 5 /* between two reads if the first brought nothing new */
#define HEAD_ARGS 6
#define BLOCK_ARG 4

static void on_retry(struct wheel_timer *timer);
static void connect(struct feed *feed);

/* ---- which shards ---- */

/* If it was not in the last read, its earlier events are skipped: no room here has missed them. */
void lock_store_follow(struct lock_store *store, struct str resource) {
    struct shard *s = store_shard(store, resource);

    if (store->closing || s->room_count++ > 0) {
        return;
    }
    if (!s->in_read) {
        s->cursor = s->tick > s->cursor ? s->tick : s->cursor;
        s->skipped = true;
    }
    wheel_set(store->wheel, &s->feed->retry_timer, 0, on_retry);
}

void lock_store_unfollow(struct lock_store *store, struct str resource) {
    struct shard *s = store_shard(store, resource);

    if (!store->closing) {
        s->room_count--;
    }
}

static bool lacks_shard(const struct feed *feed) {
    for (unsigned i = 0; i < feed->shard_count; i++) {
        if (feed->shards[i]->room_count > 0 && !feed->shards[i]->in_read) {
            return true;
        }
    }
    return false;
}

/* ---- entries ---- */

static void log_malformed(const struct shard *s) {
    static struct log_limit limit;

    if (log_limit_pass(&limit, 10)) {
        log_error("feed_event_malformed", LFI("shard", s->index));
    }
}

static void apply(struct shard *s, const struct lock_event *event) {
    const struct lock_store_callbacks *callbacks = &s->store->callbacks;

    s->cursor = event->rev;
    s->skipped = false;
    s->tick = event->rev > s->tick ? event->rev : s->tick;
    metrics_add(METRIC_EVENTS, 1, NULL, NULL);
    callbacks->on_event(callbacks->ctx, event);
}

/* After a skip the first reply with events gives the position: no room here has joined before it.
 */
static bool continues(const struct shard *s, const struct lock_event *first) {
    return first->prev == s->cursor || (s->skipped && first->rev > s->cursor);
}

void feed_take_reply(struct shard *s, const struct lock_result *result) {
    bool next = s->positioned && result->event_count > 0 && continues(s, &result->events[0]);

    s->from_reply = true;
    for (size_t i = 0; next && i < result->event_count && !s->store->closing; i++) {
        apply(s, &result->events[i]);
    }
    s->from_reply = false;
}

void lock_note_ending(struct lock_store *store, const struct lock_event *event) {
    struct shard *s = store_shard(store, event->resource);

    if (!s->from_reply) { /* endings in replies were noted in before_done (store.c) */
        endings_note(s, event);
    }
}

/* Takes one entry of a stream. False: it is malformed. last: the tick of the previous entry.
 * missed: set if events before this entry were missed, to the tick up to which. news: incremented
 * if the event had not been taken from a reply. */
static bool take_entry(struct shard *s, const struct redis_reply *entry, int64_t *last,
                       int64_t *missed, size_t *news) {
    const struct redis_reply *fields = redis_reply_at(entry, 1);
    struct lock_event event;
    struct str id, packed;
    int64_t tick, expected = s->cursor;

    if (!redis_reply_str(redis_reply_at(entry, 0), &id) || !stream_id_read(id, &tick) ||
        tick <= *last) {
        log_malformed(s);
        return false;
    }
    *last = tick;
    if (tick <= s->cursor) {
        return true;
    }
    (*news)++;
    s->tick = tick > s->tick ? tick : s->tick;
    if (!redis_reply_str(redis_reply_at(fields, 1), &packed) ||
        !lock_event_decode(packed, &event) || event.rev != tick) {
        s->cursor = tick;
        log_malformed(s);
        return false;
    }
    if (replicas_lack_event(s, &event)) {
        s->feed->lacked = true;
        return true;
    }
    /* After a skip the position need not be the tick of an event. */
    bool next = event.prev == expected || (s->skipped && event.prev < expected);
    s->cursor = tick;
    apply(s, &event);
    if (!next) { /* prev below expected: the stream was replaced */
        *missed = event.prev > expected ? event.prev : event.rev;
    }
    return true;
}

/* The server has all entries that were read: the next round covers them too. */
static void note_last(struct shard *s, const struct redis_reply *entries) {
    const struct redis_reply *last = redis_reply_at(entries, redis_reply_count(entries) - 1);
    struct str id;
    int64_t tick;

    if (redis_reply_str(redis_reply_at(last, 0), &id) && stream_id_read(id, &tick) &&
        tick > s->tick) {
        s->tick = tick;
    }
}

static void take_stream(struct shard *s, const struct redis_reply *entries, size_t *news) {
    struct feed *feed = s->feed;
    bool others_lacked = feed->lacked;
    size_t count = redis_reply_count(entries);
    bool whole = true;
    int64_t missed = 0, last = s->asked;

    feed->lacked = false;
    for (size_t i = 0; i < count && !feed->lacked; i++) {
        whole = take_entry(s, redis_reply_at(entries, i), &last, &missed, news) && whole;
    }
    if (feed->lacked) {
        note_last(s, entries);
    }
    feed->lacked = feed->lacked || others_lacked;
    if (!whole) {
        shard_resync(s, "malformed event");
    }
    if (missed != 0) {
        shard_missed(s, missed);
    }
}

static void note_lag(const struct shard *s) {
    int64_t lag_ms = node_now_ms(s->node) - s->cursor / 1000;

    metrics_set(METRIC_FEED_LAG, lag_ms > 0 ? (double)lag_ms / 1000 : 0, NULL, NULL);
}

/* A reply has the streams in the order of the command, without those that have no new entries.
 * False: malformed. */
static bool take_streams(const struct feed *feed, const struct redis_reply *reply, size_t *news) {
    size_t count = redis_reply_count(reply);
    unsigned at = 0;

    for (size_t i = 0; i < count; i++) {
        const struct redis_reply *stream = redis_reply_at(reply, i);
        struct str key;

        if (!redis_reply_str(redis_reply_at(stream, 0), &key)) {
            return false;
        }
        while (at < feed->shard_count && !str_eq(feed->shards[at]->keys.events, key)) {
            at++;
        }
        if (at == feed->shard_count) {
            return false;
        }
        take_stream(feed->shards[at], redis_reply_at(stream, 1), news);
        note_lag(feed->shards[at]);
    }
    return true;
}

/* ---- away ---- */

static void note_away(const struct feed *feed) {
    if (feed->away_ms != 0) {
        metrics_set(METRIC_FEED_LAG, (double)(clock_boot_ms() - feed->away_ms) / 1000, NULL, NULL);
    }
}

static void away(struct feed *feed) {
    if (feed->away_ms == 0) {
        feed->away_ms = clock_boot_ms();
    }
}

/* A read succeeded. */
static void back(struct feed *feed) {
    struct lock_store *store = feed->node->store;
    bool was_away = feed->away_ms != 0;

    note_away(feed);
    feed->away_ms = 0;
    feed->read_ms = clock_boot_ms();
    feed->problem[0] = '\0';
    if (was_away) {
        store_open(store);
        store_check_recovered(store);
    }
}

/* An empty read also shows that events can be read, so reads return as often as leases are renewed.
 */
static uint64_t at_most(const struct feed *feed, uint64_t ms) {
    uint64_t interval_ms = store_renewal_ms(feed->node->store);

    return interval_ms < ms ? interval_ms : ms;
}

/* ---- reading ---- */

static void on_retry(struct wheel_timer *timer) {
    struct feed *feed = CONTAINER_OF(timer, struct feed, retry_timer);

    if (feed->blocking && lacks_shard(feed)) {
        redis_link_destroy(&feed->link); /* on_read does nothing then */
        feed->reading = feed->blocking = false;
        connect(feed);
    } else {
        feed_read(feed);
    }
}

static void refused(struct feed *feed, const char *error) {
    static struct log_limit limit;

    feed->reading = false;
    if (log_limit_pass(&limit, 10)) {
        log_warn("feed_refused", LF("error", error));
    }
    script_keep_problem(feed->problem, error);
    away(feed);
    note_away(feed);
    feed->node->store->shard_hooks->on_refused(feed->shards[0], error);
    wheel_set(feed->node->store->wheel, &feed->retry_timer, at_most(feed, RETRY_MAX_MS), on_retry);
}

/* The rest is read again when the replicas have it. */
static void on_replicated(struct replicas_wait *wait, bool ok) {
    struct feed *feed = CONTAINER_OF(wait, struct feed, wait);

    if (feed->node->store->closing) {
        return;
    }
    if (!ok) {
        script_keep_problem(feed->problem, "too few replicas have the last ones");
        away(feed);
        note_away(feed);
        feed->reading = false; /* read again after a pause: a round may fail at once */
        wheel_set(feed->node->store->wheel, &feed->retry_timer, at_most(feed, RETRY_MAX_MS),
                  on_retry);
        return;
    }
    back(feed);
    feed->reading = false;
    feed_read(feed);
}

static void on_read(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct feed *feed = arg;
    struct lock_store *store = feed->node->store;
    bool empty = status != REDIS_OK || redis_reply_is_nil(reply);
    size_t news = 0;

    if (store->closing || feed->link == NULL) {
        return;
    }
    feed->lacked = feed->blocking = false;
    if (status == REDIS_REFUSED) {
        refused(feed, error);
        return;
    }
    /* feed->reading stays set: a call of feed_read from below would read these entries again. */
    if (!empty) {
        redis_link_catch_up(feed->node->link); /* replies before the events that they caused */
        if (store->closing) {
            return;
        }
        if (!take_streams(feed, reply, &news)) {
            feed->reading = false;
            redis_link_reset(feed->link, "malformed reply");
            return;
        }
    }
    if (feed->lacked) {
        replicas_await(feed->node, &feed->wait);
        return;
    }
    if (status == REDIS_OK) {
        back(feed);
    }
    feed->reading = false;
    if (empty || news > 0) {
        feed_read(feed);
    } else { /* all from our own replies: more of them are read in one batch */
        wheel_set(store->wheel, &feed->retry_timer, GATHER_MS, on_retry);
    }
}

/* Puts the shards' keys and positions into argv. Returns how many there are. */
static unsigned put_streams(struct feed *feed) {
    unsigned count = 0, at = 0;

    for (unsigned i = 0; i < feed->shard_count; i++) {
        feed->shards[i]->in_read = feed->shards[i]->room_count > 0;
        count += feed->shards[i]->in_read ? 1 : 0;
    }
    for (unsigned i = 0; i < feed->shard_count; i++) {
        struct shard *s = feed->shards[i];

        if (s->in_read) {
            int len = snprintf(feed->ids[i], sizeof feed->ids[i], "%lld", (long long)s->cursor);

            s->asked = s->cursor;
            feed->argv[HEAD_ARGS + at] = s->keys.events;
            feed->argv[HEAD_ARGS + count + at++] = (struct str){feed->ids[i], (size_t)len};
        }
    }
    return count;
}

/* There was nothing to read. */
static void on_pong(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct feed *feed = arg;
    struct lock_store *store = feed->node->store;

    (void)reply;
    if (store->closing || feed->link == NULL) {
        return;
    }
    if (status == REDIS_REFUSED) {
        refused(feed, error);
        return;
    }
    if (status == REDIS_OK) {
        back(feed);
    }
    feed->reading = false;
    wheel_set(store->wheel, &feed->retry_timer, lacks_shard(feed) ? 0 : at_most(feed, BLOCK_MAX_MS),
              on_retry);
}

void feed_read(struct feed *feed) {
    static const struct str ping[] = {{"PING", 4}};
    const struct lock_store *store = feed->node->store;
    bool probe = feed->away_ms != 0;

    if (feed->reading || store->closing) {
        return;
    }
    unsigned count = put_streams(feed);
    if (!feed_is_positioned(feed) || !redis_link_is_up(feed->link)) {
        return;
    }
    feed->reading = true;
    if (count == 0) {
        redis_link_command(feed->link, ARRAY_LEN(ping), ping, store_timeout_ms(store), on_pong,
                           feed);
        return;
    }
    feed->blocking = !probe;
    feed->argv[BLOCK_ARG] = str_of(probe ? PROBE_TEXT : feed->block);
    redis_link_command(feed->link, (int)(HEAD_ARGS + 2 * count), feed->argv,
                       store_timeout_ms(store) + (probe ? 0 : at_most(feed, BLOCK_MAX_MS)), on_read,
                       feed);
}

/* ---- the link ---- */

static void on_up(void *ctx) {
    feed_read(ctx);
}

static void on_down(void *ctx, const char *reason) {
    struct feed *feed = ctx;

    log_info("feed_lost", LF("reason", reason));
    script_keep_problem(feed->problem, reason);
    away(feed);
}

static void on_fail(void *ctx, const char *reason) {
    struct feed *feed = ctx;

    log_debug("feed_connect_failed", LF("reason", reason));
    script_keep_problem(feed->problem, reason);
    away(feed);
    note_away(feed);
}

static void connect(struct feed *feed) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, feed};
    char *name = node_link_name(feed->node, ":feed");

    feed->link = redis_link_create_beside(feed->node->link, name, &callbacks);
    mem_free(name);
}

void feed_create(struct lock_node *node, struct shard *const *shards, unsigned count) {
    static const char *const head[HEAD_ARGS] = {"XREAD", "COUNT",    COUNT_TEXT,
                                                "BLOCK", PROBE_TEXT, "STREAMS"};
    struct feed *feed = mem_zalloc(sizeof *feed);

    feed->node = node;
    feed->shards = mem_calloc(count, sizeof(struct shard *));
    feed->shard_count = count;
    feed->argv = mem_calloc(HEAD_ARGS + 2 * (size_t)count, sizeof *feed->argv);
    feed->ids = mem_calloc(count, sizeof *feed->ids);
    for (size_t i = 0; i < HEAD_ARGS; i++) {
        feed->argv[i] = str_of(head[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        feed->shards[i] = shards[i];
        shards[i]->feed = feed;
        shards[i]->in_read = false;
    }
    list_init(&feed->wait.node);
    feed->wait.done = on_replicated;
    wheel_timer_init(&feed->retry_timer);
    snprintf(feed->block, sizeof feed->block, "%llu",
             (unsigned long long)at_most(feed, BLOCK_MAX_MS));
    feed->away_ms = feed->read_ms = clock_boot_ms(); /* no success is expected before */
    connect(feed);
}

void feed_drop(struct shard *s) {
    struct feed *feed = s->feed;
    unsigned at = 0;

    while (feed->shards[at] != s) {
        at++;
    }
    s->feed = NULL;
    feed->shards[at] = feed->shards[--feed->shard_count];
    if (feed->shard_count > 0) {
        return;
    }
    list_remove(&feed->wait.node);
    wheel_cancel(&feed->retry_timer);
    redis_link_destroy(&feed->link);
    mem_free(feed->shards);
    mem_free(feed->argv);
    mem_free(feed->ids);
    mem_free(feed);
}

void feed_reset(struct feed *feed, const char *reason) {
    redis_link_reset(feed->link, reason);
}
