/* Writes the reference parts of docs/configuration.md and of wslockd.yaml(5). */
#include <stdio.h>
#include <string.h>

#include "describe.h"

#define HEAD                                                                                       \
    "| key | value | default | reload | meaning |\n"                                               \
    "| --- | --- | --- | --- | --- |\n"

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

/* ---- Markdown: a table for each chapter ---- */

static void write_markdown_row(const struct config_row *row, const char *prefix, struct buf *out) {
    buf_printf(out, "| `%s%s` | ", prefix, row->path);
    write_value(row, out);
    buf_append_str(out, " | ");
    write_default(row, out);
    buf_printf(out, " | %s | ", RELOAD[row->reload]);
    append_cell(out, row->doc);
    buf_append_str(out, " |\n");
}

static void write_markdown_chapter(const struct config_row *chapter, bool has_keys,
                                   struct buf *out) {
    buf_printf(out, "\n### `%s`\n\n%s", chapter->path, chapter->doc);
    if (chapter->null_means != NULL) {
        buf_printf(out, " `null`: %s.", chapter->null_means);
    }
    buf_append_str(out, "\n");
    if (has_keys) {
        buf_append_str(out, "\n");
        buf_append_str(out, HEAD);
    }
}

/* ---- man(7): a tagged paragraph for each key ---- */

static const char *end_of_link(const char *p) {
    const char *close = strchr(p, ']');
    const char *end = close != NULL && close[1] == '(' ? strchr(close, ')') : NULL;
    return end;
}

/* One line of Markdown as one of roff: code is bold, of links only the text stays. */
static void append_roff(struct buf *out, const char *text) {
    bool code = false;
    const char *link_end = NULL;
    for (const char *p = text; *p; p++) {
        if (*p == '`') {
            code = !code;
            buf_append_str(out, code ? "\\fB" : "\\fR");
        } else if (!code && *p == '[' && end_of_link(p) != NULL) {
            link_end = end_of_link(p);
        } else if (!code && *p == ']' && link_end != NULL) {
            p = link_end;
            link_end = NULL;
        } else if (*p == '\\' && p[1] == '|') {
            continue;
        } else if (*p == '-' && code) {
            buf_append_str(out, "\\-");
        } else if (*p == '\\') {
            buf_append_str(out, "\\e");
        } else {
            buf_append_char(out, *p);
        }
    }
}

static void write_man_row(const struct config_row *row, const char *prefix, struct buf *out) {
    struct buf text;

    buf_printf(out, ".TP\n.B %s%s\n", prefix, row->path);
    append_roff(out, row->doc);
    buf_init(&text);
    buf_append_str(&text, "\n.br\nValue: ");
    write_value(row, &text);
    buf_append_str(&text, ".");
    if (row->required) {
        buf_append_str(&text, " Required.");
    } else if (row->fallback != NULL || row->null_means != NULL) {
        buf_append_str(&text, " Default: ");
        write_default(row, &text);
        buf_append_str(&text, ".");
    }
    if (row->reload == CONFIG_RELOAD_RESTART) {
        buf_append_str(&text, " Changing it needs a restart.");
    }
    append_roff(out, buf_cstr(&text));
    buf_append_str(out, "\n");
    buf_fini(&text);
}

static void write_man_chapter(const struct config_row *chapter, bool has_keys, struct buf *out) {
    (void)has_keys;
    buf_printf(out, ".SS %s\n", chapter->path);
    append_roff(out, chapter->doc);
    if (chapter->null_means != NULL) {
        append_roff(out, " `null`: ");
        append_roff(out, chapter->null_means);
        buf_append_str(out, ".");
    }
    buf_append_str(out, "\n");
}

/* ---- the order of both ---- */

struct style {
    const char *top_level; /* the heading of keys that are in no chapter */
    void (*chapter)(const struct config_row *chapter, bool has_keys, struct buf *out);
    void (*row)(const struct config_row *row, const char *prefix, struct buf *out);
};

/* The rows of a LIST's or STRUCT's own scope. */
static void write_scope(const struct style *style, const struct config_scope *scope,
                        const char *prefix, struct buf *out) {
    for (size_t i = 0; i < scope->count; i++) {
        style->row(&scope->rows[i], prefix, out);
    }
}

/* A row of a chapter, followed by the keys of a list's items. */
static void write_nested(const struct style *style, const struct config_row *row, struct buf *out) {
    char prefix[64];

    style->row(row, "", out);
    if (row->type != CONFIG_TYPE_LIST) {
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "%s[].", row->path);
    write_scope(style, row->scope, prefix, out);
}

static bool is_below(const struct config_row *row, const struct config_row *chapter) {
    size_t len = strlen(chapter->path);

    return strncmp(row->path, chapter->path, len) == 0 && row->path[len] == '.';
}

static void write_chapter(const struct style *style, const struct config_row *chapter,
                          struct buf *out) {
    char prefix[64];

    style->chapter(chapter, chapter->type != CONFIG_TYPE_NAMED, out);
    if (chapter->type == CONFIG_TYPE_NAMED) {
        return;
    }
    (void)snprintf(prefix, sizeof prefix, "%s%s.", chapter->path,
                   chapter->type == CONFIG_TYPE_LIST ? "[]" : "");
    if (chapter->scope != NULL) {
        write_scope(style, chapter->scope, prefix, out);
    }
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (is_below(&CONFIG_ROOT.rows[i], chapter)) {
            write_nested(style, &CONFIG_ROOT.rows[i], out);
        }
    }
}

static bool is_chapter(const struct config_row *row) {
    return row->type == CONFIG_TYPE_SECTION || row->scope != NULL;
}

/* Top-level keys that are not mappings come first, then a chapter for each mapping. */
static void write_all(const struct style *style, struct buf *out) {
    buf_append_str(out, style->top_level);
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (strchr(CONFIG_ROOT.rows[i].path, '.') == NULL && !is_chapter(&CONFIG_ROOT.rows[i])) {
            style->row(&CONFIG_ROOT.rows[i], "", out);
        }
    }
    for (size_t i = 0; i < CONFIG_ROOT.count; i++) {
        if (strchr(CONFIG_ROOT.rows[i].path, '.') == NULL && is_chapter(&CONFIG_ROOT.rows[i])) {
            write_chapter(style, &CONFIG_ROOT.rows[i], out);
        }
    }
}

void config_write_reference(struct buf *out) {
    static const struct style MARKDOWN = {"### Top-level keys\n\n" HEAD, write_markdown_chapter,
                                          write_markdown_row};

    write_all(&MARKDOWN, out);
}

void config_write_man_reference(struct buf *out) {
    static const struct style MAN = {".SS Top-level keys\n", write_man_chapter, write_man_row};

    write_all(&MAN, out);
}
