/* Warnings about valid configurations that work badly, and look-ups in the file. */
#include <stdio.h>
#include <string.h>

#include "rule.h"
#include "unit.h"

/* Browsers run the timers of a hidden page once a minute. */
#define HIDDEN_TAB_MS 60000
/* The usual size of one user in a room's list: id, name, mode and times. */
#define LISTED_USER_BYTES 128
/* A client without an answer for this long connects again (protocol §6). */
#define ANSWER_MS 5000
#define LIVENESS_MIN_MS 1000

struct warnings {
    const struct config *config;
    struct config_rules rules; /* for reporting only */
    struct config_problems problems;
};

#define WARN(w, key, fmt, ...) config_rules_complain(&(w)->rules, key, "warning: " fmt, __VA_ARGS__)

static bool given(const struct warnings *w, const char *key) {
    return config_tree_find(w->config->root, key) != NULL;
}

/* The key to change: `key`, or `other` if the file gives only that. */
static const char *given_of(const struct warnings *w, const char *key, const char *other) {
    return !given(w, key) && given(w, other) ? other : key;
}

/* A returning client sends its token and a join for each room at once. */
static void check_burst(struct warnings *w) {
    long long rooms = w->config->limits.max_rooms_per_connection;
    long long burst = w->config->limits.message_burst;

    if (burst < rooms + 1) {
        WARN(w, given_of(w, "limits.messageBurst", "limits.maxRoomsPerConnection"),
             "messageBurst (%lld) is below what a client sends at once when it comes back: auth, "
             "and a join for each of maxRoomsPerConnection (%lld) rooms",
             burst, rooms);
    }
}

/* A command to a hanging store is answered after commandTimeout. */
static void check_answer_time(struct warnings *w) {
    long long timeout_ms = w->config->redis.command_timeout_ms;

    if (timeout_ms >= ANSWER_MS) {
        WARN(w, "redis.commandTimeout",
             "clients connect again when they have no answer for %d ms: while the store hangs, all "
             "of them do so again and again",
             ANSWER_MS);
    }
}

static void check_key_algorithms(struct warnings *w) {
    const struct config_strings *algorithms = &w->config->auth.algorithms;

    for (size_t i = 0; i < w->config->auth.key_count; i++) {
        const char *alg = w->config->auth.keys[i].alg;
        bool used = false;
        char key[64];

        for (size_t j = 0; j < algorithms->count; j++) {
            used = used || strcmp(algorithms->items[j], alg) == 0;
        }
        (void)snprintf(key, sizeof key, "auth.keys[%zu].alg", i);
        if (!used) {
            WARN(w, key, "%s is not in auth.algorithms: the key is not used", alg);
        }
    }
}

struct place {
    const char *path; /* of a policy: "default", "resourceTypes.document" */
    char key[CONFIG_MAX_PATH_BYTES], other[CONFIG_MAX_PATH_BYTES];
};

/* Whether to warn at this policy: it is `default`, or gives one of the two keys itself. *key: the
 * key to change. */
static bool concerns(struct warnings *w, struct place *at, const char *name, const char *other,
                     const char **key) {
    config_path_name(at->key, at->path, name);
    config_path_name(at->other, at->path, other);
    *key = given_of(w, at->key, at->other);
    return strcmp(at->path, "default") == 0 || given(w, *key);
}

/* A heartbeat of a hidden tab is delayed to the next full minute. */
static void check_hidden_tab(struct warnings *w, const struct config_policy *policy,
                             struct place *at) {
    int64_t apart_ms = (policy->heartbeat_interval_ms / HIDDEN_TAB_MS + 1) * HIDDEN_TAB_MS;
    const char *key;
    struct buf ttl, apart;

    if (policy->lock_ttl_ms > apart_ms || !concerns(w, at, "lockTtl", "heartbeatInterval", &key)) {
        return;
    }
    buf_init(&ttl);
    buf_init(&apart);
    config_print_duration(policy->lock_ttl_ms, &ttl);
    config_print_duration(apart_ms, &apart);
    WARN(w, key,
         "a hidden tab cannot keep a lock with lockTtl %s: browsers run its timers once a minute, "
         "so its heartbeats are up to %s apart",
         buf_cstr(&ttl), buf_cstr(&apart));
    buf_fini(&ttl);
    buf_fini(&apart);
}

