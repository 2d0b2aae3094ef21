/* Reads a tree into struct config by the table's rows, with defaults, and frees what it filled. */
#include "bind.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "suggest.h"
#include "value.h"

/* The mapping being bound: its rows are those under `prefix` of `scope`. */
struct place {
    const struct config_scope *scope;
    const char *prefix; /* path within the scope */
    const char *path;   /* path from the root, as problems show it */
    void *base;
};

struct binding {
    const struct config_node *root;
    struct config_problems *problems; /* NULL: silent */
};

static void bind_mapping(const struct binding *b, const struct place *at,
                         const struct config_node *node);

void *config_item_at(const struct config_row *row, const void *base, size_t i) {
    char *items;

    memcpy(&items, (const char *)base + row->offset, sizeof items);
    return items + i * row->scope->size_bytes;
}

size_t config_item_count(const struct config_row *row, const void *base) {
    size_t count;

    memcpy(&count, (const char *)base + row->count_offset, sizeof count);
    return count;
}

static bool has_items(const struct config_row *row) {
    return row->type == CONFIG_TYPE_LIST || row->type == CONFIG_TYPE_NAMED;
}

static void free_items(const struct config_row *row, void *base) {
    size_t count = config_item_count(row, base);
    void *none = NULL;

    for (size_t i = 0; i < count; i++) {
        config_scope_fini(row->scope, config_item_at(row, base, i));
    }
    if (count > 0) {
        mem_free(config_item_at(row, base, 0));
    }
    count = 0;
    memcpy((char *)base + row->offset, &none, sizeof none);
    memcpy((char *)base + row->count_offset, &count, sizeof count);
}

void config_scope_fini(const struct config_scope *scope, void *base) {
    for (size_t i = 0; i < scope->count; i++) {
        const struct config_row *row = &scope->rows[i];

        if (row->type == CONFIG_TYPE_STRUCT) {
            config_scope_fini(row->scope, (char *)base + row->offset);
        } else if (has_items(row)) {
            free_items(row, base);
        } else {
            config_value_fini(row, base);
        }
    }
    if (scope == &CONFIG_POLICY) {
        struct config_policy *policy = base;
        char *type = (char *)policy->type; /* owned; const for readers only */
        mem_free(type);
        policy->type = NULL;
    }
}

/* The node of a default: a plain scalar or a flow list. */
static struct config_node *parse_default(const char *text, struct config_problems *problems) {
    struct config_node *root, *list;
    char document[256];
    int len;

    if (*text != '[') {
        root = mem_zalloc(sizeof *root);
        root->file = "";
        root->text = mem_strdup(text);
        root->plain = true;
        return root;
    }
    len = snprintf(document, sizeof document, "x: %s", text);
    root = config_tree_parse("", document, (size_t)len, problems);
    assert(root != NULL && root->count == 1);
    list = root->entries[0].value;
    root->entries[0].value = NULL;
    config_tree_destroy(&root);
    return list;
}

/* Reads a default as if the file had it. The defaults of the table are valid. */
static void set_defaults(const struct config_scope *scope, void *base) {
    struct config_problems problems = {0};

    for (size_t i = 0; i < scope->count; i++) {
        const struct config_row *row = &scope->rows[i];

        if (row->type == CONFIG_TYPE_STRUCT) {
            set_defaults(row->scope, (char *)base + row->offset);
        }
        if (row->fallback == NULL || has_items(row)) {
            continue;
        }
        struct config_node *node = parse_default(row->fallback, &problems);
        config_value_read(row, node, row->path, base, &problems);
        config_tree_destroy(&node);
    }
    assert(problems.count == 0);
}

static bool expect_kind(const struct binding *b, const struct config_node *node,
                        enum config_node_kind kind, const char *path) {
    if (node->kind == kind) {
        return true;
    }
    if (!node->refused) {
        config_problems_add(b->problems, node->file, node->line, path, "expected a %s",
                            kind == CONFIG_NODE_LIST ? "list" : "mapping of keys");
    }
    return false;
}

static void bind_list(const struct binding *b, const struct config_row *row,
                      const struct config_node *node, const struct place *at, const char *path) {
    char *items;

    if (!expect_kind(b, node, CONFIG_NODE_LIST, path) || node->count == 0) {
        return;
    }
    items = mem_calloc(node->count, row->scope->size_bytes);
    memcpy((char *)at->base + row->offset, &items, sizeof items);
    memcpy((char *)at->base + row->count_offset, &node->count, sizeof node->count);
    for (size_t i = 0; i < node->count; i++) {
        char item_path[CONFIG_MAX_PATH_BYTES];
        struct place item = {row->scope, "", item_path, config_item_at(row, at->base, i)};

        config_path_item(item_path, path, i);
        set_defaults(row->scope, item.base);
        if (expect_kind(b, node->entries[i].value, CONFIG_NODE_MAP, item_path)) {
            bind_mapping(b, &item, node->entries[i].value);
        }
    }
}

