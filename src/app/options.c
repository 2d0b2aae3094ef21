/* Parses the command line. */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_CHECK_CONFIG,
    OPTION_PRINT_CONFIG,
    OPTION_DEV,
    OPTION_STATE_DIR,
    OPTION_LOG_LEVEL,
    OPTION_VERSION,
    OPTION_HELP,
};

static const struct option OPTIONS[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"check-config", no_argument, NULL, OPTION_CHECK_CONFIG},
    {"print-config", no_argument, NULL, OPTION_PRINT_CONFIG},
    {"dev", no_argument, NULL, OPTION_DEV},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char HELP[] =
    "Usage: wslockd [OPTION]…\n"
    "Distributed edit locks over WebSocket.\n"
    "\n"
    "  --config FILE      the configuration (default /etc/wslockd/wslockd.yaml)\n"
    "  --check-config     print every problem of the configuration and of the files that it "
    "names,\n"
    "                     warn of settings that do not fit together, and exit\n"
    "  --print-config     print the configuration with every default, secrets masked, and exit\n"
    "  --dev              run for development: no file needed, a private Redis, a demo page at\n"
    "                     http://127.0.0.1:8080/; with --config, FILE overrides its defaults\n"
    "  --state-dir DIR    where --dev and the embedded Redis keep their files\n"
    "  --log-level LEVEL  error, warn, info or debug; overrides the configuration\n"
    "  --version, --help  print this and exit\n"
    "\n"
    "Exit status: 0 clean stop, 1 configuration, 2 usage, 3 a resource is missing.\n";

void options_print_help(void) {
    fputs(HELP, stdout);
}

static bool parse_level(const char *text, enum log_level *out) {
    static const char *const LEVELS[] = {
        [LOG_LEVEL_ERROR] = "error",
        [LOG_LEVEL_WARN] = "warn",
        [LOG_LEVEL_INFO] = "info",
        [LOG_LEVEL_DEBUG] = "debug",
    };
    for (size_t i = 0; i < ARRAY_LEN(LEVELS); i++) {
        if (strcmp(text, LEVELS[i]) == 0) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static void wrong(struct options *o, const char *text, const char *what) {
    o->action = OPTIONS_WRONG;
    fprintf(stderr, "wslockd: %s%s\nTry 'wslockd --help'.\n", text, what);
}

static void take(struct options *o, int id) {
    switch (id) {
    case OPTION_CONFIG:
        o->config_file = optarg;
        break;
    case OPTION_CHECK_CONFIG:
        o->action = OPTIONS_CHECK_CONFIG;
        break;
    case OPTION_PRINT_CONFIG:
        o->action = OPTIONS_PRINT_CONFIG;
        break;
    case OPTION_DEV:
        o->dev = true;
        break;
    case OPTION_STATE_DIR:
        o->state_dir = optarg;
        break;
    case OPTION_LOG_LEVEL:
        o->has_log_level = parse_level(optarg, &o->log_level);
        if (!o->has_log_level) {
            wrong(o, "no such log level: ", optarg);
        }
        break;
    case OPTION_VERSION:
        o->action = OPTIONS_VERSION;
        break;
    case OPTION_HELP:
        o->action = OPTIONS_HELP;
        break;
    default: /* getopt has reported it */
        wrong(o, "wrong usage", "");
        break;
    }
}

void options_parse(int argc, char **argv, struct options *out) {
    *out = (struct options){.action = OPTIONS_RUN, .program = argc > 0 ? argv[0] : "wslockd"};
    int id;
    while (out->action != OPTIONS_WRONG &&
           (id = getopt_long(argc, argv, "", OPTIONS, NULL)) != -1) {
        take(out, id);
    }
    if (out->action != OPTIONS_WRONG && optind < argc) {
        wrong(out, "unexpected argument: ", argv[optind]);
    }
}

char *options_state_dir(const struct options *o) {
    return config_state_dir(o->state_dir);
}

struct config *options_load_config(const struct options *o, config_problem_cb on_problem,
                                   void *ctx) {
    if (!o->dev) {
        return config_load_file(o->config_file != NULL ? o->config_file : OPTIONS_DEFAULT_CONFIG,
                                on_problem, ctx);
    }
    char *state_dir = options_state_dir(o);
    struct config *config = config_load_dev(state_dir, o->config_file, on_problem, ctx);
    mem_free(state_dir);
    return config;
}
