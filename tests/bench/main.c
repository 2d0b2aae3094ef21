/* wslock-bench: see docs/performance.md. */
#include <getopt.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "process.h"
#include "report.h"
#include "stack.h"

static const struct bench FULL = {
    .connections = 15000,
    .storm = 10000,
    .receivers = {1000, 10000},
    .rounds = 5,
    .round_ms = 3000,
    .calls = 3000,
    .idle_ms = 50000,
    .in_flight = 256,
};
static const struct bench QUICK = {
    .connections = 3000,
    .storm = 2000,
    .receivers = {200, 2000},
    .rounds = 3,
    .round_ms = 1000,
    .calls = 500,
    .idle_ms = 26000,
    .in_flight = 256,
};
static const struct bench SMOKE = {
    .connections = 60,
    .storm = 40,
    .receivers = {10, 20},
    .rounds = 1,
    .round_ms = 200,
    .calls = 20,
    .idle_ms = 200,
    .in_flight = 16,
};

static const struct scenario {
    const char *name, *what;
    bool (*run)(const struct bench *b);
} SCENARIOS[] = {
    {"cycle", "acquire and release: CPU, rate, latency", run_cycle},
    {"fanout", "one event to many receivers", run_fanout},
    {"peers", "acquire and release, other servers beside it", run_peers},
    {"peers-fanout", "one event to many receivers, other servers beside it", run_peers_fanout},
    {"rate", "heartbeats with few and with many connections", run_rate},
    {"join", "many sessions join one room", run_join},
    {"instances", "several daemons on one Redis and on a Cluster", run_instances},
    {"storm", "all sessions reconnect at once", run_storm},
    {"idle", "memory and CPU of idle sessions", run_idle},
    {"idle-tls", "the same over TLS 1.3", run_idle_tls},
};

enum {
    OPTION_WSLOCKD = 256,
    OPTION_QUICK,
    OPTION_SMOKE,
    OPTION_CONNECTIONS,
    OPTION_JSON,
    OPTION_KEEP,
    OPTION_REPLICAS,
    OPTION_WAIT,
    OPTION_HELP
};
static const struct option OPTIONS[] = {
    {"wslockd", required_argument, NULL, OPTION_WSLOCKD},
    {"quick", no_argument, NULL, OPTION_QUICK},
    {"smoke", no_argument, NULL, OPTION_SMOKE},
    {"connections", required_argument, NULL, OPTION_CONNECTIONS},
    {"json", required_argument, NULL, OPTION_JSON},
    {"keep", no_argument, NULL, OPTION_KEEP},
    {"replicas", required_argument, NULL, OPTION_REPLICAS},
    {"wait", no_argument, NULL, OPTION_WAIT},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static void print_help(void) {
    puts("Usage: wslock-bench [OPTION]... [SCENARIO]...\n"
         "Measures a daemon that it starts itself, with a Redis of its own, on loopback.\n"
         "\n"
         "  --wslockd FILE     the daemon; default: wslockd in the folder above this program\n"
         "  --quick            smaller numbers, about a minute in all\n"
         "  --smoke            as small as can be: whether it works, not how fast\n"
         "  --connections N    of the scenarios with many connections\n"
         "  --json FILE        write the run's data there\n"
         "  --replicas N       Redis has so many, at most 3\n"
         "  --wait             redis.waitReplicas is their number\n"
         "  --keep             leave the folders with logs and configuration\n"
         "\n"
         "Scenarios:\n"
         "  all                every one of these (default)");
    for (size_t i = 0; i < ARRAY_LEN(SCENARIOS); i++) {
        printf("  %-18s %s\n", SCENARIOS[i].name, SCENARIOS[i].what);
    }
}

static const char *default_wslockd(void) {
    static char path[PATH_MAX + 16];
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n < 0 ? 0 : n] = '\0';
    snprintf(path, sizeof path, "%s/wslockd", dirname(dirname(self)));
    return path;
}

static void lower(unsigned *value, unsigned limit) {
    if (*value <= limit) {
        return;
    }
    complain("%u connections instead of %u: that is what the limit of descriptors allows", limit,
             *value);
    *value = limit;
}

/* Each process has its own limit; this one and the daemon need one descriptor a connection. */
static void fit_descriptors(struct bench *b) {
    unsigned limit = process_raise_descriptors();
    limit = limit > 400 ? limit - 400 : 1;
    lower(&b->connections, limit);
    lower(&b->storm, limit);
    lower(&b->receivers[0], limit - 1);
    lower(&b->receivers[1], limit - 1);
}

/* NULL: an option was wrong, *exit_code is set. */
static bool parse_options(int argc, char **argv, struct bench *b, int *exit_code) {
    const char *wslockd = default_wslockd(), *json = NULL;
    unsigned connections = 0;
    unsigned replicas = 0;
    bool keep = false, wait = false;
    int option;
    *b = FULL;
    while ((option = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        switch (option) {
        case OPTION_WSLOCKD:
            wslockd = optarg;
            break;
        case OPTION_QUICK:
            *b = QUICK;
            break;
        case OPTION_SMOKE:
            *b = SMOKE;
            break;
        case OPTION_CONNECTIONS:
            connections = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case OPTION_JSON:
            json = optarg;
            break;
        case OPTION_KEEP:
            keep = true;
            break;
        case OPTION_REPLICAS:
            replicas = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case OPTION_WAIT:
            wait = true;
            break;
        case OPTION_HELP:
            print_help();
            *exit_code = 0;
            return false;
        default:
            *exit_code = 2;
            return false;
        }
    }
    b->wslockd = wslockd;
    b->json = json;
    b->keep = keep;
    b->replicas = replicas < STACK_REPLICAS_MAX ? replicas : STACK_REPLICAS_MAX;
    b->wait = wait;
    if (connections >= 100) {
        b->connections = connections;
    }
    return true;
}

static const struct scenario *find(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(SCENARIOS); i++) {
        if (strcmp(SCENARIOS[i].name, name) == 0) {
            return &SCENARIOS[i];
        }
    }
    return NULL;
}

static bool run(const struct scenario *s, const struct bench *b) {
    fprintf(stderr, "%s\n", s->name);
    if (s->run(b)) {
        return true;
    }
    complain("%s could not be carried out", s->name);
    return false;
}

static bool run_all(const struct bench *b) {
    bool ok = true;
    for (size_t i = 0; i < ARRAY_LEN(SCENARIOS); i++) {
        ok = run(&SCENARIOS[i], b) && ok;
    }
    return ok;
}

int main(int argc, char **argv) {
    struct bench b;
    int exit_code = 0;
    bool ok = true;
    if (!parse_options(argc, argv, &b, &exit_code)) {
        return exit_code;
    }
    for (int i = optind; i < argc; i++) {
        if (strcmp(argv[i], "all") != 0 && find(argv[i]) == NULL) {
            complain("no scenario %s", argv[i]);
            return 2;
        }
    }
    signal(SIGPIPE, SIG_IGN);
    fit_descriptors(&b);
    if (optind == argc) {
        ok = run_all(&b);
    }
    for (int i = optind; i < argc; i++) {
        ok = (find(argv[i]) != NULL ? run(find(argv[i]), &b) : run_all(&b)) && ok;
    }
    if (b.json != NULL && !report_write(b.json, process_machine())) {
        complain("cannot write %s", b.json);
        ok = false;
    }
    printf("%s\n\n", process_machine());
    report_print();
    return ok ? 0 : 1;
}
