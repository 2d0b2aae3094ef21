/* Asks for page after page. */
#include "list.h"

#include <inttypes.h>
#include <stdio.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "change.h"
#include "text.h"

#define PAGE 1000 /* the most that the daemon gives */

struct listing {
    const struct ctl_options *options;
    const struct ctl_list *list;
    struct ctl_table table;
    struct buf after; /* the cursor; empty at the first page */
    char *actor;
    int64_t count;
    bool more; /* the daemon has another page */
};

static int64_t page_size(const struct listing *l) {
    const int64_t rest = l->options->limit > 0 ? l->options->limit - l->count : PAGE;

    return rest < PAGE ? rest : PAGE;
}

static void append_filter(struct buf *path, const char *key, struct str value) {
    if (value.len > 0) {
        buf_printf(path, "&%s=", key);
        ctl_http_escape(path, value);
    }
}

static void write_path(const struct listing *l, struct buf *path) {
    buf_reset(path);
    buf_printf(path, "%s?limit=%" PRId64, l->list->path, page_size(l));
    append_filter(path, "actor", str_of(l->actor));
    append_filter(path, "type", str_of(l->options->type));
    append_filter(path, "user", str_of(l->options->user));
    append_filter(path, "search", str_of(l->options->search));
    append_filter(path, "after", (struct str){l->after.data, l->after.len});
}

/* By bytes, as the daemon orders them: so the list has an end. */
static bool is_behind(struct str cursor, const struct buf *before) {
    const size_t len = cursor.len < before->len ? cursor.len : before->len;
    const int order = len > 0 ? memcmp(cursor.p, before->data, len) : 0;

    return order > 0 || (order == 0 && cursor.len > before->len);
}

/* False after a message: that is no page, or not the next one. */
static bool take_page(struct listing *l, const struct ctl_answer *answer) {
    const json_t *elements = json_object_get(answer->json, l->list->name);
    const struct str next = jsonr_str(json_object_get(answer->json, "next"));
    const int64_t now_ms = ctl_answer_now(answer);

    if (!json_is_array(elements) || (next.len > 0 && !is_behind(next, &l->after))) {
        ctl_complain("%s: an unexpected answer: is this the operations endpoint of wslockd?",
                     l->list->path);
        return false;
    }
    if (l->options->json) {
        ctl_answer_print(answer);
    } else {
        for (size_t i = 0; i < json_array_size(elements); i++) {
            l->list->add_row(&l->table, json_array_get(elements, i), now_ms);
        }
    }
    l->count += (int64_t)json_array_size(elements);
    l->more = next.len > 0;
    buf_reset(&l->after);
    buf_append(&l->after, next.p, next.len);
    return true;
}

static enum ctl_exit ask_pages(struct listing *l, struct ctl_daemon *daemon) {
    enum ctl_exit result = CTL_OK;
    struct buf path;

    buf_init(&path);
    do {
        struct ctl_request request = {.method = "GET", .timeout_ms = CTL_LIST_MS};
        struct ctl_answer answer;

        write_path(l, &path);
        request.path = buf_cstr(&path);
        result = ctl_daemon_request(daemon, &request, l->list->name, &answer);
        if (result == CTL_OK && !take_page(l, &answer)) {
            result = CTL_FAILED;
        }
        ctl_answer_fini(&answer);
    } while (result == CTL_OK && l->more && page_size(l) > 0);
    buf_fini(&path);
    return result;
}

static void print(const struct listing *l) {
    if (l->count == 0) {
        printf("no %ss\n", l->list->one);
        return;
    }
    ctl_table_print(&l->table, 0);
    if (l->more) {
        printf("the first %" PRId64 "; --limit leaves out the rest\n", l->count);
    }
}

enum ctl_exit ctl_list(const struct ctl_options *options, const struct ctl_list *list) {
    struct listing l = {.options = options, .list = list, .actor = ctl_find_actor()};
    struct ctl_daemon daemon;
    enum ctl_exit result = ctl_daemon_find(options, &daemon);

    buf_init(&l.after);
    ctl_table_init(&l.table, list->titles);
    if (result == CTL_OK) {
        result = ask_pages(&l, &daemon);
    }
    if (result == CTL_OK && !options->json) {
        print(&l);
    }
    ctl_table_fini(&l.table);
    ctl_daemon_forget(&daemon);
    buf_fini(&l.after);
    mem_free(l.actor);
    return result;
}
