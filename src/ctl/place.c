/* Finds the operations endpoint. */
#include "place.h"

#include "wslock/base/mem.h"

bool ctl_place_find(const struct ctl_options *options, struct ctl_place *out) {
    struct buf b;

    *out = (struct ctl_place){.endpoint = {.unix_path = options->socket}};
    if (options->socket != NULL) {
        return true;
    }
    if (options->config_file != NULL && options->state_dir == NULL) {
        out->config = ctl_load_config(options);
        if (out->config == NULL) {
            return false;
        }
        out->endpoint = (struct ctl_endpoint){out->config->ops.socket, out->config->ops.address,
                                              out->config->ops.port};
        if (out->config->ops.enabled &&
            (out->config->ops.socket != NULL || out->config->ops.port > 0)) {
            return true;
        }
        ctl_complain("%s: ops has neither a socket nor a fixed port", options->config_file);
        return false;
    }
    out->guessed = options->state_dir == NULL;
    out->path = config_state_dir(options->state_dir);
    buf_init(&b);
    buf_printf(&b, "%s/ops.sock", out->path);
    mem_free(out->path);
    buf_cstr(&b);
    out->path = b.data;
    out->endpoint.unix_path = out->path;
    return true;
}

void ctl_place_forget(struct ctl_place *place) {
    config_destroy(&place->config);
    mem_free(place->path);
}

bool ctl_place_ask(const struct ctl_place *place, const struct ctl_request *request, int *status,
                   struct buf *body) {
    const struct ctl_endpoint *endpoint = &place->endpoint;
    const char *why = NULL;

    if (ctl_http(endpoint, request, status, body, &why)) {
        return true;
    }
    if (endpoint->unix_path != NULL) {
        ctl_complain("no answer from wslockd at %s: %s", endpoint->unix_path, why);
    } else {
        ctl_complain("no answer from wslockd at %s port %d: %s", endpoint->address, endpoint->port,
                     why);
    }
    if (place->guessed) {
        ctl_complain("only wslockd --dev listens there: name another daemon's configuration "
                     "(--config /etc/wslockd/wslockd.yaml) or its --socket");
    }
    return false;
}
