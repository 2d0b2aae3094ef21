/* Where the settings of a resource type come from, for operators. */
#include <string.h>

#include "tree.h"
#include "unit.h"
#include "value.h"

static void put_duration(int64_t ms, struct jsonw *w) {
    struct buf text;

    buf_init(&text);
    config_print_duration(ms, &text);
    jsonw_str(w, (struct str){text.data, text.len});
    buf_fini(&text);
}

static void put_strings(const struct config_strings *strings, struct jsonw *w) {
    jsonw_array_open(w);
    for (size_t i = 0; i < strings->count; i++) {
        jsonw_cstr(w, strings->items[i]);
    }
    jsonw_array_close(w);
}

/* Of a row of a policy. */
static void put_value(const struct config_row *row, const void *base, struct jsonw *w) {
    const void *field = (const char *)base + row->offset;
    unsigned choice;

    if (config_value_is_null(row, base)) {
        jsonw_null(w);
    } else if (row->type == CONFIG_TYPE_DURATION) {
        put_duration(*(const int64_t *)field, w);
    } else if (row->type == CONFIG_TYPE_COUNT) {
        jsonw_i64(w, *(const int64_t *)field);
    } else if (row->type == CONFIG_TYPE_BOOL) {
        jsonw_bool(w, *(const bool *)field);
    } else if (row->type == CONFIG_TYPE_CHOICE) {
        memcpy(&choice, field, sizeof choice);
        jsonw_cstr(w, row->words[choice]);
    } else {
        put_strings(field, w);
    }
}

static const struct config_node *child(const struct config_node *node, struct str name) {
    return node != NULL ? config_node_get(node, name) : NULL;
}

static void put_origin(const struct config *c, struct str type, const char *name, struct jsonw *w) {
    const struct config_node *types = child(c->root, str_of("resourceTypes"));
    const struct config_node *own = child(child(types, type), str_of(name));
    const struct config_node *shared = child(child(c->root, str_of("default")), str_of(name));
    const struct config_node *node = own != NULL ? own : shared;
    struct buf from;

    buf_init(&from);
    if (own != NULL) {
        buf_printf(&from, "resourceTypes.%.*s.%s", (int)type.len, type.p, name);
    } else if (shared != NULL) {
        buf_printf(&from, "default.%s", name);
    } else {
        buf_append_str(&from, "built-in");
    }
    jsonw_kstr(w, "from", (struct str){from.data, from.len});
    if (node != NULL) {
        jsonw_kcstr(w, "file", node->file);
        jsonw_ki64(w, "line", node->line);
    }
    buf_fini(&from);
}

void config_explain(const struct config *c, const struct config_policy *policy, struct str type,
                    struct jsonw *w) {
    jsonw_object_open(w);
    for (size_t i = 0; i < CONFIG_POLICY.count; i++) {
        const struct config_row *row = &CONFIG_POLICY.rows[i];

        jsonw_key(w, row->path);
        jsonw_object_open(w);
        jsonw_key(w, "value");
        put_value(row, policy, w);
        put_origin(c, type, row->path, w);
        jsonw_object_close(w);
    }
    jsonw_object_close(w);
}

const char *config_file_name(const struct config *c) {
    return c->dev || c->root == NULL ? NULL : c->root->file;
}
