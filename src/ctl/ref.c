/* `wslockctl ref`: what the audit and the log say of a `ref` that a client was given in `error` or
 * `lock:denied`. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/audit/lines.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

#include "audit.h"
#include "text.h"

#define REF_MAX 64

struct search {
    const struct ctl_options *options;
    const char *ref;
    bool found;
    bool unreadable;
};

/* ---- what is found ---- */

static void print(struct buf *out) {
    fwrite(out->data, 1, out->len, stdout);
    buf_fini(out);
}

/* Appends one word of a shell. False: it has a control character, which a terminal must not get. */
static bool append_word(struct buf *out, struct str text) {
    static const char PLAIN[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@/-";
    struct buf printable;
    bool plain = true;

    buf_init(&printable);
    ctl_append_printable(&printable, text);
    const bool same = str_eq((struct str){printable.data, printable.len}, text);
    buf_fini(&printable);
    for (size_t i = 0; i < text.len; i++) {
        plain = plain && memchr(PLAIN, text.p[i], sizeof PLAIN - 1) != NULL;
    }
    buf_append_str(out, plain ? "" : "'");
    for (size_t i = 0; i < text.len; i++) {
        buf_append_str(out, text.p[i] == '\'' ? "'\\'" : "");
        buf_append_char(out, text.p[i]);
    }
    buf_append_str(out, plain ? "" : "'");
    return same;
}

/* A command that tells how it is now. */
static void append_hint(struct buf *out, const json_t *record) {
    const json_t *user = json_object_get(record, "user");
    const struct str resource = jsonr_str(json_object_get(record, "resourceId"));
    const struct str id = jsonr_str(json_object_get(user, "id"));
    struct buf command;

    buf_init(&command);
    if (resource.len > 0 && id.len > 0 && append_word(&command, resource)) {
        buf_append_str(&command, " --user ");
        if (append_word(&command, id)) {
            buf_printf(out, "  how it is now: wslockctl explain %s\n", buf_cstr(&command));
        }
    }
    buf_fini(&command);
}

static void take_record(struct search *s, const char *path, uint64_t number, struct str line,
                        const json_t *record) {
    struct buf out;

    s->found = true;
    buf_init(&out);
    if (s->options->json) {
        buf_append(&out, line.p, line.len);
        buf_append_char(&out, '\n');
    } else {
        ctl_append_printable(&out, str_of(path));
        buf_printf(&out, ":%" PRIu64 ":\n  ", number);
        ctl_audit_text(&out, record);
        append_hint(&out, record);
    }
    print(&out);
}

static void take_log_line(struct search *s, const char *path, uint64_t number, struct str line) {
    struct buf out;
    struct jsonw w;

    s->found = true;
    buf_init(&out);
    if (s->options->json) {
        jsonw_init(&w, &out);
        jsonw_object_open(&w);
        jsonw_kstr(&w, "log", line);
        jsonw_object_close(&w);
    } else {
        ctl_append_printable(&out, str_of(path));
        buf_printf(&out, ":%" PRIu64 ":\n  ", number);
        ctl_append_printable(&out, line);
    }
    buf_append_char(&out, '\n');
    print(&out);
}

/* ---- the search ---- */

/* Whether the line has it as a field of the text format: between blanks. */
static bool has_field(struct str line, const char *ref) {
    char field[REF_MAX + 8];
    const int len = snprintf(field, sizeof field, "ref=%s", ref);
    const char *at = line.p, *const end = line.p + line.len;

    while (at < end && (at = memmem(at, (size_t)(end - at), field, (size_t)len)) != NULL) {
        if ((at == line.p || at[-1] == ' ') && (at + len == end || at[len] == ' ')) {
            return true;
        }
        at++;
    }
    return false;
}

/* A record, or a line of the log in either format, and what journalctl puts before it. */
static void take_line(struct search *s, const char *path, uint64_t number, struct str line,
                      bool is_log) {
    const char *brace;
    json_t *object;

    if (line.len == 0 || memmem(line.p, line.len, s->ref, strlen(s->ref)) == NULL) {
        return;
    }
    brace = memchr(line.p, '{', line.len);
    object = brace != NULL
                 ? jsonr_object((struct str){brace, (size_t)(line.p + line.len - brace)}, NULL)
                 : NULL;
    if (jsonr_is(json_object_get(object, "ref"), s->ref)) {
        if (json_object_get(object, "action") != NULL) {
            take_record(s, path, number, line, object);
        } else {
            take_log_line(s, path, number, line);
        }
    } else if (is_log && has_field(line, s->ref)) {
        take_log_line(s, path, number, line);
    }
    json_decref(object);
}

static void complain(struct search *s, const char *path, const char *why) {
    ctl_complain("%s: %s", path, why);
    s->unreadable = true;
}

/* Plain, or compressed by gzip. */
static void search_audit(struct search *s, const char *path) {
    const char *why = NULL;
    struct audit_lines *lines = audit_lines_open(path, &why);
    enum audit_line kind = AUDIT_LINE_WHOLE;
    struct str line;

    if (lines == NULL) {
        complain(s, path, why);
        return;
    }
    for (uint64_t number = 1; kind == AUDIT_LINE_WHOLE || kind == AUDIT_LINE_TOO_LONG; number++) {
        kind = audit_lines_next(lines, &line);
        if (kind == AUDIT_LINE_WHOLE) {
            take_line(s, path, number, line, false);
        }
    }
    if (kind == AUDIT_LINE_FAILED) {
        complain(s, path, audit_lines_problem(lines));
    }
    audit_lines_close(&lines);
}

static void search_log(struct search *s, const char *path) {
    const bool is_stdin = strcmp(path, "-") == 0;
    FILE *file = is_stdin ? stdin : fopen(path, "re");
    size_t capacity = 0;
    char *line = NULL;
    ssize_t len;

    if (file == NULL) {
        complain(s, path, strerror(errno));
        return;
    }
    for (uint64_t number = 1; (len = getline(&line, &capacity, file)) > 0; number++) {
        const size_t end = (size_t)len - (line[len - 1] == '\n');

        take_line(s, is_stdin ? "log" : path, number, (struct str){line, end}, true);
    }
    if (ferror(file) != 0) {
        complain(s, path, strerror(errno));
    }
    free(line);
    if (!is_stdin) {
        (void)fclose(file);
    }
}

/* ---- the files ---- */

/* The file, and those beside it that are named after it: rotated ones. */
static void search_with_rotated(struct search *s, const char *file) {
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    char *dir = slash != NULL ? mem_strndup(file, (size_t)(slash - file) + 1) : mem_strdup("./");
    struct dirent **entries = NULL;
    const int count = scandir(dir, &entries, NULL, alphasort);

    if (count < 0) {
        complain(s, dir, strerror(errno));
    }
    for (int i = 0; i < count; i++) {
        if (strncmp(entries[i]->d_name, base, strlen(base)) == 0) {
            char *path = mem_printf("%s%s", slash != NULL ? dir : "", entries[i]->d_name);

            search_audit(s, path);
            mem_free(path);
        }
        free(entries[i]);
    }
    free(entries);
    mem_free(dir);
}

static enum ctl_exit search_configured(struct search *s) {
    struct config *config = ctl_load_config(s->options);

    if (config == NULL) {
        return CTL_FAILED;
    }
    if (strcmp(config->audit.file, "-") != 0) {
        search_with_rotated(s, config->audit.file);
    } else if (s->options->log == NULL) {
        ctl_complain("audit.file is \"-\": the records are in the journal; pass it with --log -");
    }
    config_destroy(&config);
    return CTL_OK;
}

static bool is_ref(const char *text) {
    const size_t len = strlen(text);

    return len > 0 && len <= REF_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == len;
}

static enum ctl_exit finish(const struct search *s) {
    if (!s->found) {
        ctl_complain("%s: nothing found%s", s->ref,
                     s->unreadable ? " in what could be read"
                                   : "; are these the files of the "
                                     "instance that the client used?");
    }
    if (!s->options->json && s->options->log == NULL) {
        printf("in the log: journalctl -u wslockd -o cat | grep -F ref=%s\n", s->ref);
    }
    if (s->found) {
        return CTL_OK;
    }
    return s->unreadable ? CTL_MISSING : CTL_NOT_FOUND;
}

enum ctl_exit ctl_ref(const struct ctl_options *options) {
    struct search s = {.options = options, .ref = options->words[0]};
    const bool configured = options->config_file != NULL || options->state_dir != NULL;
    enum ctl_exit result = CTL_OK;

    if (!is_ref(s.ref)) {
        ctl_complain("%s: a ref is letters, digits, - and _, at most %d", s.ref, REF_MAX);
        return CTL_USAGE;
    }
    if (options->socket != NULL) {
        ctl_complain("ref reads files: it has no use for --socket");
        return CTL_USAGE;
    }
    for (size_t i = 1; i < options->word_count; i++) {
        search_audit(&s, options->words[i]);
    }
    if (options->word_count == 1 && (configured || options->log == NULL)) {
        result = search_configured(&s);
    }
    if (result == CTL_OK && options->log != NULL) {
        search_log(&s, options->log);
    }
    return result == CTL_OK ? finish(&s) : result;
}
