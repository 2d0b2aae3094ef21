/* Parses the command line. */
#include "options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"
#include "wslock/base/str.h"

#define REASON_MAX 500 /* characters, as the daemon allows */
#define ID_MAX 256     /* bytes, as the daemon allows */
#define LIMIT_MAX 10000000

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
    {"type", required_argument, NULL, OF_COMMAND(TYPE)},
    {"limit", required_argument, NULL, OF_COMMAND(LIMIT)},
    {"reason", required_argument, NULL, OF_COMMAND(REASON)},
    {"session", required_argument, NULL, OF_COMMAND(SESSION)},
    {"log", required_argument, NULL, OF_COMMAND(LOG)},
    {0},
};

/* ---- values ---- */

static bool is_blank(const char *text) {
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* The reason, or NULL after a message. */
static const char *check_reason(const char *text) {
    if (is_blank(text)) {
        ctl_complain("--reason: say why, for the holder and the audit");
    } else if (!utf8_valid(text, strlen(text)) || utf8_length(text, strlen(text)) > REASON_MAX) {
        ctl_complain("--reason: at most %d characters of UTF-8", REASON_MAX);
    } else {
        return text;
    }
    return NULL;
}

/* An id, or NULL after a message. */
static const char *check_id(const char *option, const char *text) {
    if (*text != '\0' && strlen(text) <= ID_MAX && utf8_valid(text, strlen(text))) {
        return text;
    }
    ctl_complain("--%s: an id of 1 to %d bytes of UTF-8", option, ID_MAX);
    return NULL;
}

/* 0 after a message. */
static int64_t check_limit(const char *text) {
    const size_t digits = strspn(text, "0123456789");
    const long long number = digits > 0 && digits < 10 ? strtoll(text, NULL, 10) : 0;

    if (text[digits] == '\0' && number >= 1 && number <= LIMIT_MAX) {
        return number;
    }
    ctl_complain("--limit %s: a number from 1 to %d", text, LIMIT_MAX);
    return 0;
}

/* ---- options ---- */

static void take(struct ctl_parsed *p, int id) {
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
        o->user = check_id("user", optarg);
        p->wrong |= o->user == NULL;
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
    case OF_COMMAND(TYPE):
        o->type = check_id("type", optarg);
        p->wrong |= o->type == NULL;
        break;
    case OF_COMMAND(LIMIT):
        o->limit = check_limit(optarg);
        p->wrong |= o->limit == 0;
        break;
    case OF_COMMAND(REASON):
        o->reason = check_reason(optarg);
        p->wrong |= o->reason == NULL;
        break;
    case OF_COMMAND(SESSION):
        o->session = check_id("session", optarg);
        p->wrong |= o->session == NULL;
        break;
    case OF_COMMAND(LOG):
        o->log = optarg;
        break;
    default: /* getopt has reported it */
        p->wrong = true;
        break;
    }
}

void ctl_options_parse(int argc, char **argv, struct ctl_parsed *out) {
    static char name[] = "wslockctl";
    int id;

    argv[0] = name; /* for the messages of getopt_long */
    *out = (struct ctl_parsed){0};
    out->options.roles = mem_calloc((size_t)argc + 1, sizeof *out->options.roles);
    while (!out->wrong && (id = getopt_long(argc, argv, "f", OPTIONS, NULL)) != -1) {
        take(out, id == 'f' ? OF_COMMAND(FOLLOW) : id);
    }
    if (!out->wrong && out->options.config_file != NULL && out->options.socket != NULL) {
        ctl_complain("--config or --socket, not both");
        out->wrong = true;
    }
    out->options.words = (const char *const *)argv + optind;
    out->options.word_count = (size_t)(argc - optind);
}

void ctl_options_forget(struct ctl_parsed *parsed) {
    mem_free(parsed->options.roles);
}

bool ctl_check_options(const struct ctl_options *options, const char *command, unsigned allowed,
                       unsigned needed) {
    for (size_t i = 0; OPTIONS[i].name != NULL; i++) {
        if (OPTIONS[i].val < OPTION_OF_COMMAND) {
            continue;
        }
        const unsigned bit = 1U << (OPTIONS[i].val - OPTION_OF_COMMAND);

        if ((options->given & ~(allowed | needed) & bit) != 0) {
            ctl_complain("%s has no option --%s", command, OPTIONS[i].name);
            return false;
        }
        if ((needed & ~options->given & bit) != 0) {
            ctl_complain("%s needs --%s", command, OPTIONS[i].name);
            return false;
        }
    }
    return true;
}
