/* The program wslockctl: its commands and their help. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "help.h"
#include "options.h"

/* What stands behind a command. */
struct words {
    size_t least, most;
    const char *what; /* or NULL */
};
#define NO_WORDS                                                                                   \
    { 0, 0, NULL }
#define RESOURCE                                                                                   \
    { 1, 1, "a resource" }

struct command {
    const char *name;
    enum ctl_exit (*run)(const struct ctl_options *options);
    const char *summary;
    struct words words;
    unsigned options, needed; /* CTL_BITs */
    const char *help;
};

static enum ctl_exit help(const struct ctl_options *options);

static const struct command COMMANDS[] = {
    {"status", ctl_status, "prints the state of a running daemon; exit 1 if it cannot grant locks",
     NO_WORDS, 0, 0, ctl_help_status},
    {"locks", ctl_locks, "lists the locks that are held, in grace or reserved", NO_WORDS,
     CTL_BIT(TYPE) | CTL_BIT(USER) | CTL_BIT(SEARCH) | CTL_BIT(LIMIT), 0, ctl_help_locks},
    {"show", ctl_show, "prints one lock with its waiters, members and last endings", RESOURCE, 0, 0,
     ctl_help_show},
    {"explain", ctl_explain, "says why a user can or cannot edit", RESOURCE, CTL_BIT(USER), 0,
     ctl_help_explain},
    {"sessions", ctl_sessions, "lists the sessions of the daemon", NO_WORDS,
     CTL_BIT(USER) | CTL_BIT(LIMIT), 0, ctl_help_sessions},
    {"release", ctl_release, "ends a lock, or the turn of the user it is reserved for", RESOURCE, 0,
     CTL_BIT(REASON), ctl_help_release},
    {"takeover", ctl_takeover, "ends a lock and reserves it for a user", RESOURCE, 0,
     CTL_BIT(USER) | CTL_BIT(REASON), ctl_help_takeover},
    {"disconnect", ctl_disconnect, "ends the sessions of a user, or one session", NO_WORDS,
     CTL_BIT(USER) | CTL_BIT(SESSION), CTL_BIT(REASON), ctl_help_disconnect},
    {"drain", ctl_drain, "sends the clients to other instances; accepts no new ones", NO_WORDS,
     CTL_BIT(REASON), 0, ctl_help_drain},
    {"undrain", ctl_undrain, "accepts clients again", NO_WORDS, 0, 0, ctl_help_undrain},
    {"reload", ctl_reload,
     "has a running daemon read its configuration again; exit 1 if it refuses", NO_WORDS, 0, 0,
     ctl_help_reload},
    {"ref",
     ctl_ref,
     "finds the `ref` of a client's error in the audit and the log",
     {1, INT_MAX, "a ref"},
     CTL_BIT(LOG),
     0,
     ctl_help_ref},
    {"audit",
     ctl_audit,
     "prints, verifies and merges audit logs",
     {1, INT_MAX, "verify, tail or merge"},
     CTL_AUDIT_OPTIONS,
     0,
     ctl_help_audit},
    {"token", ctl_token, "prints a token signed with a development key", NO_WORDS,
     CTL_BIT(NAME) | CTL_BIT(ADMIN) | CTL_BIT(ROLE) | CTL_BIT(TTL), CTL_BIT(USER), ctl_help_token},
    {"help", help, "explains a command, with examples", {0, 1, NULL}, 0, 0, ctl_help_help},
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
    "  --json           answers as JSON, as the daemon sends it\n"
    "  --version, --help\n"
    "\n";
static const char HELP_TAIL[] =
    "\n"
    "Exit status: 0 done, 1 failed or refused, 2 wrong usage, 3 the daemon does not answer or a\n"
    "file cannot be read, 4 no right, 5 not found. `wslockctl help COMMAND` has examples.\n";

/* The lines of a help that show how the command is called. */
static void print_synopsis(const char *text) {
    while (*text != '\0') {
        const size_t len = strcspn(text, "\n");

        if (*text != ' ' && *text != '\n') {
            printf("%.*s\n", (int)len, text);
        }
        text += len + (text[len] == '\n');
    }
}

static void print_help(void) {
    printf("%sCommands:\n", HELP_HEAD);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        printf("  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    }
    fputs(HELP_OPTIONS, stdout);
    for (size_t i = 0; i < ARRAY_LEN(COMMANDS); i++) {
        print_synopsis(COMMANDS[i].help);
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
    return CTL_USAGE;
}

static enum ctl_exit help(const struct ctl_options *options) {
    const struct command *command =
        options->word_count > 0 ? find_command(options->words[0]) : NULL;

    if (options->word_count == 0) {
        print_help();
        return CTL_OK;
    }
    if (command == NULL) {
        return unknown_command(options->words[0]);
    }
    printf("%s%s", HELP_HEAD, command->help);
    return CTL_OK;
}

static bool check_words(const struct command *command, const struct ctl_options *options) {
    const struct words *words = &command->words;

    if (options->word_count < words->least) {
        ctl_complain("%s needs %s", command->name, words->what);
    } else if (options->word_count > words->most) {
        ctl_complain("%s: unexpected argument: %s", command->name, options->words[words->most]);
    } else {
        return true;
    }
    return false;
}

static enum ctl_exit run(struct ctl_parsed *p) {
    struct ctl_options *options = &p->options;
    const struct command *command;

    if (p->wrong) {
        return CTL_USAGE;
    }
    if (p->help) {
        return help(options);
    }
    if (p->version) {
        puts("wslockctl " WSLOCK_VERSION);
        return CTL_OK;
    }
    command = options->word_count > 0 ? find_command(options->words[0]) : NULL;
    if (command == NULL) {
        return unknown_command(options->word_count > 0 ? options->words[0] : NULL);
    }
    options->words++;
    options->word_count--;
    if (!check_words(command, options) ||
        !ctl_check_options(options, command->name, command->options, command->needed)) {
        return CTL_USAGE;
    }
    return command->run(options);
}

int main(int argc, char **argv) {
    struct ctl_parsed parsed;
    enum ctl_exit result;

    ctl_options_parse(argc, argv, &parsed);
    result = run(&parsed);
    if (result == CTL_OK && (fflush(stdout) != 0 || ferror(stdout))) {
        ctl_complain("cannot write to standard output: %s", strerror(errno));
        result = CTL_FAILED;
    }
    ctl_options_forget(&parsed);
    return (int)result;
}
