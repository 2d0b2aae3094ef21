/* Rules for the listeners. */
#include "rules_net.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

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

    if (listen->systemd_socket != NULL) {
        return;
    }
    item_path(path, i, ".address");
    if (!config_rules_given(r, path) || config_node_is_null(config_tree_find(r->root, path))) {
        config_rules_complain(r, path, "needed without systemdSocket");
    }
    item_path(path, i, ".port");
    if (!config_rules_given(r, path)) {
        config_rules_complain(r, path, "needed without systemdSocket");
    }
}

/* ---- listeners on the same address and port ---- */

struct endpoint {
    struct in6_addr address; /* IPv4 as IPv4-mapped IPv6 */
    int port;                /* 0: no conflict possible */
};

static struct endpoint endpoint_of(const char *address, int port) {
    struct endpoint p = {.port = port};
    uint8_t *bytes = p.address.s6_addr;

    if (address != NULL && inet_pton(AF_INET, address, bytes + 12) == 1) {
        bytes[10] = bytes[11] = 0xff;
    } else if (address == NULL || inet_pton(AF_INET6, address, bytes) != 1) {
        p = (struct endpoint){.port = 0};
    }
    return p;
}

static struct endpoint listen_endpoint(const struct config *c, size_t i) {
    const struct config_listen *listen = &c->listen[i];

    return endpoint_of(listen->systemd_socket != NULL ? NULL : listen->address, listen->port);
}

static struct endpoint ops_endpoint(const struct config *c) {
    return endpoint_of(c->ops.enabled ? c->ops.address : NULL, c->ops.port);
}

static bool is_ipv4(const struct endpoint *p) {
    return IN6_IS_ADDR_V4MAPPED(&p->address);
}

static bool is_any_ipv6(const struct endpoint *p) {
    return IN6_IS_ADDR_UNSPECIFIED(&p->address);
}

static bool is_every_address(const struct endpoint *p) {
    return is_any_ipv6(p) || (is_ipv4(p) && p->address.s6_addr32[3] == 0);
}

static bool same_port(const struct endpoint *a, const struct endpoint *b) {
    return a->port != 0 && a->port == b->port;
}

/* `::` does not conflict with IPv4: see complete_ipv6_only. */
static bool overlap(const struct endpoint *a, const struct endpoint *b) {
    return same_port(a, b) && is_ipv4(a) == is_ipv4(b) &&
           (IN6_ARE_ADDR_EQUAL(&a->address, &b->address) || is_every_address(a) ||
            is_every_address(b));
}

static bool same_socket(const struct config_listen *a, const struct config_listen *b) {
    return a->systemd_socket != NULL && b->systemd_socket != NULL &&
           strcmp(a->systemd_socket, b->systemd_socket) == 0;
}

static void complain_overlap(const struct config_rules *r, size_t i, const struct endpoint *mine,
                             const struct endpoint *other, const char *other_path) {
    char path[CONFIG_MAX_PATH_BYTES];

    item_path(path, i, "");
    if (IN6_ARE_ADDR_EQUAL(&mine->address, &other->address)) {
        config_rules_complain(r, path, "the same endpoint as %s", other_path);
    } else {
        config_rules_complain(r, path, "overlaps %s: one of them takes every address", other_path);
    }
}

static void check_twins(const struct config_rules *r, size_t i) {
    const struct config *c = r->config;
    const struct endpoint mine = listen_endpoint(c, i), ops = ops_endpoint(c);
    char other_path[CONFIG_MAX_PATH_BYTES];

    for (size_t j = 0; j < i; j++) {
        const struct endpoint other = listen_endpoint(c, j);

        if (!overlap(&mine, &other) && !same_socket(&c->listen[i], &c->listen[j])) {
            continue;
        }
        item_path(other_path, j, "");
        complain_overlap(r, i, &mine, &other, other_path);
        return;
    }
    if (overlap(&mine, &ops)) {
        complain_overlap(r, i, &mine, &ops, "ops");
    }
}

/* Whether the address is `::` and another listener uses the port on IPv4. */
static bool leaves_ipv4(const struct config *c, const struct endpoint *endpoint) {
    const struct endpoint ops = ops_endpoint(c);

    if (!is_any_ipv6(endpoint)) {
        return false;
    }
    if (is_ipv4(&ops) && same_port(&ops, endpoint)) {
        return true;
    }
    for (size_t i = 0; i < c->listen_count; i++) {
        const struct endpoint other = listen_endpoint(c, i);

        if (is_ipv4(&other) && same_port(&other, endpoint)) {
            return true;
        }
    }
    return false;
}

/* A socket on `::` must be IPv6-only if another socket has the port on IPv4. */
static void complete_ipv6_only(const struct config_rules *r, size_t i) {
    struct config_listen *listen = &r->config->listen[i];
    const struct endpoint endpoint = listen_endpoint(r->config, i);
    char path[CONFIG_MAX_PATH_BYTES];

    item_path(path, i, ".ipv6Only");
    if (listen->ipv6_only && is_ipv4(&endpoint) && strchr(listen->address, ':') != NULL) {
        config_rules_complain(r, path, "%s is an IPv4 address", listen->address);
    }
    if (listen->ipv6_only || !leaves_ipv4(r->config, &endpoint)) {
        return;
    }
    if (config_rules_given(r, path)) {
        config_rules_complain(r, path, "another listener has the port for IPv4: needs true");
    }
    listen->ipv6_only = true;
}

/* ---- the rules ---- */

/* Appends the full prefix length to a single address. */
static void complete_networks(struct config_strings *networks) {
    for (size_t i = 0; i < networks->count; i++) {
        char **text = &networks->items[i];
        const char *suffix = strchr(*text, ':') != NULL ? "/128" : "/32";
        size_t len = strlen(*text);

        if (strchr(*text, '/') != NULL) {
            continue;
        }
        *text = mem_realloc(*text, len + strlen(suffix) + 1);
        memcpy(*text + len, suffix, strlen(suffix) + 1);
    }
}

static bool is_mapping(const struct config_rules *r, size_t i) {
    char path[CONFIG_MAX_PATH_BYTES];
    const struct config_node *node;

    item_path(path, i, "");
    node = config_tree_find(r->root, path);
    return node != NULL && node->kind == CONFIG_NODE_MAP;
}

void config_check_listen(const struct config_rules *r) {
    struct config *c = r->config;
    const struct config_node *node = config_tree_find(r->root, "listen");
    const struct endpoint ops = ops_endpoint(c);

    c->ops.ipv6_only = leaves_ipv4(c, &ops);
    if (node != NULL && node->kind == CONFIG_NODE_LIST && c->listen_count == 0) {
        config_rules_complain(r, "listen", "one listener is needed at least");
    }
    for (size_t i = 0; i < c->listen_count; i++) {
        if (!is_mapping(r, i)) {
            continue; /* already reported */
        }
        check_transport(r, i);
        check_place(r, i);
        check_twins(r, i);
        complete_ipv6_only(r, i);
        complete_networks(&c->listen[i].trusted_proxies);
    }
}
