/* Builds a tree from libyaml's events. */
#include <limits.h>
#include <string.h>
#include <yaml.h>

#include "wslock/base/mem.h"

#include "tree.h"

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

struct reader {
    yaml_parser_t yaml;
    const char *file;
    const char *text;
    size_t len;
    struct config_problems *problems;
    size_t nodes;
    char path[CONFIG_MAX_PATH_BYTES]; /* of the node being read */
};

static int line_of(yaml_mark_t mark) {
    return mark.line < INT_MAX ? (int)mark.line + 1 : INT_MAX;
}

/* Reports libyaml's error. Errors of its reader have an offset and no line. */
static void report_yaml(struct reader *r) {
    int line = line_of(r->yaml.problem_mark);

    if (r->yaml.error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < r->len && i < r->yaml.problem_offset; i++) {
            line += r->text[i] == '\n';
        }
    }
    config_problems_add(r->problems, r->file, line, "", "not YAML: %s%s%s",
                        r->yaml.problem != NULL ? r->yaml.problem : "unreadable",
                        r->yaml.context != NULL ? " " : "",
                        r->yaml.context != NULL ? r->yaml.context : "");
}

static bool next_event(struct reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->yaml, event)) {
        return true;
    }
    report_yaml(r);
    return false;
}

static struct config_node *make_node(struct reader *r, const yaml_event_t *event,
                                     enum config_node_kind kind) {
    struct config_node *node = mem_zalloc(sizeof *node);

    r->nodes++;
    node->kind = kind;
    node->file = r->file;
    node->line = line_of(event->start_mark);
    return node;
}

static void refuse_properties(struct reader *r, const yaml_event_t *event, const void *anchor,
                              const void *tag) {
    int line = line_of(event->start_mark);

    if (anchor != NULL) {
        config_problems_add(r->problems, r->file, line, "", "anchors (&name) are not supported");
    }
    if (tag != NULL) {
        config_problems_add(r->problems, r->file, line, "", "tags (!name) are not supported");
    }
}

static struct config_node *make_scalar(struct reader *r, const yaml_event_t *event) {
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    struct config_node *node = make_node(r, event, CONFIG_NODE_SCALAR);

    refuse_properties(r, event, event->data.scalar.anchor, event->data.scalar.tag);
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (len > CONFIG_MAX_VALUE_BYTES) {
        config_problems_add(r->problems, r->file, node->line, "", "a value longer than %u bytes",
                            CONFIG_MAX_VALUE_BYTES);
        node->refused = true;
        len = 0;
    }
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)value[i];
        if (c >= 0x20 && c != 0x7f) {
            continue;
        }
        config_problems_add(r->problems, r->file, node->line, "",
                            "a control character or line break inside a value");
        node->refused = true;
        len = 0;
    }
    node->text = mem_strndup(value, len);
    return node;
}

static struct config_node *parse_node(struct reader *r, const yaml_event_t *event, int depth);

static bool is_name(const yaml_event_t *event) {
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length > CONFIG_MAX_KEY_BYTES) {
        return false;
    }
    for (size_t i = 0; i < event->data.scalar.length; i++) {
        if (event->data.scalar.value[i] < 0x20 || event->data.scalar.value[i] == 0x7f) {
            return false;
        }
    }
    return true;
}

/* The next key of a mapping. *end: the mapping is over. False: no tree can be made. */
static bool parse_key(struct reader *r, char **key, int *line, bool *end) {
    yaml_event_t event;
    bool ok = true;

    *key = NULL;
    if (!next_event(r, &event)) {
        return false;
    }
    *line = line_of(event.start_mark);
    *end = event.type == YAML_MAPPING_END_EVENT;
    if (is_name(&event)) {
        *key = mem_strndup((const char *)event.data.scalar.value, event.data.scalar.length);
        refuse_properties(r, &event, event.data.scalar.anchor, event.data.scalar.tag);
    } else if (!*end) {
        config_problems_add(r->problems, r->file, *line, "",
                            "a name must be a text of at most %u bytes", CONFIG_MAX_KEY_BYTES);
        ok = false;
    }
    yaml_event_delete(&event);
    return ok;
}

/* Takes key and value. A duplicate key is a problem; the first value stays. */
static bool add_entry(struct reader *r, struct config_node *node, char *key, int line,
                      struct config_node *value) {
    if (key != NULL && config_node_get(node, str_of(key)) != NULL) {
        char path[CONFIG_MAX_PATH_BYTES];

        config_path_name(path, r->path, key);
        config_problems_add(r->problems, r->file, line, path, "this key is there already");
        mem_free(key);
        config_tree_destroy(&value);
        return true;
    }
    if (node->count >= CONFIG_MAX_ENTRIES || r->nodes >= CONFIG_MAX_NODES) {
        config_problems_add(r->problems, r->file, line, "", "too many entries");
        mem_free(key);
        config_tree_destroy(&value);
        return false;
    }
    if (value->kind != CONFIG_NODE_SCALAR && line > 0) {
        value->line = line;
    }
    if ((node->count & (node->count + 1)) == 0) /* grows by doubling: 0, 1, 3, 7, ... */
    {
        node->entries = mem_realloc(node->entries, (2 * node->count + 1) * sizeof *node->entries);
    }
    node->entries[node->count++] = (struct config_entry){.key = key, .value = value};
    return true;
}

