#include "floor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "report.h"
#include "ws.h"
#include "wslock/base/macros.h"
#include "wslock/base/mem.h"

#define MAX_EVENTS 512
#define INPUT_BYTES 65536
#define FRAME_BYTES 1024

/* What the daemon sends, with values of usual length. */
#define AT "\"resourceId\":\"document:room-123:main\",\"rev\":1763953000456001"
#define TIMES "\"expiresAt\":1763953300456,\"serverTime\":1763953000456"
#define HELD                                                                                       \
    "\"lock\":{\"state\":\"held\",\"holder\":{\"userId\":\"user-000123\",\"username\":"            \
    "\"User Number user-000123\"},\"since\":1763953000456,\"expiresAt\":1763953300456,"            \
    "\"dirty\":false,\"queueLength\":0}"

static const char WELCOME[] = "{\"event\":\"welcome\",\"id\":1,\"data\":{}}";
static const char JOINED[] = "{\"event\":\"resource:joined\",\"id\":2,\"data\":{}}";
static const char GRANTED[] = "{\"event\":\"lock:acquired\",\"data\":{\"token\":1}}";
static const char ACQUIRED[] =
    "{\"event\":\"lock:acquired\",\"id\":3,\"data\":{" AT ",\"token\":1763953000456001," TIMES
    ",\"ttlMs\":300000,\"heartbeatIntervalMs\":60000,\"previous\":{\"userId\":\"user-000123\","
    "\"username\":\"User Number user-000123\",\"reason\":\"RELEASED\",\"dirty\":false,"
    "\"endedAt\":1763953000456}}}";
static const char RELEASED[] =
    "{\"event\":\"lock:released\",\"id\":4,\"data\":{" AT ",\"reason\":\"RELEASED\"}}";
static const char RENEWED[] =
    "{\"event\":\"lock:renewed\",\"id\":5,\"data\":{" AT ",\"token\":1763953000456001," TIMES "}}";
static const char STATE_HELD[] = "{\"event\":\"lock:state\",\"data\":{" AT "," HELD
                                 ",\"cause\":\"ACQUIRED\",\"serverTime\":1763953000456}}";
static const char STATE_FREE[] =
    "{\"event\":\"lock:state\",\"data\":{" AT
    ",\"lock\":{\"state\":\"free\"},\"cause\":\"RELEASED\",\"serverTime\":1763953000456}}";
static const char RELEASED_EVENT[] =
    "{\"event\":\"lock:released\",\"data\":{" AT
    ",\"reason\":\"RELEASED\",\"previousHolder\":\"user-000123\"}}";
struct frames {
    unsigned char bytes[FRAME_BYTES];
    size_t len;
};

struct peer {
    bool open; /* upgraded */
    unsigned char *rest;
    size_t rest_len;
};

static enum floor_kind chosen;
static int epoll;
static struct peer *peers; /* by descriptor */
static unsigned peer_count, highest;
static struct frames welcome, joined, joined_granted, acquired, released, renewed;
static struct frames state_held, state_free, released_event, after_release;

static void add(struct frames *f, const char *text) {
    f->len += ws_build(f->bytes + f->len, WS_TEXT, text, strlen(text), false);
}

static void build_frames(void) {
    add(&welcome, WELCOME);
    add(&joined, JOINED);
    add(&joined_granted, JOINED);
    add(&joined_granted, GRANTED);
    add(&acquired, ACQUIRED);
    add(&released, RELEASED);
    add(&renewed, RENEWED);
    add(&state_held, STATE_HELD);
    add(&state_free, STATE_FREE);
    add(&released_event, RELEASED_EVENT);
    add(&after_release, STATE_FREE);
    add(&after_release, RELEASED_EVENT);
}

/* What a receiver does not take at once would need a queue: that is no floor any more. */
static void give(int fd, const void *p, size_t len) {
    if (send(fd, p, len, MSG_NOSIGNAL) == (ssize_t)len || errno == EPIPE || errno == ECONNRESET) {
        return;
    }
    complain("floor: a receiver is too slow");
    _exit(1);
}

static void give_frames(int fd, const struct frames *f) {
    give(fd, f->bytes, f->len);
}

static void give_all(const struct frames *f) {
    for (unsigned fd = 0; fd <= highest; fd++) {
        if (peers[fd].open) {
            give_frames((int)fd, f);
        }
    }
}

