/* Starts the modules, runs the loop, reloads, drains and stops. */
#include "daemon.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "key_source.h"
#include "reload.h"
#include "status_line.h"
#include "systemd.h"
#include "wslock/audit/audit.h"
#include "wslock/auth/auth.h"
#include "wslock/auth/ticket.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"
#include "wslock/base/wheel.h"
#include "wslock/fetch/fetch.h"
#include "wslock/lock/types.h"
#include "wslock/metrics/metrics.h"
#include "wslock/net/net.h"
#include "wslock/redis/embedded.h"
#include "wslock/session/gateway.h"

#define TICK_MS 20
/* The part of the drain time kept for closing the remaining connections. */
#define DRAIN_LAST_MS 1000
/* How long a stop retries to write the audit: at least, and at most if drain time is left. */
#define FLUSH_MS 1000
#define FLUSH_MAX_MS 5000
/* How long closing the handles may take at the end. */
#define TEARDOWN_MS 5000

/* How long a stop takes at most after the drain. */
#define STOP_LAST_MS (FLUSH_MAX_MS + 2 * TEARDOWN_MS)

/* How long clients wait at start for a recovery window to close; it is longer only if another
 * instance's report is outstanding. */
#define RECOVERY_WAIT_MS 5000

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_DRAINING, PHASE_ENDED };

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};

struct daemon {
    const struct options *options;
    struct config *config;
    uv_loop_t loop;
    uv_timer_t tick;
    uv_signal_t signals[ARRAY_LEN(SIGNALS)];
    struct wheel *wheel;
    struct net *net;
    struct net_socket *sockets;
    size_t socket_count;
    struct redis_embedded *embedded;
    struct fetcher *fetcher;
    struct key_source key_source;
    struct auth *auth;
    struct ticket_keys *tickets;
    struct audit *audit;
    struct gateway *gateway;
    struct wheel_timer rest_timer; /* closes what a drain by an operator has left */
    enum phase phase;
    uint64_t deadline_ms; /* of the phase */
    uint64_t reached_ms;  /* when the store was reached; 0: not yet */
    uint64_t last_tick_ms;
    bool closed_all;
    bool flushing; /* the audit is being flushed, which follows the drain */
    bool flushed;
    bool leaving; /* the store's leases are given up, which follows the flush */
    enum exit_code exit_code;
};

static void configure_log(const struct daemon *d) {
    const struct options *o = d->options;
    log_configure(o->has_log_level ? o->log_level : d->config->log.level, d->config->log.format);
}

/* ---- phases ---- */

static void end(struct daemon *d, enum exit_code code) {
    if (d->phase == PHASE_ENDED) {
        return;
    }
    d->phase = PHASE_ENDED;
    d->exit_code = code;
    uv_stop(&d->loop);
}

/* The store is unusable for good. Called only before gateway_started. */
static void on_fatal(void *ctx, const char *problem) {
    log_error("store_unusable", LF("problem", problem));
    end(ctx, EXIT_RESOURCE);
}

static void print_dev_hints(const struct daemon *d) {
    const char *slash = strrchr(d->options->program, '/');
    int directory_len = slash != NULL ? (int)(slash - d->options->program) + 1 : 0;
    const char *address = d->config->listen[0].address;
    bool v6 = strchr(address, ':') != NULL;
    printf("\nDemo page:  http://%s%s%s:%d/\n"
           "A token:    %.*swslockctl --state-dir %s token --user ann --name Ann\n\n",
           v6 ? "[" : "", address, v6 ? "]" : "", net_port(d->net), directory_len,
           d->options->program, d->config->state_dir);
    fflush(stdout);
}

static void open_for_clients(struct daemon *d) {
    d->phase = PHASE_RUNNING;
    net_open(d->net);
    log_info("ready", LF("version", WSLOCK_VERSION), LF("instance", d->config->instance));
    systemd_ready();
    if (d->config->dev) {
        print_dev_hints(d);
    }
}

static void give_up_starting(struct daemon *d) {
    const char *problem = gateway_store_problem(d->gateway);
    log_error("store_unreachable", LF("problem", problem != NULL ? problem : "no answer"),
              LFI("waited_ms", d->config->redis.start_timeout_ms));
    end(d, EXIT_RESOURCE);
}

