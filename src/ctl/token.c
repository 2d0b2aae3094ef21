/* `wslockctl token`: signs a token for trials with a secret of this machine. */
#include <stdio.h>

#include "wslock/auth/sign.h"
#include "wslock/base/clock.h"
#include "wslock/base/mem.h"

#include "ctl.h"

#define DEFAULT_TTL "12h"

/* The requested roles, and with --admin the first of auth.adminRoles. */
static const char **gather_roles(const struct ctl_options *options, const struct config *config,
                                 size_t *count) {
    const char **roles = mem_calloc(options->role_count + 1, sizeof *roles);

    *count = 0;
    for (size_t i = 0; i < options->role_count; i++) {
        roles[(*count)++] = options->roles[i];
    }
    if (options->admin) {
        roles[(*count)++] = config->auth.admin_roles.items[0];
    }
    return roles;
}

static enum ctl_exit sign(const struct ctl_options *options, const struct config *config,
                          int64_t ttl_ms) {
    const struct config_key *key = sign_find_key(config);
    struct sign_request request = {
        .user_id = options->user,
        .username = options->name,
        .issued_unix_ms = clock_wall_ms(),
        .ttl_ms = ttl_ms,
    };
    const char **roles;
    char *problem = NULL, *token;

    if (key == NULL) {
        ctl_complain("the configuration has no secret to sign with (HS256, HS384 or HS512): its "
                     "tokens come from the issuer");
        return CTL_FAILED;
    }
    if (options->admin && config->auth.admin_roles.count == 0) {
        ctl_complain("--admin: auth.adminRoles is empty");
        return CTL_FAILED;
    }
    roles = gather_roles(options, config, &request.role_count);
    request.roles = roles;
    token = sign_token(config, key, &request, &problem);
    if (token != NULL) {
        puts(token);
    } else {
        ctl_complain("%s", problem);
    }
    mem_free(token);
    mem_free(problem);
    mem_free(roles);
    return token != NULL ? CTL_OK : CTL_FAILED;
}

enum ctl_exit ctl_token(const struct ctl_options *options) {
    struct config *config;
    enum ctl_exit result;
    int64_t ttl_ms;

    if (!ctl_parse_ttl(options->ttl != NULL ? options->ttl : DEFAULT_TTL, &ttl_ms)) {
        ctl_complain("--ttl %s: a duration from 1s to 365d, such as 90s, 15m or 12h", options->ttl);
        return CTL_USAGE;
    }
    config = ctl_load_config(options);
    if (config == NULL) {
        return CTL_FAILED;
    }
    result = sign(options, config, ttl_ms);
    config_destroy(&config);
    return result;
}
