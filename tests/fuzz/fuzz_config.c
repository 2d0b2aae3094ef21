/* Any bytes as a configuration: what loads is printed as something that loads as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds) {
    if (!holds) {
        abort();
    }
}

/* A problem has a line that the text can have, and texts without control characters. */
static void on_problem(void *ctx, const char *file, int line, const char *key, const char *text) {
    require(strcmp(file, "fuzz") == 0);
    require(line >= 0 && (size_t)line <= *(const size_t *)ctx + 2);
    require(*text != '\0');
    for (const char *p = key; *p; p++) {
        require((unsigned char)*p >= 0x20);
    }
    for (const char *p = text; *p; p++) {
        require((unsigned char)*p >= 0x20);
    }
}

static void check_loaded(const struct config *c) {
    size_t any_line = 100000;
    struct buf first, second;
    struct config *again;

    buf_init(&first);
    buf_init(&second);
    config_print(c, &first);
    again = config_load_text("fuzz", first.data, first.len, on_problem, &any_line);
    require(again != NULL);
    config_print(again, &second);
    require(strcmp(buf_cstr(&first), buf_cstr(&second)) == 0);
    buf_fini(&first);
    buf_fini(&second);
    config_destroy(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    /* In front of an input that starts with a comment, so that what it says about other keys can
     * load. */
    static const char LEAST[] = "listen: [{address: 127.0.0.1, port: 0, plaintext: true}]\n"
                                "auth: {jwks: {file: /j}}\n"
                                "instance: fuzz\n";
    bool whole = size == 0 || data[0] != '#';
    struct config *c;
    struct buf text;

    buf_init(&text);
    buf_append_str(&text, whole ? "" : LEAST);
    buf_append(&text, data, size);
    c = config_load_text("fuzz", text.data, text.len, on_problem, &text.len);
    if (c != NULL) {
        check_loaded(c);
    }
    config_destroy(&c);
    buf_fini(&text);
    return 0;
}