static void drain(struct daemon *d) {
    int64_t time_ms = d->config->drain_timeout_ms;
    log_info("draining", LFI("sessions", gateway_session_count(d->gateway)),
             LFI("timeout_ms", time_ms));
    d->phase = PHASE_DRAINING;
    d->deadline_ms = clock_boot_ms() + (uint64_t)time_ms;
    systemd_stopping((uint64_t)time_ms + STOP_LAST_MS);
    net_stop_accepting(d->net);
    gateway_drain(d->gateway, NULL);
}

static void on_flushed(void *ctx, bool ok) {
    struct daemon *d = ctx;
    if (d->phase != PHASE_DRAINING) {
        return;
    }
    d->flushed = ok;
    if (ok) {
        log_info("drained");
    }
    d->leaving = true;
    gateway_leave(d->gateway);
}

static void go_on_draining(struct daemon *d, uint64_t now_ms) {
    uint64_t last_ms = (uint64_t)d->config->drain_timeout_ms / 5;
    bool drained = gateway_drained(d->gateway);
    if (last_ms > DRAIN_LAST_MS) {
        last_ms = DRAIN_LAST_MS;
    }
    bool late = now_ms + last_ms >= d->deadline_ms;
    if (drained && !d->flushing) {
        d->flushing = true;
        audit_sync(d->audit, on_flushed, d);
    }
    if (late && !d->closed_all) {
        d->closed_all = true;
        gateway_close_all(d->gateway);
    }
    if (d->leaving && gateway_left(d->gateway)) {
        end(d, EXIT_CLEAN);
    } else if (now_ms >= d->deadline_ms || (drained && late)) {
        if (!drained) {
            log_warn("drain_incomplete", LFI("sessions", gateway_session_count(d->gateway)));
        }
        end(d, EXIT_CLEAN);
    }
}

/* An empty store grants nothing for its first seconds, since other instances may restore grants.
 * Listening waits for that. */
static void go_on_starting(struct daemon *d, uint64_t now_ms) {
    if (!gateway_started(d->gateway)) {
        if (now_ms >= d->deadline_ms) {
            give_up_starting(d);
        }
        return;
    }
    if (d->reached_ms == 0) {
        d->reached_ms = now_ms;
    }
    if (!gateway_recovering(d->gateway) || now_ms - d->reached_ms >= RECOVERY_WAIT_MS) {
        open_for_clients(d);
    }
}

static void tell_status(struct daemon *d, uint64_t now_ms) {
    if (d->phase == PHASE_STARTING || d->phase == PHASE_RUNNING) {
        status_line_update(d->gateway, now_ms);
    }
}

static void on_tick(uv_timer_t *timer) {
    struct daemon *d = timer->data;
    uint64_t now_ms = clock_boot_ms();
    uint64_t passed_ms = now_ms - d->last_tick_ms;
    d->last_tick_ms = now_ms;
    metrics_set(METRIC_LOOP_LAG, passed_ms > TICK_MS ? (double)(passed_ms - TICK_MS) / 1000 : 0,
                NULL, NULL);
    systemd_watchdog(now_ms);
    tell_status(d, now_ms);
    wheel_advance(d->wheel, now_ms);
    switch (d->phase) {
    case PHASE_STARTING:
        go_on_starting(d, now_ms);
        break;
    case PHASE_DRAINING:
        go_on_draining(d, now_ms);
        break;
    case PHASE_RUNNING:
    case PHASE_ENDED:
        break;
    }
}

/* A second signal ends the drain. */
static void on_stop_signal(struct daemon *d) {
    if (d->phase == PHASE_RUNNING) {
        drain(d);
    } else {
        end(d, EXIT_CLEAN);
    }
}

/* ---- reload ---- */

/* by: the operator; NULL: a signal. */
static bool reload(struct daemon *d, const struct lock_operation *by, config_problem_cb on_finding,
                   void *ctx) {
    const struct reload_target target = {
        .options = d->options,
        .config = d->config,
        .net = d->net,
        .auth = d->auth,
        .tickets = &d->tickets,
        .audit = d->audit,
        .gateway = d->gateway,
    };
    const bool ok = reload_run(&target, on_finding, ctx);
    metrics_set(METRIC_RELOAD_OK, ok ? 1 : 0, NULL, NULL);
    gateway_record_reload(d->gateway, ok, by);
    if (ok) {
        configure_log(d);
        log_info("reloaded");
    } else {
        log_error("reload_failed", LF("effect", "the previous configuration stays in force"));
    }
    return ok;
}

