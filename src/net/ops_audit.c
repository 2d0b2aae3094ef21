/* GET /v1/audit: the records of this instance, with follow=1 on as they come. */
#include "ops_audit.h"

#include <string.h>

#include "http_call.h"
#include "ops.h"
#include "ops_query.h"
#include "wslock/audit/reader.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/session/operate.h"

#define STREAMS_MAX 4
#define POLL_MS 200

struct stream {
    struct http_call *call;
    struct net *net;
    struct audit_reader *reader;
    struct wheel_timer timer; /* for the next look at the file */
    bool follow;
    bool begun; /* the answer has begun */
    bool reading;
};

static void read_on(struct stream *s);

static void stream_free(struct stream *s) {
    s->net->audit_streams--;
    wheel_cancel(&s->timer);
    audit_reader_destroy(&s->reader);
    mem_free(s);
}

static void on_ready(void *arg) {
    read_on(arg);
}

static void on_gone(void *arg) {
    stream_free(arg);
}

static void on_poll(struct wheel_timer *timer) {
    read_on(CONTAINER_OF(timer, struct stream, timer));
}

/* False: the stream is gone. */
static bool begin(struct stream *s) {
    static const struct http_parts PARTS = {on_ready, on_gone};
    if (!s->begun &&
        !http_call_begin_parts(s->call, "application/x-ndjson", s->follow, &PARTS, s)) {
        stream_free(s);
        return false;
    }
    s->begun = true;
    return true;
}

static void fail(struct stream *s, struct str problem) {
    struct http_response response;
    log_warn("audit_read_failed", LFS("problem", problem));
    if (s->begun) {
        http_call_end_parts(s->call, false);
    } else {
        http_response_init(&response);
        http_error(&response, 500, "INTERNAL",
                   "the audit log cannot be read: see the daemon's log");
        http_call_answer(s->call, &response);
    }
    stream_free(s);
}

static void on_read(void *ctx, enum audit_read result, struct str text) {
    struct stream *s = ctx;
    s->reading = false;
    if (result == AUDIT_READ_FAILED) {
        fail(s, text);
        return;
    }
    if (!begin(s)) {
        return;
    }
    if (result == AUDIT_READ_LINES) {
        if (http_call_add_part(s->call, text)) {
            read_on(s);
        }
    } else if (s->follow) {
        wheel_set(s->net->parts.wheel, &s->timer, POLL_MS, on_poll);
    } else {
        http_call_end_parts(s->call, true);
        stream_free(s);
    }
}

/* Harmless while it reads: the client may take the head of the answer at any time. */
static void read_on(struct stream *s) {
    if (s->reading) {
        return;
    }
    s->reading = true;
    wheel_cancel(&s->timer);
    audit_reader_next(s->reader, s->net->parts.config->audit.file, on_read, s);
}

static void on_audited(void *arg, bool ok) {
    (void)ok;
    read_on(arg);
}

/* Of `after`, which may be empty. */
static bool read_seq(struct str text, uint64_t *out) {
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9') {
            return false;
        }
        *out = *out * 10 + (uint64_t)(text.p[i] - '0');
    }
    return text.len <= 18;
}

static bool read_query(const struct http_request *request, struct ops_query *q, uint64_t *after,
                       struct http_response *response) {
    if (!ops_read_query(request,
                        OPS_TAKES(OPS_AFTER) | OPS_TAKES(OPS_LIMIT) | OPS_TAKES(OPS_FOLLOW) |
                            OPS_TAKES(OPS_ACTOR),
                        q, response)) {
        return false;
    }
    const char *follow = q->value[OPS_FOLLOW];
    const char *wrong = !read_seq(ops_value(q, OPS_AFTER), after)
                            ? "after must be the seq of a record: a number"
                        : *follow != '\0' && strcmp(follow, "0") != 0 && strcmp(follow, "1") != 0
                            ? "follow must be 0 or 1"
                            : NULL;
    if (wrong != NULL) {
        http_error(response, 400, "INVALID_ARGUMENT", wrong);
    }
    return wrong == NULL;
}

void ops_read_audit(const struct http_request *request, struct http_response *response) {
    struct net *n = request->conn->net;
    struct ops_query q;
    uint64_t after;
    if (!read_query(request, &q, &after, response)) {
        return;
    }
    if (strcmp(n->parts.config->audit.file, "-") == 0) {
        http_error(response, 404, "NOT_FOUND", "this instance writes its audit to standard output");
        return;
    }
    if (n->audit_streams >= STREAMS_MAX) {
        ops_refuse_busy(response);
        return;
    }
    if (!ops_record_query(request, &q, str_of(""), "audit", response)) {
        return;
    }
    if (request->conn->bodiless) {
        return;
    }
    struct stream *s = mem_zalloc(sizeof *s);
    s->call = request->call;
    s->net = n;
    s->reader = audit_reader_create(n->parts.loop, after,
                                    *q.value[OPS_LIMIT] != '\0' ? (uint64_t)q.limit : 0);
    s->follow = strcmp(q.value[OPS_FOLLOW], "1") == 0;
    wheel_timer_init(&s->timer);
    n->audit_streams++;
    response->later = true;
    gateway_when_audited(n->gateway, on_audited, s);
}
