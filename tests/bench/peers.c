/*
 * Peers: servers of others, with the same load, in turn with the daemon on the same Redis. What is
 * not installed is told and left out.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "cycle.h"
#include "fanout.h"
#include "nchan.h"
#include "process.h"
#include "report.h"
#include "stack.h"

#define FANOUT_ROUNDS 3

/* Before the rounds that count there is one that does not: V8 compiles what it finds hot. */

/* The first is the daemon, which the others are compared with. */
static const struct server {
    const char *name, *script, *kind;
    enum crowd_dialect dialect;
    bool locks, fans_out;
    const char *target, *fanout_target; /* together ÷ wslockd; wslockd ÷ it */
} SERVERS[] = {
    {"wslockd", NULL, NULL, CROWD_NATIVE, true, true, "", ""},
    {"ws", "ws.js", "small", CROWD_NATIVE, true, true, "", "≤ 0.5, beyond ≤ 0.4"},
    {"NestJS + Socket.IO", "nest.js", "small", CROWD_SOCKETIO, true, true, "",
     "≤ 0.35, beyond ≤ 0.25"},
    {"NestJS, Redis adapter", "nest.js", "adapter", CROWD_SOCKETIO, true, false,
     "≥ 2.5, beyond ≥ 3.5 (server alone ≥ 6, beyond ≥ 8)", ""},
    {"NestJS, same design", "nest.js", "design", CROWD_SOCKETIO, true, false, "≥ 3, beyond ≥ 5",
     ""},
    {"nchan", NULL, NULL, CROWD_NATIVE, false, true, "", "≤ 0.6, beyond ≤ 0.5"},
};
enum { WSLOCKD, COUNT = ARRAY_LEN(SERVERS), NCHAN = COUNT - 1 };

/* What is measured of one, a value a round. */
struct side {
    pid_t pid; /* 0: left out */
    uint16_t port;
    struct samples us, redis_us, per_second;
    struct samples alone, together; /* ÷ wslockd, of the same round */
};

struct field {
    struct stack stack;
    struct side sides[COUNT];
};

static double median(struct samples *s) {
    return samples_quantile(s, 0.5);
}

/* ---- starting and stopping ---- */

static pid_t start_node(const struct server *server, const struct stack *s, uint16_t *port) {
    char script[512], text[8], secret[128], log[128];
    const char *const argv[] = {"node", script, text, s->redis_socket, secret, server->kind, NULL};
    snprintf(script, sizeof script, "%s/%s", WSLOCK_BENCH_PEERS, server->script);
    snprintf(secret, sizeof secret, "%s/hs256", s->folder);
    snprintf(log, sizeof log, "%s/%s.log", s->folder, server->kind);
    if (access(WSLOCK_BENCH_PEERS "/node_modules", R_OK) != 0) {
        complain("%s is left out: run npm ci in %s", server->name, WSLOCK_BENCH_PEERS);
        return 0;
    }
    *port = process_free_port();
    snprintf(text, sizeof text, "%u", *port);
    pid_t pid = process_spawn(argv, log);
    if (process_wait_port(pid, *port, log)) {
        return pid;
    }
    process_stop(&pid);
    complain("%s is left out: it did not start", server->name);
    return 0;
}

static bool start(struct field *f, const struct bench *b, bool fan_out) {
    *f = (struct field){0};
    if (!stack_start(&f->stack, b, false)) {
        return false;
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct side *side = &f->sides[i];
        if (!(fan_out ? SERVERS[i].fans_out : SERVERS[i].locks)) {
            continue;
        }
        if (i == WSLOCKD) {
            side->pid = f->stack.daemons[0].pid;
            side->port = f->stack.daemons[0].port;
        } else if (i == NCHAN) {
            side->pid = nchan_start(f->stack.folder, &side->port);
        } else {
            side->pid = start_node(&SERVERS[i], &f->stack, &side->port);
        }
    }
    return true;
}

static void forget_samples(struct side *side) {
    samples_fini(&side->us);
    samples_fini(&side->redis_us);
    samples_fini(&side->per_second);
    samples_fini(&side->alone);
    samples_fini(&side->together);
}

static void stop(struct field *f) {
    for (unsigned i = 0; i < COUNT; i++) {
        if (i == NCHAN) {
            nchan_stop(&f->sides[i].pid);
        } else if (i != WSLOCKD) {
            process_stop(&f->sides[i].pid);
        }
        forget_samples(&f->sides[i]);
    }
    stack_stop(&f->stack);
}

static struct crowd_plan plan_of(const struct field *f, unsigned i, unsigned count,
                                 unsigned per_room) {
    return (struct crowd_plan){.dialect = SERVERS[i].dialect,
                               .count = count,
                               .per_room = per_room,
                               .editors = per_room > 1,
                               .presence = "none",
                               .alg = KEYS_HS256,
                               .keys = &f->stack.keys,
                               .port = f->sides[i].port};
}

