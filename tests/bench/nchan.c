#include "nchan.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "process.h"
#include "report.h"

#define MODULE "/usr/lib/nginx/modules/ngx_nchan_module.so"
#define ENTER_MS 120000
#define DRAIN_MS 10000
#define WARM_UP_MS 300
#define AT_ONCE 64
#define EVENT_BYTES 205 /* as wslockd's on average */

/* One process, so that its CPU is one process's and nothing outlives the generator. */
static const char CONFIG[] =
    "load_module " MODULE ";\n"
    "daemon off;\n"
    "master_process off;\n"
    "pid %1$s/nginx.pid;\n"
    "events { worker_connections 20000; }\n"
    "http {\n"
    "  access_log off;\n"
    "  keepalive_requests 1000000000;\n"
    "  client_body_temp_path %1$s/tmp; proxy_temp_path %1$s/tmp; fastcgi_temp_path %1$s/tmp;\n"
    "  uwsgi_temp_path %1$s/tmp; scgi_temp_path %1$s/tmp;\n"
    "  server {\n"
    "    listen 127.0.0.1:%2$u backlog=4096;\n"
    "    location = /publish {\n"
    "      nchan_publisher http; nchan_channel_id room; nchan_store_messages off;\n"
    "    }\n"
    "    location = /ws {\n"
    "      nchan_subscriber websocket; nchan_channel_id room; nchan_subscriber_first_message "
    "newest;\n"
    "    }\n"
    "  }\n"
    "}\n";

struct nchan {
    struct load *load;
    int publisher;
    unsigned subscribers, opened, missing;
    bool two, broken, stopping;
    uint64_t deliveries, bytes;
};

static bool write_config(const char *folder, uint16_t port, const char *path) {
    char temporary[128];
    snprintf(temporary, sizeof temporary, "%s/tmp", folder);
    FILE *file = fopen(path, "we");
    if (file == NULL || mkdir(temporary, 0700) != 0) {
        return false;
    }
    bool ok = fprintf(file, CONFIG, folder, port) > 0;
    return fclose(file) == 0 && ok;
}

pid_t nchan_start(const char *folder, uint16_t *port) {
    char log[128], config[128];
    const char *const argv[] = {"nginx", "-e", "stderr", "-c", config, NULL};
    if (access(MODULE, R_OK) != 0) {
        complain(
            "nchan is left out: Debian's nginx-light and libnginx-mod-nchan are not installed");
        return 0;
    }
    snprintf(log, sizeof log, "%s/nginx.log", folder);
    snprintf(config, sizeof config, "%s/nginx.conf", folder);
    *port = process_free_port();
    pid_t nginx = write_config(folder, *port, config) ? process_spawn(argv, log) : 0;
    if (process_wait_port(nginx, *port, log)) {
        return nginx;
    }
    process_stop(&nginx);
    complain("nchan is left out: nginx did not start");
    return 0;
}

/* By force: nchan 1.3.6 aborts when a single process ends by itself. */
void nchan_stop(pid_t *nginx) {
    if (*nginx > 0) {
        kill(*nginx, SIGKILL);
    }
    process_stop(nginx);
}

/* One request, or two at once; answers are read when the next is made. */
static void publish(struct nchan *n) {
    static const char head[] = "POST /publish HTTP/1.1\r\nHost: localhost\r\nAccept: text/json\r\n"
                               "Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%0*d";
    char text[1024], answers[4096];
    const unsigned events = n->two ? 2 : 1;
    int len = snprintf(text, sizeof text, head, EVENT_BYTES, EVENT_BYTES, 0);
    ssize_t got = recv(n->publisher, answers, sizeof answers, MSG_DONTWAIT);
    n->missing = n->subscribers * events;
    n->two = !n->two;
    n->broken = n->broken || (got > 0 && memcmp(answers, "HTTP/1.1 2", 10) != 0);
    for (unsigned i = 1; i < events; i++) {
        memcpy(text + (size_t)len * i, text, (size_t)len);
    }
    len *= (int)events;
    n->broken = n->broken || send(n->publisher, text, (size_t)len, MSG_NOSIGNAL) != len;
}

static void on_open(void *ctx, unsigned index) {
    struct nchan *n = ctx;
    (void)index;
    n->opened++;
}

static void on_text(void *ctx, unsigned index, const char *text, size_t len) {
    struct nchan *n = ctx;
    (void)index;
    (void)text;
    if (n->missing == 0) {
        return;
    }
    n->missing--;
    n->deliveries++;
    n->bytes += len;
    if (n->missing == 0 && !n->stopping) {
        publish(n);
    }
}

static void on_close(void *ctx, unsigned index, unsigned code) {
    struct nchan *n = ctx;
    if (!n->broken) {
        complain("nchan: subscriber %u ended, code %u", index, code);
    }
    n->broken = true;
}

static bool run(struct nchan *n, unsigned run_ms, bool until_quiet) {
    const uint64_t end = monotonic_ns() + run_ms * 1000000ull;
    while (!n->broken && monotonic_ns() < end && !(until_quiet && n->missing == 0)) {
        load_poll(n->load, 20);
    }
    return !n->broken;
}

static bool enter(struct nchan *n) {
    const uint64_t end = monotonic_ns() + ENTER_MS * 1000000ull;
    unsigned next = 0;
    while (!n->broken && n->opened < n->subscribers && monotonic_ns() < end) {
        while (next < n->subscribers && next - n->opened < AT_ONCE) {
            if (!load_connect(n->load, next++)) {
                return false;
            }
        }
        load_poll(n->load, 20);
    }
    return n->opened == n->subscribers && run(n, WARM_UP_MS, false);
}

static bool measure(struct nchan *n, unsigned run_ms, pid_t nginx, struct fanout_cost *cost) {
    publish(n);
    if (!run(n, WARM_UP_MS, false)) {
        return false;
    }
    uint64_t cpu = process_cpu_ns(nginx), from = monotonic_ns();
    n->deliveries = n->bytes = 0;
    if (!run(n, run_ms, false)) {
        return false;
    }
    double deliveries = n->deliveries > 0 ? (double)n->deliveries : 1;
    cost->us = (double)(process_cpu_ns(nginx) - cpu) / 1000 / deliveries;
    cost->bytes = (double)n->bytes / deliveries;
    cost->per_second = deliveries / ((double)(monotonic_ns() - from) / 1e9);
    n->stopping = true;
    return run(n, DRAIN_MS, true) && n->missing == 0;
}

bool nchan_round(unsigned subscribers, uint16_t port, unsigned run_ms, pid_t nginx,
                 struct fanout_cost *cost) {
    struct nchan n = {.subscribers = subscribers, .publisher = process_connect(port)};
    const struct load_ops ops = {on_open, on_text, on_close, &n};
    n.load = load_create(subscribers, port, false, "/ws", &ops);
    bool ok = n.publisher >= 0 && enter(&n) && measure(&n, run_ms, nginx, cost);
    if (n.publisher >= 0) {
        close(n.publisher);
    }
    load_destroy(&n.load);
    return ok;
}
