/*
 * A YAML document as a tree of nodes with line numbers. Anchors, aliases, tags, duplicate keys
 * and further documents are problems; size, nesting and number of nodes are bounded. libyaml is
 * used here alone.
 */
#ifndef WSLOCK_CONFIG_TREE_H
#define WSLOCK_CONFIG_TREE_H

#include <stdbool.h>

#include "problem.h"

#define CONFIG_MAX_FILE_BYTES (1024u * 1024u)
#define CONFIG_MAX_DEPTH 16
#define CONFIG_MAX_NODES 65536u
#define CONFIG_MAX_ENTRIES 4096u  /* of one mapping or list */
#define CONFIG_MAX_KEY_BYTES 128u /* of one name */
#define CONFIG_MAX_VALUE_BYTES 65536u
#define CONFIG_MAX_PATH_BYTES 512u

enum config_node_kind { CONFIG_NODE_SCALAR, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

struct config_node {
    enum config_node_kind kind;
    const char *file; /* borrowed from the caller of config_tree_parse */
    int line;
    char *text;                   /* of a scalar */
    bool plain;                   /* a scalar without quotes */
    bool refused;                 /* a problem has been reported; report no other */
    struct config_entry *entries; /* of a list or mapping */
    size_t count;
};

struct config_entry {
    char *key; /* NULL in a list */
    struct config_node *value;
};

/* NULL after a syntax error. After other problems the tree is still returned. An empty document is
 * an empty mapping. */
struct config_node *config_tree_parse(const char *file, const char *text, size_t len,
                                      struct config_problems *problems) MUST_CHECK;
/* Wipes all texts. */
void config_tree_destroy(struct config_node **node);

/* Replaces ${NAME} in values by the environment's; `$${` stands for `${`. */
void config_tree_expand(struct config_node *root, struct config_problems *problems);

/* Puts `over` on `base`: mappings are merged, anything else is replaced. Takes `over`. */
void config_tree_merge(struct config_node *base, struct config_node **over);

/* Appends a name or an item's number to a path, cut at the buffer's end; `out` may be `path`.
 */
void config_path_name(char out[CONFIG_MAX_PATH_BYTES], const char *path, const char *name);
void config_path_item(char out[CONFIG_MAX_PATH_BYTES], const char *path, size_t i);

/* Borrowed; NULL when `node` is no mapping or has no such key. */
struct config_node *config_node_get(const struct config_node *node, struct str key);
/* Of a scalar without quotes. */
bool config_text_is_null(const char *plain);
bool config_node_is_null(const struct config_node *node);
/* The node at a path such as "auth.keys[1].kid", or NULL. */
const struct config_node *config_tree_find(const struct config_node *root, const char *path);
/* The same, or the last node on the way there. */
const struct config_node *config_tree_nearest(const struct config_node *root, const char *path);

#endif
