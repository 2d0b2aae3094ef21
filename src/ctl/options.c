/* Parses the command line. */
#include "options.h"

#include <getopt.h>
#include <stddef.h>
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
    {"search", required_argument, NULL, OF_COMMAND(SEARCH)},
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
static const char *check_reason(const char *option, const char *text) {
    (void)option;
    if (is_blank(text)) {
        ctl_complain("--reason: say why, for the holder and the audit");
    } else if (!utf8_valid(text, strlen(text)) || utf8_length(text, strlen(text)) > REASON_MAX) {
        ctl_complain("--reason: at most %d characters of UTF-8", REASON_MAX);
    } else {
        return text;
    }
    return NULL;
}

static const char *check_bytes(const char *option, const char *what, const char *text) {
    if (*text != '\0' && strlen(text) <= ID_MAX && utf8_valid(text, strlen(text))) {
        return text;
    }
    ctl_complain("--%s: %s of 1 to %d bytes of UTF-8", option, what, ID_MAX);
    return NULL;
}

/* An id, or NULL after a message. */
static const char *check_id(const char *option, const char *text) {
    return check_bytes(option, "an id", text);
}

/* A part of an id or a name, or NULL after a message. */
static const char *check_search(const char *option, const char *text) {
    return check_bytes(option, "a text", text);
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

/* Where the text of an option is kept, and what checks it. */
static const struct {
    size_t member;
    const char *(*check)(const char *option, const char *text); /* NULL: any text */
} TEXTS[] = {
    [CTL_OPTION_USER] = {offsetof(struct ctl_options, user), check_id},
    [CTL_OPTION_NAME] = {offsetof(struct ctl_options, name), NULL},
    [CTL_OPTION_TTL] = {offsetof(struct ctl_options, ttl), NULL},
    [CTL_OPTION_EXPECT] = {offsetof(struct ctl_options, expect), NULL},
    [CTL_OPTION_KEY_FILE] = {offsetof(struct ctl_options, key_file), NULL},
    [CTL_OPTION_RESOURCE] = {offsetof(struct ctl_options, resource), NULL},
    [CTL_OPTION_ACTION] = {offsetof(struct ctl_options, action), NULL},
    [CTL_OPTION_SINCE] = {offsetof(struct ctl_options, since), NULL},
    [CTL_OPTION_TYPE] = {offsetof(struct ctl_options, type), check_id},
    [CTL_OPTION_SEARCH] = {offsetof(struct ctl_options, search), check_search},
    [CTL_OPTION_REASON] = {offsetof(struct ctl_options, reason), check_reason},
    [CTL_OPTION_SESSION] = {offsetof(struct ctl_options, session), check_id},
    [CTL_OPTION_LOG] = {offsetof(struct ctl_options, log), NULL},
};

static const char *name_of(int id) {
    for (const struct option *o = OPTIONS; o->name != NULL; o++) {
        if (o->val == id) {
            return o->name;
        }
    }
    return "";
}

/* False after a message. */
static bool take_text(struct ctl_options *o, int id) {
    size_t option = (size_t)(id - OPTION_OF_COMMAND);
    const char *text = optarg;

    if (TEXTS[option].check != NULL) {
        text = TEXTS[option].check(name_of(id), text);
    }
    memcpy((char *)o + TEXTS[option].member, &text, sizeof text);
    return text != NULL;
}

/* False after a message. */
static bool take_of_command(struct ctl_options *o, int id) {
    o->given |= 1U << (id - OPTION_OF_COMMAND);
    switch (id) {
    case OF_COMMAND(ADMIN):
        o->admin = true;
        return true;
    case OF_COMMAND(ROLE):
        o->roles[o->role_count++] = optarg;
        return true;
    case OF_COMMAND(FOLLOW):
        o->follow = true;
        return true;
    case OF_COMMAND(LIMIT):
        o->limit = check_limit(optarg);
        return o->limit != 0;
    default:
        return take_text(o, id);
    }
}

static void take(struct ctl_parsed *p, int id) {
    struct ctl_options *o = &p->options;

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
    default: /* getopt has reported an option that there is not */
        p->wrong |= id < OPTION_OF_COMMAND || !take_of_command(o, id);
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
