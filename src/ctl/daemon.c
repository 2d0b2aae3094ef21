/* Finds the operations endpoint, asks it, and turns its errors into messages and exits. */
#include "daemon.h"

#include <stdio.h>
#include <string.h>

#include "wslock/base/clock.h"
#include "wslock/base/file.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"
#include "wslock/wire/resource.h"

#include "text.h"

#define TOKEN_MAX_BYTES 4096

/* ---- where it is ---- */

static enum ctl_exit find_by_config(const struct ctl_options *options, struct ctl_daemon *out) {
    out->config = ctl_load_config(options);
    if (out->config == NULL) {
        return CTL_FAILED;
    }
    out->endpoint = (struct ctl_endpoint){out->config->ops.socket, out->config->ops.address,
                                          out->config->ops.port};
    if (out->config->ops.enabled &&
        (out->config->ops.socket != NULL || out->config->ops.port > 0)) {
        return CTL_OK;
    }
    ctl_complain("%s: ops has neither a socket nor a fixed port", options->config_file);
    return CTL_FAILED;
}

enum ctl_exit ctl_daemon_find(const struct ctl_options *options, struct ctl_daemon *out) {
    enum ctl_exit result = CTL_OK;

    *out = (struct ctl_daemon){.endpoint = {.unix_path = options->socket}};
    buf_init(&out->token);
    if (options->socket == NULL && options->config_file != NULL && options->state_dir == NULL) {
        result = find_by_config(options, out);
    } else if (options->socket == NULL) {
        char *dir = config_state_dir(options->state_dir);

        out->guessed = options->state_dir == NULL;
        out->path = mem_printf("%s/ops.sock", dir);
        out->endpoint.unix_path = out->path;
        mem_free(dir);
    }
    if (result == CTL_OK) {
        out->http = ctl_http_create(&out->endpoint);
    }
    return result;
}

void ctl_daemon_forget(struct ctl_daemon *daemon) {
    ctl_http_destroy(&daemon->http);
    config_destroy(&daemon->config);
    mem_free(daemon->path);
    buf_fini_secret(&daemon->token);
}

/* ---- a request ---- */

static enum ctl_exit read_token(struct ctl_daemon *daemon) {
    struct buf *token = &daemon->token;
    const char *why = NULL, *file = daemon->config->ops.token_file;

    if (file == NULL) {
        ctl_complain("ops has neither a socket nor a tokenFile");
        return CTL_FAILED;
    }
    if (!file_read(file, TOKEN_MAX_BYTES, token, &why)) {
        ctl_complain("ops.tokenFile: %s: %s", file, why);
        return CTL_MISSING;
    }
    while (token->len > 0 &&
           (token->data[token->len - 1] == '\n' || token->data[token->len - 1] == '\r')) {
        token->len--;
    }
    return CTL_OK;
}

static void complain_no_answer(const struct ctl_daemon *daemon, const char *text, const char *why) {
    const struct ctl_endpoint *endpoint = &daemon->endpoint;

    if (endpoint->unix_path != NULL) {
        ctl_complain("%s at %s: %s", text, endpoint->unix_path, why);
    } else {
        ctl_complain("%s at %s port %d: %s", text, endpoint->address, endpoint->port, why);
    }
    if (daemon->guessed) {
        ctl_complain("only wslockd --dev listens there: name another daemon's configuration "
                     "(--config /etc/wslockd/wslockd.yaml) or its --socket");
    }
}

static enum ctl_exit complain_unknown(const struct ctl_daemon *daemon,
                                      const struct ctl_request *request, const char *why) {
    complain_no_answer(daemon, "no answer from wslockd", why);
    if (strcmp(request->method, "GET") != 0) {
        ctl_complain("the daemon may have done it all the same: look before you try again");
    }
    return CTL_MISSING;
}

enum ctl_exit ctl_daemon_ask(struct ctl_daemon *daemon, const struct ctl_request *request,
                             int *status, struct buf *body) {
    struct ctl_request sent = *request;
    const char *why = NULL;

    sent.token = NULL;
    if (daemon->endpoint.unix_path == NULL && strncmp(request->path, "/v1/", 4) == 0) {
        const enum ctl_exit result = daemon->token.len == 0 ? read_token(daemon) : CTL_OK;

        if (result != CTL_OK) {
            return result;
        }
        sent.token = buf_cstr(&daemon->token);
    }
    switch (ctl_http_send(daemon->http, &sent, status, body, &why)) {
    case CTL_HTTP_ANSWERED:
        return CTL_OK;
    case CTL_HTTP_FORBIDDEN:
        complain_no_answer(daemon, "no right to use the socket of wslockd", why);
        return CTL_FORBIDDEN;
    case CTL_HTTP_UNREACHED:
        complain_no_answer(daemon, "no answer from wslockd", why);
        return CTL_MISSING;
    case CTL_HTTP_UNKNOWN:
        return complain_unknown(daemon, request, why);
    }
    return CTL_FAILED;
}

char *ctl_lock_path(const char *resource, const char *rest) {
    struct wire_resource parsed;

    if (!wire_resource_parse(str_of(resource), false, &parsed)) {
        ctl_complain("%s: a resource is type:id or type:id:child", resource);
        return NULL;
    }
    return mem_printf("/v1/locks/%s%s", resource, rest); /* nothing in it needs an escape */
}

/* ---- its answer ---- */

static enum ctl_exit exit_of(int status) {
    switch (status) {
    case 200:
        return CTL_OK;
    case 400:
        return CTL_USAGE;
    case 401:
    case 403:
        return CTL_FORBIDDEN;
    case 404:
        return CTL_NOT_FOUND;
    default:
        return CTL_FAILED;
    }
}

void ctl_answer_complain(const struct ctl_answer *answer, const char *subject) {
    const json_t *error = json_object_get(answer->json, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *separator = subject != NULL ? ": " : "";

    subject = subject != NULL ? subject : "";
    if (message != NULL) {
        ctl_complain("%s%s%s", subject, separator, message);
    } else {
        ctl_complain("%s%san answer with status %d: is this the operations endpoint of wslockd?",
                     subject, separator, answer->status);
    }
}

enum ctl_exit ctl_daemon_request(struct ctl_daemon *daemon, const struct ctl_request *request,
                                 const char *subject, struct ctl_answer *out) {
    enum ctl_exit result;

    *out = (struct ctl_answer){0};
    buf_init(&out->body);
    result = ctl_daemon_ask(daemon, request, &out->status, &out->body);
    if (result != CTL_OK) {
        return result;
    }
    out->json = jsonr_object((struct str){out->body.data, out->body.len}, NULL);
    if (out->json != NULL && out->status == 200) {
        return CTL_OK;
    }
    if (subject != NULL) {
        ctl_answer_complain(out, subject);
    }
    return out->status == 200 ? CTL_FAILED : exit_of(out->status);
}

void ctl_answer_fini(struct ctl_answer *answer) {
    json_decref(answer->json);
    buf_fini(&answer->body);
}

int64_t ctl_answer_now(const struct ctl_answer *answer) {
    const int64_t now_ms = ctl_number(answer->json, "now");

    return now_ms > 0 ? now_ms : clock_wall_ms();
}

void ctl_answer_print(const struct ctl_answer *answer) {
    fwrite(answer->body.data, 1, answer->body.len, stdout);
    putchar('\n');
}
