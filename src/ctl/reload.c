/* `wslockctl reload`: has the daemon read its configuration again, and waits until that is done. */
#include <stdio.h>

#include "change.h"
#include "text.h"

static void append_value(struct buf *line, const json_t *finding, const char *key) {
    const char *text = json_string_value(json_object_get(finding, key));

    ctl_append_printable(line, str_of(text != NULL ? text : "?"));
}

/* `file:line: key: kind text` */
static void print_findings(const json_t *findings, const char *kind) {
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const json_int_t at = json_integer_value(json_object_get(finding, "line"));
        struct buf line;

        buf_init(&line);
        append_value(&line, finding, "file");
        if (at > 0) {
            buf_printf(&line, ":%" JSON_INTEGER_FORMAT, at);
        }
        buf_append_str(&line, ": ");
        if (json_object_get(finding, "key") != NULL) {
            append_value(&line, finding, "key");
            buf_append_str(&line, ": ");
        }
        buf_append_str(&line, kind);
        append_value(&line, finding, "message");
        buf_append_char(&line, '\n');
        fwrite(line.data, 1, line.len, stderr);
        buf_fini(&line);
    }
}

enum ctl_exit ctl_reload(const struct ctl_options *options) {
    const struct ctl_change change = {.method = "POST", .path = "/v1/reload"};
    struct ctl_answer answer;
    enum ctl_exit result = ctl_change(options, &change, &answer);

    if (!options->json) {
        print_findings(json_object_get(json_object_get(answer.json, "error"), "problems"), "");
        print_findings(json_object_get(answer.json, "warnings"), "warning: ");
        if (result == CTL_OK) {
            puts("reloaded");
        } else if (answer.status != 0) {
            ctl_answer_complain(&answer, NULL);
        }
    }
    ctl_answer_fini(&answer);
    return result;
}
