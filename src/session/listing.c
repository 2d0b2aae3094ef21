/* Lists of sessions, for operators. The table of sessions is scanned in parts, between which the
 * loop serves others. */
#include "listing.h"

#include "membership.h"
#include "registry.h"
#include "wslock/base/mem.h"
#include "wslock/session/inspect.h"

#define PART 4000 /* sessions looked at, or empty buckets, in one turn of the loop */

struct listing {
    struct list node; /* of the gateway */
    struct gateway *gateway;
    struct wheel_timer timer; /* for the next part */
    char after[RAND_ID_LEN + 1];
    size_t limit, cursor;
    size_t looked;                  /* in this part */
    char (*first)[RAND_ID_LEN + 1]; /* the first limit + 1 ids so far, in order */
    size_t count;
    session_list_cb cb;
    void *arg;
};

static struct session_view view_of(const struct session *s) {
    struct session_view v = {
        .session_id = str_of(s->id),
        .user_id = str_of(s->identity->user_id),
        .username = str_of(s->identity->username),
        .client_id = str_of(s->client_id),
        .address = str_of(s->address),
        .user_agent = str_of(s->user_agent),
        .framing = wire_framing_name(s->framing),
        .transport = s->transport->name(s->conn),
        .connected_ms = s->opened_unix_ms,
        .token_expires_ms = s->identity->expires_unix_ms,
        .roles = (const char *const *)s->identity->roles,
        .role_count = s->identity->role_count,
        .rooms = s->membership_count,
    };
    LIST_FOREACH_ENTRY(struct membership, m, node, &s->memberships) {
        v.locks += m->token != 0;
    }
    return v;
}

static void finish(struct listing *l) {
    struct session_view *views = mem_calloc(l->limit, sizeof *views);
    size_t count = 0;
    for (size_t i = 0; i < l->count && i < l->limit; i++) {
        const struct session *s = gateway_session(l->gateway, l->first[i]);
        if (s != NULL && s->state == SESSION_READY) {
            views[count++] = view_of(s);
        }
    }
    list_remove(&l->node);
    wheel_cancel(&l->timer);
    l->cb(l->arg, views, count, l->count > l->limit ? l->first[l->limit - 1] : NULL);
    mem_free(views);
    mem_free(l->first);
    mem_free(l);
}

static void look_at(struct listing *l, const struct session *s) {
    size_t low = 0, high = l->count;
    if (s->state != SESSION_READY || strcmp(s->id, l->after) <= 0 ||
        (l->count > l->limit && strcmp(s->id, l->first[l->limit]) > 0)) {
        return;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(l->first[middle], s->id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    l->count -= l->count > l->limit;
    memmove(l->first[low + 1], l->first[low], (l->count - low) * sizeof *l->first);
    memcpy(l->first[low], s->id, sizeof *l->first);
    l->count++;
}

static void visit(void *ctx, struct str id, void *value) {
    struct listing *l = ctx;
    (void)id;
    l->looked++;
    look_at(l, value);
}

static void scan_part(struct wheel_timer *timer) {
    struct listing *l = CONTAINER_OF(timer, struct listing, timer);
    l->looked = 0;
    do {
        l->cursor = map_scan(l->gateway->sessions, l->cursor, visit, l);
        l->looked++;
    } while (l->cursor != 0 && l->looked < PART);
    if (l->cursor == 0) {
        finish(l);
    } else {
        wheel_set(l->gateway->parts.wheel, &l->timer, 0, scan_part);
    }
}

bool gateway_list_sessions(struct gateway *g, const struct session_filter *filter,
                           session_list_cb cb, void *arg) {
    struct list *of_user = gateway_sessions_of(g, filter->user_id);
    if (list_count(&g->listings) >= SESSION_LISTINGS_MAX) {
        return false;
    }
    struct listing *l = mem_zalloc(sizeof *l);
    *l = (struct listing){.gateway = g, .limit = filter->limit, .cb = cb, .arg = arg};
    memcpy(l->after, filter->after.p,
           filter->after.len < RAND_ID_LEN ? filter->after.len : RAND_ID_LEN);
    l->first = mem_calloc(filter->limit + 1, sizeof *l->first);
    wheel_timer_init(&l->timer);
    list_push_back(&g->listings, &l->node);
    if (filter->user_id.len == 0) {
        scan_part(&l->timer);
        return true;
    }
    if (of_user != NULL) {
        LIST_FOREACH_ENTRY(struct session, s, of_user, of_user) {
            look_at(l, s);
        }
    }
    finish(l);
    return true;
}

void listings_forget(struct gateway *g) {
    LIST_FOREACH_ENTRY(struct listing, l, node, &g->listings) {
        finish(l);
    }
}
