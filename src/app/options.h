/* The command line of wslockd. */
#ifndef WSLOCK_APP_OPTIONS_H
#define WSLOCK_APP_OPTIONS_H

#include <stdbool.h>

#include "wslock/base/log.h"
#include "wslock/config/config.h"

/* Documented in docs/operations-reference.md. */
enum exit_code {
    EXIT_CLEAN = 0,
    EXIT_CONFIGURATION = 1,
    EXIT_USAGE = 2,
    EXIT_RESOURCE = 3, /* port taken, store unreachable, certificate unreadable, … */
};

enum options_action {
    OPTIONS_RUN,
    OPTIONS_CHECK_CONFIG,
    OPTIONS_PRINT_CONFIG,
    OPTIONS_VERSION,
    OPTIONS_HELP,
    OPTIONS_WRONG, /* already reported on standard error */
};

struct options {
    enum options_action action;
    const char *program;     /* argv[0] */
    const char *config_file; /* NULL: none was named */
    const char *state_dir;   /* NULL: the default */
    bool dev;
    bool has_log_level;
    enum log_level log_level;
};

void options_parse(int argc, char **argv, struct options *out);
void options_print_help(void);
/* config_state_dir for the value of --state-dir. The caller frees the result (mem_free). */
char *options_state_dir(const struct options *o);
#define OPTIONS_DEFAULT_CONFIG "/etc/wslockd/wslockd.yaml"
/* The configuration that the options name, as config_load_file and config_load_dev. */
struct config *options_load_config(const struct options *o, config_problem_cb on_problem,
                                   void *ctx) MUST_CHECK;

#endif
