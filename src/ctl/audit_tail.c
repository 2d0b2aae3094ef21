/* `wslockctl audit tail`: the newest records of the configured file, and those that come. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "wslock/base/jsonr.h"
#include "wslock/base/mem.h"

#include "audit.h"
#include "audit_file.h"
#include "text.h"

#define TAIL_LINES 20
#define POLL_NS 200000000L
#define ROTATIONS_MAX 100 /* between two looks */
#define SHOWN_BYTES 120   /* of a line that is no record */

struct tail {
    const struct ctl_options *options;
    struct ctl_audit_filter filter;
    const char *path;
    struct ctl_audit_file file;
    struct buf newest[TAIL_LINES]; /* a ring */
    size_t count;                  /* of all lines that were in it */
    bool printing;                 /* at once */
    struct buf hash;               /* of the record that was read last */
};

static bool filters(const struct tail *t) {
    const struct ctl_audit_filter *f = &t->filter;

    return f->resource != NULL || f->action != NULL || f->user != NULL || f->has_since;
}

static void write_other_line(struct buf *out, struct str line) {
    buf_append_str(out, "not an audit record: ");
    if (line.p == NULL) {
        buf_append_str(out, "a line that is too long");
    } else {
        ctl_append_printable(out, (struct str){line.p, utf8_cut(line, SHOWN_BYTES)});
        buf_append_str(out, line.len > SHOWN_BYTES ? "…" : "");
    }
    buf_append_char(out, '\n');
}

/* What is printed of a line; nothing if it is not to be. */
static void write_line(struct tail *t, struct buf *out, struct str line) {
    json_t *record = line.p != NULL ? jsonr_object(line, NULL) : NULL;
    const struct str hash = jsonr_str(json_object_get(record, "hash"));

    if (hash.len > 0) {
        buf_reset(&t->hash);
        buf_append(&t->hash, hash.p, hash.len);
    }
    if (record == NULL) {
        if (!t->options->json && !filters(t)) {
            write_other_line(out, line);
        }
    } else if (ctl_audit_matches(&t->filter, record)) {
        if (t->options->json) {
            buf_append(out, line.p, line.len);
            buf_append_char(out, '\n');
        } else {
            ctl_audit_text(out, record);
        }
    }
    json_decref(record);
}

static void on_line(void *ctx, struct str line) {
    struct tail *t = ctx;
    struct buf *out = &t->newest[t->count % TAIL_LINES];
    struct buf text;

    buf_init(&text);
    write_line(t, &text, line);
    if (t->printing) {
        fwrite(text.data, 1, text.len, stdout);
    } else if (text.len > 0) {
        buf_reset(out);
        buf_append(out, text.data, text.len);
        t->count++;
    }
    buf_fini(&text);
}

static void print_newest(struct tail *t) {
    for (size_t i = t->count > TAIL_LINES ? t->count - TAIL_LINES : 0; i < t->count; i++) {
        fwrite(t->newest[i % TAIL_LINES].data, 1, t->newest[i % TAIL_LINES].len, stdout);
    }
    for (size_t i = 0; i < TAIL_LINES; i++) {
        buf_fini(&t->newest[i]);
    }
    t->printing = true;
}

static bool read_on(struct tail *t) {
    if (t->file.fd >= 0 && !ctl_audit_file_read(&t->file, on_line, t)) {
        ctl_complain("%s: %s", t->path, strerror(errno));
        return false;
    }
    return true;
}

static bool follows(const struct tail *t, const struct ctl_audit_file *file) {
    struct buf prev;
    bool ok;

    buf_init(&prev);
    ctl_audit_file_prev(file, &prev);
    ok = prev.len > 0 &&
         str_eq((struct str){prev.data, prev.len}, (struct str){t->hash.data, t->hash.len});
    buf_fini(&prev);
    return ok;
}

