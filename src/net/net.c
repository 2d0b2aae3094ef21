/* Creates and destroys the network side, and the context of libwebsockets. */
#include "wslock/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <libwebsockets.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "callbacks.h"
#include "conn.h"
#include "descriptors.h"
#include "engineio.h"
#include "idle.h"
#include "listener.h"
#include "output.h"
#include "tls.h"
#include "wslock/base/file.h"
#include "wslock/base/log.h"
#include "wslock/base/map.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#define OPS_TOKEN_MAX_BYTES 4096
/* Longer than conn's own timer, which decides. */
#define LWS_TIMEOUT_S (NET_HANDSHAKE_TIMEOUT_MS / 1000 + 5)

/* TLS 1.2: only forward secrecy and AEAD. All ciphers of TLS 1.3 have both. */
static const char TLS12_CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";

/* All zero: libwebsockets arms no timer of its own for open connections. */
static const lws_retry_bo_t NO_TIMERS;

/* Clients can cause these messages, so they are rate-limited. */
static void on_lws_log(int level, const char *line) {
    static struct log_limit limit;
    struct str text = str_of(line);
    while (text.len > 0 && text.p[text.len - 1] == '\n') {
        text.len--;
    }
    if (level == LLL_ERR && log_enabled(LOG_LEVEL_INFO) && log_limit_pass(&limit, 10)) {
        log_info("libwebsockets", LFS("message", text));
    } else if (level != LLL_ERR) {
        log_debug("libwebsockets", LFS("message", text));
    }
}

/* Called right before the loop waits for events. */
static void on_turn_end(uv_prepare_t *handle) {
    net_write_gathered(handle->data);
}

static void watch_turns(struct net *n) {
    uv_prepare_init(n->parts.loop, &n->turn_end);
    n->turn_end.data = n;
    uv_prepare_start(&n->turn_end, on_turn_end);
    uv_unref((uv_handle_t *)&n->turn_end);
}

static bool create_context(struct net *n, char **problem) {
    void *loops[] = {n->parts.loop};
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .options = LWS_SERVER_OPTION_LIBUV | LWS_SERVER_OPTION_EXPLICIT_VHOSTS |
                   LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME,
        .foreign_loops = loops,
        .timeout_secs = LWS_TIMEOUT_S,
        .pt_serv_buf_size = NET_RX_BYTES + LWS_PRE,
        .user = n,
    };
    descriptors_prepare(n); /* lws_create_context allocates tables by this limit */
    lws_set_log_level(LLL_ERR | LLL_WARN, on_lws_log);
    n->context = lws_create_context(&info);
    if (n->context == NULL) {
        *problem = mem_printf("libwebsockets cannot start (is its libuv plugin installed?)");
    }
    return n->context != NULL;
}

/* name must live as long as the context. tls: the listener, or NULL. Its certificate is not given
 * to libwebsockets, which could not exchange it: see tls_use_pair. */
static struct lws_vhost *create_vhost(struct net *n, const char *name, struct listener *tls,
                                      char **problem) {
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN_SERVER,
        .vhost_name = name,
        .protocols = net_protocols,
        .options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT |
                   LWS_SERVER_OPTION_DISABLE_OS_CA_CERTS, /* no certificate is verified */
        .retry_and_idle_policy = &NO_TIMERS,
    };
    if (tls != NULL) {
        info.user = tls;
        info.options |= LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
        info.alpn = "http/1.1";
        info.ssl_cipher_list = TLS12_CIPHERS;
        info.ssl_options_set = (long)(SSL_OP_NO_SSLv3 | SSL_OP_NO_TLSv1 | SSL_OP_NO_TLSv1_1 |
                                      SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    }
    struct lws_vhost *vhost = lws_create_vhost(n->context, &info);
    if (vhost == NULL) {
        *problem = mem_printf("libwebsockets cannot create the listener %s", name);
    }
    return vhost;
}

static void set_expiry_metric(const struct net *n) {
    int64_t first_s = 0;
    for (size_t i = 0; i < n->listener_count; i++) {
        const struct tls_pair *pair = n->listeners[i].pair;
        if (pair != NULL && (first_s == 0 || tls_pair_ends_unix_s(pair) < first_s)) {
            first_s = tls_pair_ends_unix_s(pair);
        }
    }
    if (first_s != 0) {
        metrics_set(METRIC_TLS_EXPIRY, (double)first_s, NULL, NULL);
    }
}

