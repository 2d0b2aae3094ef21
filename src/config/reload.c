/* A reload: what differs, and the exchange of what may. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "bind.h"
#include "problem.h"
#include "value.h"

struct reloading {
    const struct config *next;
    bool keeps_label; /* instance is derived in both: the host's name may have changed */
    config_problem_cb on_problem;
    void *ctx;
    bool refused;
};

static bool has_items(const struct config_row *row) {
    return row->type == CONFIG_TYPE_LIST || row->type == CONFIG_TYPE_NAMED;
}

static void refuse(struct reloading *r, const char *key, const char *name, const char *what) {
    char *finding = mem_printf("%s%s: %schanges only with a restart", key, name, what);

    r->refused = true;
    config_complain(r->next, finding, r->on_problem, r->ctx);
    mem_free(finding);
}

static bool is_label(const struct config_scope *scope, const struct config_row *row) {
    return scope == &CONFIG_ROOT && row->offset == offsetof(struct config, instance);
}

/* The length of a path's directory; of standard output none is the same as that of a path. */
static size_t directory_len(const char *path) {
    const char *slash = strrchr(path, '/');

    return slash != NULL ? (size_t)(slash - path) + 1 : strcmp(path, "-") == 0 ? SIZE_MAX : 0;
}

static bool same_directory(const char *a, const char *b) {
    size_t len = directory_len(a);

    return len == directory_len(b) && (len == SIZE_MAX || strncmp(a, b, len) == 0);
}

static const char *text_at(const struct config_row *row, const void *owner) {
    return *(char *const *)((const char *)owner + row->offset);
}

/* prefix: of the rows' keys, such as `listen[0].`. */
static void compare(struct reloading *r, const struct config_scope *scope, const char *prefix,
                    const void *current, const void *next);

static void compare_items(struct reloading *r, const struct config_row *row, const void *current,
                          const void *next) {
    size_t count = config_item_count(row, current);

    if (count != config_item_count(row, next)) {
        refuse(r, "", row->path, "");
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char *prefix = mem_printf("%s[%zu].", row->path, i);
        compare(r, row->scope, prefix, config_item_at(row, current, i),
                config_item_at(row, next, i));
        mem_free(prefix);
    }
}

static void compare(struct reloading *r, const struct config_scope *scope, const char *prefix,
                    const void *current, const void *next) {
    for (size_t i = 0; i < scope->count; i++) {
        const struct config_row *row = &scope->rows[i];
        if (row->reload == CONFIG_RELOAD_LIVE || (r->keeps_label && is_label(scope, row))) {
            continue;
        }
        if (row->reload == CONFIG_RELOAD_NAME) {
            if (!same_directory(text_at(row, current), text_at(row, next))) {
                refuse(r, prefix, row->path, "its directory ");
            }
        } else if (has_items(row)) {
            compare_items(r, row, current, next);
        } else if (!config_value_equals(row, current, next)) {
            refuse(r, prefix, row->path, "");
        }
    }
}

static void swap(void *a, void *b, size_t size) {
    unsigned char *p = a, *q = b;

    for (size_t i = 0; i < size; i++) {
        unsigned char byte = p[i];
        p[i] = q[i];
        q[i] = byte;
    }
}

/* Of the rows that a reload may change. */
static void exchange(const struct config_scope *scope, void *current, void *next) {
    for (size_t i = 0; i < scope->count; i++) {
        const struct config_row *row = &scope->rows[i];
        char *a = (char *)current + row->offset, *b = (char *)next + row->offset;

        if (row->type == CONFIG_TYPE_STRUCT) {
            swap(a, b, row->scope->size_bytes);
        } else if (has_items(row) && row->reload == CONFIG_RELOAD_RESTART) {
            for (size_t k = 0; k < config_item_count(row, current); k++) {
                exchange(row->scope, config_item_at(row, current, k), config_item_at(row, next, k));
            }
        } else if (row->reload != CONFIG_RELOAD_RESTART) {
            swap(a, b, config_value_size(row));
            if (has_items(row)) {
                swap((char *)current + row->count_offset, (char *)next + row->count_offset,
                     sizeof(size_t));
            }
        }
    }
}

bool config_may_reload(const struct config *current, const struct config *next,
                       config_problem_cb on_problem, void *ctx) {
    struct reloading r = {
        .next = next,
        .keeps_label = current->instance_derived && next->instance_derived,
        .on_problem = on_problem,
        .ctx = ctx,
    };

    compare(&r, &CONFIG_ROOT, "", current, next);
    return !r.refused;
}

void config_exchange(struct config *current, struct config *next) {
    exchange(&CONFIG_ROOT, current, next);
    swap(&current->root, &next->root, sizeof(struct config_node *));
    swap(&current->own_page_derived, &next->own_page_derived, sizeof(bool));
}
