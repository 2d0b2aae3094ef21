/* Access to the nodes of a tree: free, merge, look up a path. */
#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

struct config_node *config_node_get(const struct config_node *node, struct str key) {
    if (node->kind != CONFIG_NODE_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < node->count; i++) {
        if (str_eqz(key, node->entries[i].key)) {
            return node->entries[i].value;
        }
    }
    return NULL;
}

bool config_text_is_null(const char *plain) {
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};

    for (size_t i = 0; i < ARRAY_LEN(NULLS); i++) {
        if (strcmp(plain, NULLS[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool config_node_is_null(const struct config_node *node) {
    return node->kind == CONFIG_NODE_SCALAR && node->plain && config_text_is_null(node->text);
}

void config_tree_destroy(struct config_node **node) {
    struct config_node *n = *node;

    *node = NULL;
    if (n == NULL) {
        return;
    }
    if (n->text != NULL) {
        explicit_bzero(n->text, strlen(n->text));
    }
    mem_free(n->text);
    for (size_t i = 0; i < n->count; i++) {
        mem_free(n->entries[i].key);
        config_tree_destroy(&n->entries[i].value);
    }
    mem_free(n->entries);
    mem_free(n);
}

void config_tree_merge(struct config_node *base, struct config_node **over) {
    struct config_node *from = *over;

    *over = NULL;
    for (size_t i = 0; i < from->count; i++) {
        struct config_entry *entry = &from->entries[i];
        struct config_node *old = config_node_get(base, str_of(entry->key));

        if (old == NULL) {
            base->entries = mem_realloc(base->entries, (base->count + 1) * sizeof *base->entries);
            base->entries[base->count++] = *entry;
        } else if (old->kind == CONFIG_NODE_MAP && entry->value->kind == CONFIG_NODE_MAP) {
            config_tree_merge(old, &entry->value);
            mem_free(entry->key);
        } else {
            struct config_node swap = *old;
            *old = *entry->value;
            *entry->value = swap;
            config_tree_destroy(&entry->value);
            mem_free(entry->key);
        }
    }
    mem_free(from->entries);
    mem_free(from);
}

static void path_append(char out[CONFIG_MAX_PATH_BYTES], const char *path, const char *more) {
    size_t len = strnlen(path, CONFIG_MAX_PATH_BYTES - 1);
    size_t room = CONFIG_MAX_PATH_BYTES - 1 - len;
    size_t add = strnlen(more, room);

    memmove(out, path, len);
    memcpy(out + len, more, add);
    out[len + add] = '\0';
}

void config_path_name(char out[CONFIG_MAX_PATH_BYTES], const char *path, const char *name) {
    path_append(out, path, *path ? "." : "");
    path_append(out, out, name);
}

void config_path_item(char out[CONFIG_MAX_PATH_BYTES], const char *path, size_t i) {
    char text[32];

    (void)snprintf(text, sizeof text, "[%zu]", i);
    path_append(out, path, text);
}

/* Follows one step of a path and moves *path after it. The child, or NULL. */
static const struct config_node *step_down(const struct config_node *node, const char **path) {
    if (**path == '[') {
        char *end;
        unsigned long index = strtoul(*path + 1, &end, 10);

        if (*end != ']') { /* part of a name that no key has */
            *path += strlen(*path);
            return NULL;
        }
        *path = end + 1 + (end[1] == '.');
        if (node->kind != CONFIG_NODE_LIST || index >= node->count) {
            return NULL;
        }
        return node->entries[index].value;
    }
    struct str key = {*path, strcspn(*path, ".[")};
    *path += key.len + ((*path)[key.len] == '.');
    return config_node_get(node, key);
}

const struct config_node *config_tree_find(const struct config_node *root, const char *path) {
    const struct config_node *node = root;

    while (node != NULL && *path) {
        node = step_down(node, &path);
    }
    return node;
}

const struct config_node *config_tree_nearest(const struct config_node *root, const char *path) {
    const struct config_node *node = root;

    while (*path) {
        const struct config_node *next = step_down(node, &path);
        if (next == NULL) {
            break;
        }
        node = next;
    }
    return node;
}