static bool create_tls_vhost(struct net *n, size_t i, char **problem) {
    const struct config *c = n->parts.config;
    struct listener *l = &n->listeners[i];
    snprintf(l->vhost_name, sizeof l->vhost_name, "tls%zu", i);
    l->pair = tls_pair_load(c, i, problem);
    if (l->pair == NULL) {
        return false;
    }
    char *warning = tls_pair_warning(l->pair, c, i);
    if (warning != NULL) {
        log_warn("certificate_expired", LF("file", c->listen[i].tls_certificate_file));
        mem_free(warning);
    }
    l->vhost = create_vhost(n, l->vhost_name, l, problem);
    if (l->vhost == NULL) {
        return false;
    }
    tls_set_min_version(l->tls_context, c->listen[i].tls_min_version);
    return true;
}

static bool create_vhosts(struct net *n, char **problem) {
    n->plain_vhost = create_vhost(n, "plain", NULL, problem);
    if (n->plain_vhost == NULL) {
        return false;
    }
    for (size_t i = 0; i < n->listener_count; i++) {
        n->listeners[i].vhost = n->plain_vhost;
        if (n->listeners[i].tls && !create_tls_vhost(n, i, problem)) {
            return false;
        }
    }
    set_expiry_metric(n);
    return true;
}

