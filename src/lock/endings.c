/*
 * How grants ended that this instance was told of in the last minute. A store that comes back
 * without its last writes may have brought such a lock back; inside a recovery window the instance
 * tells what it knows (endings.lua).
 */
#include "store_private.h"

#include "wslock/base/buf.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define KEPT_MS 60000  /* replicas are not further behind than that, or the stream is gone too */
#define KEPT_MAX 10000 /* of a shard; the oldest go first */
#define REPORT_MAX 100 /* a call */

struct ending {
    struct list node;
    uint64_t told_ms;            /* boot time */
    struct str resource, packed; /* behind it */
};

void endings_init(struct shard *s) {
    list_init(&s->endings);
}

static void drop_oldest(struct shard *s) {
    struct list *oldest = s->endings.next;

    list_remove(oldest);
    mem_free(CONTAINER_OF(oldest, struct ending, node));
    s->ending_count--;
}

void endings_forget(struct shard *s) {
    while (s->ending_count > 0) {
        drop_oldest(s);
    }
}

void endings_fini(struct shard *s) {
    endings_forget(s);
}

static void drop_old(struct shard *s) {
    uint64_t now_ms = clock_boot_ms();

    while (s->ending_count > 0) {
        const struct ending *oldest = CONTAINER_OF(s->endings.next, struct ending, node);

        if (now_ms - oldest->told_ms <= KEPT_MS && s->ending_count <= KEPT_MAX) {
            return;
        }
        drop_oldest(s);
    }
}

/* An ENDING, as src/lock/lua/README.md has it. */
static void pack(struct buf *out, const struct lock_ending *e) {
    static const char head[] = {'\x9b'}; /* an array of 11 */

    buf_append(out, head, sizeof head);
    msgpack_put_str(out, e->user_id);
    msgpack_put_str(out, e->username);
    msgpack_put_str(out, e->client_id);
    msgpack_put_int(out, e->token);
    msgpack_put_str(out, str_of(lock_cause_text(e->reason)));
    msgpack_put_int(out, e->dirty);
    if (e->revision.p) {
        msgpack_put_str(out, e->revision);
    } else {
        msgpack_put_false(out);
    }
    msgpack_put_int(out, e->since_ms);
    msgpack_put_int(out, e->ended_ms);
    msgpack_put_str(out, e->by);
    msgpack_put_str(out, e->request_id);
}

void endings_note(struct shard *s, const struct lock_event *event) {
    struct ending *e;
    struct buf packed;
    char *text;

    if (event->kind != LOCK_EVENT_LOCK || !event->ended.present) {
        return;
    }
    buf_init(&packed);
    pack(&packed, &event->ended);
    e = mem_alloc(sizeof *e + event->resource.len + packed.len);
    text = (char *)(e + 1);
    memcpy(text, event->resource.p, event->resource.len);
    memcpy(text + event->resource.len, packed.data, packed.len);
    e->told_ms = clock_boot_ms();
    e->resource = (struct str){text, event->resource.len};
    e->packed = (struct str){text + event->resource.len, packed.len};
    buf_fini(&packed);
    list_push_back(&s->endings, &e->node);
    s->ending_count++;
    drop_old(s);
}

static void on_told(struct script_call *call, const struct script_head *head,
                    const struct lock_result *result) {
    struct shard *s = call->shard;
    const struct lock_store_callbacks *callbacks = &s->store->callbacks;
    bool rewound = shard_is_refused(s, head);

    if (rewound) {
        shard_forget_tick(s, head->rev);
    }
    for (size_t i = 0; i < result->event_count && !s->store->closing; i++) {
        callbacks->on_unasked(callbacks->ctx, &result->events[i], false);
    }
    shard_report_ended(s, call->round, result->status == LOCK_OK);
    if (rewound) {
        callbacks->on_rewound(callbacks->ctx, s->index);
    }
}

static void tell(struct shard *s, struct list *from, struct list *until) {
    struct script_args a;

    args_init(&a, &s->store->packed);
    args_keys_shard(&a, &s->keys);
    args_not_after(&a, s->store);
    args_int(&a, s->tick);
    for (struct list *it = from; it != until; it = it->next) {
        const struct ending *e = CONTAINER_OF(it, struct ending, node);

        args_str(&a, e->resource);
        args_str(&a, e->packed);
    }
    s->reports_open++;
    script_send(s, &lock_script_endings, &a, on_told, NULL, NULL);
}

void endings_report(struct shard *s) {
    struct list *from = NULL;
    size_t count = 0;

    drop_old(s);
    for (struct list *it = s->endings.next; it != &s->endings; it = it->next) {
        from = from ? from : it;
        if (++count == REPORT_MAX) {
            tell(s, from, it->next);
            from = NULL;
            count = 0;
        }
    }
    if (from || s->ending_count == 0) { /* without endings it still says how far the events went */
        tell(s, from ? from : &s->endings, &s->endings);
    }
}
