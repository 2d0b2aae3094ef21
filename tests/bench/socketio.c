#include "socketio.h"

#include <string.h>

/* Goes behind `head`, if the text begins with it. */
static bool skip(const char **at, const char *end, const char *head) {
    size_t len = strlen(head);
    if ((size_t)(end - *at) < len || memcmp(*at, head, len) != 0) {
        return false;
    }
    *at += len;
    return true;
}

static enum socketio_kind name_ends(const char *at, const char *end, bool is_reply,
                                    struct socketio_message *m) {
    const char *quote = memchr(at, '"', (size_t)(end - at));
    if (quote == NULL) {
        return SOCKETIO_UNKNOWN;
    }
    *m = (struct socketio_message){at, (size_t)(quote - at), is_reply};
    return SOCKETIO_MESSAGE;
}

enum socketio_kind socketio_parse(const char *text, size_t len, struct socketio_message *m) {
    const char *at = text, *end = text + len;
    if (len == 1 && *text == '2') {
        return SOCKETIO_PING;
    }
    if (skip(&at, end, "0{")) {
        return SOCKETIO_OPEN;
    }
    if (skip(&at, end, "40")) {
        return SOCKETIO_CONNECTED;
    }
    if (skip(&at, end, "42[\"")) {
        return name_ends(at, end, false, m);
    }
    if (!skip(&at, end, "43")) {
        return SOCKETIO_UNKNOWN;
    }
    while (at < end && *at >= '0' && *at <= '9') {
        at++;
    }
    return skip(&at, end, "[{\"reply\":\"") ? name_ends(at, end, true, m) : SOCKETIO_UNKNOWN;
}
