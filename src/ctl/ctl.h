/* What the commands of wslockctl share. */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/config/config.h"

enum ctl_exit {
    CTL_OK = 0,
    CTL_FAILED = 1,    /* refused, findings, or not ready */
    CTL_USAGE = 2,     /* wrong usage, or a value that the daemon does not take */
    CTL_MISSING = 3,   /* a file cannot be read, or the daemon does not answer */
    CTL_FORBIDDEN = 4, /* no right to ask the daemon */
    CTL_NOT_FOUND = 5, /* nothing has this id */
};

/* The options that not every command has. */
enum ctl_option {
    CTL_OPTION_USER,
    CTL_OPTION_NAME,
    CTL_OPTION_ADMIN,
    CTL_OPTION_ROLE,
    CTL_OPTION_TTL,
    CTL_OPTION_EXPECT,
    CTL_OPTION_KEY_FILE,
    CTL_OPTION_FOLLOW,
    CTL_OPTION_RESOURCE,
    CTL_OPTION_ACTION,
    CTL_OPTION_SINCE,
    CTL_OPTION_TYPE,
    CTL_OPTION_SEARCH,
    CTL_OPTION_LIMIT,
    CTL_OPTION_REASON,
    CTL_OPTION_SESSION,
    CTL_OPTION_LOG,
    CTL_OPTION_COUNT
};
#define CTL_BIT(option) (1U << CTL_OPTION_##option)
#define CTL_AUDIT_OPTIONS                                                                          \
    (CTL_BIT(EXPECT) | CTL_BIT(KEY_FILE) | CTL_BIT(FOLLOW) | CTL_BIT(RESOURCE) | CTL_BIT(USER) |   \
     CTL_BIT(ACTION) | CTL_BIT(SINCE))

/* The command line; everything is borrowed from argv. */
struct ctl_options {
    unsigned given;           /* CTL_BITs */
    const char *const *words; /* behind the command */
    size_t word_count;
    const char *config_file, *socket, *state_dir; /* or NULL */
    bool json;
    const char *user, *name; /* or NULL */
    const char *ttl;         /* or NULL */
    const char **roles;
    size_t role_count;
    bool admin;
    const char *expect, *key_file;         /* or NULL */
    const char *resource, *action, *since; /* or NULL */
    bool follow;
    const char *type, *search, *reason, *session, *log; /* or NULL */
    int64_t limit;                                      /* of a list's rows; 0: none */
};

/* The commands. options->words has as many as their rows in the table say (main.c). */
enum ctl_exit ctl_token(const struct ctl_options *options);
enum ctl_exit ctl_status(const struct ctl_options *options);
enum ctl_exit ctl_reload(const struct ctl_options *options);
enum ctl_exit ctl_locks(const struct ctl_options *options);
enum ctl_exit ctl_sessions(const struct ctl_options *options);
enum ctl_exit ctl_show(const struct ctl_options *options);
enum ctl_exit ctl_explain(const struct ctl_options *options);
enum ctl_exit ctl_drain(const struct ctl_options *options);
enum ctl_exit ctl_undrain(const struct ctl_options *options);
enum ctl_exit ctl_release(const struct ctl_options *options);
enum ctl_exit ctl_takeover(const struct ctl_options *options);
enum ctl_exit ctl_disconnect(const struct ctl_options *options);
enum ctl_exit ctl_ref(const struct ctl_options *options);
enum ctl_exit ctl_audit(const struct ctl_options *options);

/* Writes `wslockctl: …` and a line end on standard error, without control characters. */
void ctl_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The configuration of --config, or else of the development daemon whose state is in --state-dir.
 * NULL after a message. Creates nothing. */
struct config *ctl_load_config(const struct ctl_options *options) MUST_CHECK;
/* `250ms`, `30s`, `5m`, `12h` in milliseconds. False: not a duration, or not from 1 s to 365 days.
 */
bool ctl_parse_ttl(const char *text, int64_t *out_ms) MUST_CHECK;

#endif
