/* A reload: the configuration and the files that it names are read again. */
#ifndef WSLOCK_APP_RELOAD_H
#define WSLOCK_APP_RELOAD_H

#include "options.h"
#include "wslock/audit/audit.h"
#include "wslock/auth/auth.h"
#include "wslock/auth/ticket.h"
#include "wslock/config/config.h"
#include "wslock/net/net.h"
#include "wslock/session/gateway.h"

/* What a reload changes. */
struct reload_target {
    const struct options *options;
    struct config *config;
    struct net *net;
    struct auth *auth;
    struct ticket_keys **tickets;
    struct audit *audit;
    struct gateway *gateway;
};

/* Takes what the files say now. False: nothing has changed. Logs each problem and each warning;
 * on_finding (or NULL) gets them too, warnings as config_warn gives them. */
bool reload_run(const struct reload_target *t, config_problem_cb on_finding, void *ctx) MUST_CHECK;

#endif