static enum net_reload_result on_reload(void *ctx, const struct lock_operation *by,
                                        config_problem_cb on_finding, void *finding_ctx) {
    struct daemon *d = ctx;
    if (d->phase != PHASE_STARTING && d->phase != PHASE_RUNNING) {
        return NET_RELOAD_STOPPING;
    }
    if (d->phase == PHASE_RUNNING) {
        systemd_reloading();
    }
    const bool ok = reload(d, by, on_finding, finding_ctx);
    if (d->phase == PHASE_RUNNING) {
        systemd_ready();
    }
    return ok ? NET_RELOAD_DONE : NET_RELOAD_REFUSED;
}

static void on_signal(uv_signal_t *handle, int number) {
    struct daemon *d = handle->data;
    log_info("signal", LF("name", strsignal(number)));
    if (number != SIGHUP) {
        on_stop_signal(d);
    } else {
        (void)on_reload(d, NULL, NULL, NULL);
    }
}

/* ---- drain by an operator: the process stays ---- */

static void on_rest(struct wheel_timer *timer) {
    gateway_close_all(CONTAINER_OF(timer, struct daemon, rest_timer)->gateway);
}

static bool on_drain(void *ctx, bool on, int64_t time_ms, const struct lock_operation *by) {
    struct daemon *d = ctx;
    if (d->phase != PHASE_STARTING && d->phase != PHASE_RUNNING) {
        return false;
    }
    log_info(on ? "draining" : "undraining", LFI("sessions", gateway_session_count(d->gateway)),
             LFS("actor", by->actor));
    net_refuse_clients(d->net, on);
    if (on) {
        gateway_drain(d->gateway, by);
        wheel_set(d->wheel, &d->rest_timer, (uint64_t)time_ms, on_rest);
    } else {
        gateway_undrain(d->gateway, by);
        wheel_cancel(&d->rest_timer);
    }
    return true;
}

/* ---- start and end ---- */

static bool read_ticket_keys(const struct config *config, struct ticket_keys **keys,
                             char **problem) {
    if (config->ticket_signing_key_file == NULL) {
        return true;
    }
    *keys = ticket_keys_load(config->ticket_signing_key_file, problem);
    return *keys != NULL;
}

static void fetch_keys(struct daemon *d) {
    d->fetcher = fetcher_create(&d->loop);
    d->key_source = (struct key_source){&d->loop, d->fetcher};
    const struct auth_key_source source = key_source_of(&d->key_source, d->wheel);
    auth_fetch_keys(d->auth, d->config, &source);
}

static void start_loop(struct daemon *d) {
    uv_loop_init(&d->loop);
    d->last_tick_ms = clock_boot_ms();
    d->wheel = wheel_create(d->last_tick_ms);
    wheel_timer_init(&d->rest_timer);
    uv_timer_init(&d->loop, &d->tick);
    d->tick.data = d;
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
    }
}

static bool start_embedded(struct daemon *d, char **problem) {
    struct buf directory;
    if (!d->config->redis.embedded) {
        return true;
    }
    if (d->config->state_dir == NULL) {
        d->config->state_dir = options_state_dir(d->options);
    }
    buf_init(&directory);
    buf_printf(&directory, "%s/redis", d->config->state_dir);
    d->embedded = redis_embedded_start(&d->loop, buf_cstr(&directory), problem);
    buf_fini(&directory);
    if (d->embedded == NULL) {
        return false;
    }
    /* Nobody has a pointer to it yet. */
    mem_free(d->config->redis.unix_path);
    d->config->redis.unix_path = mem_strdup(redis_embedded_socket(d->embedded));
    return true;
}

static bool create_net(struct daemon *d, char **problem) {
    d->sockets = systemd_take_sockets(&d->socket_count);
    struct net_parts parts = {
        .loop = &d->loop,
        .wheel = d->wheel,
        .config = d->config,
        .sockets = d->sockets,
        .socket_count = d->socket_count,
    };
    d->net = net_create(&parts, problem);
    return d->net != NULL;
}

static bool start_modules(struct daemon *d, char **problem) {
    if (!create_net(d, problem)) {
        return false;
    }
    config_bound_port(d->config, net_port(d->net));
    d->auth = auth_create(d->config, problem);
    if (d->auth == NULL) {
        return false;
    }
    fetch_keys(d);
    if (!read_ticket_keys(d->config, &d->tickets, problem)) {
        return false;
    }
    d->audit = audit_open(&d->loop, d->config, d->config->instance, problem);
    if (d->audit == NULL || !start_embedded(d, problem)) {
        return false;
    }
    struct gateway_parts parts = {&d->loop, d->wheel, d->config, d->auth, d->audit, d->tickets};
    d->gateway = gateway_create(&parts, on_fatal, d);
    net_serve_ops(d->net, d->gateway, &(struct net_commands){on_drain, on_reload, d});
    return true;
}

