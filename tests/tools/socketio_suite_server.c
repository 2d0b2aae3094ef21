/*
 * socketio-suite-server [PORT]: the daemon's network side with sessions that echo
 * (socketio_suite_session.c), as the public suites of Socket.IO (/socket.io/) and Engine.IO
 * (/engine.io/) expect it. On loopback, port 3000 unless given.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/net/net.h"

#define TICK_MS 10

static struct config_listen LISTEN[] = {
    {.address = (char[]){"127.0.0.1"}, .plaintext = true},
    {.address = (char[]){"::1"}, .plaintext = true, .ipv6_only = true},
};
static char *ORIGINS[] = {(char[]){"*"}};
static struct config CONFIG = {
    .listen = LISTEN,
    .listen_count = ARRAY_LEN(LISTEN),
    .paths = {.native = (char[]){"/ws"}, .socketio = (char[]){"/socket.io/"}, .polling = true},
    .allowed_origins = {ORIGINS, ARRAY_LEN(ORIGINS), true},
    .redis.command_timeout_ms = 2000,
    .limits = {.max_connections = 1000,
               .max_connections_per_address = CONFIG_NO_LIMIT,
               .handshakes_per_second = 100000,
               .max_message_bytes = 1000000,
               .max_header_bytes = 16384,
               .messages_per_second = 10000,
               .message_burst = 10000,
               .send_queue_bytes = 4000000,
               .ping_interval_ms = 300,
               .pong_timeout_ms = 200},
};

static void on_tick(uv_timer_t *timer) {
    wheel_advance(timer->data, clock_boot_ms());
}

static void on_signal(uv_signal_t *signal, int number) {
    (void)number;
    uv_stop(signal->loop);
}

static void close_handle(uv_handle_t *handle, void *arg) {
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

int main(int argc, char **argv) {
    static uv_timer_t tick;
    static uv_signal_t stop;
    static uv_loop_t loop;
    struct net_commands commands = {.ctx = NULL};
    char *problem = NULL;
    const char *slow = getenv("WSLOCK_TEST_SLOW"); /* multiplies the times of slow builds */
    if (slow != NULL && atoi(slow) > 1) {
        CONFIG.limits.ping_interval_ms *= atoi(slow);
        CONFIG.limits.pong_timeout_ms *= atoi(slow);
    }
    LISTEN[0].port = LISTEN[1].port = argc > 1 ? atoi(argv[1]) : 3000;
    struct wheel *wheel = wheel_create(clock_boot_ms());
    uv_loop_init(&loop);
    uv_timer_init(&loop, &tick);
    tick.data = wheel;
    uv_timer_start(&tick, on_tick, TICK_MS, TICK_MS);
    uv_signal_init(&loop, &stop);
    uv_signal_start(&stop, on_signal, SIGTERM);
    struct net_parts parts = {
        .loop = &loop, .wheel = wheel, .config = &CONFIG, .plain_engine_path = "/engine.io/"};
    struct net *net = net_create(&parts, &problem);
    if (net == NULL) {
        fprintf(stderr, "%s\n", problem);
        mem_free(problem);
        return 1;
    }
    net_serve_ops(net, NULL, &commands);
    net_open(net);
    uv_run(&loop, UV_RUN_DEFAULT);
    net_shutdown(net);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_walk(&loop, close_handle, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    net_destroy(&net);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    wheel_destroy(&wheel);
    return 0;
}
