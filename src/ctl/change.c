/* Who asks for a change, and the request for it. */
#include "change.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

char *ctl_find_actor(void) {
    const char *sudo_user = getenv("SUDO_USER");
    const struct passwd *user;

    if (sudo_user != NULL && *sudo_user != '\0') {
        return mem_strdup(sudo_user);
    }
    user = getpwuid(getuid());
    return user != NULL ? mem_strdup(user->pw_name) : mem_printf("uid %ld", (long)getuid());
}

static void write_body(const struct ctl_change *change, struct buf *out) {
    char *actor = ctl_find_actor();
    struct jsonw w;

    jsonw_init(&w, out);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "actor", actor);
    if (change->reason != NULL) {
        jsonw_kcstr(&w, "reason", change->reason);
    }
    if (change->user_id != NULL) {
        jsonw_kcstr(&w, "userId", change->user_id);
    }
    jsonw_object_close(&w);
    mem_free(actor);
}

enum ctl_exit ctl_change(const struct ctl_options *options, const struct ctl_change *change,
                         struct ctl_answer *out) {
    struct ctl_daemon daemon;
    struct buf body;
    enum ctl_exit result;

    *out = (struct ctl_answer){0};
    buf_init(&out->body);
    buf_init(&body);
    write_body(change, &body);
    result = ctl_daemon_find(options, &daemon);
    if (result == CTL_OK) {
        const struct ctl_request request = {
            .method = change->method,
            .path = change->path,
            .body = buf_cstr(&body),
            .timeout_ms = CTL_CHANGE_MS,
        };
        result = ctl_daemon_request(&daemon, &request, change->subject, out);
    }
    if (options->json && out->json != NULL) {
        ctl_answer_print(out);
    }
    ctl_daemon_forget(&daemon);
    buf_fini(&body);
    return result;
}
