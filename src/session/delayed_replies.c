/*
 * Answers to takeovers that wait for the audit. If the audit cannot be written, they are
 * sent anyway, since the store has already carried out the takeover or has it pending.
 */
#include "delayed_replies.h"

#include <string.h>

#include "registry.h"
#include "send.h"
#include "subscription.h"
#include "wslock/base/mem.h"
#include "wslock/session/operate.h"

struct delayed_reply {
    struct list node;        /* of the gateway */
    struct gateway *gateway; /* NULL: destroyed */
    char session_id[RAND_ID_LEN + 1];
    uint64_t member_seq;
    int64_t token; /* of the lock that was granted; 0: none was */
    struct wire_message *message;
};

static void on_audited(void *arg, bool ok) {
    (void)ok;
    struct delayed_reply *reply = arg;
    struct session *s =
        reply->gateway != NULL ? gateway_session(reply->gateway, reply->session_id) : NULL;
    struct membership *m = s != NULL ? membership_by_seq(s, reply->member_seq) : NULL;
    list_remove(&reply->node);
    if (s != NULL && s->state == SESSION_READY) {
        session_send(s, reply->message);
        reply->message = NULL;
        if (m != NULL && reply->token != 0) {
            membership_check_lost(m, reply->token);
        }
    }
    if (reply->gateway != NULL) {
        membership_answer_sent(reply->gateway, reply->session_id, reply->member_seq);
    }
    wire_message_unref(reply->message);
    mem_free(reply);
}

void delayed_replies_forget(struct gateway *g) {
    LIST_FOREACH_ENTRY(struct delayed_reply, reply, node, &g->delayed_replies) {
        reply->gateway = NULL;
        list_remove(&reply->node);
    }
}

void delayed_reply_send(struct session *s, struct membership *m, int64_t token,
                        struct wire_message *message) {
    struct delayed_reply *reply = mem_zalloc(sizeof *reply);
    reply->gateway = s->gateway;
    list_push_back(&s->gateway->delayed_replies, &reply->node);
    memcpy(reply->session_id, s->id, sizeof reply->session_id);
    reply->member_seq = m->seq;
    reply->token = token;
    reply->message = message;
    membership_defer_events(m);
    gateway_when_audited(s->gateway, on_audited, reply);
}
