/*
 * Lists of locks, for operators. `due` of each shard names every lock that is not free. It is
 * scanned page by page (ZSCAN) for the first `limit` names behind `after`, whose locks are read
 * then. A list by user or search has to read the locks of each page. One call is under way at a
 * time, for all listings together, so that requests of sessions wait for at most one of them. The
 * order is that of bytes: scripts compare text by the server's locale.
 */
#include "list.h"

#include <stdio.h>

#include "event.h"
#include "shard.h"
#include "store_time.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define NAMES_TEXT "300" /* entries of `due` in one call */
#define LOCKS_MAX 100    /* read in one call */
#define LOCKS_TEXT "100"
#define PATTERN_MAX 80
#define SLICE_US 6000 /* between two pauses, which leave the store and the loop to others */

struct entry {
    size_t resource_len, lock_len;
    bool asked;   /* for its lock */
    char bytes[]; /* the resource, and its LOCK as an array; lock_len 0: not read, or free */
};

struct listing {
    struct list node; /* of the store, oldest first; the first is being made */
    struct lock_store *store;
    char pattern[PATTERN_MAX]; /* of names in `due` */
    char *user_id, *search, *after;
    size_t limit;
    lock_list_cb cb;
    void *arg;
    uint64_t end_ms; /* boot time */
    struct wheel_timer pause;
    uint64_t slice_us; /* boot time of the end of the last pause */
    unsigned shard;
    char cursor[24];      /* of ZSCAN */
    struct entry **first; /* the first limit + 1 so far, in order */
    size_t count;
};

static void begin_slice(struct listing *l);
static void go_on(struct listing *l);

/* ---- the end ---- */

static struct str resource_of(const struct entry *e) {
    return (struct str){e->bytes, e->resource_len};
}

static void listing_free(struct listing *l) {
    for (size_t i = 0; i < l->count; i++) {
        mem_free(l->first[i]);
    }
    mem_free(l->first);
    mem_free(l->user_id);
    mem_free(l->search);
    mem_free(l->after);
    mem_free(l);
}

static void finish(struct listing *l, const char *error) {
    struct lock_store *store = l->store;
    struct lock_list_result result = {.status = error != NULL ? LOCK_UNAVAILABLE : LOCK_OK,
                                      .error = error,
                                      .now_ms = lock_store_now_ms(store)};
    struct lock_listed *locks = mem_calloc(l->limit, sizeof *locks);

    for (size_t i = 0; error == NULL && i < l->count && i < l->limit; i++) {
        const struct entry *e = l->first[i];

        locks[result.count].resource = resource_of(e);
        if (lock_decode((struct str){e->bytes + e->resource_len, e->lock_len},
                        &locks[result.count].lock)) {
            result.count++;
        }
    }
    result.locks = locks;
    if (l->count > l->limit) {
        result.next = resource_of(l->first[l->limit - 1]);
    }
    list_remove(&l->node);
    wheel_cancel(&l->pause);
    l->cb(l->arg, &result);
    mem_free(locks);
    listing_free(l);
    if (!store->closing && !list_empty(&store->listings)) {
        begin_slice(CONTAINER_OF(store->listings.next, struct listing, node));
    }
}

/* ---- the first ones ---- */

