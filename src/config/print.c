/* --print-config. */
#include <string.h>

#include "wslock/base/mem.h"

#include "bind.h"
#include "value.h"

struct printing {
    struct buf *out;
    int depth;
    bool item; /* the next line starts a list item */
};

static void print_mapping(struct printing *p, const struct config_scope *scope, const char *prefix,
                          const void *base);

static void start_line(struct printing *p, const char *name) {
    for (int i = 0; i < p->depth; i++) {
        buf_append_str(p->out, p->item && i == p->depth - 1 ? "- " : "  ");
    }
    p->item = false;
    buf_append_str(p->out, name);
    buf_append_char(p->out, ':');
}

/* Whether any key in a droppable section is set. */
static bool is_dropped(const struct config_row *section, const struct config_scope *scope,
                       const void *base) {
    if (!section->droppable) {
        return false;
    }
    for (size_t i = 0; i < scope->count; i++) {
        if (config_row_name(&scope->rows[i], section->path) != NULL &&
            !config_value_is_null(&scope->rows[i], base)) {
            return false;
        }
    }
    return true;
}

static void print_items(struct printing *p, const struct config_row *row, const void *base) {
    size_t count = config_item_count(row, base);
    bool named = row->type == CONFIG_TYPE_NAMED;

    if (count == 0) {
        buf_append_str(p->out, named ? " {}\n" : " []\n");
        return;
    }
    buf_append_char(p->out, '\n');
    p->depth++;
    for (size_t i = 0; i < count; i++) {
        const void *item = config_item_at(row, base, i);

        if (named) {
            start_line(p, ((const struct config_policy *)item)->type);
            buf_append_char(p->out, '\n');
            p->depth++;
        }
        p->item = !named;
        print_mapping(p, row->scope, "", item);
        if (named) {
            p->depth--;
        }
    }
    p->depth--;
}

static void print_inner(struct printing *p, const struct config_scope *scope, const char *prefix,
                        const void *base) {
    buf_append_char(p->out, '\n');
    p->depth++;
    print_mapping(p, scope, prefix, base);
    p->depth--;
}

static void print_row(struct printing *p, const struct config_scope *scope,
                      const struct config_row *row, const void *base) {
    switch (row->type) {
    case CONFIG_TYPE_SECTION:
        if (config_value_is_null(row, base) || is_dropped(row, scope, base)) {
            buf_append_str(p->out, " null\n");
        } else {
            print_inner(p, scope, row->path, base);
        }
        break;
    case CONFIG_TYPE_STRUCT:
        print_inner(p, row->scope, "", (const char *)base + row->offset);
        break;
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        print_items(p, row, base);
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
        buf_append_char(p->out, ' ');
        config_value_print(row, base, p->out);
        buf_append_char(p->out, '\n');
        break;
    }
}

static void print_mapping(struct printing *p, const struct config_scope *scope, const char *prefix,
                          const void *base) {
    for (size_t i = 0; i < scope->count; i++) {
        const char *name = config_row_name(&scope->rows[i], prefix);

        if (name == NULL) {
            continue;
        }
        start_line(p, name);
        print_row(p, scope, &scope->rows[i], base);
    }
}

void config_print(const struct config *c, struct buf *out) {
    struct printing p = {.out = out};

    print_mapping(&p, &CONFIG_ROOT, "", c);
}
