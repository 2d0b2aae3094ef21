/* --check-config: checks the configured files and reports warnings. */
#include "check.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "wslock/audit/audit.h"
#include "wslock/auth/auth.h"
#include "wslock/auth/ticket.h"
#include "wslock/base/buf.h"
#include "wslock/base/mem.h"
#include "wslock/net/net.h"
#include "wslock/redis/embedded.h"
#include "wslock/redis/link.h"

struct check {
    const struct config *config;
    config_problem_cb on_problem;
    bool failed;
};

static void tell(void *ctx, const char *finding) {
    const struct check *c = ctx;
    config_complain(c->config, finding, c->on_problem, NULL);
}

/* Whether the first start with --dev creates the file. */
static bool is_yet_to_come(const struct config *config, const char *path) {
    size_t len = config->dev ? strlen(config->state_dir) : 0;
    return len > 0 && path != NULL && strncmp(path, config->state_dir, len) == 0 &&
           path[len] == '/' && access(path, F_OK) != 0 && errno == ENOENT;
}

/* Ignores missing files that the first start creates in the state directory. */
static bool check_files(struct check *c) {
    static char nowhere[] = "-";
    const struct config *config = c->config;
    struct config present = *config;
    bool keys_to_come = false, ok = true;
    for (size_t i = 0; i < config->auth.key_count; i++) {
        keys_to_come = keys_to_come || is_yet_to_come(config, config->auth.keys[i].secret_file);
    }
    if (is_yet_to_come(config, config->ops.socket)) {
        present.ops.socket = NULL;
    }
    if (is_yet_to_come(config, config->audit.file)) {
        present.audit.file = nowhere;
    }
    ok = net_check(&present, tell, c) && ok;
    ok = (keys_to_come || auth_check(&present, tell, c)) && ok;
    ok = audit_check(&present, tell, c) && ok;
    return redis_link_check(&present, tell, c) && ok;
}

/* Reports and frees a problem, if there is one. */
static bool report(struct check *c, char *problem) {
    if (problem == NULL) {
        return false;
    }
    tell(c, problem);
    mem_free(problem);
    return true;
}

static bool check_tickets(struct check *c) {
    char *problem = NULL;
    if (c->config->ticket_signing_key_file != NULL) {
        struct ticket_keys *keys = ticket_keys_load(c->config->ticket_signing_key_file, &problem);
        ticket_keys_destroy(&keys);
    }
    return !report(c, problem);
}

static bool check_state_dir(struct check *c, const struct options *options) {
    const struct config *config = c->config;
    if (!config->dev && !config->redis.embedded) {
        return true;
    }
    char *state_dir = options_state_dir(options), *problem = NULL;
    bool ok = config_check_state_dir(config, state_dir, c->on_problem, NULL);
    if (config->redis.embedded) {
        struct buf directory;
        buf_init(&directory);
        buf_printf(&directory, "%s/redis", state_dir);
        if (!redis_embedded_check(buf_cstr(&directory), &problem)) {
            ok = !report(c, problem);
        }
        buf_fini(&directory);
    }
    mem_free(state_dir);
    return ok;
}

bool check_config(const struct config *config, const struct options *options,
                  config_problem_cb on_problem) {
    struct check c = {config, on_problem, false};
    config_warn(config, on_problem, NULL);
    if (!check_state_dir(&c, options)) {
        return false;
    }
    bool files = check_files(&c);
    return check_tickets(&c) && files && !c.failed;
}
