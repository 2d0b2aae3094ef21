/* What the commands of wslockctl share. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/config/config.h"

enum ctl_exit { CTL_OK = 0, CTL_FAILED = 1, CTL_USAGE = 2 };

/* The command line; everything is borrowed from argv. */
struct ctl_options {
    const char *config_file, *socket, *state_dir; /* or NULL */
    bool json;
    const char *user, *name; /* or NULL */
    const char *ttl;         /* or NULL */
    const char **roles;
    size_t role_count;
    bool admin;
};

enum ctl_exit ctl_token(const struct ctl_options *options);
enum ctl_exit ctl_status(const struct ctl_options *options);
enum ctl_exit ctl_reload(const struct ctl_options *options);

/* Writes `wslockctl: …` and a line end on standard error. */
void ctl_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The configuration of --config, or else of the development daemon whose state is in --state-dir.
 * NULL after a message. Creates nothing. */
struct config *ctl_load_config(const struct ctl_options *options) MUST_CHECK;
/* `250ms`, `30s`, `5m`, `12h` in milliseconds. False: not a duration, or not from 1 s to 365 days.
 */
bool ctl_parse_ttl(const char *text, int64_t *out_ms) MUST_CHECK;

#endif
