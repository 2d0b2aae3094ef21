/* `wslockctl reload`: has the daemon read its configuration again, and waits until that is done. */
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>

#include "wslock/base/file.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

#include "ctl.h"
#include "place.h"

/* Longer than the daemon waits for its audit. */
#define RELOAD_MS 15000
#define TOKEN_MAX_BYTES 4096

/* {"actor": the user's name}; the audit also has the uid. */
static void write_body(struct buf *out) {
    const struct passwd *user = getpwuid(getuid());
    char uid[32];
    struct jsonw w;

    (void)snprintf(uid, sizeof uid, "uid %ld", (long)getuid());
    jsonw_init(&w, out);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "actor", user != NULL ? user->pw_name : uid);
    jsonw_object_close(&w);
    buf_cstr(out);
}

/* For an endpoint on TCP. False after a message. */
static bool read_token(const struct ctl_place *place, struct buf *out) {
    const char *why = NULL, *file;

    if (place->endpoint.unix_path != NULL) {
        return true;
    }
    file = place->config->ops.token_file;
    if (file == NULL) {
        ctl_complain("ops has neither a socket nor a tokenFile");
        return false;
    }
    if (!file_read(file, TOKEN_MAX_BYTES, out, &why)) {
        ctl_complain("ops.tokenFile: %s: %s", file, why);
        return false;
    }
    while (out->len > 0 && (out->data[out->len - 1] == '\n' || out->data[out->len - 1] == '\r')) {
        out->len--;
    }
    return true;
}

static void print_findings(const json_t *findings, const char *kind) {
    for (size_t i = 0; i < json_array_size(findings); i++) {
        const json_t *finding = json_array_get(findings, i);
        const char *file = json_string_value(json_object_get(finding, "file"));
        const char *key = json_string_value(json_object_get(finding, "key"));
        const char *message = json_string_value(json_object_get(finding, "message"));
        json_int_t line = json_integer_value(json_object_get(finding, "line"));

        fputs(file != NULL ? file : "?", stderr);
        if (line > 0) {
            fprintf(stderr, ":%" JSON_INTEGER_FORMAT, line);
        }
        fprintf(stderr, ": %s%s%s%s\n", key != NULL ? key : "", key != NULL ? ": " : "", kind,
                message != NULL ? message : "?");
    }
}

static void print_answer(const json_t *answer, int status) {
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));

    print_findings(json_object_get(error, "problems"), "");
    print_findings(json_object_get(answer, "warnings"), "warning: ");
    if (status == 200) {
        puts("reloaded");
    } else {
        ctl_complain("%s", message != NULL ? message : "the daemon gave no reason");
    }
}

static enum ctl_exit take_answer(const struct ctl_options *options, const struct buf *body,
                                 int status) {
    json_t *answer = jsonr_object((struct str){body->data, body->len}, NULL);

    if (answer == NULL) {
        ctl_complain("/v1/reload answered %d: is this the operations endpoint of wslockd?", status);
        return CTL_FAILED;
    }
    if (options->json) {
        json_dumpf(answer, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_answer(answer, status);
    }
    json_decref(answer);
    return status == 200 ? CTL_OK : CTL_FAILED;
}

enum ctl_exit ctl_reload(const struct ctl_options *options) {
    enum ctl_exit result = CTL_FAILED;
    struct ctl_place place;
    struct buf token, body, answer;
    int status = 0;

    buf_init(&token);
    buf_init(&body);
    buf_init(&answer);
    write_body(&body);
    if (ctl_place_find(options, &place) && read_token(&place, &token)) {
        const struct ctl_request request = {
            .method = "POST",
            .path = "/v1/reload",
            .token = token.len > 0 ? buf_cstr(&token) : NULL,
            .body = body.data,
            .timeout_ms = RELOAD_MS,
        };
        if (ctl_place_ask(&place, &request, &status, &answer)) {
            result = take_answer(options, &answer, status);
        }
    }
    ctl_place_forget(&place);
    buf_fini_secret(&token);
    buf_fini(&body);
    buf_fini(&answer);
    return result;
}