static void start_clocks(struct daemon *d) {
    uint64_t start_ms = (uint64_t)d->config->redis.start_timeout_ms;
    d->deadline_ms = clock_boot_ms() + start_ms;
    systemd_starting(start_ms + RECOVERY_WAIT_MS + STOP_LAST_MS);
    d->last_tick_ms = clock_boot_ms();
    uv_timer_start(&d->tick, on_tick, TICK_MS, TICK_MS);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        uv_signal_start(&d->signals[i], on_signal, SIGNALS[i]);
    }
}

/* For an exit while a thread still uses the memory. */
static void leave(struct daemon *d) {
    redis_embedded_stop(&d->embedded);
    log_info("stopped", LFI("exit_code", d->exit_code));
    _exit((int)d->exit_code);
}

static void on_teardown_late(uv_timer_t *timer) {
    log_error("teardown_late", LF("effect", "handles are left open"));
    leave(timer->data);
}

/* Runs the loop until every handle is closed, for at most TEARDOWN_MS. */
static void run_out(struct daemon *d, uv_timer_t *guard) {
    uv_update_time(&d->loop);
    uv_timer_start(guard, on_teardown_late, TEARDOWN_MS, 0);
    uv_run(&d->loop, UV_RUN_DEFAULT);
    uv_timer_stop(guard);
}

/* The rest of the drain time, within bounds. */
static int flush_ms(const struct daemon *d) {
    uint64_t now_ms = clock_boot_ms();
    uint64_t left_ms = d->flushed && d->deadline_ms > now_ms ? d->deadline_ms - now_ms : 0;
    return left_ms > FLUSH_MAX_MS ? FLUSH_MAX_MS : left_ms > FLUSH_MS ? (int)left_ms : FLUSH_MS;
}

static void stop_modules(struct daemon *d) {
    uv_timer_t guard;
    uv_timer_init(&d->loop, &guard);
    guard.data = d;
    uv_unref((uv_handle_t *)&guard);
    wheel_cancel(&d->rest_timer);
    if (d->net != NULL) {
        net_shutdown(d->net);
    }
    gateway_destroy(&d->gateway);
    if (!audit_close(&d->audit, flush_ms(d))) {
        leave(d);
    }
    ticket_keys_destroy(&d->tickets);
    auth_destroy(&d->auth);
    fetcher_destroy(&d->fetcher);
    redis_embedded_stop(&d->embedded);
    uv_close((uv_handle_t *)&d->tick, NULL);
    for (size_t i = 0; i < ARRAY_LEN(SIGNALS); i++) {
        uv_close((uv_handle_t *)&d->signals[i], NULL);
    }
    run_out(d, &guard);
    net_destroy(&d->net);
    systemd_free_sockets(&d->sockets, d->socket_count);
    run_out(d, &guard);
    uv_close((uv_handle_t *)&guard, NULL);
    uv_run(&d->loop, UV_RUN_NOWAIT);
    wheel_destroy(&d->wheel);
    if (uv_loop_close(&d->loop) != 0) {
        log_error("loop_not_closed");
    }
    metrics_reset();
    config_destroy(&d->config);
}

enum exit_code daemon_run(struct config *config, const struct options *options) {
    struct daemon d = {.options = options, .config = config, .phase = PHASE_STARTING};
    char *problem = NULL;
    configure_log(&d);
    metrics_set(METRIC_BUILD_INFO, 1, WSLOCK_VERSION, NULL);
    metrics_set(METRIC_PROCESS_START, (double)clock_wall_ms() / 1000, NULL, NULL);
    metrics_set(METRIC_RELOAD_OK, 1, NULL, NULL); /* the configuration of the start */
    start_loop(&d);
    if (start_modules(&d, &problem)) {
        start_clocks(&d);
        uv_run(&d.loop, UV_RUN_DEFAULT);
    } else {
        log_error("start_failed", LF("problem", problem != NULL ? problem : "unknown"));
        mem_free(problem);
        d.exit_code = EXIT_RESOURCE;
    }
    stop_modules(&d);
    log_info("stopped", LFI("exit_code", d.exit_code));
    return d.exit_code;
}
