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
};

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

/* C1 controls, and what turns the direction of text. */
static bool is_hidden(uint32_t code) {
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
           code == 0x200E || code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

void ctl_append_printable(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.len;) {
        const size_t len = utf8_sequence(text.p + i, text.len - i);

        if (len == 0) {
            buf_printf(out, "\\x%02x", (unsigned char)text.p[i]);
            i++;
            continue;
        }
        const uint32_t code = utf8_code(text.p + i, len);

        if (is_hidden(code)) {
            buf_printf(out, code < 0x80 ? "\\x%02x" : "\\u%04x", code);
        } else {
            buf_append(out, text.p + i, len);
        }
        i += len;
    }
}
