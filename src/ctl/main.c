/* The program wslockctl: options and commands. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "ctl.h"

struct command {
    const char *name;
    enum ctl_exit (*run)(const struct ctl_options *options);
    const char *summary;
    unsigned options; /* CTL_BITs */
    bool takes_words;
    const char *help; /* or NULL */
};

static enum ctl_exit help(const struct ctl_options *options);

static const char HELP_TOKEN[] =
    "token --user U [--name N] [--admin] [--role R]… [--ttl D]\n"
    "  Signs with the development key of wslockd --dev, or with the first secret (HS256, HS384,\n"
    "  HS512) of --config. --admin adds the first of auth.adminRoles. D is a duration such as\n"
    "  90s or 12h, the default. Standard output has the token and nothing else.\n";

static const struct command COMMANDS[] = {
    {"token", ctl_token, "prints a token signed with a development key",
     CTL_BIT(USER) | CTL_BIT(NAME) | CTL_BIT(ADMIN) | CTL_BIT(ROLE) | CTL_BIT(TTL), false,
     HELP_TOKEN},
    {"status", ctl_status, "prints the state of a running daemon; exit 1 if it cannot grant locks",
     0, false, NULL},
    {"reload", ctl_reload,
     "has a running daemon read its configuration again; exit 1 if it refuses", 0, false, NULL},
    {"audit", ctl_audit, "prints, verifies and merges audit logs", CTL_AUDIT_OPTIONS, true,
     ctl_audit_help},
    {"help", help, "prints what a command does", 0, true, NULL},
};

enum option_id {
    OPTION_CONFIG = 256,
    OPTION_SOCKET,
    OPTION_STATE_DIR,
    OPTION_JSON,
    OPTION_VERSION,
    OPTION_HELP,
    OPTION_OF_COMMAND, /* and an enum ctl_option */
};
#define OF_COMMAND(option) ((int)OPTION_OF_COMMAND + (int)CTL_OPTION_##option)

static const struct option OPTIONS[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"socket", required_argument, NULL, OPTION_SOCKET},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"json", no_argument, NULL, OPTION_JSON},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {"user", required_argument, NULL, OF_COMMAND(USER)},
    {"name", required_argument, NULL, OF_COMMAND(NAME)},
    {"admin", no_argument, NULL, OF_COMMAND(ADMIN)},
    {"role", required_argument, NULL, OF_COMMAND(ROLE)},
    {"ttl", required_argument, NULL, OF_COMMAND(TTL)},
    {"expect", required_argument, NULL, OF_COMMAND(EXPECT)},
    {"key-file", required_argument, NULL, OF_COMMAND(KEY_FILE)},
    {"follow", no_argument, NULL, OF_COMMAND(FOLLOW)},
    {"resource", required_argument, NULL, OF_COMMAND(RESOURCE)},
    {"action", required_argument, NULL, OF_COMMAND(ACTION)},
    {"since", required_argument, NULL, OF_COMMAND(SINCE)},
    {0},
};

static const char HELP_HEAD[] =
    "Usage: wslockctl [--config FILE | --socket PATH] [--state-dir DIR] [--json] COMMAND\n\n";
static const char HELP_OPTIONS[] =
    "\n"
    "Options:\n"
    "  --config FILE    the daemon's configuration, usually /etc/wslockd/wslockd.yaml\n"
    "  --socket PATH    its operations socket (default: from the configuration, or DIR/ops.sock)\n"
    "  --state-dir DIR  state of wslockd --dev (default: $XDG_STATE_HOME/wslockd, or\n"
    "                   ~/.local/state/wslockd)\n"
    "  Without these options: the wslockd --dev of the default DIR.\n"
    "  --json           answers as JSON\n"
    "  --version, --help\n"
    "\n";
static const char HELP_TAIL[] = "Exit status: 0 done, 1 failed, 2 wrong usage.\n";

static void print_help(void) {
    printf("%sCommands:\n", HELP_HEAD);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        printf("  %-8s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    }
    fputs(HELP_OPTIONS, stdout);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        if (COMMANDS[i].help != NULL) {
            puts(COMMANDS[i].help);
        }
    }
    fputs(HELP_TAIL, stdout);
}

static const struct command *find_command(const char *name) {
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        if (strcmp(COMMANDS[i].name, name) == 0) {
            return &COMMANDS[i];
        }
    }
    return NULL;
}

/* The command line beyond struct ctl_options. */
struct parsed {
    struct ctl_options options;
    bool help, version, wrong;
};

