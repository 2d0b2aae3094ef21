/* Decides about another file, and opens it. */
#include "rotation.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "tail.h"
#include "wslock/base/mem.h"

enum place { PLACE_SAME, PLACE_OTHER, PLACE_UNKNOWN };

static bool is_stdout(const char *path) {
    return strcmp(path, "-") == 0;
}

/* Whether the path leads to the file in force. */
static enum place find_place(const struct rotation_file *now, const char *path) {
    struct stat st;
    if (is_stdout(path)) {
        return PLACE_SAME; /* config_may_reload: it was standard output before */
    }
    if (stat(path, &st) != 0) {
        return errno == ENOENT ? PLACE_OTHER : PLACE_UNKNOWN;
    }
    return st.st_dev == now->device && st.st_ino == now->inode ? PLACE_SAME : PLACE_OTHER;
}

void rotation_describe(struct rotation_file *file, const char *path, struct chain *chain,
                       const struct sink *sink) {
    struct stat st;
    *file = (struct rotation_file){.path = mem_strdup(path)};
    if (fstat(sink->fd, &st) == 0) {
        file->device = st.st_dev;
        file->inode = st.st_ino;
    }
    chain_hash(chain, "", 0, file->key_mark);
}

static bool open_next(struct rotation *r, const struct config *next, char **problem) {
    const int fd = tail_begin(next->audit.file, problem);
    if (fd < 0) {
        return false;
    }
    sink_init(&r->sink, fd, next->audit.file, next->audit.fsync == CONFIG_FSYNC_BATCH);
    rotation_describe(&r->file, next->audit.file, r->chain, &r->sink);
    return true;
}

static char *other_key_problem(const char *path) {
    if (is_stdout(path)) {
        return mem_printf("audit.hmacKeyFile: the key of standard output changes only with a "
                          "restart");
    }
    return mem_printf("audit.hmacKeyFile: another key, or none, needs another file: rename %s, or "
                      "change audit.file",
                      path);
}

/* The file stays. */
static bool check_same(const struct rotation *r, const struct rotation_file *now,
                       const struct config *next, char **problem) {
    char key_mark[CHAIN_HASH_LEN + 1];
    chain_hash(r->chain, "", 0, key_mark);
    if (strcmp(key_mark, now->key_mark) != 0) {
        *problem = other_key_problem(now->path);
    } else if (strcmp(now->path, next->audit.file) != 0) {
        *problem = mem_printf("audit.file: %s: is another name of the current audit file",
                              next->audit.file);
    }
    return *problem == NULL;
}

bool rotation_prepare(struct rotation *r, const struct rotation_file *now,
                      const struct config *next, char **problem) {
    bool ok = false;
    *r = (struct rotation){.sink = {.fd = -1}};
    r->chain = chain_create(next->audit.hmac_key_file, problem);
    if (r->chain == NULL) {
        return false;
    }
    switch (find_place(now, next->audit.file)) {
    case PLACE_OTHER:
        if (open_next(r, next, problem)) {
            return true;
        }
        break;
    case PLACE_SAME:
        ok = check_same(r, now, next, problem);
        break;
    case PLACE_UNKNOWN:
        *problem = mem_printf("audit.file: %s: %s", next->audit.file, strerror(errno));
        break;
    }
    chain_destroy(&r->chain);
    return ok;
}