/* ---- acquire and release ---- */

static bool cycle_all(struct field *f, const struct bench *b, bool counts) {
    struct cycle_cost own = {0}, cost;
    for (unsigned i = 0; i < COUNT; i++) {
        struct side *side = &f->sides[i];
        const struct crowd_plan plan = plan_of(f, i, b->in_flight, 1);
        if (side->pid == 0) {
            continue;
        }
        if (!cycle_round(&plan, b->round_ms, side->pid, f->stack.redis, &cost)) {
            return false;
        }
        if (i == WSLOCKD) {
            own = cost;
        }
        if (!counts) {
            continue;
        }
        samples_add(&side->us, cost.us);
        samples_add(&side->redis_us, cost.redis_us);
        samples_add(&side->per_second, cost.per_second);
        samples_add(&side->alone, cost.us / own.us);
        samples_add(&side->together, (cost.us + cost.redis_us) / (own.us + own.redis_us));
    }
    return true;
}

static void report_cycle(struct field *f, const struct bench *b) {
    char what[112];
    for (unsigned i = 0; i < COUNT; i++) {
        struct side *side = &f->sides[i];
        const char *name = SERVERS[i].name;
        if (side->pid == 0) {
            continue;
        }
        snprintf(what, sizeof what, "acquire/release, %u in flight: %s", b->in_flight, name);
        report_row(what, SERVERS[i].target,
                   "server %.1f µs, Redis %.1f µs an operation; ÷ wslockd: together %.2f, server "
                   "alone %.2f; %.0f/s",
                   median(&side->us), median(&side->redis_us), median(&side->together),
                   median(&side->alone), median(&side->per_second));
        report_figure("peers", name, "server_us", median(&side->us));
        report_figure("peers", name, "redis_us", median(&side->redis_us));
        report_figure("peers", name, "alone", median(&side->alone));
        report_figure("peers", name, "together", median(&side->together));
        report_figure("peers", name, "per_second", median(&side->per_second));
    }
}

bool run_peers(const struct bench *b) {
    struct field f;
    if (!start(&f, b, false)) {
        return false;
    }
    bool ok = true;
    for (unsigned i = 0; ok && i <= b->rounds; i++) {
        ok = cycle_all(&f, b, i > 0);
    }
    if (ok) {
        report_cycle(&f, b);
    }
    stop(&f);
    return ok;
}

/* ---- fan-out ---- */

static bool fanout_all(struct field *f, const struct bench *b, unsigned receivers, bool counts) {
    double own = 0;
    struct fanout_cost cost;
    for (unsigned i = 0; i < COUNT; i++) {
        struct side *side = &f->sides[i];
        const struct crowd_plan plan = plan_of(f, i, receivers + 1, receivers + 1);
        if (side->pid == 0) {
            continue;
        }
        if (!(i == NCHAN ? nchan_round(plan.count, side->port, b->round_ms, side->pid, &cost)
                         : fanout_round(&plan, b->round_ms, side->pid, &cost))) {
            return false;
        }
        if (i == WSLOCKD) {
            own = cost.us;
        }
        if (!counts) {
            continue;
        }
        samples_add(&side->us, cost.us);
        samples_add(&side->per_second, cost.per_second);
        samples_add(&side->alone, own / cost.us);
    }
    return true;
}

static void report_fanout(struct field *f, unsigned receivers, const char *scenario) {
    char what[112];
    for (unsigned i = 0; i < COUNT; i++) {
        struct side *side = &f->sides[i];
        const char *name = SERVERS[i].name;
        if (side->pid == 0) {
            continue;
        }
        snprintf(what, sizeof what, "fan-out to %u receivers: %s", receivers, name);
        report_row(what, SERVERS[i].fanout_target,
                   "%.2f µs a delivery; wslockd ÷ it %.2f; %.0f deliveries/s", median(&side->us),
                   median(&side->alone), median(&side->per_second));
        report_figure(scenario, name, "server_us", median(&side->us));
        report_figure(scenario, name, "wslockd_divided", median(&side->alone));
        report_figure(scenario, name, "per_second", median(&side->per_second));
        forget_samples(side);
    }
}

bool run_peers_fanout(const struct bench *b) {
    static const char *const scenarios[] = {"peers-fanout-few", "peers-fanout-many"};
    struct field f;
    bool ok = start(&f, b, true);
    if (!ok) {
        return false;
    }
    for (unsigned size = 0; ok && size < ARRAY_LEN(b->receivers); size++) {
        for (unsigned i = 0; ok && i <= b->rounds && i <= FANOUT_ROUNDS; i++) {
            ok = fanout_all(&f, b, b->receivers[size], i > 0);
        }
        if (!ok) {
            break;
        }
        report_fanout(&f, b->receivers[size], scenarios[size]);
        report_figure(scenarios[size], "room", "receivers", b->receivers[size]);
    }
    stop(&f);
    return ok;
}