static void take(struct parsed *p, int id) {
    struct ctl_options *o = &p->options;

    if (id >= OPTION_OF_COMMAND) {
        o->given |= 1U << (id - OPTION_OF_COMMAND);
    }
    switch (id) {
    case OPTION_CONFIG:
        o->config_file = optarg;
        break;
    case OPTION_SOCKET:
        o->socket = optarg;
        break;
    case OPTION_STATE_DIR:
        o->state_dir = optarg;
        break;
    case OPTION_JSON:
        o->json = true;
        break;
    case OPTION_VERSION:
        p->version = true;
        break;
    case OPTION_HELP:
        p->help = true;
        break;
    case OF_COMMAND(USER):
        o->user = optarg;
        break;
    case OF_COMMAND(NAME):
        o->name = optarg;
        break;
    case OF_COMMAND(ADMIN):
        o->admin = true;
        break;
    case OF_COMMAND(ROLE):
        o->roles[o->role_count++] = optarg;
        break;
    case OF_COMMAND(TTL):
        o->ttl = optarg;
        break;
    case OF_COMMAND(EXPECT):
        o->expect = optarg;
        break;
    case OF_COMMAND(KEY_FILE):
        o->key_file = optarg;
        break;
    case OF_COMMAND(FOLLOW):
        o->follow = true;
        break;
    case OF_COMMAND(RESOURCE):
        o->resource = optarg;
        break;
    case OF_COMMAND(ACTION):
        o->action = optarg;
        break;
    case OF_COMMAND(SINCE):
        o->since = optarg;
        break;
    default: /* getopt has reported it */
        p->wrong = true;
        break;
    }
}

static enum ctl_exit usage(void) {
    fputs("Try 'wslockctl --help'.\n", stderr);
    return CTL_USAGE;
}

static enum ctl_exit unknown_command(const char *name) {
    struct buf names;

    buf_init(&names);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        buf_printf(&names, "%s%s", i == 0 ? "" : ", ", COMMANDS[i].name);
    }
    if (name != NULL) {
        ctl_complain("unknown command: %s; there are: %s", name, buf_cstr(&names));
    } else {
        ctl_complain("a command is needed: %s", buf_cstr(&names));
    }
    buf_fini(&names);
    return usage();
}

/* The command's own help, or all. */
static void print_help_of(const struct command *command) {
    if (command == NULL || command->help == NULL) {
        print_help();
        return;
    }
    printf("%s%s", HELP_HEAD, command->help);
}

static enum ctl_exit help(const struct ctl_options *options) {
    const struct command *command =
        options->word_count > 0 ? find_command(options->words[0]) : NULL;

    if (options->word_count > 0 && command == NULL) {
        return unknown_command(options->words[0]);
    }
    print_help_of(command);
    return CTL_OK;
}

static enum ctl_exit run(struct parsed *p, int count, char **words) {
    const struct command *command = count > 0 ? find_command(words[0]) : NULL;
    enum ctl_exit result;

    if (p->wrong) {
        return usage();
    }
    if (p->help || p->version) {
        if (p->help) {
            print_help_of(command);
        } else {
            puts("wslockctl " WSLOCK_VERSION);
        }
        return CTL_OK;
    }
    if (command == NULL) {
        return unknown_command(count > 0 ? words[0] : NULL);
    }
    if (count > 1 && !command->takes_words) {
        ctl_complain("%s: unexpected argument: %s", command->name, words[1]);
        return usage();
    }
    if (p->options.config_file != NULL && p->options.socket != NULL) {
        ctl_complain("--config or --socket, not both");
        return usage();
    }
    if (!ctl_check_options(&p->options, command->name, command->options)) {
        return usage();
    }
    p->options.words = (const char *const *)words + 1;
    p->options.word_count = (size_t)count - 1;
    result = command->run(&p->options);
    return result == CTL_USAGE ? usage() : result;
}

int main(int argc, char **argv) {
    struct parsed parsed = {0};
    enum ctl_exit result;
    int id;

    parsed.options.roles = mem_calloc((size_t)argc + 1, sizeof *parsed.options.roles);
    while ((id = getopt_long(argc, argv, "f", OPTIONS, NULL)) != -1) {
        take(&parsed, id == 'f' ? OF_COMMAND(FOLLOW) : id);
    }
    result = run(&parsed, argc - optind, argv + optind);
    if (result == CTL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        ctl_complain("cannot write to standard output: %s", strerror(errno));
        result = CTL_FAILED;
    }
    mem_free(parsed.options.roles);
    return (int)result;
}
