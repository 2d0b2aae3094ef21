/*
 * Compares the members that the store has of this instance (`instance:<incarnation>`) with its
 * sessions, every five minutes and after each recovery window. A member without a session is
 * removed, and its lock ends: a store that lost its last writes may have members again that left.
 * If the store lacks the member of a session, its shard is resynchronised.
 */
#include "reconcile.h"

#include <stdio.h>

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define INTERVAL_MS 300000
#define PAGE_TEXT "100"
#define PAUSE_MS 10 /* between two pages */

struct reconcile {
    struct lock_store *store;
    struct wheel_timer timer; /* for the next page or the next round */
    bool running;
    bool again; /* another one was asked for meanwhile */
    unsigned round;
    unsigned shard;
    char cursor[24]; /* of SSCAN */
    size_t open;     /* queries without an answer */
};

/* A query under way: for a page, or for one member. */
struct query {
    struct lock_store *store;
    unsigned round;
    char *entry; /* "<resource> <clientId>:<userId>"; NULL: a page */
};

static void read_page(struct lock_store *store);

static void on_timer(struct wheel_timer *timer) {
    struct lock_store *store = CONTAINER_OF(timer, struct reconcile, timer)->store;

    if (store->reconcile->running) {
        read_page(store);
    } else {
        reconcile_begin(store);
    }
}

static void wait(struct lock_store *store, uint64_t delay_ms) {
    wheel_set(store->wheel, &store->reconcile->timer, delay_ms, on_timer);
}

static void stop(struct lock_store *store) {
    store->reconcile->running = false;
    wait(store, store->reconcile->again ? PAUSE_MS : INTERVAL_MS);
    store->reconcile->again = false;
}

/* ---- one member ---- */

static void on_removed(void *arg, const struct lock_result *result) {
    store_tell_unasked(arg, result);
}

static void remove_member(struct lock_store *store, struct str resource, struct str id,
                          struct str session) {
    struct lock_caller caller = {.resource = resource, .session_id = session};
    struct str rest = id;

    if (str_cut(&rest, ':', &caller.client_id)) {
        caller.user_id = rest;
        log_warn("stray_member", LFS("resource", resource), LFS("session", session));
        lock_disconnect(store, &caller, LOCK_DISCONNECT_STRAY, 0, on_removed, store);
    }
}

static void next(struct lock_store *store) {
    struct reconcile *c = store->reconcile;

    if (--c->open > 0) {
        return;
    }
    if (!str_eqz(str_of(c->cursor), "0")) {
        wait(store, PAUSE_MS);
        return;
    }
    if (++c->shard < store->shard_count) {
        wait(store, PAUSE_MS);
        return;
    }
    store->callbacks.reconcile_end(store->callbacks.ctx);
    stop(store);
}

static void check_member(struct lock_store *store, struct str text,
                         const struct redis_reply *reply) {
    const struct lock_store_callbacks *callbacks = &store->callbacks;
    struct str id = text, resource, value, session, incarnation;

    if (str_cut(&id, ' ', &resource) && redis_reply_str(reply, &value) &&
        str_cut(&value, ' ', &session) && str_cut(&value, ' ', &incarnation) &&
        str_eqz(incarnation, store->incarnation) &&
        !callbacks->reconcile_member(callbacks->ctx, session, resource)) {
        remove_member(store, resource, id, session);
    }
}

static bool take_page(struct lock_store *store, const struct redis_reply *reply);

static void on_answer(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct query *q = arg;
    struct lock_store *store = q->store;

    (void)error;
    if (!store->closing && q->round == store->reconcile->round && store->reconcile->running) {
        bool ok = status == REDIS_OK;

        if (ok && q->entry != NULL) {
            check_member(store, str_of(q->entry), reply);
        } else if (ok) {
            ok = take_page(store, reply);
        }
        if (ok) {
            next(store);
        } else {
            stop(store); /* it starts again after a lost connection */
        }
    }
    mem_free(q->entry);
    mem_free(q);
}

static void ask(struct lock_store *store, int argc, const struct str *argv, char *entry) {
    struct query *q = mem_alloc(sizeof *q);

    *q = (struct query){store, store->reconcile->round, entry};
    store->reconcile->open++;
    node_command(store->shards[store->reconcile->shard].node, argc, argv, on_answer, q);
}

static void ask_member(struct lock_store *store, struct str entry) {
    const struct shard *s = &store->shards[store->reconcile->shard];
    struct str id = entry, resource;
    struct buf key;

    if (!str_cut(&id, ' ', &resource)) {
        return;
    }
    buf_init(&key);
    buf_append(&key, s->keys.tag.p, s->keys.tag.len);
    buf_append_str(&key, "member:");
    buf_append(&key, resource.p, resource.len);
    const struct str argv[] = {str_of("HGET"), {key.data, key.len}, id};

    ask(store, ARRAY_LEN(argv), argv, str_dup(entry));
    buf_fini(&key);
}

/* ---- page by page, shard by shard ---- */

static bool take_page(struct lock_store *store, const struct redis_reply *reply) {
    struct reconcile *c = store->reconcile;
    const struct redis_reply *entries = redis_reply_at(reply, 1);
    struct str cursor, entry;

    if (!redis_reply_str(redis_reply_at(reply, 0), &cursor) || cursor.len >= sizeof c->cursor) {
        return false;
    }
    memcpy(c->cursor, cursor.p, cursor.len);
    c->cursor[cursor.len] = '\0';
    for (size_t i = 0; i < redis_reply_count(entries); i++) {
        if (redis_reply_str(redis_reply_at(entries, i), &entry)) {
            ask_member(store, entry);
        }
    }
    return true;
}

static void read_page(struct lock_store *store) {
    struct reconcile *c = store->reconcile;
    const struct str argv[] = {str_of("SSCAN"), store->shards[c->shard].keys.instance,
                               str_of(c->cursor), str_of("COUNT"), str_of(PAGE_TEXT)};

    ask(store, ARRAY_LEN(argv), argv, NULL);
}

void reconcile_begin(struct lock_store *store) {
    struct reconcile *c = store->reconcile;

    if (!store->up) {
        return; /* it starts when the store is back */
    }
    if (c->running) {
        c->again = true;
        return;
    }
    if (lock_store_window_open(store)) { /* other instances may still report */
        wait(store, LOCK_WINDOW_POLL_MS);
        return;
    }
    c->running = true;
    c->round++;
    c->open = 0;
    c->shard = 0;
    strcpy(c->cursor, "0");
    store->callbacks.reconcile_begin(store->callbacks.ctx);
    wait(store, PAUSE_MS);
}

void reconcile_stop(struct lock_store *store) {
    store->reconcile->running = false;
    wheel_cancel(&store->reconcile->timer);
}

void reconcile_init(struct lock_store *store) {
    store->reconcile = mem_zalloc(sizeof *store->reconcile);
    store->reconcile->store = store;
    wheel_timer_init(&store->reconcile->timer);
}

void reconcile_fini(struct lock_store *store) {
    reconcile_stop(store);
    mem_free(store->reconcile);
}
