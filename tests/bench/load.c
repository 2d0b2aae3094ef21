#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "report.h"
#include "ws.h"
#include "wslock/base/mem.h"

#define MAX_EVENTS 512
#define INPUT_BYTES (256 * 1024)
#define OUTPUT_BYTES (16 * 1024)
#define PER_ADDRESS 10000

enum state { CLOSED, CONNECTING, TLS_HANDSHAKE, UPGRADING, OPEN };

struct conn {
    int fd;
    enum state state;
    bool writable_wanted;
    uint32_t rest_len, unsent_len;
    unsigned char *rest;   /* the begin of a frame whose end has not come */
    unsigned char *unsent; /* what the socket did not take */
    SSL *ssl;
};

struct load {
    int epoll;
    unsigned count;
    uint16_t port;
    const char *path;
    SSL_CTX *tls;
    struct load_ops ops;
    struct conn *conns;
    uint64_t received; /* bytes */
    unsigned char input[INPUT_BYTES], output[OUTPUT_BYTES];
};

struct load *load_create(unsigned count, uint16_t port, bool tls, const char *path,
                         const struct load_ops *ops) {
    struct load *l = mem_zalloc(sizeof *l);
    l->count = count;
    l->port = port;
    l->path = path;
    l->ops = *ops;
    l->conns = mem_calloc(count, sizeof *l->conns);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (tls && ((l->tls = SSL_CTX_new(TLS_client_method())) != NULL)) {
        SSL_CTX_set_verify(l->tls, SSL_VERIFY_NONE, NULL); /* whose certificate it is, we know */
        SSL_CTX_set_mode(l->tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                     SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    return l;
}

void load_abort(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    const struct linger reset = {.l_onoff = 1};
    if (c->state == CLOSED) {
        return;
    }
    SSL_free(c->ssl);
    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(c->fd);
    mem_free(c->rest);
    mem_free(c->unsent);
    *c = (struct conn){0};
}

void load_destroy(struct load **load) {
    struct load *l = *load;
    if (l == NULL) {
        return;
    }
    for (unsigned i = 0; i < l->count; i++) {
        load_abort(l, i);
    }
    SSL_CTX_free(l->tls);
    close(l->epoll);
    mem_free(l->conns);
    mem_free(l);
    *load = NULL;
}

static void ended(struct load *l, unsigned index, unsigned code) {
    load_abort(l, index);
    l->ops.on_close(l->ops.ctx, index, code);
}

static void watch(struct load *l, unsigned index, int operation, bool writable) {
    struct conn *c = &l->conns[index];
    struct epoll_event event = {.events = EPOLLIN | (writable ? EPOLLOUT : 0), .data.u32 = index};
    c->writable_wanted = writable;
    epoll_ctl(l->epoll, operation, c->fd, &event);
}

bool load_connect(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    const int on = 1;
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index / PER_ADDRESS);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(l->port);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) {
        return false;
    }
    setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(c->fd, (struct sockaddr *)&from, sizeof from) != 0 ||
        (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS)) {
        close(c->fd);
        return false;
    }
    c->state = CONNECTING;
    watch(l, index, EPOLL_CTL_ADD, true);
    return true;
}

/* ---- writing ---- */

/* Bytes taken, 0: none now, -1: the connection is broken. */
static ssize_t put(struct conn *c, const unsigned char *p, size_t len) {
    ssize_t n;
    if (c->ssl == NULL) {
        n = send(c->fd, p, len, MSG_NOSIGNAL);
        return n < 0 && errno == EAGAIN ? 0 : n;
    }
    n = SSL_write(c->ssl, p, (int)len);
    if (n > 0) {
        return n;
    }
    int why = SSL_get_error(c->ssl, (int)n);
    return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
}

static void keep_unsent(struct load *l, unsigned index, const unsigned char *p, size_t len) {
    struct conn *c = &l->conns[index];
    c->unsent = mem_realloc(c->unsent, c->unsent_len + len);
    memcpy(c->unsent + c->unsent_len, p, len);
    c->unsent_len += (uint32_t)len;
    if (!c->writable_wanted) {
        watch(l, index, EPOLL_CTL_MOD, true);
    }
}

static void write_out(struct load *l, unsigned index, const unsigned char *p, size_t len) {
    struct conn *c = &l->conns[index];
    ssize_t n = c->unsent_len > 0 ? 0 : put(c, p, len);
    /* An end is told by the read that follows. */
    if (n >= 0 && (size_t)n < len) {
        keep_unsent(l, index, p + n, len - (size_t)n);
    }
}

static void flush(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    ssize_t n = put(c, c->unsent, c->unsent_len);
    if (n <= 0) {
        return;
    }
    c->unsent_len -= (uint32_t)n;
    memmove(c->unsent, c->unsent + n, c->unsent_len);
    if (c->unsent_len > 0) {
        return;
    }
    mem_free(c->unsent);
    c->unsent = NULL;
    watch(l, index, EPOLL_CTL_MOD, false);
}

