/* Writes the reference part of docs/configuration.md. */
#include <stdio.h>
#include <string.h>

#include "describe.h"

static const char HEAD[] = "| key | value | default | reload | meaning |\n"
                           "| --- | --- | --- | --- | --- |\n";

static const char *const RELOAD[] = {
    [CONFIG_RELOAD_LIVE] = "yes",
    [CONFIG_RELOAD_RESTART] = "no",
    [CONFIG_RELOAD_NAME] = "in its directory",
};

static void append_cell(struct buf *out, const char *text) {
    for (const char *p = text; *p; p++) {
        if (*p == '|') {
            buf_append_char(out, '\\');
        }
        buf_append_char(out, *p);
    }
}

static void write_words(const struct config_row *row, struct buf *out) {
    for (size_t i = 0; row->words[i] != NULL; i++) {
        buf_printf(out, "%s`%s`", i > 0 ? ", " : "", row->words[i]);
    }
}

static void write_value(const struct config_row *row, struct buf *out) {
    if (row->words != NULL) {
        write_words(row, out);
    } else {
        struct buf text;

        buf_init(&text);
        config_describe(row, &text);
        append_cell(out, buf_cstr(&text));
        buf_fini(&text);
        if (row->type == CONFIG_TYPE_STRINGS && row->shape != NULL) {
            buf_append_str(out, ": ");
            append_cell(out, row->shape);
        }
    }
    if (row->null_means != NULL) {
        buf_append_str(out, "; `null`: ");
        append_cell(out, row->null_means);
    }
}

static void write_default(const struct config_row *row, struct buf *out) {
    if (row->required) {
        buf_append_str(out, "required");
    } else if (row->type == CONFIG_TYPE_SECTION) {
        buf_append_str(out, row->null_means != NULL ? "`null`" : "");
    } else if (row->fallback != NULL) {
        buf_printf(out, "`%s`", row->fallback);
    } else {
        buf_append_str(out, row->null_means != NULL ? "`null`" : "");
    }
}

static void write_row(const struct config_row *row, const char *prefix, struct buf *out) {
    buf_printf(out, "| `%s%s` | ", prefix, row->path);
    write_value(row, out);
    buf_append_str(out, " | ");
    write_default(row, out);
    buf_printf(out, " | %s | ", RELOAD[row->reload]);
    append_cell(out, row->doc);
    buf_append_str(out, " |\n");
}

/* The rows of a LIST's or STRUCT's own scope. */
static void write_scope(const struct config_scope *scope, const char *prefix, struct buf *out) {
    for (size_t i = 0; i < scope->count; i++) {
        write_row(&scope->rows[i], prefix, out);
    }
}

/* A row of a chapter, followed by the keys of a list's items. */
static void write_nested(const struct config_row *row, struct buf *out) {
    char prefix[64];

    write_row(row, "", out);
    if (row->type != CONFIG_TYPE_LIST) {
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "%s[].", row->path);
    write_scope(row->scope, prefix, out);
}

static bool is_below(const struct config_row *row, const struct config_row *chapter) {
    size_t len = strlen(chapter->path);

    return strncmp(row->path, chapter->path, len) == 0 && row->path[len] == '.';
}

static void write_chapter(const struct config_row *chapter, struct buf *out) {
    char prefix[64];

    buf_printf(out, "\n### `%s`\n\n%s", chapter->path, chapter->doc);
    if (chapter->null_means != NULL) {
        buf_printf(out, " `null`: %s.", chapter->null_means);
    }
    buf_append_str(out, "\n");
    if (chapter->type == CONFIG_TYPE_NAMED) {
        return;
    }
    buf_append_str(out, "\n");
    buf_append_str(out, HEAD);
    (void)snprintf(prefix, sizeof prefix, "%s%s.", chapter->path,
                   chapter->type == CONFIG_TYPE_LIST ? "[]" : "");
    if (chapter->scope != NULL) {
        write_scope(chapter->scope, prefix, out);
    }
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (is_below(&CONFIG_ROOT.rows[i], chapter)) {
            write_nested(&CONFIG_ROOT.rows[i], out);
        }
    }
}

static bool is_chapter(const struct config_row *row) {
    return row->type == CONFIG_TYPE_SECTION || row->scope != NULL;
}

/* Top-level keys that are not mappings come first, then a chapter for each mapping. */
void config_write_reference(struct buf *out) {
    buf_append_str(out, "### Top-level keys\n\n");
    buf_append_str(out, HEAD);
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (strchr(CONFIG_ROOT.rows[i].path, '.') == NULL && !is_chapter(&CONFIG_ROOT.rows[i])) {
            write_row(&CONFIG_ROOT.rows[i], "", out);
        }
    }
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (strchr(CONFIG_ROOT.rows[i].path, '.') == NULL && is_chapter(&CONFIG_ROOT.rows[i])) {
            write_chapter(&CONFIG_ROOT.rows[i], out);
        }
    }
}
