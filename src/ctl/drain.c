/* `wslockctl drain` and `undrain`. */
#include <stdio.h>

#include "change.h"
#include "text.h"

enum ctl_exit ctl_drain(const struct ctl_options *options) {
    const struct ctl_change change = {
        .method = "POST", .path = "/v1/drain", .subject = "drain", .reason = options->reason};
    struct ctl_answer answer;
    struct buf line;
    enum ctl_exit result = ctl_change(options, &change, &answer);

    if (result == CTL_OK && !options->json) {
        buf_init(&line);
        buf_append_str(&line, "draining: no new clients; ");
        ctl_append_count(&line, ctl_number(answer.json, "sessions"), "session");
        buf_append_str(&line, " asked to connect elsewhere");
        puts(buf_cstr(&line));
        buf_fini(&line);
    }
    ctl_answer_fini(&answer);
    return result;
}

enum ctl_exit ctl_undrain(const struct ctl_options *options) {
    const struct ctl_change change = {
        .method = "POST", .path = "/v1/undrain", .subject = "undrain"};
    struct ctl_answer answer;
    enum ctl_exit result = ctl_change(options, &change, &answer);

    if (result == CTL_OK && !options->json) {
        puts("no longer draining");
    }
    ctl_answer_fini(&answer);
    return result;
}
