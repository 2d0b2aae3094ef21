/*
 * The connection uses hiredis' context for the socket, the output and TLS. Its replies are read by
 * sentinel_reply.c.
 */
#include "sentinel_conn.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>

#include "lookup.h"

#include "wslock/base/buf.h"
#include "wslock/base/mem.h"

#define REASON_LEN 256

/* What the next reply answers. */
enum conn_step { STEP_AUTH, STEP_ADDRESS, STEP_SUBSCRIBE, STEP_WATCH };

struct sentinel_conn {
    uv_loop_t *loop;
    const struct config *config;
    struct redis_tls *tls;
    struct sentinel_conn_callbacks callbacks;
    char *node;
    struct redis_address address;

    struct redis_lookup *lookup; /* NULL: none */
    struct redis_addresses addresses;
    size_t address_next;

    redisContext *c; /* NULL: not connected */
    uv_poll_t *poll;
    bool connected;
    struct buf in;
    enum conn_step step;
    bool begun;
    bool closed;
    bool unanswered;  /* a PING was sent */
    uv_timer_t timer; /* begins; then the deadline of the answer; then the next PING */
};

static void connect_next(struct sentinel_conn *conn);
static void on_poll(uv_poll_t *poll, int status, int events);

const char *sentinel_conn_node(const struct sentinel_conn *conn) {
    return conn->node;
}

/* ---- the end ---- */

static void on_poll_closed(uv_handle_t *handle) {
    mem_free(handle);
}

static void disconnect(struct sentinel_conn *conn) {
    if (conn->poll != NULL) {
        uv_close((uv_handle_t *)conn->poll, on_poll_closed);
        conn->poll = NULL;
    }
    if (conn->c != NULL) {
        redisFree(conn->c);
        conn->c = NULL;
    }
    conn->connected = false;
    buf_reset(&conn->in);
}

static void on_timer_closed(uv_handle_t *handle) {
    struct sentinel_conn *conn = handle->data;

    buf_fini(&conn->in);
    mem_free(conn->node);
    mem_free(conn);
}

void sentinel_conn_close(struct sentinel_conn **connp) {
    struct sentinel_conn *conn = *connp;

    if (conn == NULL) {
        return;
    }
    *connp = NULL;
    conn->closed = true;
    redis_lookup_forget(&conn->lookup);
    disconnect(conn);
    uv_close((uv_handle_t *)&conn->timer, on_timer_closed);
}

static void end(struct sentinel_conn *conn, const char *reason) {
    conn->callbacks.on_end(conn->callbacks.ctx, conn, reason);
}

/* The connection is lost, or was not made. Before the Sentinel has answered, its next address is
 * tried. */
static void lose(struct sentinel_conn *conn, const char *reason) {
    char copy[REASON_LEN];

    if (conn->tls != NULL && conn->c != NULL) {
        redis_tls_explain(conn->tls, conn->c, reason, copy, sizeof copy);
    } else {
        snprintf(copy, sizeof copy, "%s", reason);
    }
    disconnect(conn);
    if (conn->step <= STEP_ADDRESS && conn->address_next < conn->addresses.count) {
        connect_next(conn);
    } else {
        end(conn, copy);
    }
}

/* ---- replies ---- */

static void end_with_text(struct sentinel_conn *conn, struct str text) {
    char reason[REASON_LEN];

    snprintf(reason, sizeof reason, "%.*s", (int)text.len, text.p);
    end(conn, reason);
}

static void take_address(struct sentinel_conn *conn, const struct sentinel_reply *reply) {
    struct redis_address address;
    struct str problem;

    if (!sentinel_reply_address(reply, &address, &problem)) {
        end_with_text(conn, problem);
        return;
    }
    conn->step = STEP_SUBSCRIBE;
    conn->callbacks.on_address(conn->callbacks.ctx, &address);
}

static void take_message(struct sentinel_conn *conn, const struct sentinel_reply *reply) {
    struct redis_address address;

    conn->unanswered = false; /* any message shows that it is alive */
    if (sentinel_reply_switch(reply, conn->config->redis.sentinel_master, &address)) {
        conn->callbacks.on_switch(conn->callbacks.ctx, &address);
    }
}

