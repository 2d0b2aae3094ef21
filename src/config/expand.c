/* Replaces ${NAME} in values by environment variables. */
#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "tree.h"

struct expansion {
    struct config_problems *problems;
    char path[CONFIG_MAX_PATH_BYTES];
};

static bool is_name(const char *name, size_t len) {
    for (size_t i = 0; i < len; i++) {
        bool letter = (name[i] >= 'A' && name[i] <= 'Z') || (name[i] >= 'a' && name[i] <= 'z');
        bool digit = i > 0 && name[i] >= '0' && name[i] <= '9';
        if (!letter && !digit && name[i] != '_') {
            return false;
        }
    }
    return len > 0;
}

/* Appends the variable whose name starts at `p`, after "${". Returns the text after "}", or NULL.
 */
static const char *append_variable(struct expansion *e, const struct config_node *node,
                                   const char *p, struct buf *out) {
    const char *end = strchr(p, '}');
    char name[CONFIG_MAX_KEY_BYTES + 1];
    const char *value;

    if (end == NULL || (size_t)(end - p) >= sizeof name || !is_name(p, (size_t)(end - p))) {
        config_problems_add(e->problems, node->file, node->line, e->path,
                            "\"${\" needs the name of an environment variable and \"}\" (write "
                            "\"$${\" for the two characters themselves)");
        return NULL;
    }
    memcpy(name, p, (size_t)(end - p));
    name[end - p] = '\0';
    value = getenv(name);
    if (value == NULL) {
        config_problems_add(e->problems, node->file, node->line, e->path,
                            "the environment variable %s is not set", name);
        return NULL;
    }
    for (const char *c = value; *c; c++) {
        if ((unsigned char)*c >= 0x20 && *c != 0x7f) {
            continue;
        }
        config_problems_add(e->problems, node->file, node->line, e->path,
                            "the environment variable %s holds a control character or line break",
                            name);
        return NULL;
    }
    buf_append_str(out, value);
    return end + 1;
}

/* An expanded value is typed like an unquoted value of the file, but is never null: an empty
 * variable must not disable a check. */
static void expand_scalar(struct expansion *e, struct config_node *node) {
    char quoted[CONFIG_QUOTE_BYTES];
    struct buf out;
    const char *p = node->text;
    bool variable = false;

    if (strstr(p, "${") == NULL) {
        return;
    }
    node->refused = true; /* reset on success */
    buf_init(&out);
    while (*p && out.len <= CONFIG_MAX_VALUE_BYTES) {
        if (strncmp(p, "$${", 3) == 0) {
            buf_append_str(&out, "${");
            p += 3;
        } else if (strncmp(p, "${", 2) == 0) {
            variable = true;
            p = append_variable(e, node, p + 2, &out);
            if (p == NULL) {
                goto done;
            }
        } else {
            buf_append_char(&out, *p++);
        }
    }
    if (out.len > CONFIG_MAX_VALUE_BYTES || !utf8_valid(out.data, out.len)) {
        config_problems_add(e->problems, node->file, node->line, e->path,
                            "not UTF-8, or longer than %u bytes, with its variables",
                            CONFIG_MAX_VALUE_BYTES);
        goto done;
    }
    if (variable && config_text_is_null(buf_cstr(&out))) {
        config_problems_add(e->problems, node->file, node->line, e->path,
                            "%s is %s, and only a null in the file itself is one",
                            config_quote(node->text, quoted), out.len > 0 ? "null" : "empty");
        goto done;
    }
    mem_free(node->text);
    node->text = mem_strndup(out.data, out.len);
    node->plain = node->plain || variable;
    node->refused = false;
done:
    if (out.len > 0) {
        explicit_bzero(out.data, out.len);
    }
    buf_fini(&out);
}

static void expand_node(struct expansion *e, struct config_node *node) {
    size_t len = strlen(e->path);

    if (node->kind == CONFIG_NODE_SCALAR) {
        expand_scalar(e, node);
        return;
    }
    for (size_t i = 0; i < node->count; i++) {
        const struct config_entry *entry = &node->entries[i];

        if (entry->key != NULL) {
            config_path_name(e->path, e->path, entry->key);
        } else {
            config_path_item(e->path, e->path, i);
        }
        expand_node(e, entry->value);
        e->path[len] = '\0';
    }
}

void config_tree_expand(struct config_node *root, struct config_problems *problems) {
    struct expansion e = {.problems = problems};

    expand_node(&e, root);
}
