/* `wslockctl audit …`: what reads files of the audit log. */
#include "audit.h"

#include <string.h>

#include "options.h"

static const struct {
    const char *name, *full_name;
    enum ctl_exit (*run)(const struct ctl_options *options);
    unsigned options; /* CTL_BITs */
    bool takes_files;
} COMMANDS[] = {
    {"verify", "audit verify", ctl_audit_verify, CTL_BIT(EXPECT) | CTL_BIT(KEY_FILE), true},
    {"merge", "audit merge", ctl_audit_merge, 0, true},
    {"tail", "audit tail", ctl_audit_tail,
     CTL_BIT(FOLLOW) | CTL_BIT(RESOURCE) | CTL_BIT(USER) | CTL_BIT(ACTION) | CTL_BIT(SINCE), false},
};

enum ctl_exit ctl_audit(const struct ctl_options *options) {
    const char *name = options->words[0];
    struct ctl_options rest = *options;
    size_t i = 0;

    while (i < ARRAY_LEN(COMMANDS) && strcmp(COMMANDS[i].name, name) != 0) {
        i++;
    }
    if (i == ARRAY_LEN(COMMANDS)) {
        ctl_complain("audit: say verify, tail or merge");
        return CTL_USAGE;
    }
    rest.words++;
    rest.word_count--;
    if (!ctl_check_options(&rest, COMMANDS[i].full_name, COMMANDS[i].options, 0)) {
        return CTL_USAGE;
    }
    if (rest.socket != NULL) {
        ctl_complain("%s reads files: it has no use for --socket", COMMANDS[i].full_name);
        return CTL_USAGE;
    }
    if (COMMANDS[i].takes_files != (rest.word_count > 0)) {
        ctl_complain(COMMANDS[i].takes_files ? "%s needs a file" : "%s: unexpected argument: %s",
                     COMMANDS[i].full_name, rest.words[0]);
        return CTL_USAGE;
    }
    return COMMANDS[i].run(&rest);
}