static void take(struct sentinel_conn *conn, const struct sentinel_reply *reply) {
    if (reply->type == '-' && conn->step != STEP_ADDRESS) {
        end_with_text(conn, reply->items[0]);
        return;
    }
    switch (conn->step) {
    case STEP_AUTH:
        conn->step = STEP_ADDRESS;
        return;
    case STEP_ADDRESS:
        take_address(conn, reply);
        return;
    case STEP_SUBSCRIBE:
        conn->step = STEP_WATCH;
        uv_timer_again(&conn->timer);
        conn->callbacks.on_watching(conn->callbacks.ctx);
        return;
    case STEP_WATCH:
        take_message(conn, reply);
        return;
    }
}

static void take_all(struct sentinel_conn *conn) {
    struct sentinel_reply reply;
    size_t taken = 0;
    ssize_t len = 1;

    while (!conn->closed && len > 0 && taken < conn->in.len) {
        len =
            sentinel_reply_read((struct str){conn->in.data + taken, conn->in.len - taken}, &reply);
        if (len > 0) {
            taken += (size_t)len;
            take(conn, &reply);
        }
    }
    if (conn->closed) {
        return;
    }
    if (len < 0) {
        end(conn, "it sends what is no reply of a Sentinel");
        return;
    }
    if (taken > 0) {
        memmove(conn->in.data, conn->in.data + taken, conn->in.len - taken);
        conn->in.len -= taken;
    }
}

/* ---- the socket ---- */

/* The bytes that hiredis has read. It does not parse them: its reader starts anew. */
static bool read_some(struct sentinel_conn *conn) {
    size_t len;

    redis_tls_clear_errors();
    if (redisBufferRead(conn->c) != REDIS_OK) {
        return false;
    }
    len = conn->c->reader->len;
    if (len > 0) {
        buf_append(&conn->in, conn->c->reader->buf, len);
        redisReaderFree(conn->c->reader);
        conn->c->reader = redisReaderCreate();
    }
    return conn->c->reader != NULL;
}

/* With TLS output waits only for the handshake, which goes on when bytes come. */
static bool write_some(struct sentinel_conn *conn) {
    int done = 0, events = UV_READABLE;

    redis_tls_clear_errors();
    if (redisBufferWrite(conn->c, &done) != REDIS_OK) {
        return false;
    }
    if (!done && conn->tls == NULL) {
        events |= UV_WRITABLE;
    }
    return uv_poll_start(conn->poll, events, on_poll) == 0;
}

static bool send_command(struct sentinel_conn *conn, int argc, const char *const *argv) {
    return redisAppendCommandArgv(conn->c, argc, (const char **)(uintptr_t)argv, NULL) == REDIS_OK;
}

static bool send_query(struct sentinel_conn *conn) {
    const struct config *c = conn->config;
    const char *user = c->redis.sentinel_username, *password = c->redis.sentinel_password;
    const char *const auth[] = {"AUTH", password}, *const auth_user[] = {"AUTH", user, password};
    const char *const query[] = {"SENTINEL", "GET-MASTER-ADDR-BY-NAME", c->redis.sentinel_master};
    const char *const subscribe[] = {"SUBSCRIBE", SENTINEL_SWITCH_CHANNEL};

    conn->step = password != NULL ? STEP_AUTH : STEP_ADDRESS;
    if (password != NULL &&
        !(user != NULL ? send_command(conn, 3, auth_user) : send_command(conn, 2, auth))) {
        return false;
    }
    return send_command(conn, 3, query) && send_command(conn, 2, subscribe);
}

static void lose_context(struct sentinel_conn *conn) {
    lose(conn, conn->c->err ? conn->c->errstr : "connection lost");
}