static void send_frame(struct load *l, unsigned index, enum ws_opcode opcode, const char *payload,
                       size_t len) {
    if (l->conns[index].state != OPEN || len > OUTPUT_BYTES - WS_HEADER_MAX) {
        return;
    }
    write_out(l, index, l->output, ws_build(l->output, opcode, payload, len, true));
}

void load_send(struct load *l, unsigned index, const char *text, size_t len) {
    send_frame(l, index, WS_TEXT, text, len);
}

/* ---- opening ---- */

static void send_upgrade(struct load *l, unsigned index) {
    char request[256];
    int len = snprintf(request, sizeof request,
                       "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: wslock.v1\r\n\r\n",
                       l->path, l->port);
    l->conns[index].state = UPGRADING;
    write_out(l, index, (const unsigned char *)request, (size_t)len);
}

static void connected(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    int problem = 0;
    socklen_t len = sizeof problem;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &problem, &len) != 0 || problem != 0) {
        ended(l, index, 0);
        return;
    }
    watch(l, index, EPOLL_CTL_MOD, false);
    if (l->tls == NULL) {
        send_upgrade(l, index);
        return;
    }
    c->state = TLS_HANDSHAKE;
    c->ssl = SSL_new(l->tls);
    SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
}

static void shake_hands(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    int n = SSL_do_handshake(c->ssl);
    if (n == 1) {
        send_upgrade(l, index);
        return;
    }
    int why = SSL_get_error(c->ssl, n);
    if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        ended(l, index, 0);
    }
}

/* ---- reading ---- */

/* Consumes the answer to the upgrade if it is there; how many bytes it was. */
static size_t take_upgrade(struct load *l, unsigned index, const unsigned char *p, size_t len) {
    const unsigned char *end = memmem(p, len, "\r\n\r\n", 4);
    if (end == NULL) {
        return 0;
    }
    if (len < 12 || memcmp(p, "HTTP/1.1 101", 12) != 0) {
        complain("upgrade refused: %.*s", (int)(end - p), (const char *)p);
        ended(l, index, 0);
        return 0;
    }
    l->conns[index].state = OPEN;
    l->ops.on_open(l->ops.ctx, index);
    return (size_t)(end - p) + 4;
}

static void take_frame(struct load *l, unsigned index, const struct ws_frame *f) {
    const unsigned char *code = (const unsigned char *)f->payload;
    switch (f->opcode) {
    case WS_TEXT:
        l->ops.on_text(l->ops.ctx, index, f->payload, f->len);
        break;
    case WS_PING:
        send_frame(l, index, WS_PONG, f->payload, f->len);
        break;
    case WS_CLOSE:
        ended(l, index, f->len >= 2 ? (unsigned)(code[0] << 8 | code[1]) : 0);
        break;
    }
}

static void keep_rest(struct conn *c, const unsigned char *p, size_t len) {
    unsigned char *rest = NULL;
    if (len > 0) {
        rest = mem_alloc(len);
        memcpy(rest, p, len);
    }
    mem_free(c->rest);
    c->rest = rest;
    c->rest_len = (uint32_t)len;
}

static void take_input(struct load *l, unsigned index, size_t len) {
    struct conn *c = &l->conns[index];
    struct ws_frame frame;
    size_t at = 0;
    if (c->state == UPGRADING) {
        at = take_upgrade(l, index, l->input, len);
    }
    while (c->state == OPEN && ws_parse(l->input + at, len - at, &frame)) {
        at += frame.whole;
        take_frame(l, index, &frame);
    }
    if (c->state != CLOSED && (at < len || c->rest != NULL)) {
        keep_rest(c, l->input + at, len - at);
    }
}

/* Reads what is there, behind what was left; false when nothing more is to be had now. */
static bool receive(struct load *l, unsigned index) {
    struct conn *c = &l->conns[index];
    size_t had = c->rest_len, room;
    if (had > 0) {
        memcpy(l->input, c->rest, had);
    }
    room = INPUT_BYTES - had;
    ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, l->input + had, (int)room)
                               : recv(c->fd, l->input + had, room, 0);
    if (n > 0) {
        l->received += (uint64_t)n;
        take_input(l, index, had + (size_t)n);
        return c->state != CLOSED && (c->ssl != NULL || (size_t)n == room);
    }
    bool later = c->ssl != NULL ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ
                                : n < 0 && errno == EAGAIN;
    if (!later) {
        ended(l, index, 0);
    }
    return false;
}

static void handle(struct load *l, unsigned index, uint32_t events) {
    struct conn *c = &l->conns[index];
    if (c->state == CONNECTING) {
        connected(l, index);
    }
    if (c->state == TLS_HANDSHAKE) {
        shake_hands(l, index);
    }
    if ((events & EPOLLOUT) && c->unsent_len > 0) {
        flush(l, index);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || c->state < UPGRADING) {
        return;
    }
    while (receive(l, index)) {
        ;
    }
}

uint64_t load_received(const struct load *l) {
    return l->received;
}

void load_poll(struct load *l, int timeout_ms) {
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(l->epoll, events, MAX_EVENTS, timeout_ms);
    for (int i = 0; i < n; i++) {
        if (l->conns[events[i].data.u32].state != CLOSED) {
            handle(l, events[i].data.u32, events[i].events);
        }
    }
}
