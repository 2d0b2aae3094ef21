/* Opens listening sockets, accepts connections and gives them to libwebsockets. */
#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "idle.h"
#include "passed_sockets.h"
#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"
#include "wslock/session/gateway.h"

#define BACKLOG 4096 /* a storm of reconnects waits here, not in SYN retransmissions */
#define ACCEPTS_A_TURN 64
#define RETRY_MS 1000
#define BUSY_RETRY_MS 10
#define BUSY_MAX_MS 500

static void on_acceptable(uv_poll_t *poll, int status, int events);

/* ---- binding ---- */

static struct addrinfo *resolve(const char *address, int port, char **problem) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *result = NULL;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int rc = getaddrinfo(address, service, &hints, &result);
    if (rc != 0) {
        *problem = mem_printf("address %s: %s", address, gai_strerror(rc));
    }
    return rc == 0 ? result : NULL;
}

static int bound_port(int fd) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address;
    socklen_t len = sizeof address;
    memset(&address, 0, sizeof address);
    if (getsockname(fd, &address.any, &len) != 0) {
        return 0;
    }
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

/* Heap. */
static char *bound_host(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof address;
    char host[INET6_ADDRSTRLEN] = "unknown";
    if (getsockname(fd, (struct sockaddr *)&address, &len) == 0) {
        (void)getnameinfo((struct sockaddr *)&address, len, host, sizeof host, NULL, 0,
                          NI_NUMERICHOST);
    }
    return mem_strdup(host);
}

static bool take_passed(struct listener *l, const char *name, char **problem) {
    l->fd = passed_sockets_take(&l->net->parts, name, problem);
    if (l->fd < 0) {
        return false;
    }
    l->address = bound_host(l->fd);
    l->port = bound_port(l->fd);
    return true;
}

static bool open_tcp(struct listener *l, const char *address, int port, bool ipv6_only,
                     char **problem) {
    const int on = 1, only = ipv6_only;
    struct addrinfo *ai = resolve(address, port, problem);
    if (ai == NULL) {
        return false;
    }
    l->fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = l->fd >= 0;
    if (ok && ai->ai_family == AF_INET6) {
        ok = setsockopt(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) == 0;
    }
    ok = ok && setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
         bind(l->fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(l->fd, BACKLOG) == 0;
    if (ok) {
        l->address = mem_strdup(address);
        l->port = bound_port(l->fd);
    } else {
        bool v6 = ai->ai_family == AF_INET6;
        *problem = mem_printf("cannot listen on %s%s%s:%d: %m", v6 ? "[" : "", address,
                              v6 ? "]" : "", port);
    }
    freeaddrinfo(ai);
    return ok;
}

/* Removes the socket of a process that has ended. Only ECONNREFUSED proves that nobody listens: a
 * socket that is busy or may not be connected to stays. */
static bool clear_path(const struct sockaddr_un *sun, char **problem) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int error = errno;
    if (fd >= 0) {
        error = connect(fd, (const struct sockaddr *)sun, sizeof *sun) == 0 ? 0 : errno;
        close(fd);
    }
    if (error == ENOENT) {
        return true;
    }
    if (error == ECONNREFUSED) {
        if (unlink(sun->sun_path) == 0 || errno == ENOENT) {
            return true;
        }
        error = errno;
    }
    if (error == 0 || error == EAGAIN) {
        *problem = mem_printf("socket %s is in use by another process", sun->sun_path);
    } else {
        *problem = mem_printf("socket %s: %s", sun->sun_path, strerror(error));
    }
    return false;
}

bool listener_check_path(const char *path, char **problem) {
    struct stat st;
    if (strlen(path) >= sizeof((struct sockaddr_un *)NULL)->sun_path) {
        *problem = mem_printf("ops.socket: %s: the path is too long for a socket", path);
        return false;
    }
    if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode)) {
        *problem = mem_printf("ops.socket: %s: exists and is not a socket", path);
        return false;
    }
    char *directory = mem_strdup(path), *slash = strrchr(directory, '/');
    if (slash != NULL) {
        slash[slash == directory ? 1 : 0] = '\0';
    }
    bool ok = faccessat(AT_FDCWD, slash != NULL ? directory : ".", W_OK | X_OK, AT_EACCESS) == 0;
    if (!ok) {
        *problem = mem_printf("ops.socket: %s: cannot create a socket there: %m", path);
    }
    mem_free(directory);
    return ok;
}

