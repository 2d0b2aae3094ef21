/* Any bytes as a resource id and as a clientId, against the protocol's own regular expressions. */
#include <regex.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/wire/resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

enum { PATTERN_TWO_PARTS, PATTERN_THREE_PARTS, PATTERN_CLIENT_ID, PATTERN_COUNT };

/* text is NUL-terminated; a NUL before size is in no id. Compiling costs far more than matching. */
static bool matches(int pattern, const char *text, size_t size) {
    static const char *const sources[PATTERN_COUNT] = {
        [PATTERN_TWO_PARTS] = "^[a-z][a-z0-9-]{0,63}:[A-Za-z0-9._~-]{1,128}$",
        [PATTERN_THREE_PARTS] =
            "^[a-z][a-z0-9-]{0,63}:[A-Za-z0-9._~-]{1,128}:[A-Za-z0-9._~-]{1,64}$",
        [PATTERN_CLIENT_ID] = "^[A-Za-z0-9_-]{8,64}$",
    };
    static regex_t compiled[PATTERN_COUNT];
    static bool ready;

    for (int i = 0; !ready && i < PATTERN_COUNT; i++) {
        require(regcomp(&compiled[i], sources[i], REG_EXTENDED | REG_NOSUB) == 0);
    }
    ready = true;
    return strlen(text) == size && regexec(&compiled[pattern], text, 0, NULL, 0) == 0;
}

static void check_parsed(const struct wire_resource *r, const char *text, size_t size,
                         bool three_parts) {
    struct wire_resource again;

    require(r->len <= WIRE_RESOURCE_MAX && strlen(r->text) == r->len);
    require(memcmp(r->text, text, size) == 0);
    require(three_parts ? r->len == size : strcmp(r->text + size, ":main") == 0);
    require(r->text[r->type_len] == ':' && r->text[r->document_len] == ':');
    require(r->type_len < r->document_len && r->document_len < r->len);
    require(wire_resource_parse(wire_resource_str(r), true, &again));
    require(strcmp(r->text, again.text) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct wire_resource r;
    char *text = malloc(size + 1);

    require(text != NULL);
    if (size > 0) {
        memcpy(text, data, size);
    }
    text[size] = '\0';
    bool has_two = matches(PATTERN_TWO_PARTS, text, size);
    bool has_three = matches(PATTERN_THREE_PARTS, text, size);

    struct str input = {(const char *)data, size};
    require(wire_resource_parse(input, false, &r) == (has_two || has_three));
    if (has_two || has_three) {
        check_parsed(&r, text, size, has_three);
    }
    require(wire_resource_parse(input, true, &r) == has_three);
    require(wire_client_id_valid(input) == matches(PATTERN_CLIENT_ID, text, size));
    free(text);
    return 0;
}
