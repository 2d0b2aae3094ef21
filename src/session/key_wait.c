/* Tokens that wait for the key that they name. */
#include "key_wait.h"

#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#define WAITS_MAX 1024     /* of an instance; a token has 8 KiB at most */
#define RETRY_PART_US 5000 /* of a turn of the loop */

struct key_wait {
    struct list node; /* of the gateway: key_waits or key_waits_due */
    struct session *session;
    uint64_t since_boot_ms;
    key_wait_check *check;
    struct wire_request request; /* its texts point into `texts` */
    struct buf texts;
};

static void on_due(struct wheel_timer *timer);

static struct str keep(struct key_wait *w, struct str text) {
    size_t at = w->texts.len;
    buf_append(&w->texts, text.p, text.len);
    return (struct str){w->texts.data + at, text.len};
}

static void copy_request(struct key_wait *w, const struct wire_request *r) {
    buf_init(&w->texts);
    buf_reserve(&w->texts, r->auth_token.len + r->client_id.len + r->page_id.len + 1);
    w->request.kind = r->kind;
    w->request.ref = r->ref;
    w->request.auth_token = keep(w, r->auth_token);
    w->request.client_id = keep(w, r->client_id);
    w->request.page_id = keep(w, r->page_id);
}

bool key_wait_begin(struct session *s, const struct wire_request *r, uint64_t since_boot_ms,
                    key_wait_check *check) {
    struct gateway *g = s->gateway;
    uint64_t deadline_ms = since_boot_ms + (uint64_t)g->parts.config->auth.auth_timeout_ms;
    uint64_t wait_ms;
    if (since_boot_ms == 0 || g->key_wait_count >= WAITS_MAX ||
        !auth_await_key(g->parts.auth, since_boot_ms, &wait_ms) ||
        clock_boot_ms() + wait_ms >= deadline_ms) {
        return false;
    }
    struct key_wait *w = mem_zalloc(sizeof *w);
    w->session = s;
    w->since_boot_ms = since_boot_ms;
    w->check = check;
    copy_request(w, r);
    list_push_back(&g->key_waits, &w->node);
    g->key_wait_count++;
    s->key_wait = w;
    return true;
}

static void destroy(struct key_wait *w) {
    w->session->gateway->key_wait_count--;
    w->session->key_wait = NULL;
    list_remove(&w->node);
    buf_fini_secret(&w->texts);
    mem_free(w);
}

bool key_wait_has_request(const struct session *s) {
    return s->key_wait != NULL && s->key_wait->request.kind != WIRE_REQ_COUNT;
}

void key_wait_end(struct session *s) {
    if (s->key_wait != NULL) {
        destroy(s->key_wait);
    }
}

/* since_boot_ms: 0 if the session may not wait again. */
static void retry(struct session *s, uint64_t since_boot_ms) {
    struct key_wait old = *s->key_wait;
    /* The copy owns the texts: the check may begin another wait. */
    buf_init(&s->key_wait->texts);
    destroy(s->key_wait);
    if (session_is_open(s)) {
        old.check(s, &old.request, since_boot_ms);
    }
    buf_fini_secret(&old.texts);
}

void key_wait_expire(struct session *s) {
    if (s->key_wait != NULL) {
        retry(s, 0);
    }
}

static void on_due(struct wheel_timer *timer) {
    struct gateway *g = CONTAINER_OF(timer, struct gateway, key_wait_timer);
    uint64_t begin_us = clock_boot_us();
    while (!list_empty(&g->key_waits_due) && clock_boot_us() - begin_us < RETRY_PART_US) {
        struct key_wait *w = CONTAINER_OF(g->key_waits_due.next, struct key_wait, node);
        retry(w->session, w->since_boot_ms);
    }
    if (!list_empty(&g->key_waits_due)) {
        wheel_set(g->parts.wheel, &g->key_wait_timer, 0, on_due);
    }
}

void key_wait_retry_all(struct gateway *g) {
    LIST_FOREACH_ENTRY(struct key_wait, w, node, &g->key_waits) {
        list_remove(&w->node);
        list_push_back(&g->key_waits_due, &w->node);
    }
    if (!list_empty(&g->key_waits_due)) {
        wheel_set(g->parts.wheel, &g->key_wait_timer, 0, on_due);
    }
}

void key_wait_fini(struct gateway *g) {
    wheel_cancel(&g->key_wait_timer);
}
