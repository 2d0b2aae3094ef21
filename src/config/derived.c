/* Values that depend on the first listener's port. */
#include "derived.h"

#include <unistd.h>

#include "wslock/base/mem.h"

static void set_instance(struct config *c, int port) {
    char host[65] = "";

    (void)gethostname(host, sizeof host - 1);
    mem_free(c->instance);
    c->instance = mem_printf("%s:%d", *host ? host : "localhost", port);
}

static void set_own_page(struct config *c, int port) {
    static const char *const HOSTS[] = {"127.0.0.1", "localhost", "[::1]"};
    struct config_strings *origins = &c->allowed_origins;

    for (size_t i = 0; i < origins->count; i++) {
        mem_free(origins->items[i]);
    }
    mem_free(origins->items);
    origins->items = mem_calloc(ARRAY_LEN(HOSTS), sizeof *origins->items);
    origins->count = 0;
    for (size_t i = 0; i < ARRAY_LEN(HOSTS); i++) {
        origins->items[origins->count++] =
            mem_printf("%s://%s:%d", c->listen[0].tls ? "https" : "http", HOSTS[i], port);
    }
}

static int first_port(const struct config *c) {
    return c->listen_count > 0 ? c->listen[0].port : 0;
}

void config_derive_instance(struct config *c) {
    if (c->instance != NULL) {
        return;
    }
    c->instance_derived = true;
    set_instance(c, first_port(c));
}

void config_derive_own_page(struct config *c) {
    c->own_page_derived = true;
    set_own_page(c, first_port(c));
}

void config_bound_port(struct config *c, int port) {
    if (first_port(c) != 0) {
        return;
    }
    if (c->instance_derived) {
        set_instance(c, port);
    }
    if (c->own_page_derived) {
        set_own_page(c, port);
    }
}