/* *token: heap; not set if none is configured. */
static bool read_ops_token(const struct config *config, char **token, char **problem) {
    const char *file = config->ops.token_file;
    const char *why = NULL;
    struct buf text;
    if (file == NULL) {
        return true;
    }
    buf_init(&text);
    if (file_read(file, OPS_TOKEN_MAX_BYTES, &text, &why)) {
        while (text.len > 0 &&
               (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r')) {
            text.len--;
        }
        if (text.len == 0 || memchr(text.data, '\0', text.len) != NULL) {
            why = "is empty or binary";
        }
    }
    if (why == NULL) {
        *token = mem_strndup(text.data, text.len);
    } else {
        *problem = mem_printf("ops.tokenFile: %s: %s", file, why);
    }
    buf_fini_secret(&text);
    return why == NULL;
}

static bool report(char **problem, config_finding_cb on_problem, void *ctx) {
    bool ok = *problem == NULL;
    if (!ok) {
        on_problem(ctx, *problem);
    }
    mem_free(*problem);
    *problem = NULL;
    return ok;
}

/* Calls on_problem also for a warning. */
static struct tls_pair *load_pair(const struct config *config, size_t i,
                                  config_finding_cb on_problem, void *ctx) {
    char *finding = NULL;
    struct tls_pair *pair = tls_pair_load(config, i, &finding);
    if (pair != NULL) {
        finding = tls_pair_warning(pair, config, i);
    }
    (void)report(&finding, on_problem, ctx);
    return pair;
}

bool net_check(const struct config *config, config_finding_cb on_problem, void *ctx) {
    char *problem = NULL, *token = NULL;
    bool ok = true;
    for (size_t i = 0; i < config->listen_count; i++) {
        if (config->listen[i].tls) {
            struct tls_pair *pair = load_pair(config, i, on_problem, ctx);
            ok = pair != NULL && ok;
            tls_pair_destroy(&pair);
        }
    }
    if (!config->ops.enabled) {
        return ok;
    }
    if (!read_ops_token(config, &token, &problem)) {
        ok = report(&problem, on_problem, ctx) && ok;
    }
    mem_free(token);
    if (config->ops.socket != NULL && !listener_check_path(config->ops.socket, &problem)) {
        ok = report(&problem, on_problem, ctx) && ok;
    }
    return ok;
}

static struct admit_limits limits_of(const struct config *c) {
    return (struct admit_limits){
        .connections = c->limits.max_connections,
        .connections_per_address = c->limits.max_connections_per_address,
        .handshakes_per_second = c->limits.handshakes_per_second,
    };
}

struct net *net_create(const struct net_parts *parts, char **problem) {
    struct net *n = mem_zalloc(sizeof *n);
    n->parts = *parts;
    n->limits = limits_of(parts->config);
    list_init(&n->conns);
    list_init(&n->gathering);
    list_init(&n->engine_list);
    n->engines = map_create();
    list_init(&n->idle);
    watch_turns(n);
    n->admit = admit_create();
    n->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (read_ops_token(n->parts.config, &n->ops_token, problem) && listeners_open(n, problem) &&
        create_context(n, problem) && create_vhosts(n, problem)) {
        return n;
    }
    net_shutdown(n);
    uv_run(parts->loop, UV_RUN_DEFAULT);
    net_destroy(&n);
    uv_run(parts->loop, UV_RUN_DEFAULT);
    return NULL;
}

/* ---- reload ---- */

struct net_next {
    size_t count;
    struct tls_pair *pairs[]; /* of each configured listener; NULL: without TLS */
};

/* Only of another limit: a start has already told the one in force. */
static void check_limit(const struct net *n, const struct config *next,
                        config_finding_cb on_finding, void *ctx) {
    size_t possible = descriptors_possible(n);
    if (next->limits.max_connections <= (int64_t)possible ||
        next->limits.max_connections == n->limits.connections) {
        return;
    }
    char *finding = mem_printf("limits.maxConnections: warning: the limit on open files allows %zu "
                               "connections; it is raised only at a start",
                               possible);
    on_finding(ctx, finding);
    mem_free(finding);
}

struct net_next *net_prepare(const struct net *n, const struct config *next,
                             config_finding_cb on_finding, void *ctx) {
    struct net_next *prepared =
        mem_zalloc(sizeof *prepared + next->listen_count * sizeof *prepared->pairs);
    bool ok = true;
    prepared->count = next->listen_count;
    for (size_t i = 0; i < prepared->count; i++) {
        if (next->listen[i].tls) {
            prepared->pairs[i] = load_pair(next, i, on_finding, ctx);
            ok = prepared->pairs[i] != NULL && ok;
        }
    }
    check_limit(n, next, on_finding, ctx);
    if (!ok) {
        net_next_destroy(&prepared);
    }
    return prepared;
}

void net_next_destroy(struct net_next **next) {
    if (*next == NULL) {
        return;
    }
    for (size_t i = 0; i < (*next)->count; i++) {
        tls_pair_destroy(&(*next)->pairs[i]);
    }
    mem_free(*next);
    *next = NULL;
}

/* Handshakes that have read the old pair keep it: OpenSSL counts references. */
static void exchange_pair(struct listener *l, const struct config_listen *c,
                          struct tls_pair **pair) {
    struct tls_pair *before = l->pair;
    l->pair = *pair;
    *pair = before;
    tls_set_min_version(l->tls_context, c->tls_min_version);
}

void net_reload(struct net *n, struct net_next **next) {
    const struct config *c = n->parts.config;
    n->limits = limits_of(c);
    descriptors_divide(n);
    for (size_t i = 0; i < c->listen_count; i++) {
        struct address_ranges trusted;
        if (address_ranges_parse(&c->listen[i].trusted_proxies, &trusted)) {
            address_ranges_fini(&n->listeners[i].trusted);
            n->listeners[i].trusted = trusted;
        }
        if (n->listeners[i].tls) {
            exchange_pair(&n->listeners[i], &c->listen[i], &(*next)->pairs[i]);
        }
    }
    net_next_destroy(next);
    set_expiry_metric(n);
}

static void start(struct net *n, enum listener_kind kind) {
    for (size_t i = 0; i < n->listener_count; i++) {
        if (n->listeners[i].kind != kind) {
            continue;
        }
        listener_start(&n->listeners[i]);
        listener_log(&n->listeners[i]);
    }
}

void net_serve_ops(struct net *n, struct gateway *gateway, const struct net_commands *commands) {
    n->gateway = gateway;
    n->commands = *commands;
    start(n, LISTENER_OPS);
}

int net_port(const struct net *n) {
    return n->listeners[0].port;
}

void net_open(struct net *n) {
    start(n, LISTENER_PUBLIC);
}

void net_refuse_clients(struct net *n, bool refuse) {
    n->refusing = refuse;
}

void net_stop_accepting(struct net *n) {
    n->draining = n->refusing = true;
    idle_close_all(n);
    for (size_t i = 0; i < n->listener_count; i++) {
        if (n->listeners[i].kind == LISTENER_PUBLIC) {
            listener_stop(&n->listeners[i]);
        }
    }
}

void net_shutdown(struct net *n) {
    n->draining = n->refusing = true;
    net_write_gathered(n);
    if (!uv_is_closing((uv_handle_t *)&n->turn_end)) {
        uv_close((uv_handle_t *)&n->turn_end, NULL);
    }
    for (size_t i = 0; i < n->listener_count; i++) {
        listener_stop(&n->listeners[i]);
    }
    if (n->context != NULL) {
        lws_context_destroy(n->context);
    }
    LIST_FOREACH_ENTRY(struct conn, c, node, &n->conns) {
        conn_closed(c);
    }
    engineio_end_all(n);
}

void net_destroy(struct net **n) {
    struct net *net = *n;
    if (net == NULL) {
        return;
    }
    if (net->context != NULL) {
        lws_context_destroy(net->context);
    }
    LIST_FOREACH_ENTRY(struct conn, c, node, &net->conns) {
        conn_destroy(c);
    }
    for (size_t i = 0; i < net->listener_count; i++) {
        address_ranges_fini(&net->listeners[i].trusted);
        tls_pair_destroy(&net->listeners[i].pair);
        mem_free(net->listeners[i].address);
    }
    mem_free(net->listeners);
    map_destroy(&net->engines);
    admit_destroy(&net->admit);
    if (net->spare >= 0) {
        close(net->spare);
    }
    mem_free(net->ops_token);
    mem_free(net);
    *n = NULL;
}