static int compare(struct str a, struct str b) {
    int order = memcmp(a.p, b.p, a.len < b.len ? a.len : b.len);

    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

/* Where the resource belongs among the first ones. */
static size_t place_of(const struct listing *l, struct str resource) {
    size_t low = 0, high = l->count;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (compare(resource_of(l->first[middle]), resource) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool may_be_listed(const struct listing *l, struct str resource) {
    return compare(resource, str_of(l->after)) > 0 &&
           (l->count <= l->limit || place_of(l, resource) < l->count);
}

/* lock: empty if it is not read yet. A scan may find a lock twice: the later reading counts. */
static void add(struct listing *l, struct str resource, struct str lock) {
    struct entry *e = mem_alloc(sizeof *e + resource.len + lock.len);
    size_t at = place_of(l, resource);

    e->resource_len = resource.len;
    e->lock_len = lock.len;
    e->asked = lock.len > 0;
    memcpy(e->bytes, resource.p, resource.len);
    if (lock.len > 0) {
        memcpy(e->bytes + resource.len, lock.p, lock.len);
    }
    if (at < l->count && str_eq(resource_of(l->first[at]), resource)) {
        mem_free(l->first[at]);
        l->first[at] = e;
        return;
    }
    if (l->count > l->limit) {
        mem_free(l->first[--l->count]);
    }
    memmove(&l->first[at + 1], &l->first[at], (l->count - at) * sizeof(struct entry *));
    l->first[at] = e;
    l->count++;
}

/* ---- page by page, shard by shard ---- */

static void on_pause(struct wheel_timer *timer) {
    begin_slice(CONTAINER_OF(timer, struct listing, pause));
}

static bool is_scanned(const struct listing *l) {
    return l->shard == l->store->shard_count;
}

static bool reads_each_page(const struct listing *l) {
    return l->user_id[0] != '\0' || l->search[0] != '\0';
}

static void next(struct listing *l) {
    if (!is_scanned(l) && str_eqz(str_of(l->cursor), "0")) {
        l->shard++;
    }
    if (clock_boot_us() - l->slice_us > SLICE_US) {
        wheel_set(l->store->wheel, &l->pause, 0, on_pause);
    } else {
        go_on(l);
    }
}

static void on_read(struct script_call *call, const struct script_reply *reply) {
    struct listing *l = call->cb.arg;

    if (reply->common.status != LOCK_OK) {
        finish(l, reply->common.error);
        return;
    }
    for (size_t i = 0; i + 1 < reply->name_count; i += 2) {
        if (is_scanned(l) || may_be_listed(l, reply->names[i])) {
            add(l, reply->names[i], reply->names[i + 1]);
        }
    }
    next(l);
}

static void begin_read(struct listing *l, const struct shard *s, struct script_args *a) {
    args_init(a, &l->store->packed);
    args_keys_shard(a, &s->keys);
    args_not_after(a, s->node);
    args_str(a, str_of(l->user_id));
    args_str(a, str_of(l->search));
}

/* Takes the names of this page, or reads those of its locks, that may be among the first. */
static void take_page(struct listing *l, const struct redis_reply *names) {
    struct shard *s = &l->store->shards[l->shard];
    struct script_args a;
    struct str name;
    size_t count = 0;

    begin_read(l, s, &a);
    for (size_t i = 0; i < redis_reply_count(names); i += 2) { /* with their scores */
        if (!redis_reply_str(redis_reply_at(names, i), &name) || name.len <= 2) {
            continue;
        }
        name = (struct str){name.p + 2, name.len - 2};
        if (!may_be_listed(l, name)) {
            continue;
        }
        if (reads_each_page(l)) {
            args_str(&a, name);
            count++;
        } else {
            add(l, name, (struct str){NULL, 0});
        }
    }
    if (count > 0) {
        script_send(s, &lock_script_list, &a, on_read, (struct script_cb){.arg = l});
    } else {
        next(l);
    }
}

/* The first entry whose lock has not been asked for; NULL: none. */
static struct entry *find_unread(const struct listing *l) {
    for (size_t i = 0; i < l->count && i < l->limit; i++) {
        if (!l->first[i]->asked) {
            return l->first[i];
        }
    }
    return NULL;
}

/* Why the listing cannot go on; NULL: it can. */
static const char *obstacle(const struct listing *l, struct shard *s) {
    return clock_boot_ms() >= l->end_ms ? "the listing takes too long"
           : !shard_serves(s)           ? "the shard is not served now"
                                        : NULL;
}

/* Reads locks of the first ones, as many of one shard as a call may. */
static void read_first(struct listing *l) {
    const struct entry *unread = find_unread(l);
    struct script_args a;
    struct shard *s;
    size_t count = 0;

    if (unread == NULL) {
        finish(l, NULL);
        return;
    }
    s = store_shard(l->store, resource_of(unread));
    begin_read(l, s, &a);
    for (size_t i = 0; i < l->count && i < l->limit && count < LOCKS_MAX; i++) {
        struct entry *e = l->first[i];

        if (!e->asked && store_shard(l->store, resource_of(e)) == s) {
            args_str(&a, resource_of(e));
            e->asked = true;
            count++;
        }
    }
    if (obstacle(l, s) != NULL) {
        script_decline(s, obstacle(l, s), on_read, (struct script_cb){.arg = l});
    } else {
        script_send(s, &lock_script_list, &a, on_read, (struct script_cb){.arg = l});
    }
}

static void on_page(void *arg, enum redis_status status, const struct redis_reply *reply,
                    const char *error) {
    struct listing *l = arg;
    struct str cursor;

    if (status != REDIS_OK) {
        finish(l, error);
    } else if (!redis_reply_str(redis_reply_at(reply, 0), &cursor) ||
               cursor.len >= sizeof l->cursor) {
        finish(l, "malformed reply");
    } else {
        memcpy(l->cursor, cursor.p, cursor.len);
        l->cursor[cursor.len] = '\0';
        take_page(l, redis_reply_at(reply, 1));
    }
}

static void scan(struct listing *l) {
    struct shard *s = &l->store->shards[l->shard];
    const struct str argv[] = {str_of("ZSCAN"),
                               s->keys.due,
                               str_of(l->cursor),
                               str_of("MATCH"),
                               str_of(l->pattern),
                               str_of("COUNT"),
                               str_of(reads_each_page(l) ? LOCKS_TEXT : NAMES_TEXT)};

    if (obstacle(l, s) != NULL) {
        redis_link_decline(s->node->link, obstacle(l, s), on_page, l);
    } else {
        node_command(s->node, ARRAY_LEN(argv), argv, on_page, l);
    }
}

static void go_on(struct listing *l) {
    if (is_scanned(l)) {
        read_first(l);
    } else {
        scan(l);
    }
}

static void begin_slice(struct listing *l) {
    l->slice_us = clock_boot_us();
    go_on(l);
}

bool lock_list(struct lock_store *store, const struct lock_filter *filter, lock_list_cb cb,
               void *arg) {
    bool alone = list_empty(&store->listings);

    if (list_count(&store->listings) >= LOCK_LISTINGS_MAX) {
        return false;
    }
    struct listing *l = mem_zalloc(sizeof *l);
    l->store = store;
    snprintf(l->pattern, sizeof l->pattern, "r:%.*s%s*", (int)filter->type.len, filter->type.p,
             filter->type.len > 0 ? ":" : "");
    wheel_timer_init(&l->pause);
    strcpy(l->cursor, "0");
    l->user_id = str_dup(filter->user_id);
    l->search = str_dup(filter->search);
    l->after = str_dup(filter->after);
    l->limit = filter->limit;
    l->first = mem_calloc(filter->limit + 1, sizeof(struct entry *));
    l->cb = cb;
    l->arg = arg;
    l->end_ms = clock_boot_ms() + LOCK_LISTING_MS;
    list_push_back(&store->listings, &l->node);
    if (alone) {
        begin_slice(l);
    }
    return true;
}

void listings_init(struct lock_store *store) {
    list_init(&store->listings);
}

void listings_fini(struct lock_store *store) {
    LIST_FOREACH_ENTRY(struct listing, l, node, &store->listings) {
        finish(l, "the store is closed");
    }
}
