/* The configuration of --dev: an embedded text, which a file may override. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wslock/base/mem.h"
#include "wslock/base/rand.h"

#include "derived.h"
#include "format.h"
#include "load.h"
#include "value.h"

static const char DEV_NAME[] = "--dev";
static const char STATE_DIR_NAME[] = "--state-dir"; /* stands for the file in problems */

/* `@/name` is a file in the state directory: see append_text. */
static const char DEV_TEXT[] =
    "listen: [{address: 127.0.0.1, port: 8080, plaintext: true}]\n"
    "ops: {address: 127.0.0.1, port: 9464, socket: @/ops.sock}\n"
    "instance: dev\n"
    "auth:\n"
    "  algorithms: [HS256]\n"
    "  keys: [{kid: dev, alg: HS256, secretFile: @/dev-key}]\n"
    "  claims: {userId: sub, username: name, roles: roles}\n"
    "audit: {file: @/audit.jsonl}\n"
    "default: {urgentTakeover: true}\n"
    "resourceTypes:\n"
    "  document: {maxConcurrentTabLocksPerUser: 3, maxViewersPerChild: 50}\n"
    "  patient-chart: {maxConcurrentTabLocksPerUser: 10, upgrade: queue}\n"
    "  operation-report: {maxViewersPerChild: 10, lockTtl: 10m, upgrade: request}\n"
    "  care-plan: {requests: true, disconnect: prompt}\n"
    "  prescription: {takeover: immediate}\n";

/* Appends DEV_TEXT, with each `@/name` replaced by a quoted path in the state directory. */
static void append_text(const char *state_dir, bool embedded, struct buf *out) {
    struct buf path;

    buf_init(&path);
    for (const char *p = DEV_TEXT; *p; p++) {
        size_t len;

        if (*p != '@') {
            buf_append_char(out, *p);
            continue;
        }
        len = strcspn(p, "},");
        buf_reset(&path);
        buf_append_str(&path, state_dir);
        buf_append(&path, p + 1, len - 1);
        config_print_quoted(buf_cstr(&path), out);
        p += len - 1;
    }
    if (embedded) {
        buf_append_str(out, "redis: {embedded: true}\n");
    }
    buf_fini(&path);
}

static bool report_errno(struct config_problems *problems, const char *path) {
    config_problems_add(problems, STATE_DIR_NAME, 0, "", "%.300s: %s", path, strerror(errno));
    return false;
}

/* Makes the directory and its parents, with access for the user only. */
static bool make_directory(const char *path, struct config_problems *problems) {
    char *copy = mem_strdup(path);
    bool ok = *path != '\0';
    struct stat st;

    errno = ENOENT;
    for (char *p = copy + 1; ok; p++) {
        char c = *p;

        if (c != '/' && c != '\0') {
            continue;
        }
        *p = '\0';
        ok = mkdir(copy, 0700) == 0 || errno == EEXIST;
        *p = c;
        if (c == '\0') {
            break;
        }
    }
    if (ok) {
        ok = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
        errno = ENOTDIR;
    }
    if (!ok) {
        report_errno(problems, path);
    }
    mem_free(copy);
    return ok;
}

static bool check_key_file(const char *path, struct config_problems *problems) {
    struct stat st;

    if (lstat(path, &st) != 0) {
        return report_errno(problems, path);
    }
    if (S_ISREG(st.st_mode) && (st.st_mode & 077) == 0 && st.st_size >= 32) {
        return true;
    }
    config_problems_add(problems, STATE_DIR_NAME, 0, "",
                        "%.300s: not a signing key that only its user may read (remove it, and a "
                        "new one is made)",
                        path);
    return false;
}

/* Writes 256 random bits as text to a temporary file and links it into place: the key file is never
 * incomplete, even when two daemons start at once. */
static bool make_key(const char *state_dir, const char *path, struct config_problems *problems) {
    char text[2 * RAND_ID_LEN + 1];
    struct buf temporary;
    bool ok = false;
    int fd;

    rand_id(text);
    buf_init(&temporary);
    buf_printf(&temporary, "%s.%s", path, text);
    fd = open(buf_cstr(&temporary), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        report_errno(problems, state_dir);
        goto done;
    }
    rand_id(text);
    rand_id(text + RAND_ID_LEN);
    ok = write(fd, text, 2 * RAND_ID_LEN) == 2 * RAND_ID_LEN;
    ok = close(fd) == 0 && ok;
    ok = ok && (link(temporary.data, path) == 0 || errno == EEXIST);
    if (!ok) {
        report_errno(problems, path);
    }
    unlink(temporary.data);
done:
    explicit_bzero(text, sizeof text);
    buf_fini(&temporary);
    return ok;
}