static void handle_lock(int fd, char operation) {
    switch (operation) {
    case 'a':
        give_frames(fd, &acquired);
        if (chosen == FLOOR_SAME_IO) {
            give_frames(fd, &state_held);
        }
        if (chosen == FLOOR_FAN_OUT) {
            give_all(&state_held);
        }
        break;
    case 'r':
        give_frames(fd, &released);
        if (chosen == FLOOR_SAME_IO) {
            give_frames(fd, &after_release);
        }
        if (chosen == FLOOR_FAN_OUT) {
            give_all(&state_free);
            give_all(&released_event);
        }
        break;
    case 'h':
        give_frames(fd, &renewed);
        break;
    }
}

/* {"event":"auth, {"event":"resource:join, {"event":"lock:acquire and so on: one letter tells. */
static void handle_text(int fd, const char *text, size_t len) {
    if (len < 20) {
        return;
    }
    if (text[10] == 'l') {
        handle_lock(fd, text[15]);
    } else if (text[10] == 'a') {
        give_frames(fd, &welcome);
    } else {
        give_frames(fd, memmem(text, len, "\"editor\"", 8) != NULL ? &joined_granted : &joined);
    }
}

static void upgrade(int fd, const char *request, size_t len) {
    static const char key_name[] = "Sec-WebSocket-Key: ",
                      guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    const char *key = memmem(request, len, key_name, sizeof key_name - 1);
    unsigned char digest[SHA_DIGEST_LENGTH], accept[40];
    char text[256];
    if (key == NULL || key + sizeof key_name - 1 + 24 > request + len) {
        return;
    }
    int n = snprintf(text, sizeof text, "%.24s%s", key + sizeof key_name - 1, guid);
    EVP_Digest(text, (size_t)n, digest, NULL, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, sizeof digest);
    n = snprintf(text, sizeof text,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                 "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                 "Sec-WebSocket-Protocol: wslock.v1\r\n\r\n",
                 accept);
    give(fd, text, (size_t)n);
    peers[fd].open = true;
    if ((unsigned)fd > highest) {
        highest = (unsigned)fd;
    }
}

static void accept_all(int listener) {
    const int on = 1;
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if ((unsigned)fd >= peer_count) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        peers[fd] = (struct peer){0};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    }
}

static void hang_up(int fd) {
    mem_free(peers[fd].rest);
    peers[fd] = (struct peer){0};
    close(fd);
}

static size_t consume(int fd, unsigned char *input, size_t len) {
    struct ws_frame frame;
    size_t at = 0;
    if (!peers[fd].open) {
        unsigned char *end = memmem(input, len, "\r\n\r\n", 4);
        if (end == NULL) {
            return 0;
        }
        upgrade(fd, (char *)input, len);
        return (size_t)(end - input) + 4;
    }
    while (ws_parse(input + at, len - at, &frame)) {
        at += frame.whole;
        if (frame.opcode == WS_TEXT) {
            handle_text(fd, frame.payload, frame.len);
        }
    }
    return at;
}

static void receive(int fd) {
    static unsigned char input[INPUT_BYTES];
    struct peer *p = &peers[fd];
    size_t had = p->rest_len;
    if (had > 0) {
        memcpy(input, p->rest, had);
    }
    ssize_t n = recv(fd, input + had, sizeof input - had, 0);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        hang_up(fd);
        return;
    }
    size_t len = had + (size_t)n, used = consume(fd, input, len);
    if (used == len && had == 0) {
        return;
    }
    p->rest = mem_realloc(p->rest, len - used + 1);
    memcpy(p->rest, input + used, len - used);
    p->rest_len = len - used;
}

static _Noreturn void serve(int listener) {
    struct epoll_event events[MAX_EVENTS], listening = {.events = EPOLLIN, .data.fd = listener};
    peer_count = (unsigned)sysconf(_SC_OPEN_MAX);
    peers = mem_calloc(peer_count, sizeof *peers);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &listening);
    build_frames();
    for (;;) {
        int n = epoll_wait(epoll, events, MAX_EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.fd == listener) {
                accept_all(listener);
            } else {
                receive(events[i].data.fd);
            }
        }
    }
}

static int listen_on(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        return -1;
    }
    *port = ntohs(address.sin_port);
    return fd;
}

pid_t floor_start(enum floor_kind kind, uint16_t *port) {
    int listener = listen_on(port);
    pid_t parent = getpid(), pid = listener < 0 ? -1 : fork();
    if (pid == 0) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
            _exit(1);
        }
        chosen = kind;
        serve(listener);
    }
    close(listener);
    if (pid < 0) {
        complain("cannot start the floor");
    }
    return pid;
}