/* True: the socket is connected. */
static bool check_connected(struct sentinel_conn *conn) {
    int problem = 0;
    socklen_t len = sizeof problem;

    if (getsockopt(conn->c->fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0) {
        problem = errno;
    }
    /* A TLS handshake may have ended already: redis_tls_explain() looks at err. */
    if (problem != 0) {
        conn->c->err = REDIS_ERR_IO;
        snprintf(conn->c->errstr, sizeof conn->c->errstr, "%s", strerror(problem));
        lose_context(conn);
        return false;
    }
    conn->connected = true;
    if (!send_query(conn)) {
        lose_context(conn);
        return false;
    }
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct sentinel_conn *conn = poll->data;

    if (status != 0) {
        events = UV_READABLE | UV_WRITABLE; /* hiredis finds the error */
    }
    if (!conn->connected && !check_connected(conn)) {
        return;
    }
    /* A TLS handshake may have waited for the bytes that came. */
    if ((events & UV_READABLE) && !read_some(conn)) {
        lose_context(conn);
    } else if (!write_some(conn)) {
        lose_context(conn);
    } else {
        take_all(conn);
    }
}

static bool watch_socket(struct sentinel_conn *conn) {
    conn->poll = mem_zalloc(sizeof *conn->poll);
    if (uv_poll_init(conn->loop, conn->poll, conn->c->fd) != 0) {
        mem_free(conn->poll);
        conn->poll = NULL;
        return false;
    }
    conn->poll->data = conn;
    return uv_poll_start(conn->poll, UV_WRITABLE, on_poll) == 0;
}

static void connect_next(struct sentinel_conn *conn) {
    const char *problem = NULL;

    conn->c = redisConnectNonBlock(conn->addresses.text[conn->address_next++], conn->address.port);
    if (conn->c == NULL) {
        problem = "out of memory";
    } else if (conn->c->err) {
        problem = conn->c->errstr;
    } else if (conn->config->redis.use_tls && conn->tls == NULL) {
        problem = "TLS could not be prepared";
    } else if (conn->tls != NULL &&
               !redis_tls_start(conn->tls, conn->c, conn->address.host, &problem)) {
        problem = problem != NULL ? problem : "TLS failed";
    } else if (!watch_socket(conn)) {
        problem = "cannot watch the socket";
    }
    if (problem != NULL) {
        lose(conn, problem);
    }
}

/* ---- the beginning, and time ---- */

static void on_resolved(void *ctx, const struct redis_addresses *addresses, const char *problem) {
    struct sentinel_conn *conn = ctx;

    conn->lookup = NULL;
    if (addresses->count == 0) {
        end(conn, problem);
        return;
    }
    conn->addresses = *addresses;
    connect_next(conn);
}

static void begin(struct sentinel_conn *conn) {
    const char *problem;

    conn->begun = true;
    if (redis_is_address(conn->address.host)) {
        snprintf(conn->addresses.text[0], LOOKUP_ADDRESS_LEN, "%.63s", conn->address.host);
        conn->addresses.count = 1;
        connect_next(conn);
        return;
    }
    conn->lookup = redis_lookup_start(conn->loop, conn->address.host, on_resolved, conn, &problem);
    if (conn->lookup == NULL) {
        end(conn, problem);
    }
}

static void ping(struct sentinel_conn *conn) {
    static const char *const command[] = {"PING"};

    if (conn->unanswered) {
        end(conn, "it does not answer any more");
        return;
    }
    conn->unanswered = true;
    if (!send_command(conn, 1, command) || !write_some(conn)) {
        lose_context(conn);
    }
}

static void on_timer(uv_timer_t *timer) {
    struct sentinel_conn *conn = timer->data;

    if (!conn->begun) {
        uv_timer_start(timer, on_timer, SENTINEL_ASK_MS, SENTINEL_PING_MS);
        begin(conn);
    } else if (conn->step == STEP_WATCH) {
        ping(conn);
    } else if (conn->step == STEP_SUBSCRIBE) {
        end(conn, "it does not confirm the subscription");
    } else {
        end(conn, "no answer");
    }
}

struct sentinel_conn *sentinel_conn_open(uv_loop_t *loop, const struct config *config,
                                         struct redis_tls *tls, const char *node,
                                         const struct sentinel_conn_callbacks *callbacks) {
    struct sentinel_conn *conn = mem_zalloc(sizeof *conn);

    conn->loop = loop;
    conn->config = config;
    conn->tls = tls;
    conn->callbacks = *callbacks;
    conn->node = mem_strdup(node);
    if (!redis_address_parse(&conn->address, str_of(node))) { /* the configuration has checked it */
        conn->address.port = 0;
    }
    buf_init(&conn->in);
    uv_timer_init(loop, &conn->timer);
    conn->timer.data = conn;
    uv_timer_start(&conn->timer, on_timer, 0, 0);
    return conn;
}