static bool open_unix(struct listener *l, const char *path, char **problem) {
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    if (!listener_check_path(path, problem)) {
        return false;
    }
    memcpy(sun.sun_path, path, strlen(path) + 1);
    if (!clear_path(&sun, problem)) {
        return false;
    }
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0117); /* the socket has mode 0660 from the start */
    bool ok = l->fd >= 0 && bind(l->fd, (struct sockaddr *)&sun, sizeof sun) == 0;
    umask(before);
    if (ok) {
        l->unix_path = mem_strdup(path);
    }
    ok = ok && listen(l->fd, BACKLOG) == 0;
    if (!ok) {
        *problem = mem_printf("cannot listen on socket %s: %m", path);
    }
    return ok;
}

static struct listener *add(struct net *n, enum listener_kind kind) {
    struct listener *l = &n->listeners[n->listener_count++];
    l->net = n;
    l->kind = kind;
    l->fd = -1;
    wheel_timer_init(&l->retry);
    return l;
}

static bool open_public(struct listener *l, const struct config_listen *listen, char **problem) {
    if (listen->systemd_socket != NULL) {
        return take_passed(l, listen->systemd_socket, problem);
    }
    return open_tcp(l, listen->address, listen->port, listen->ipv6_only, problem);
}

bool listeners_open(struct net *n, char **problem) {
    const struct config *c = n->parts.config;
    n->listeners = mem_calloc(c->listen_count + 2, sizeof *n->listeners);
    for (size_t i = 0; i < c->listen_count; i++) {
        struct listener *l = add(n, LISTENER_PUBLIC);
        l->tls = c->listen[i].tls;
        if (!address_ranges_parse(&c->listen[i].trusted_proxies, &l->trusted)) {
            *problem = mem_printf("listen: an entry of trustedProxies is not an address range");
            return false;
        }
        if (!open_public(l, &c->listen[i], problem)) {
            return false;
        }
    }
    passed_sockets_close(&n->parts);
    if (!c->ops.enabled) {
        return true;
    }
    if (c->ops.address != NULL &&
        !open_tcp(add(n, LISTENER_OPS), c->ops.address, c->ops.port, c->ops.ipv6_only, problem)) {
        return false;
    }
    return c->ops.socket == NULL || open_unix(add(n, LISTENER_OPS), c->ops.socket, problem);
}

/* ---- accepting ---- */

void listener_log(const struct listener *l) {
    if (l->kind == LISTENER_PUBLIC) {
        log_info("listening", LF("address", l->address), LFI("port", l->port),
                 LF("tls", l->tls ? "yes" : "no"));
    } else if (l->unix_path != NULL) {
        log_info("ops_listening", LF("socket", l->unix_path));
    } else {
        log_info("ops_listening", LF("address", l->address), LFI("port", l->port));
    }
}

void listener_start(struct listener *l) {
    if (!l->polling) {
        int rc = uv_poll_init(l->net->parts.loop, &l->poll, l->fd);
        if (rc != 0) {
            log_error("listener_failed", LF("address", l->address), LF("error", uv_strerror(rc)));
            return;
        }
        l->polling = true;
        l->poll.data = l;
    }
    uv_poll_start(&l->poll, UV_READABLE, on_acceptable);
}

static void on_poll_closed(uv_handle_t *handle) {
    struct listener *l = handle->data;
    close(l->fd);
    l->fd = -1;
}

void listener_stop(struct listener *l) {
    wheel_cancel(&l->retry);
    if (l->unix_path != NULL) {
        unlink(l->unix_path);
        mem_free(l->unix_path);
        l->unix_path = NULL;
    }
    if (l->polling) {
        l->polling = false;
        uv_close((uv_handle_t *)&l->poll, on_poll_closed);
    } else if (l->fd >= 0 && !uv_is_closing((uv_handle_t *)&l->poll)) {
        close(l->fd);
        l->fd = -1;
    }
}

static void on_retry(struct wheel_timer *timer) {
    listener_start(CONTAINER_OF(timer, struct listener, retry));
}

static void pause_accepting(struct listener *l, uint64_t ms) {
    uv_poll_stop(&l->poll);
    wheel_set(l->net->parts.wheel, &l->retry, ms, on_retry);
}

static void tell_exhausted(const char *why) {
    static struct log_limit limit;
    metrics_add(METRIC_REFUSED, 1, "descriptors", NULL);
    if (log_limit_pass(&limit, 1)) {
        log_error("descriptors_exhausted", LF("reason", why),
                  LF("effect", "new connections are dropped"));
    }
}

/* No descriptor is left. Accepts the connection with the spare descriptor and closes it: else it
 * would stay in the backlog and wake the loop again and again. Without a spare, retries later. */
static void refuse_without_descriptor(struct listener *l) {
    struct net *n = l->net;
    tell_exhausted("accept");
    if (n->spare >= 0) {
        close(n->spare);
        int fd = accept4(l->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0) {
            close(fd);
        }
        n->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (n->spare >= 0) {
            return;
        }
    }
    pause_accepting(l, RETRY_MS);
}