/* The value that starts with the next event; NULL at the end of a list (*end) or without a tree. */
static struct config_node *parse_value(struct reader *r, int depth, bool *end) {
    yaml_event_t event;
    struct config_node *node = NULL;

    *end = false;
    if (!next_event(r, &event)) {
        return NULL;
    }
    if (event.type == YAML_SEQUENCE_END_EVENT) {
        *end = true;
    } else {
        node = parse_node(r, &event, depth);
    }
    yaml_event_delete(&event);
    return node;
}

/* Fills a list or mapping up to its end; false: no tree can be made. */
static bool parse_entries(struct reader *r, struct config_node *node, int depth) {
    size_t path_len = strlen(r->path);
    bool end = false;

    for (;;) {
        char *key = NULL;
        int line = 0;
        struct config_node *value;

        if (node->kind == CONFIG_NODE_MAP && (!parse_key(r, &key, &line, &end) || end)) {
            return end;
        }
        if (key != NULL) {
            config_path_name(r->path, r->path, key);
        } else {
            config_path_item(r->path, r->path, node->count);
        }
        value = parse_value(r, depth + 1, &end);
        r->path[path_len] = '\0';
        if (value == NULL) {
            mem_free(key);
            return end;
        }
        if (!add_entry(r, node, key, line, value)) {
            return false;
        }
    }
}

static struct config_node *parse_collection(struct reader *r, const yaml_event_t *event,
                                            enum config_node_kind kind, int depth) {
    struct config_node *node = make_node(r, event, kind);

    if (depth >= CONFIG_MAX_DEPTH) {
        config_problems_add(r->problems, r->file, node->line, "", "nested deeper than %d levels",
                            CONFIG_MAX_DEPTH);
        config_tree_destroy(&node);
        return NULL;
    }
    if (!parse_entries(r, node, depth)) {
        config_tree_destroy(&node);
    }
    return node;
}

static struct config_node *parse_node(struct reader *r, const yaml_event_t *event, int depth) {
    if (event->type == YAML_SCALAR_EVENT) {
        return make_scalar(r, event);
    }
    if (event->type == YAML_SEQUENCE_START_EVENT) {
        refuse_properties(r, event, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
        return parse_collection(r, event, CONFIG_NODE_LIST, depth);
    }
    if (event->type == YAML_MAPPING_START_EVENT) {
        refuse_properties(r, event, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
        return parse_collection(r, event, CONFIG_NODE_MAP, depth);
    }
    /* An alias; its anchor has been refused too. */
    config_problems_add(r->problems, r->file, line_of(event->start_mark), "",
                        "aliases (*name) are not supported");
    struct config_node *node = make_node(r, event, CONFIG_NODE_SCALAR);
    node->text = mem_strdup("");
    node->refused = true;
    return node;
}

/* The first document's root, after which the stream must end. */
static struct config_node *parse_stream(struct reader *r) {
    struct config_node *root = NULL;
    bool ended = false;

    while (!ended) {
        yaml_event_t event;

        if (!next_event(r, &event)) {
            goto fail;
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && root != NULL) {
            config_problems_add(r->problems, r->file, line_of(event.start_mark), "",
                                "a second document");
            yaml_event_delete(&event);
            goto fail;
        }
        bool content = !ended && event.type != YAML_STREAM_START_EVENT &&
                       event.type != YAML_DOCUMENT_START_EVENT &&
                       event.type != YAML_DOCUMENT_END_EVENT;
        if (content) {
            root = parse_node(r, &event, 0);
        }
        yaml_event_delete(&event);
        if (content && root == NULL) {
            goto fail;
        }
    }
    return root;
fail:
    config_tree_destroy(&root);
    return NULL;
}

/* An empty document, or one of comments only, is an empty mapping. */
static struct config_node *root_mapping(struct reader *r, struct config_node *root) {
    if (root != NULL && root->kind == CONFIG_NODE_MAP) {
        return root;
    }
    if (root != NULL && !config_node_is_null(root)) {
        config_problems_add(r->problems, r->file, root->line, "",
                            "the file must be a mapping of keys");
        config_tree_destroy(&root);
        return NULL;
    }
    config_tree_destroy(&root);
    root = mem_zalloc(sizeof *root);
    root->kind = CONFIG_NODE_MAP;
    root->file = r->file;
    root->line = 1;
    return root;
}

struct config_node *config_tree_parse(const char *file, const char *text, size_t len,
                                      struct config_problems *problems) {
    struct reader r = {
        .file = file, .text = text != NULL ? text : "", .len = len, .problems = problems};
    size_t before = problems->count;
    struct config_node *root;

    if (len > CONFIG_MAX_FILE_BYTES) {
        config_problems_add(problems, file, 0, "", "longer than %u bytes", CONFIG_MAX_FILE_BYTES);
        return NULL;
    }
    const size_t mark = strlen(BYTE_ORDER_MARK);
    if (len >= mark && memcmp(r.text, BYTE_ORDER_MARK, mark) == 0) {
        r.text += mark;
        r.len -= mark;
    }
    if (!yaml_parser_initialize(&r.yaml)) {
        config_problems_add(problems, file, 0, "", "out of memory");
        return NULL;
    }
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)r.text, r.len);
    root = parse_stream(&r);
    yaml_parser_delete(&r.yaml);
    if (root == NULL && problems->count > before) {
        return NULL;
    }
    return root_mapping(&r, root);
}
