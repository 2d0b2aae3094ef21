/* Rules for the listeners. */
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "rules.h"

static void item_path(char out[CONFIG_MAX_PATH_BYTES], size_t i, const char *name) {
    (void)snprintf(out, CONFIG_MAX_PATH_BYTES, "listen[%zu]%s", i, name);
}

static void check_transport(const struct config_rules *r, size_t i) {
    const struct config_listen *listen = &r->config->listen[i];
    char path[CONFIG_MAX_PATH_BYTES];

    if (listen->tls && listen->plaintext) {
        item_path(path, i, ".plaintext");
        config_rules_complain(r, path, "with tls there is no plain text");
    } else if (!listen->tls && !listen->plaintext) {
        item_path(path, i, "");
        config_rules_complain(r, path, "needs tls, or plaintext: true");
    }
}

static void check_place(const struct config_rules *r, size_t i) {
    const struct config_listen *listen = &r->config->listen[i];
    char path[CONFIG_MAX_PATH_BYTES];

    if (listen->systemd_socket)
        return;
    item_path(path, i, ".address");
    if (!config_rules_given(r, path) || config_node_is_null(config_tree_find(r->root, path)))
        config_rules_complain(r, path, "needed without systemdSocket");
    item_path(path, i, ".port");
    if (!config_rules_given(r, path))
        config_rules_complain(r, path, "needed without systemdSocket");
}

static bool same_text(const char *a, const char *b) {
    return a && b && strcmp(a, b) == 0;
}

static bool same_place(const struct config_listen *a, const struct config_listen *b) {
    if (a->systemd_socket || b->systemd_socket)
        return same_text(a->systemd_socket, b->systemd_socket);
    return a->port != 0 && a->port == b->port && same_text(a->address, b->address);
}

static void check_twins(const struct config_rules *r, size_t i) {
    const struct config *c = r->config;
    char path[CONFIG_MAX_PATH_BYTES];

    item_path(path, i, "");
    for (size_t j = 0; j < i; j++) {
        if (!same_place(&c->listen[j], &c->listen[i]))
            continue;
        config_rules_complain(r, path, "the same place as listen[%zu]", j);
        return;
    }
    if (c->ops.enabled && !c->listen[i].systemd_socket && c->ops.port != 0 &&
        c->ops.port == c->listen[i].port && same_text(c->ops.address, c->listen[i].address))
        config_rules_complain(r, path, "the same place as ops");
}

/* `::`, however it is written. */
static bool is_any_ipv6(const char *address) {
    return address && strchr(address, ':') && address[strspn(address, ":0")] == '\0';
}

static bool is_ipv4_on(const char *address, int port, const struct config_listen *listen) {
    return address && !strchr(address, ':') && port != 0 && port == listen->port;
}

static bool has_ipv4_neighbour(const struct config *c, const struct config_listen *listen) {
    if (c->ops.enabled && is_ipv4_on(c->ops.address, c->ops.port, listen))
        return true;
    for (size_t i = 0; i < c->listen_count; i++)
        if (!c->listen[i].systemd_socket &&
            is_ipv4_on(c->listen[i].address, c->listen[i].port, listen))
            return true;
    return false;
}

/* A socket on `::` that takes IPv4 too cannot be where one for IPv4 is. */
static void complete_ipv6_only(const struct config_rules *r, size_t i) {
    struct config_listen *listen = &r->config->listen[i];
    char path[CONFIG_MAX_PATH_BYTES];

    if (listen->ipv6_only || listen->systemd_socket || !is_any_ipv6(listen->address) ||
        !has_ipv4_neighbour(r->config, listen))
        return;
    item_path(path, i, ".ipv6Only");
    if (config_rules_given(r, path))
        config_rules_complain(r, path, "another listener has the port for IPv4: needs true");
    listen->ipv6_only = true;
}

/* A single address gets the prefix length of one. */
static void complete_networks(struct config_strings *networks) {
    for (size_t i = 0; i < networks->count; i++) {
        char **text = &networks->items[i];
        const char *suffix = strchr(*text, ':') ? "/128" : "/32";
        size_t len = strlen(*text);

        if (strchr(*text, '/'))
            continue;
        *text = mem_realloc(*text, len + strlen(suffix) + 1);
        memcpy(*text + len, suffix, strlen(suffix) + 1);
    }
}

static bool is_mapping(const struct config_rules *r, size_t i) {
    char path[CONFIG_MAX_PATH_BYTES];
    const struct config_node *node;

    item_path(path, i, "");
    node = config_tree_find(r->root, path);
    return node && node->kind == CONFIG_NODE_MAP;
}

void config_check_listen(const struct config_rules *r) {
    struct config *c = r->config;
    const struct config_node *node = config_tree_find(r->root, "listen");

    if (node && node->kind == CONFIG_NODE_LIST && c->listen_count == 0)
        config_rules_complain(r, "listen", "one listener is needed at least");
    for (size_t i = 0; i < c->listen_count; i++) {
        if (!is_mapping(r, i))
            continue; /* told already */
        check_transport(r, i);
        check_place(r, i);
        check_twins(r, i);
        complete_ipv6_only(r, i);
        complete_networks(&c->listen[i].trusted_proxies);
    }
}