static bool has_room(struct listener *l, int fd) {
    struct net *n = l->net;
    idle_make_room(l);
    bool full = l->kind == LISTENER_PUBLIC ? n->public_count >= n->public_max
                                           : l->count >= NET_OPS_CONNECTIONS;
    if (full || fd >= n->descriptor_max) {
        tell_exhausted("limit");
        return false;
    }
    return true;
}

/* Before TLS, which is expensive. Not without TLS, where the request can be answered, and not
 * behind a trusted proxy, where only the request names the client. */
static bool count_tls_handshake(struct listener *l, const struct address *peer) {
    if (!l->tls || address_ranges_contain(&l->trusted, peer)) {
        return true;
    }
    l->net->incoming.handshake_counted = true;
    if (admit_handshake(l->net->admit, &l->net->limits, peer, clock_boot_us())) {
        return true;
    }
    metrics_add(METRIC_REFUSED, 1, "rate", NULL);
    return false;
}

/* A connection counts from its accept; behind a trusted proxy from its request. */
static bool count_connection(struct listener *l, const struct address *peer) {
    struct net *n = l->net;
    if (address_ranges_contain(&l->trusted, peer) ||
        idle_admit(l, peer, &n->incoming.place) == ADMIT_OK ||
        admit_accept(n->admit, &n->limits, peer, clock_boot_us(), &n->incoming.place)) {
        return true;
    }
    metrics_add(METRIC_REFUSED, 1, "address", NULL);
    return false;
}

static bool may_come(struct listener *l, int fd, const struct address *peer) {
    if (!has_room(l, fd)) {
        return false;
    }
    return l->kind != LISTENER_PUBLIC ||
           (count_connection(l, peer) && count_tls_handshake(l, peer));
}

/* After conn_create, or if there will be no connection. */
static void clear_incoming(struct net *n) {
    n->incoming.listener = NULL;
    admit_leave(n->admit, &n->incoming.place, clock_boot_us());
}

static void adopt(struct listener *l, int fd, const struct sockaddr *sa) {
    struct net *n = l->net;
    const int on = 1;
    n->incoming.listener = l;
    n->incoming.peer = address_of_sockaddr(sa);
    n->incoming.handshake_counted = false;
    if (!may_come(l, fd, &n->incoming.peer)) {
        close(fd);
        clear_incoming(n);
        return;
    }
    if (sa->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    lws_sock_file_fd_type descriptor = {.sockfd = fd};
    lws_adoption_type type = LWS_ADOPT_SOCKET;
    if (l->tls) {
        type |= LWS_ADOPT_ALLOW_SSL;
    }
    /* Calls conn_create through its callback. On failure it has closed the descriptor. */
    lws_adopt_descriptor_vhost(l->vhost, type, descriptor, NULL, NULL);
    if (n->incoming.listener != NULL && l->kind == LISTENER_PUBLIC) {
        metrics_add(METRIC_REFUSED, 1, "unread", NULL); /* TLS failed at once */
    }
    clear_incoming(n);
}

/* While requests wait for the store, more sessions would only wait longer. But not for ever: the
 * store may be busy with the sessions that are there. */
static bool must_wait(const struct listener *l) {
    static struct log_limit limit;
    if (l->kind != LISTENER_PUBLIC || !gateway_is_busy(l->net->gateway) ||
        clock_boot_ms() - l->accepted_ms >= BUSY_MAX_MS) {
        return false;
    }
    metrics_add(METRIC_ACCEPTS_DEFERRED, 1, NULL, NULL);
    if (log_limit_pass(&limit, 1)) {
        log_warn("accepting_deferred", LF("reason", "requests wait for the store"));
    }
    return true;
}

static void on_acceptable(uv_poll_t *poll, int status, int events) {
    struct listener *l = poll->data;
    (void)events;
    if (status < 0) {
        log_error("listener_failed", LF("address", l->address), LF("error", uv_strerror(status)));
        return;
    }
    if (must_wait(l)) {
        pause_accepting(l, BUSY_RETRY_MS);
        return;
    }
    l->accepted_ms = clock_boot_ms();
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        struct sockaddr_storage ss = {.ss_family = AF_UNIX};
        socklen_t len = sizeof ss;
        int fd = accept4(l->fd, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            adopt(l, fd, (struct sockaddr *)&ss);
            continue;
        }
        if (errno == EAGAIN) {
            return;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            refuse_without_descriptor(l);
            return;
        }
        /* Other errors (ECONNABORTED, …) concern this connection only. */
    }
}
