/* Collects problems and reports them in the order of their lines. */
#include "problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/mem.h"

struct config_problem {
    const char *file;
    int line;
    size_t order; /* in which it was added; keeps the sort stable */
    char *key;
    char *text;
};

void config_problems_add(struct config_problems *problems, const char *file, int line,
                         const char *key, const char *fmt, ...) {
    char text[512];
    va_list args;

    if (problems == NULL || problems->count >= CONFIG_MAX_PROBLEMS) {
        return;
    }
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    problems->items = mem_realloc(problems->items, (problems->count + 1) * sizeof *problems->items);
    problems->items[problems->count] = (struct config_problem){
        .file = file,
        .line = line,
        .order = problems->count,
        .key = mem_strdup(key),
        .text = mem_strdup(text),
    };
    problems->count++;
}

static int compare_problems(const void *left, const void *right) {
    const struct config_problem *a = left, *b = right;
    int by_file = strcmp(a->file, b->file);

    if (by_file != 0) {
        return by_file;
    }
    if (a->line != b->line) {
        return a->line < b->line ? -1 : 1;
    }
    return a->order < b->order ? -1 : a->order > b->order;
}

void config_problems_report(struct config_problems *problems, config_problem_cb on_problem,
                            void *ctx) {
    if (problems->count > 0) {
        qsort(problems->items, problems->count, sizeof *problems->items, compare_problems);
    }
    for (size_t i = 0; i < problems->count; i++) {
        struct config_problem *item = &problems->items[i];
        if (on_problem != NULL) {
            on_problem(ctx, item->file, item->line, item->key, item->text);
        }
        mem_free(item->key);
        mem_free(item->text);
    }
    mem_free(problems->items);
    *problems = (struct config_problems){0};
}

const char *config_quote(const char *text, char out[CONFIG_QUOTE_BYTES]) {
    static const char MORE[] = "...";
    size_t len = strlen(text);
    size_t keep = len < CONFIG_QUOTE_BYTES ? len : CONFIG_QUOTE_BYTES - sizeof MORE;

    while (keep < len && keep > 0 && ((unsigned char)text[keep] & 0xc0) == 0x80) {
        keep--; /* never cuts a character */
    }
    for (size_t i = 0; i < keep; i++) {
        unsigned char c = (unsigned char)text[i];
        out[i] = (char)(c < 0x20 || c == 0x7f ? '?' : c);
    }
    memcpy(out + keep, keep < len ? MORE : "", keep < len ? sizeof MORE : 1);
    return out;
}