/* A connection sends a heartbeat for each room that it edits in. */
static void check_heartbeats(struct warnings *w, const struct config_policy *policy,
                             struct place *at) {
    int64_t rooms = w->config->limits.max_rooms_per_connection;
    int64_t per_second = w->config->limits.messages_per_second;
    const char *key;

    if (rooms * 1000 <= per_second * policy->heartbeat_interval_ms ||
        !concerns(w, at, "heartbeatInterval", "lockTtl", &key)) {
        return;
    }
    WARN(w, key,
         "heartbeats for maxRoomsPerConnection (%lld) rooms are more than messagesPerSecond (%lld)",
         (long long)rooms, (long long)per_second);
}

static void check_list(struct warnings *w, const struct config_policy *policy, struct place *at) {
    const char *key;

    if (policy->presence_max_listed * LISTED_USER_BYTES <= w->config->limits.send_queue_bytes ||
        !concerns(w, at, "presenceMaxListed", "presence", &key)) {
        return;
    }
    WARN(w, key,
         "a list of %lld users is longer than limits.sendQueueBytes: who is slow to read is closed "
         "when joining",
         (long long)policy->presence_max_listed);
}

int64_t config_liveness_ms(const struct config_policy *policy) {
    int64_t ms = policy->grace_period_ms / 2;

    ms = ms < policy->heartbeat_interval_ms ? ms : policy->heartbeat_interval_ms;
    return ms > LIVENESS_MIN_MS ? ms : LIVENESS_MIN_MS;
}

/* Without `disconnect: grace` the lock is free as soon as the server closes a silent connection. */
static void check_silence(struct warnings *w, const struct config_policy *policy,
                          struct place *at) {
    int64_t server_ms = w->config->limits.ping_interval_ms + w->config->limits.pong_timeout_ms;
    int64_t client_ms = config_liveness_ms(policy) + ANSWER_MS;
    const char *key;

    if (policy->grace_period_ms < client_ms) {
        client_ms = policy->grace_period_ms;
    }
    if (policy->disconnect == CONFIG_DISCONNECT_GRACE || server_ms > client_ms ||
        !concerns(w, at, "disconnect", "gracePeriod", &key)) {
        return;
    }
    WARN(w, key,
         "limits.pingInterval and pongTimeout (%lld ms together) are not above the %lld ms for "
         "which a silent client may assume that it holds its lock: another may have it before",
         (long long)server_ms, (long long)client_ms);
}

static void check_policy(struct warnings *w, const struct config_policy *policy, const char *path) {
    struct place at = {.path = path};

    check_hidden_tab(w, policy, &at);
    check_heartbeats(w, policy, &at);
    check_list(w, policy, &at);
    check_silence(w, policy, &at);
}

void config_warn(const struct config *c, config_problem_cb on_problem, void *ctx) {
    struct warnings w = {.config = c, .rules = {.root = c->root}};

    w.rules.problems = &w.problems;
    check_burst(&w);
    check_answer_time(&w);
    check_key_algorithms(&w);
    check_policy(&w, &c->default_policy, "default");
    for (size_t i = 0; i < c->type_count; i++) {
        char path[CONFIG_MAX_PATH_BYTES];

        config_path_name(path, "resourceTypes", c->types[i].type);
        check_policy(&w, &c->types[i], path);
    }
    config_problems_report(&w.problems, on_problem, ctx);
}

bool config_gives(const struct config *c, const char *key) {
    const struct config_node *node = config_tree_find(c->root, key);

    return node != NULL && !config_node_is_null(node);
}

void config_complain(const struct config *c, const char *finding, config_problem_cb on_problem,
                     void *ctx) {
    size_t len = strcspn(finding, ": ");
    struct config_problems problems = {0};
    char key[CONFIG_MAX_PATH_BYTES];
    const struct config_node *node;

    (void)snprintf(key, sizeof key, "%.*s", (int)len, finding);
    node = config_tree_nearest(c->root, key);
    config_problems_add(&problems, node->file, node->line, key, "%s",
                        finding + len + strspn(finding + len, ": "));
    config_problems_report(&problems, on_problem, ctx);
}