static bool ensure_key(const char *state_dir, struct config_problems *problems) {
    struct buf path;
    bool ok;

    buf_init(&path);
    buf_printf(&path, "%s/dev-key", state_dir);
    buf_cstr(&path);
    ok = (access(path.data, F_OK) == 0 || make_key(state_dir, path.data, problems)) &&
         check_key_file(path.data, problems);
    buf_fini(&path);
    return ok;
}

static void check_loopback(const struct config *c, struct config_problems *problems) {
    for (size_t i = 0; i < c->listen_count; i++) {
        char path[64];
        const struct config_node *node;

        if (c->listen[i].systemd_socket == NULL && config_is_loopback(c->listen[i].address)) {
            continue;
        }
        (void)snprintf(path, sizeof path, "listen[%zu].address", i);
        node = config_tree_nearest(c->root, path);
        config_problems_add(problems, node->file, node->line, path,
                            "--dev listens on loopback addresses only");
    }
    if (c->ops.enabled && !config_is_loopback(c->ops.address)) {
        const struct config_node *node = config_tree_nearest(c->root, "ops.address");
        config_problems_add(problems, node->file, node->line, "ops.address",
                            "--dev listens on loopback addresses only");
    }
}

/* The defaults, overridden by the file's tree. Takes `over`, which may be NULL. */
static struct config_node *dev_tree(const char *state_dir, struct config_node **over,
                                    struct config_problems *problems) {
    static const char *const OTHERS[] = {"redis.url", "redis.sentinel", "redis.cluster"};
    struct config_node *root;
    struct buf text;
    bool embedded = true;

    for (size_t i = 0; *over != NULL && i < ARRAY_LEN(OTHERS); i++) {
        embedded = embedded && config_tree_find(*over, OTHERS[i]) == NULL;
    }
    buf_init(&text);
    append_text(state_dir, embedded, &text);
    root = config_tree_parse(DEV_NAME, text.data, text.len, problems);
    buf_fini(&text);
    if (root == NULL) {
        return NULL;
    }
    config_tree_expand(root, problems); /* of a path that holds "${" */
    if (*over != NULL) {
        config_tree_merge(root, over);
    }
    return root;
}

bool config_make_dev(const char *state_dir, config_problem_cb on_problem, void *ctx) {
    struct config_problems problems = {0};
    bool ok = make_directory(state_dir, &problems) && ensure_key(state_dir, &problems);

    config_problems_report(&problems, on_problem, ctx);
    return ok;
}

/* Whether the directory can be used, or made in its parent. */
static bool check_directory(const char *path, struct config_problems *problems) {
    char *copy = mem_strdup(path);
    const char *at = copy;
    struct stat st;
    bool ok;

    while (*at && stat(at, &st) != 0 && errno == ENOENT && strcmp(at, "/") != 0 &&
           strcmp(at, ".") != 0) {
        char *slash = strrchr(copy, '/');

        if (slash != NULL) {
            slash[slash == copy ? 1 : 0] = '\0';
        }
        at = slash != NULL ? copy : ".";
    }
    ok = stat(at, &st) == 0;
    if (ok && !S_ISDIR(st.st_mode)) {
        ok = false;
        errno = ENOTDIR;
    }
    ok = ok && access(at, W_OK | X_OK) == 0;
    if (!ok) {
        report_errno(problems, path);
    }
    mem_free(copy);
    return ok;
}

bool config_check_state_dir(const struct config *c, const char *state_dir,
                            config_problem_cb on_problem, void *ctx) {
    struct config_problems problems = {0};
    struct buf key;
    bool ok = check_directory(state_dir, &problems);

    buf_init(&key);
    buf_printf(&key, "%s/dev-key", state_dir);
    if (ok && c->dev && access(buf_cstr(&key), F_OK) == 0) {
        ok = check_key_file(key.data, &problems);
    }
    buf_fini(&key);
    config_problems_report(&problems, on_problem, ctx);
    return ok;
}

struct config *config_load_dev(const char *state_dir, const char *path,
                               config_problem_cb on_problem, void *ctx) {
    struct config_problems problems = {0};
    struct config_node *over = NULL, *root = NULL;
    struct config *config = NULL;

    if (path != NULL) {
        over = config_load_tree(path, &problems);
        if (over == NULL) {
            goto done;
        }
    }
    root = dev_tree(state_dir, &over, &problems);
    if (root == NULL) {
        goto done;
    }
    config = config_load_bound(&root, &problems);
    if (config == NULL) {
        goto done;
    }
    config->dev = true;
    config->state_dir = mem_strdup(state_dir);
    check_loopback(config, &problems);
    if (problems.count > 0) {
        config_destroy(&config);
    } else if (config_tree_find(config->root, "allowedOrigins") == NULL) {
        config_derive_own_page(config);
    }
done:
    config_problems_report(&problems, on_problem, ctx);
    config_tree_destroy(&over);
    return config;
}
