/* What `wslockctl help COMMAND` prints. */
#include "help.h"

const char ctl_help_status[] =
    "status\n"
    "  Prints whether the daemon can grant locks, and why not, the state of its store, and how "
    "many\n"
    "  connections and locks there are. Exit status: 1 if it cannot grant locks.\n"
    "    wslockctl --socket /run/wslockd/ops.sock status\n";

const char ctl_help_locks[] =
    "locks [--type T] [--user U] [--search TEXT] [--limit N]\n"
    "  Lists the locks of all instances that are held, in grace or reserved: of the resource type "
    "T,\n"
    "  of the user U, with TEXT in the resource or in the user's id or name, at most N. DUE is "
    "when "
    "a\n"
    "  lock ends if nothing happens. With --json each line is\n"
    "  a page of up to 1000, as the daemon sent it.\n"
    "    wslockctl --socket /run/wslockd/ops.sock locks --type document\n"
    "    wslockctl --socket /run/wslockd/ops.sock --json locks | jq -r '.locks[].resourceId'\n";

const char ctl_help_show[] =
    "show RESOURCE\n"
    "  Prints one lock: holder or user of the turn, deadlines, waiters, members, last endings.\n"
    "    wslockctl --socket /run/wslockd/ops.sock show document:42\n";

const char ctl_help_explain[] =
    "explain RESOURCE [--user U]\n"
    "  Says in sentences who has the lock, whether the holder is alive, what is due when, who "
    "waits,\n"
    "  which rule of the configuration decides and where it stands, and how the lock ended "
    "before.\n"
    "  With --user also what an acquire by U would get now.\n"
    "    wslockctl --socket /run/wslockd/ops.sock explain document:42 --user u-17\n";

const char ctl_help_sessions[] =
    "sessions [--user U] [--limit N]\n"
    "  Lists the sessions of this instance: of the user U, at most N. The instances of a cluster "
    "are\n"
    "  asked one by one.\n"
    "    wslockctl --socket /run/wslockd/ops.sock sessions --user u-17\n";

const char ctl_help_drain[] =
    "drain [--reason TEXT]\n"
    "  Has the daemon accept no new clients, and ask all others to connect to another instance, "
    "spread\n"
    "  over time. The daemon stays up, and is not ready (/readyz) until undrain.\n"
    "    wslockctl --socket /run/wslockd/ops.sock drain --reason 'kernel update'\n";

const char ctl_help_undrain[] = "undrain\n"
                                "  Has the daemon accept clients again.\n"
                                "    wslockctl --socket /run/wslockd/ops.sock undrain\n";

const char ctl_help_release[] =
    "release RESOURCE --reason TEXT\n"
    "  Ends the lock, or the turn of the user it is reserved for. The next one gets it: a pending\n"
    "  takeover, the first waiter, or nobody. The holder is told who released it. TEXT (1 to 500\n"
    "  characters) is for the audit.\n"
    "    wslockctl --socket /run/wslockd/ops.sock release document:42 --reason 'left for the "
    "day'\n";

const char ctl_help_takeover[] =
    "takeover RESOURCE --user U --reason TEXT\n"
    "  Ends the lock and reserves it for the user U, who may claim it on any tab within "
    "claimWindow.\n"
    "  A free lock is reserved too. The holder is told who took it, and TEXT.\n"
    "    wslockctl --socket /run/wslockd/ops.sock takeover document:42 --user u-17 --reason 'ward "
    "round'\n";

const char ctl_help_disconnect[] =
    "disconnect (--user U | --session ID) --reason TEXT\n"
    "  Ends all sessions of the user U, or one session, on this instance. Their locks, places, "
    "requests\n"
    "  and turns end at once. The user may connect again.\n"
    "    wslockctl --socket /run/wslockd/ops.sock disconnect --user u-17 --reason 'stolen laptop'\n"
    "    wslockctl --socket /run/wslockd/ops.sock disconnect --session Jt4mW0 --reason 'stolen "
    "laptop'\n";

const char ctl_help_reload[] =
    "reload\n"
    "  Has the daemon read its configuration and the files that it names again, and waits for the\n"
    "  result. Exit status: 1 if the daemon refuses; the reasons name file, line and key.\n"
    "    wslockctl --socket /run/wslockd/ops.sock reload\n";

const char ctl_help_ref[] =
    "ref REF [--log FILE] [FILE…]\n"
    "  Finds the REF that a client was given in `error` or `lock:denied`: in audit.file of "
    "--config\n"
    "  and the rotated files beside it (plain or .gz), or in the named audit FILEs, and in the "
    "log\n"
    "  --log, - for standard input. Exit status: 0 found, 3 not found and a file cannot be read, "
    "5\n"
    "  not found.\n"
    "    wslockctl --config FILE ref qZ3x-1f\n"
    "    journalctl -u wslockd -o cat | wslockctl --config FILE ref qZ3x-1f --log -\n";

const char ctl_help_audit[] =
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

const char ctl_help_token[] =
    "token --user U [--name N] [--admin] [--role R]… [--ttl D]\n"
    "  Signs with the development key of wslockd --dev, or with the first secret (HS256, HS384,\n"
    "  HS512) of --config. --admin adds the first of auth.adminRoles. D is a duration such as\n"
    "  90s or 12h, the default. Standard output has the token and nothing else.\n"
    "    wslockctl token --user ann --name Ann --ttl 15m\n";

const char ctl_help_help[] = "help [COMMAND]\n"
                             "  Explains a command, or lists all.\n"
                             "    wslockctl help audit\n";