/* Every type starts with the values of `default`, bound a second time without reporting. */
static void bind_policy(const struct binding *b, const struct config_entry *entry,
                        struct config_policy *policy, const char *path) {
    const struct binding silent = {b->root, NULL};
    const struct config_node *shared = config_node_get(b->root, str_of("default"));
    const struct place at = {&CONFIG_POLICY, "", path, policy};
    const char *wrong = config_check_resource_type(entry->key);

    policy->type = mem_strdup(entry->key);
    set_defaults(&CONFIG_POLICY, policy);
    if (shared != NULL && shared->kind == CONFIG_NODE_MAP) {
        bind_mapping(&silent, &at, shared);
    }
    if (wrong != NULL) {
        config_problems_add(b->problems, entry->value->file, entry->value->line, path,
                            "expected %s", wrong);
    }
    if (config_node_is_null(entry->value)) {
        return;
    }
    if (expect_kind(b, entry->value, CONFIG_NODE_MAP, path)) {
        bind_mapping(b, &at, entry->value);
    }
}

static void bind_named(const struct binding *b, const struct config_row *row,
                       const struct config_node *node, const struct place *at, const char *path) {
    struct config_policy *policies;

    if (config_node_is_null(node) || !expect_kind(b, node, CONFIG_NODE_MAP, path) ||
        node->count == 0) {
        return;
    }
    policies = mem_calloc(node->count, row->scope->size_bytes);
    memcpy((char *)at->base + row->offset, &policies, sizeof policies);
    memcpy((char *)at->base + row->count_offset, &node->count, sizeof node->count);
    for (size_t i = 0; i < node->count; i++) {
        char type_path[CONFIG_MAX_PATH_BYTES];

        config_path_name(type_path, path, node->entries[i].key);
        bind_policy(b, &node->entries[i], &policies[i], type_path);
    }
}

static void bind_section(const struct binding *b, const struct config_row *row,
                         const struct config_node *node, const struct place *at, const char *path) {
    const struct place section = {at->scope, row->path, path, at->base};
    bool there = !config_node_is_null(node);

    if (there && !expect_kind(b, node, CONFIG_NODE_MAP, path)) {
        return;
    }
    if (row->present) {
        memcpy((char *)at->base + row->offset, &there, sizeof there);
    }
    if (there) {
        bind_mapping(b, &section, node);
    }
}

static void bind_row(const struct binding *b, const struct config_row *row,
                     const struct config_node *node, const struct place *at, const char *path) {
    const struct place inner = {row->scope, "", path, (char *)at->base + row->offset};

    switch (row->type) {
    case CONFIG_TYPE_SECTION:
        bind_section(b, row, node, at, path);
        break;
    case CONFIG_TYPE_STRUCT:
        if (!config_node_is_null(node) && expect_kind(b, node, CONFIG_NODE_MAP, path)) {
            bind_mapping(b, &inner, node);
        }
        break;
    case CONFIG_TYPE_LIST:
        bind_list(b, row, node, at, path);
        break;
    case CONFIG_TYPE_NAMED:
        bind_named(b, row, node, at, path);
        break;
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_COUNT:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_SIZE:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_FLAG:
    case CONFIG_TYPE_STRINGS:
        config_value_read(row, node, path, at->base, b->problems);
        break;
    }
}

static void report_unknown(const struct binding *b, const struct place *at,
                           const struct config_node *node) {
    for (size_t i = 0; i < node->count; i++) {
        const struct config_entry *entry = &node->entries[i];
        char path[CONFIG_MAX_PATH_BYTES], quoted[CONFIG_QUOTE_BYTES];
        const char *nearest;

        if (config_row_find(at->scope, at->prefix, entry->key) != NULL) {
            continue;
        }
        nearest = config_suggest(at->scope, at->prefix, entry->key);
        config_path_name(path, at->path, config_quote(entry->key, quoted));
        config_problems_add(b->problems, entry->value->file, entry->value->line, path,
                            nearest != NULL ? "unknown key; is \"%s\" meant?" : "unknown key%s",
                            nearest != NULL ? nearest : "");
    }
}

/* In the order of the table: `default` precedes the types, which inherit from it. */
static void bind_mapping(const struct binding *b, const struct place *at,
                         const struct config_node *node) {
    for (size_t i = 0; i < at->scope->count; i++) {
        const struct config_row *row = &at->scope->rows[i];
        const char *name = config_row_name(row, at->prefix);
        const struct config_node *child;
        char path[CONFIG_MAX_PATH_BYTES];

        if (name == NULL) {
            continue;
        }
        config_path_name(path, at->path, name);
        child = config_node_get(node, str_of(name));
        if (child != NULL && !child->refused) {
            bind_row(b, row, child, at, path);
        } else if (child == NULL && row->required) {
            config_problems_add(b->problems, node->file, node->line, path, "missing");
        }
    }
    report_unknown(b, at, node);
}

void config_bind(struct config *config, const struct config_node *root,
                 struct config_problems *problems) {
    const struct binding b = {root, problems};
    const struct place at = {&CONFIG_ROOT, "", "", config};

    set_defaults(&CONFIG_ROOT, config);
    config->default_policy.type = mem_strdup("other");
    bind_mapping(&b, &at, root);
}
