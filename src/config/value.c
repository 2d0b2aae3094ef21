/* Reads a node into a field by the row's type, and frees it. */
#include "value.h"

#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "describe.h"
#include "unit.h"

struct reading {
    const struct config_row *row;
    const char *path;
    struct config_problems *problems;
};

static void *field_of(const struct config_row *row, void *base) {
    return (char *)base + row->offset;
}

static const void *field_of_const(const struct config_row *row, const void *base) {
    return (const char *)base + row->offset;
}

/* Reports "expected X", with the value unless it is secret. */
static void expected(const struct reading *r, const struct config_node *node, const char *what) {
    char quoted[CONFIG_QUOTE_BYTES];

    if (node->kind != CONFIG_NODE_SCALAR) {
        config_problems_add(r->problems, node->file, node->line, r->path, "expected %s, not a %s",
                            what, node->kind == CONFIG_NODE_LIST ? "list" : "mapping");
    } else if (config_node_is_null(node)) {
        config_problems_add(r->problems, node->file, node->line, r->path, "expected %s, not null",
                            what);
    } else if (r->row->secret) {
        config_problems_add(r->problems, node->file, node->line, r->path, "expected %s", what);
    } else {
        config_problems_add(r->problems, node->file, node->line, r->path, "expected %s, not \"%s\"",
                            what, config_quote(node->text, quoted));
    }
}

static void expected_row(const struct reading *r, const struct config_node *node) {
    struct buf what;

    buf_init(&what);
    config_describe(r->row, &what);
    expected(r, node, buf_cstr(&what));
    buf_fini(&what);
}

/* A number of the row's type: -1 wrong text, 0 out of range, 1 fine. */
static int parse_number(const struct config_row *row, const struct config_node *node,
                        int64_t *value) {
    bool ok = false;

    switch (row->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_COUNT:
        ok = node->plain && config_parse_count(node->text, value);
        break;
    case CONFIG_TYPE_DURATION:
        ok = config_parse_duration(node->text, value);
        break;
    case CONFIG_TYPE_SIZE:
        ok = config_parse_size(node->text, value);
        break;
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_FLAG:
    case CONFIG_TYPE_STRINGS:
    case CONFIG_TYPE_SECTION:
    case CONFIG_TYPE_STRUCT:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        break;
    }
    if (!ok) {
        return -1;
    }
    return *value >= row->min && *value <= row->max;
}

static void read_number(const struct reading *r, const struct config_node *node, void *field) {
    int64_t value = 0;

    if (config_node_is_null(node) && r->row->null_means != NULL) {
        value = CONFIG_NO_LIMIT;
    } else if (node->kind != CONFIG_NODE_SCALAR || parse_number(r->row, node, &value) != 1) {
        expected_row(r, node);
        return;
    }
    if (r->row->type == CONFIG_TYPE_INT) {
        *(int *)field = (int)value;
    } else {
        *(int64_t *)field = value;
    }
}

static void read_bool(const struct reading *r, const struct config_node *node, void *field) {
    static const char *const WORDS[] = {"false", "true", "False", "True", "FALSE", "TRUE"};

    for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
        if (node->kind == CONFIG_NODE_SCALAR && node->plain && strcmp(node->text, WORDS[i]) == 0) {
            *(bool *)field = i % 2 == 1;
            return;
        }
    }
    expected_row(r, node);
}

static void read_word(const struct reading *r, const struct config_node *node, void *field) {
    for (unsigned i = 0; r->row->words[i] != NULL; i++) {
        if (node->kind != CONFIG_NODE_SCALAR || strcmp(node->text, r->row->words[i]) != 0) {
            continue;
        }
        if (r->row->type == CONFIG_TYPE_FLAG) {
            *(bool *)field = i != 0;
        } else {
            memcpy(field, &i, sizeof i);
        }
        return;
    }
    expected_row(r, node);
}

/* The file of systemd's credential NAME, for `credential:NAME`. NULL after a problem. */
static char *resolve_credential(const struct reading *r, const struct config_node *node,
                                const char *name) {
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    struct buf path;
    char *result;

    if (*name == '\0' || strchr(name, '/') != NULL || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0) {
        expected(r, node, "a credential's name behind \"credential:\"");
        return NULL;
    }
    if (directory == NULL || *directory == '\0') {
        config_problems_add(r->problems, node->file, node->line, r->path,
                            "a credential, but CREDENTIALS_DIRECTORY is not set");
        return NULL;
    }
    buf_init(&path);
    buf_printf(&path, "%s/%s", directory, name);
    result = mem_strndup(path.data, path.len);
    buf_fini(&path);
    return result;
}

/* A text on the heap, or NULL after a problem. */
static char *read_string(const struct reading *r, const struct config_node *node) {
    static const char CREDENTIAL[] = "credential:";
    const char *wrong;

    if (node->refused) {
        return NULL;
    }
    if (node->kind != CONFIG_NODE_SCALAR || config_node_is_null(node)) {
        expected_row(r, node);
        return NULL;
    }
    wrong = r->row->check != NULL ? r->row->check(node->text) : NULL;
    if (wrong != NULL) {
        expected(r, node, wrong);
        return NULL;
    }
    if (r->row->type != CONFIG_TYPE_FILE) {
        return mem_strdup(node->text);
    }
    if (strncmp(node->text, CREDENTIAL, sizeof CREDENTIAL - 1) == 0) {
        return resolve_credential(r, node, node->text + sizeof CREDENTIAL - 1);
    }
    if (*node->text == '\0') {
        expected_row(r, node);
        return NULL;
    }
    return mem_strdup(node->text);
}

