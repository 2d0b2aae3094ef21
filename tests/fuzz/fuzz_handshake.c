/* Any bytes as a request: where its head ends does not depend on how it came, what is read of it
 * lies in it, and what is shown of it is short and printable. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/net/handshake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

static enum http_head_state scan(struct str bytes, size_t step, size_t *at) {
    struct http_head_scan s = {0};
    enum http_head_state state = HTTP_HEAD_MORE;

    for (size_t have = 0; state == HTTP_HEAD_MORE && have < bytes.len;) {
        have = bytes.len - have < step ? bytes.len : have + step;
        state = http_head_scan(&s, (struct str){bytes.p, have});
    }
    *at = s.at;
    return state;
}

static void require_inside(struct str part, struct str whole) {
    require(part.len == 0 || (part.p >= whole.p && part.p + part.len <= whole.p + whole.len));
}

static void check_head(struct str text) {
    static char *origins[] = {"https://editor.example.org", "null"};
    static const struct config config = {
        .paths.native = "/ws",
        .allowed_origins = {origins, 2, true},
    };
    char shown[HANDSHAKE_ORIGIN_TEXT], path[64], accept[HANDSHAKE_ACCEPT_BYTES];
    struct http_head head;

    if (!http_head_parse(text, &head)) {
        return;
    }
    require_inside(head.method, text);
    require_inside(head.path, text);
    require_inside(head.query, text);
    require_inside(head.fields, text);
    if (http_head_persists(&head)) {
        require(str_eqz(head.version, "HTTP/1.1"));
    }
    handshake_origin_text(&head, shown);
    for (const char *p = shown; *p != '\0'; p++) {
        require(*p >= ' ' && *p < 0x7f);
    }
    struct str rest = head.fields, value, token;
    while (http_head_next(&rest, "Cookie", &value)) {
        require_inside(value, text);
        while (handshake_next_cookie(&value, "tok", &token)) {
            require_inside(token, text);
        }
    }
    if (http_url_decode(head.path, false, path, sizeof path) &&
        handshake_check(&config, &head, str_of(path)) == HANDSHAKE_OK) {
        require(str_eqz(head.method, "GET") && strcmp(path, "/ws") == 0);
        require(!http_head_has_body(&head) && http_head_is_addressed(&head));
        require(http_head_lists(&head, "Sec-WebSocket-Protocol", "wslock.v1"));
        handshake_accept(http_head_first(&head, "Sec-WebSocket-Key"), accept);
        require(strlen(accept) == HANDSHAKE_ACCEPT_BYTES - 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    size_t at, again;
    char *copy = malloc(size + 1);

    require(copy != NULL);
    memcpy(copy, data, size);
    struct str bytes = {copy, size};
    enum http_head_state state = scan(bytes, size + 1, &at);
    require(at <= size);
    require(scan(bytes, 1, &again) == state && again == at);
    require(scan(bytes, 5, &again) == state && again == at);
    if (state == HTTP_HEAD_WHOLE) {
        check_head((struct str){copy, at});
    }
    free(copy);
    return 0;
}
