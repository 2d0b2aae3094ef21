/* The parameters of requests that read or choose. */
#include "ops_query.h"

#include <stdio.h>

#include "ops.h"
#include "wslock/session/inspect.h"

static const char *const NAMES[OPS_PARAMETERS] = {
    [OPS_TYPE] = "type",   [OPS_USER] = "user",     [OPS_SEARCH] = "search", [OPS_AFTER] = "after",
    [OPS_LIMIT] = "limit", [OPS_FOLLOW] = "follow", [OPS_ACTOR] = "actor",
};

static void refuse(struct http_response *response, const char *text) {
    http_error(response, 400, "INVALID_ARGUMENT", text);
}

/* OPS_PARAMETERS: there is none of this name. */
static enum ops_parameter find(unsigned takes, struct str name) {
    for (size_t i = 0; i < OPS_PARAMETERS; i++) {
        if ((takes & OPS_TAKES(i)) != 0 && str_eqz(name, NAMES[i])) {
            return (enum ops_parameter)i;
        }
    }
    return OPS_PARAMETERS;
}

static void refuse_unknown(struct http_response *response, unsigned takes) {
    char text[160];
    int len = snprintf(text, sizeof text, "the query has an unknown parameter; this path has");
    for (size_t i = 0; i < OPS_PARAMETERS; i++) {
        if ((takes & OPS_TAKES(i)) != 0) {
            len += snprintf(text + len, sizeof text - (size_t)len, " %s", NAMES[i]);
        }
    }
    refuse(response, text);
}

static bool read_one(enum ops_parameter p, struct str value, struct ops_query *out,
                     struct http_response *response) {
    char text[96];
    if (out->value[p][0] != '\0') {
        snprintf(text, sizeof text, "%s is given twice", NAMES[p]);
        refuse(response, text);
        return false;
    }
    if (!http_url_decode(value, true, out->value[p], sizeof out->value[p]) ||
        out->value[p][0] == '\0' || !utf8_valid(out->value[p], strlen(out->value[p])) ||
        (p != OPS_AFTER && strlen(out->value[p]) > OPS_VALUE_MAX)) {
        snprintf(text, sizeof text, "%s must be 1 to %d bytes of UTF-8, percent-encoded", NAMES[p],
                 OPS_VALUE_MAX);
        refuse(response, text);
        return false;
    }
    return true;
}

static bool read_limit(struct ops_query *out, struct http_response *response) {
    const char *p = out->value[OPS_LIMIT];
    out->limit = *p == '\0' ? OPS_LIMIT_DEFAULT : 0;
    for (; *p >= '0' && *p <= '9' && out->limit <= OPS_LIMIT_MAX; p++) {
        out->limit = out->limit * 10 + (*p - '0');
    }
    if (*p != '\0' || out->limit < 1 || out->limit > OPS_LIMIT_MAX) {
        refuse(response, "limit must be a number from 1 to 1000");
        return false;
    }
    return true;
}

bool ops_read_query(const struct http_request *request, unsigned takes, struct ops_query *out,
                    struct http_response *response) {
    struct str rest = request->query, part, name;
    memset(out, 0, sizeof *out);
    while (http_list_next(&rest, '&', &part)) {
        if (part.len == 0) {
            continue;
        }
        if (!str_cut(&part, '=', &name)) {
            name = part;
            part = (struct str){NULL, 0};
        }
        enum ops_parameter p = find(takes, name);
        if (p == OPS_PARAMETERS) {
            refuse_unknown(response, takes);
            return false;
        }
        if (!read_one(p, part, out, response)) {
            return false;
        }
    }
    return read_limit(out, response);
}

bool ops_record_query(const struct http_request *request, const struct ops_query *q,
                      struct str resource, const char *what, struct http_response *response) {
    struct lock_operation by = {.actor = ops_value(q, OPS_ACTOR), .uid = -1};
    char address[ADDRESS_TEXT_MAX];
    struct buf text;
    buf_init(&text);
    buf_append_str(&text, what);
    for (size_t i = 0; i < OPS_PARAMETERS; i++) {
        if (q->value[i][0] != '\0' && i != OPS_ACTOR) {
            buf_printf(&text, " %s=%s", NAMES[i], q->value[i]);
        }
    }
    ops_read_origin(request->conn, address, &by);
    bool ok = gateway_record_query(request->conn->net->gateway, &by, resource, buf_cstr(&text));
    buf_fini(&text);
    if (!ok) {
        http_error(response, 503, "AUDIT_UNAVAILABLE",
                   "the audit cannot be written, and nothing is read without it");
    }
    return ok;
}
