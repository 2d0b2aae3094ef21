/*
 * How grants ended, as far as this instance saw it in the last minute. A store that lost its last
 * writes may have such a lock again; inside a recovery window the instance reports these endings
 * (endings.lua).
 */
#include "endings.h"

#include "wslock/base/buf.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define KEPT_MS 60000  /* a replica that is further behind has lost the stream too */
#define KEPT_MAX 10000 /* of a shard; the oldest are dropped */
#define REPORT_MAX 100 /* in one call */

struct ending {
    struct list node;
    uint64_t seen_ms;            /* boot time */
    struct str resource, packed; /* their bytes follow the struct */
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

static void drop_old(struct shard *s) {
    uint64_t now_ms = clock_boot_ms();

    while (s->ending_count > 0) {
        const struct ending *oldest = CONTAINER_OF(s->endings.next, struct ending, node);

        if (now_ms - oldest->seen_ms <= KEPT_MS && s->ending_count <= KEPT_MAX) {
            return;
        }
        drop_oldest(s);
    }
}

/* ENDING of src/lock/lua/README.md. */
static void pack(struct buf *out, const struct lock_ending *e) {
    static const char head[] = {'\x9b'}; /* an array of 11 */

    buf_append(out, head, sizeof head);
    msgpack_put_str(out, e->user_id);
    msgpack_put_str(out, e->username);
    msgpack_put_str(out, e->client_id);
    msgpack_put_int(out, e->token);
    msgpack_put_str(out, str_of(lock_cause_text(e->reason)));
    msgpack_put_int(out, e->dirty);
    if (e->revision.p != NULL) {
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
    static struct buf packed; /* kept from call to call */
    struct ending *e;
    char *text;

    if (event->kind != LOCK_EVENT_LOCK || !event->ended.present) {
        return;
    }
    buf_reset(&packed);
    pack(&packed, &event->ended);
    e = mem_alloc(sizeof *e + event->resource.len + packed.len);
    text = (char *)(e + 1);
    memcpy(text, event->resource.p, event->resource.len);
    memcpy(text + event->resource.len, packed.data, packed.len);
    e->seen_ms = clock_boot_ms();
    e->resource = (struct str){text, event->resource.len};
    e->packed = (struct str){text + event->resource.len, packed.len};
    list_push_back(&s->endings, &e->node);
    s->ending_count++;
    drop_old(s);
}

bool endings_add(struct shard *s, struct script_args *a, struct list **next) {
    struct list *it = *next;
    size_t count = 0;

    if (it == NULL) {
        drop_old(s);
        it = s->endings.next;
    }
    for (; it != &s->endings && count < REPORT_MAX; it = it->next) {
        const struct ending *e = CONTAINER_OF(it, struct ending, node);

        args_str(a, e->resource);
        args_str(a, e->packed);
        count++;
    }
    *next = it;
    return it != &s->endings;
}
