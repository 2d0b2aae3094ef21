/* All or nothing: whatever can fail comes first. */
#include "reload.h"

#include <string.h>

#include "wslock/base/file.h"
#include "wslock/base/mem.h"

#define WARNING "warning: "

/* The problems and warnings of one reload. */
struct report {
    const struct config *next;
    config_problem_cb on_finding; /* or NULL */
    void *ctx;
    bool refused;
};

/* All that the new configuration brings. */
struct prepared {
    struct config *config; /* after the exchange: the values before */
    struct net_next *net;
    struct auth *auth;
    struct ticket_keys *tickets;
    struct audit_next *audit;
};

/* ---- findings ---- */

static void on_problem(void *ctx, const char *file, int line, const char *key, const char *text) {
    struct report *r = ctx;
    const size_t len = sizeof WARNING - 1;
    if (strncmp(text, WARNING, len) == 0) {
        log_warn("reload_warning", LF("file", file), LFI("line", line), LF("key", key),
                 LF("warning", text + len));
    } else {
        r->refused = true;
        log_error("reload_problem", LF("file", file), LFI("line", line), LF("key", key),
                  LF("problem", text));
    }
    if (r->on_finding != NULL) {
        r->on_finding(r->ctx, file, line, key, text);
    }
}

static void on_finding(void *ctx, const char *finding) {
    struct report *r = ctx;
    config_complain(r->next, finding, on_problem, r);
}

/* Reports and frees a problem, if there is one. */
static void tell(struct report *r, char **problem) {
    if (*problem != NULL) {
        on_finding(r, *problem);
    }
    mem_free(*problem);
    *problem = NULL;
}

/* ---- preparation ---- */

/* NULL with each problem reported. */
static struct config *load(const struct reload_target *t, struct report *r) {
    const char *why = NULL, *file = t->options->config_file;
    if (file == NULL && !t->options->dev) {
        file = OPTIONS_DEFAULT_CONFIG;
    }
    /* Reading a pipe would wait for its writer. */
    if (file != NULL && !file_check(file, &why)) {
        on_problem(r, file, 0, "", why);
        return NULL;
    }
    struct config *next = options_load_config(t->options, on_problem, r);
    if (next != NULL) {
        config_bound_port(next, net_port(t->net));
    }
    return next;
}

/* Looks at everything, so that all problems are reported at once. */
static bool prepare(const struct reload_target *t, struct prepared *p, struct report *r) {
    char *problem = NULL;
    p->config = load(t, r);
    if (p->config == NULL) {
        return false;
    }
    r->next = p->config;
    config_warn(p->config, on_problem, r);
    bool ok = config_may_reload(t->config, p->config, on_problem, r);
    p->net = net_prepare(t->net, p->config, on_finding, r);
    p->auth = auth_prepare(t->auth, p->config, on_finding, r);
    if (p->config->ticket_signing_key_file != NULL) {
        p->tickets = ticket_keys_load(p->config->ticket_signing_key_file, &problem);
        tell(r, &problem);
    }
    if (ok && !r->refused) {
        p->audit = audit_prepare(t->audit, p->config, &problem);
        tell(r, &problem);
    }
    return ok && !r->refused;
}

static void forget(struct prepared *p) {
    net_next_destroy(&p->net);
    auth_destroy(&p->auth);
    ticket_keys_destroy(&p->tickets);
    config_destroy(&p->config);
}

/* ---- exchange ---- */

static void take(const struct reload_target *t, struct prepared *p) {
    struct ticket_keys *tickets_before = *t->tickets;
    config_exchange(t->config, p->config);
    audit_reload(t->audit, &p->audit);
    net_reload(t->net, &p->net);
    auth_reload(t->auth, t->config, &p->auth);
    *t->tickets = p->tickets;
    gateway_reload(t->gateway, p->config, p->tickets);
    p->tickets = tickets_before;
}

bool reload_run(const struct reload_target *t, config_problem_cb on_found, void *ctx) {
    struct report report = {.on_finding = on_found, .ctx = ctx};
    struct prepared p = {.config = NULL};
    const bool ok = prepare(t, &p, &report);
    if (ok) {
        take(t, &p);
    }
    forget(&p);
    return ok;
}
