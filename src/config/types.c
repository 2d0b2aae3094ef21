/* Handles of the resource types' policies, which a reload keeps. */
#include <string.h>

#include "wslock/base/list.h"
#include "wslock/base/mem.h"
#include "wslock/config/config.h"

struct named_type {
    struct list node;
    struct config_resource_type type; /* its policy is the default's while the type is not named */
    bool named;
    char name[];
};

struct config_types {
    const struct config *config;
    struct config_resource_type other;
    struct list named; /* ever named, since the start */
};

static struct named_type *find(const struct config_types *types, struct str name) {
    LIST_FOREACH_ENTRY(struct named_type, n, node, &types->named) {
        if (str_eqz(name, n->name)) {
            return n;
        }
    }
    return NULL;
}

static struct named_type *add(struct config_types *types, const char *name) {
    size_t size = strlen(name) + 1;
    struct named_type *n = mem_zalloc(sizeof *n + size);

    memcpy(n->name, name, size);
    list_push_back(&types->named, &n->node);
    return n;
}

void config_types_reload(struct config_types *types) {
    const struct config *c = types->config;

    types->other.policy = &c->default_policy;
    LIST_FOREACH_ENTRY(struct named_type, n, node, &types->named) {
        n->type.policy = &c->default_policy;
        n->named = false;
    }
    for (size_t i = 0; i < c->type_count; i++) {
        struct named_type *n = find(types, str_of(c->types[i].type));
        if (n == NULL) {
            n = add(types, c->types[i].type);
        }
        n->type.policy = &c->types[i];
        n->named = true;
    }
}

struct config_types *config_types_create(const struct config *c) {
    struct config_types *types = mem_zalloc(sizeof *types);

    types->config = c;
    list_init(&types->named);
    config_types_reload(types);
    return types;
}

void config_types_destroy(struct config_types **types) {
    if (*types == NULL) {
        return;
    }
    LIST_FOREACH_ENTRY(struct named_type, n, node, &(*types)->named) {
        mem_free(n);
    }
    mem_free(*types);
    *types = NULL;
}

const struct config_resource_type *config_types_find(const struct config_types *types,
                                                     struct str type) {
    const struct named_type *n = find(types, type);

    if (n != NULL && n->named) {
        return &n->type;
    }
    return types->config->reject_unknown_types ? NULL : &types->other;
}
