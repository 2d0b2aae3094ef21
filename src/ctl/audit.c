/* `wslockctl audit …`: what reads files of the audit log. */
#include "audit.h"

#include <string.h>

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

const char ctl_audit_help[] =
    "audit tail [-f | --follow] [--resource R] [--user U] [--action A] [--since T]\n"
    "  Prints the last 20 records of audit.file, one readable line each; with --json as they\n"
    "  stand in the file. With -f also those that come, over rotations, until SIGINT or\n"
    "  SIGTERM. U is the id of the user, the previous holder or the administrator. T is a\n"
    "  time (RFC 3339) or a duration ago; all records from then on are printed.\n"
    "    wslockctl --config FILE audit tail -f --action LOCK_TAKEOVER\n"
    "    wslockctl --config FILE audit tail --resource document:1:body --since 2h\n"
    "\n"
    "audit verify [--expect SEQ:HASH] [--key-file FILE] FILE…\n"
    "  Verifies the hash chain over files of an audit log, plain or .gz, in any order. Names\n"
    "  each line that was changed, added, moved or torn, and where lines are missing.\n"
    "  SEQ:HASH is a checkpoint of the daemon's log (audit_checkpoint seq=… hash=…): it shows\n"
    "  a cut end. A keyed chain needs its key: --key-file, or audit.hmacKeyFile of --config.\n"
    "  Exit status: 0 whole, 1 findings, 3 a file cannot be read.\n"
    "    wslockctl audit verify /var/log/wslockd/audit.jsonl{,[-.][0-9]*}\n"
    "    wslockctl --config FILE audit verify --expect 4711:9f86…0a08 audit.jsonl\n"
    "\n"
    "audit merge FILE…\n"
    "  Prints the records of several instances' files, plain or .gz, as JSON lines in order of\n"
    "  time and eventId, and only one record of each change. Exit status: 0 done, 1 lines were\n"
    "  left out, 3 a file cannot be read.\n"
    "    wslockctl audit merge gw-1/audit.jsonl gw-2/audit.jsonl >merged.jsonl\n";

enum ctl_exit ctl_audit(const struct ctl_options *options) {
    const char *name = options->word_count > 0 ? options->words[0] : "";
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
    if (!ctl_check_options(&rest, COMMANDS[i].full_name, COMMANDS[i].options)) {
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