static void free_text(const struct config_row *row, char **text) {
    if (row->secret && *text != NULL) {
        explicit_bzero(*text, strlen(*text));
    }
    mem_free(*text);
    *text = NULL;
}

static void read_text(const struct reading *r, const struct config_node *node, char **field) {
    char *text = NULL;

    if (!config_node_is_null(node) || r->row->null_means == NULL) {
        text = read_string(r, node);
        if (text == NULL) {
            return;
        }
    }
    free_text(r->row, field);
    *field = text;
}

static void free_strings(struct config_strings *strings) {
    for (size_t i = 0; i < strings->count; i++) {
        mem_free(strings->items[i]);
    }
    mem_free(strings->items);
    *strings = (struct config_strings){0};
}

static void read_strings(const struct reading *r, const struct config_node *node,
                         struct config_strings *field) {
    struct config_strings strings = {.set = true};

    if (config_node_is_null(node) && r->row->null_means != NULL) {
        free_strings(field);
        return;
    }
    if (node->kind == CONFIG_NODE_SCALAR && r->row->lone) {
        char *text = read_string(r, node);
        if (text == NULL) {
            return;
        }
        strings.items = mem_calloc(1, sizeof *strings.items);
        strings.items[strings.count++] = text;
    } else if (node->kind == CONFIG_NODE_LIST) {
        strings.items = mem_calloc(node->count + 1, sizeof *strings.items);
        for (size_t i = 0; i < node->count; i++) {
            char path[CONFIG_MAX_PATH_BYTES];
            struct reading item = {.row = r->row, .path = path, .problems = r->problems};
            char *text;

            config_path_item(path, r->path, i);
            text = read_string(&item, node->entries[i].value);
            if (text != NULL) {
                strings.items[strings.count++] = text;
            }
        }
    } else {
        expected_row(r, node);
        return;
    }
    free_strings(field);
    *field = strings;
}

void config_value_read(const struct config_row *row, const struct config_node *node,
                       const char *path, void *base, struct config_problems *problems) {
    const struct reading r = {.row = row, .path = path, .problems = problems};
    void *field = field_of(row, base);

    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        read_bool(&r, node, field);
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_COUNT:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_SIZE:
        read_number(&r, node, field);
        break;
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
        read_text(&r, node, field);
        break;
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_FLAG:
        read_word(&r, node, field);
        break;
    case CONFIG_TYPE_STRINGS:
        read_strings(&r, node, field);
        break;
    case CONFIG_TYPE_SECTION:
        if (row->present && node->kind == CONFIG_NODE_SCALAR) {
            read_bool(&r, node, field);
        }
        break;
    case CONFIG_TYPE_STRUCT:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        break;
    }
}

bool config_value_is_null(const struct config_row *row, const void *base) {
    const void *field = field_of_const(row, base);

    switch (row->type) {
    case CONFIG_TYPE_COUNT:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_SIZE:
        return *(const int64_t *)field == CONFIG_NO_LIMIT;
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
        return *(char *const *)field == NULL;
    case CONFIG_TYPE_STRINGS:
        return !((const struct config_strings *)field)->set;
    case CONFIG_TYPE_SECTION:
        return row->present && !*(const bool *)field;
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_FLAG:
    case CONFIG_TYPE_STRUCT:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        break;
    }
    return false;
}

void config_value_fini(const struct config_row *row, void *base) {
    if (row->type == CONFIG_TYPE_TEXT || row->type == CONFIG_TYPE_FILE) {
        free_text(row, field_of(row, base));
    } else if (row->type == CONFIG_TYPE_STRINGS) {
        free_strings(field_of(row, base));
    }
}

size_t config_value_size(const struct config_row *row) {
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_FLAG:
        return sizeof(bool);
    case CONFIG_TYPE_INT:
        return sizeof(int);
    case CONFIG_TYPE_COUNT:
    case CONFIG_TYPE_DURATION:
    case CONFIG_TYPE_SIZE:
        return sizeof(int64_t);
    case CONFIG_TYPE_CHOICE:
        return sizeof(unsigned);
    case CONFIG_TYPE_STRINGS:
        return sizeof(struct config_strings);
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        return sizeof(void *);
    case CONFIG_TYPE_SECTION:
        return row->present ? sizeof(bool) : 0;
    case CONFIG_TYPE_STRUCT:
        break;
    }
    return 0;
}

static bool texts_equal(const char *a, const char *b) {
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool strings_equal(const struct config_strings *a, const struct config_strings *b) {
    bool equal = a->set == b->set && a->count == b->count;

    for (size_t i = 0; equal && i < a->count; i++) {
        equal = strcmp(a->items[i], b->items[i]) == 0;
    }
    return equal;
}

bool config_value_equals(const struct config_row *row, const void *a, const void *b) {
    const void *left = field_of_const(row, a), *right = field_of_const(row, b);

    if (row->type == CONFIG_TYPE_TEXT || row->type == CONFIG_TYPE_FILE) {
        return texts_equal(*(char *const *)left, *(char *const *)right);
    }
    if (row->type == CONFIG_TYPE_STRINGS) {
        return strings_equal(left, right);
    }
    return memcmp(left, right, config_value_size(row)) == 0;
}
