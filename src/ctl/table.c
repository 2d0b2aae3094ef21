/* Lays out a table. */
#include "table.h"

#include <stdint.h>
#include <stdio.h>

#include "wslock/base/mem.h"

#include "text.h"

#define GAP 2        /* between columns */
#define ELLIPSIS "…" /* one column wide */

void ctl_table_init(struct ctl_table *t, const char *const *titles) {
    *t = (struct ctl_table){.titles = titles};
    buf_init(&t->text);
    while (titles[t->columns] != NULL) {
        ctl_append_printable(ctl_table_begin_cell(t), str_of(titles[t->columns]));
        ctl_table_end_cell(t, CTL_BOLD);
        t->columns++;
    }
}

void ctl_table_fini(struct ctl_table *t) {
    buf_fini(&t->text);
    mem_free(t->cells);
}

struct buf *ctl_table_begin_cell(struct ctl_table *t) {
    return &t->text;
}

void ctl_table_end_cell(struct ctl_table *t, enum ctl_style style) {
    if (t->count == t->capacity) {
        t->capacity = t->capacity == 0 ? 64 : t->capacity * 2;
        t->cells = mem_realloc(t->cells, t->capacity * sizeof *t->cells);
    }
    t->cells[t->count++] = (struct ctl_cell){t->text.len, style};
}

static struct str cell_text(const struct ctl_table *t, size_t i) {
    const size_t begin = i > 0 ? t->cells[i - 1].end : 0;

    return (struct str){t->text.data + begin, t->cells[i].end - begin};
}

/* Takes columns off the widest until the line fits. */
static void fit(size_t *widths, size_t columns, size_t room) {
    size_t total = (columns - 1) * GAP;

    for (size_t i = 0; i < columns; i++) {
        total += widths[i];
    }
    while (total > room) {
        size_t widest = 0;

        for (size_t i = 1; i < columns; i++) {
            widest = widths[i] > widths[widest] ? i : widest;
        }
        if (widths[widest] <= 1) {
            return;
        }
        widths[widest]--;
        total--;
    }
}

static void print_cell(const struct ctl_table *t, size_t i, size_t width, bool last) {
    const struct str text = cell_text(t, i);
    const size_t needed = ctl_text_width(text);
    const bool cut = needed > width;
    const size_t len = ctl_text_cut(text, cut ? width - 1 : width);
    const size_t used = ctl_text_width((struct str){text.p, len}) + cut;

    printf("%s%.*s%s%s", ctl_style_begin(t->cells[i].style), (int)len, text.p, cut ? ELLIPSIS : "",
           ctl_style_end(t->cells[i].style));
    if (!last) {
        printf("%*s", (int)(width - used + GAP), "");
    }
}

/* Nothing is printed behind the last cell that is not empty. */
static void print_row(const struct ctl_table *t, size_t first, const size_t *widths) {
    size_t last = t->columns - 1;

    while (last > 0 && cell_text(t, first + last).len == 0) {
        last--;
    }
    for (size_t i = 0; i <= last; i++) {
        print_cell(t, first + i, widths[i], i == last);
    }
    putchar('\n');
}

void ctl_table_print(const struct ctl_table *t, size_t indent) {
    const size_t room = ctl_terminal_width();
    size_t widths[CTL_TABLE_COLUMNS_MAX] = {0};

    for (size_t i = 0; i < t->count; i++) {
        const size_t width = ctl_text_width(cell_text(t, i));

        if (width > widths[i % t->columns]) {
            widths[i % t->columns] = width;
        }
    }
    fit(widths, t->columns, room == SIZE_MAX ? room : room > indent ? room - indent : 0);
    for (size_t i = 0; i < t->count; i += t->columns) {
        printf("%*s", (int)indent, "");
        print_row(t, i, widths);
    }
}