/* Opens the file beside t->path, and named after it, whose first record follows the last one. */
static bool open_follower(const struct tail *t, struct ctl_audit_file *out) {
    const char *slash = strrchr(t->path, '/');
    const char *base = slash != NULL ? slash + 1 : t->path;
    char *dir = slash != NULL ? mem_strndup(t->path, (size_t)(slash - t->path) + 1) : NULL;
    DIR *entries = opendir(dir != NULL ? dir : ".");
    const struct dirent *entry;
    bool found = false;

    while (entries != NULL && !found && (entry = readdir(entries)) != NULL) {
        if (strncmp(entry->d_name, base, strlen(base)) == 0) {
            char *path = mem_printf("%s%s", dir != NULL ? dir : "", entry->d_name);

            found = ctl_audit_file_open(out, path) && follows(t, out);
            if (!found) {
                ctl_audit_file_close(out);
            }
            mem_free(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    mem_free(dir);
    return found;
}

/* The file was replaced, perhaps more than once: reads it to its end, then those that follow, up to
 * the one of that name. */
static bool change_file(struct tail *t, struct ctl_audit_file *next) {
    struct ctl_audit_file between;
    bool ok = read_on(t);

    for (int i = 0; i < ROTATIONS_MAX && ok && t->hash.len > 0 && !follows(t, next) &&
                    open_follower(t, &between);
         i++) {
        ctl_audit_file_close(&t->file);
        t->file = between;
        ok = read_on(t);
    }
    if (ok && t->hash.len > 0 && !follows(t, next)) {
        ctl_complain("%s does not continue the file before: records may be missing here", t->path);
    }
    ctl_audit_file_close(&t->file);
    t->file = *next;
    return ok;
}

/* A new file counts when it has a record: until then the one before may still be written to. */
static bool look_at_name(struct tail *t) {
    struct ctl_audit_file next;
    struct stat st;

    if (t->file.fd >= 0) {
        ctl_audit_file_check_cut(&t->file);
    }
    if (stat(t->path, &st) != 0 || st.st_size == 0 ||
        (t->file.fd >= 0 && st.st_ino == t->file.st.st_ino && st.st_dev == t->file.st.st_dev) ||
        !ctl_audit_file_open(&next, t->path)) {
        return true;
    }
    if (next.st.st_size == 0) { /* replaced once more meanwhile */
        ctl_audit_file_close(&next);
        return true;
    }
    return change_file(t, &next);
}

static enum ctl_exit follow(struct tail *t, const sigset_t *ends) {
    const struct timespec pause = {.tv_nsec = POLL_NS};

    while (read_on(t)) {
        if (fflush(stdout) != 0) {
            ctl_complain("cannot write to standard output: %s", strerror(errno));
            return CTL_FAILED;
        }
        if (sigtimedwait(ends, NULL, &pause) > 0) {
            return CTL_OK;
        }
        if (!look_at_name(t)) {
            break;
        }
    }
    return CTL_FAILED;
}

static enum ctl_exit run(struct tail *t) {
    sigset_t ends;

    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    if (t->options->follow) {
        sigprocmask(SIG_BLOCK, &ends, NULL);
    }
    if (!ctl_audit_file_open(&t->file, t->path) && !(t->options->follow && errno == ENOENT)) {
        ctl_complain("%s: %s", t->path, strerror(errno));
        return CTL_FAILED;
    }
    t->printing = t->filter.has_since;
    if (t->file.fd >= 0 && !filters(t)) {
        ctl_audit_file_seek(&t->file, TAIL_LINES);
    }
    if (!read_on(t)) {
        return CTL_FAILED;
    }
    print_newest(t);
    return t->options->follow ? follow(t, &ends) : CTL_OK;
}

enum ctl_exit ctl_audit_tail(const struct ctl_options *options) {
    struct tail t = {.options = options, .file = {.fd = -1}};
    enum ctl_exit result = CTL_FAILED;
    struct config *config;

    if (!ctl_audit_filter_init(&t.filter, options)) {
        return CTL_USAGE;
    }
    config = ctl_load_config(options);
    if (config == NULL) {
        return CTL_FAILED;
    }
    t.path = config->audit.file;
    buf_init(&t.hash);
    if (strcmp(t.path, "-") == 0) {
        ctl_complain(
            "audit.file is \"-\": the records are on the daemon's standard output, usually "
            "the journal; read them with `journalctl -u wslockd -o cat`");
    } else {
        result = run(&t);
    }
    for (size_t i = 0; i < TAIL_LINES; i++) {
        buf_fini(&t.newest[i]);
    }
    ctl_audit_file_close(&t.file);
    buf_fini(&t.hash);
    config_destroy(&config);
    return result;
}
