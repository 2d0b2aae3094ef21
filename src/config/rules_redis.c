/* Rules for the Redis connection, and the parts of its URL. */
#include "rules_redis.h"

#include <string.h>

#include "wslock/base/file.h"
#include "wslock/base/mem.h"

#include "redis_url.h"

#define MAX_PASSWORD_BYTES 4096u

/* Set by CMake where hiredis has TLS (1.0 and later, with hiredis_ssl). */
#ifdef WSLOCK_REDIS_TLS
static const bool HAS_TLS = true;
#else
static const bool HAS_TLS = false;
#endif

static bool given(const struct config_rules *r, const char *path) {
    const struct config_node *node = config_tree_find(r->root, path);

    return node != NULL && !config_node_is_null(node);
}

/* url, embedded, sentinel and cluster exclude each other. The default URL holds without the others.
 */
static void check_ways(const struct config_rules *r) {
    static const char *const WAYS[] = {"redis.url", "redis.embedded", "redis.sentinel",
                                       "redis.cluster"};
    const char *first = NULL;

    for (size_t i = 0; i < ARRAY_LEN(WAYS); i++) {
        if (!given(r, WAYS[i]) ||
            (strcmp(WAYS[i], "redis.embedded") == 0 && !r->config->redis.embedded)) {
            continue;
        }
        if (first != NULL) {
            config_rules_complain(r, WAYS[i], "excludes %s", first);
        } else {
            first = WAYS[i];
        }
    }
    if (first != NULL && strcmp(first, "redis.url") != 0) {
        mem_free(r->config->redis.url);
        r->config->redis.url = NULL;
    } else if (first == NULL && r->config->redis.url == NULL) {
        config_rules_complain(r, "redis.url", "null, and no embedded, sentinel or cluster");
    }
}

static void take_url(const struct config_rules *r) {
    struct config *c = r->config;
    struct config_redis_url url;
    const char *wrong;

    if (c->redis.url == NULL) {
        return;
    }
    wrong = config_redis_url_parse(c->redis.url, &url);
    if (wrong != NULL) {
        config_rules_complain(r, "redis.url", "%s", wrong);
        return;
    }
    c->redis.use_tls = c->redis.use_tls || url.tls;
    c->redis.host = url.host;
    c->redis.port = url.port;
    c->redis.unix_path = url.unix_path;
    c->redis.username = url.username;
    c->redis.password = url.password;
    c->redis.database = url.database;
}

/* The file's content without its final line break; NULL after a problem. */
static char *read_password(const struct config_rules *r, const char *path, const char *file) {
    struct buf content;
    char *password = NULL;
    const char *why;

    buf_init(&content);
    if (!file_read(file, MAX_PASSWORD_BYTES, &content, &why)) {
        config_rules_complain(r, path, "%.200s: %s", file, why);
        goto done;
    }
    if (content.len > 0 && content.data[content.len - 1] == '\n') {
        content.len--;
    }
    if (content.len > 0 && content.data[content.len - 1] == '\r') {
        content.len--;
    }
    if (content.len == 0 || memchr(content.data, '\0', content.len) != NULL ||
        memchr(content.data, '\n', content.len) != NULL) {
        config_rules_complain(r, path, "%.200s: expected one line with the password", file);
        goto done;
    }
    password = mem_strndup(content.data, content.len);
done:
    buf_fini_secret(&content);
    return password;
}

static void take_passwords(const struct config_rules *r) {
    struct config *c = r->config;

    if (c->redis.password_file != NULL && c->redis.password != NULL) {
        config_rules_complain(r, "redis.passwordFile", "redis.url has a password already");
    } else if (c->redis.password_file != NULL && c->redis.embedded) {
        config_rules_complain(r, "redis.passwordFile", "the embedded server has no password");
    } else if (c->redis.password_file != NULL) {
        c->redis.password = read_password(r, "redis.passwordFile", c->redis.password_file);
    } else if (c->redis.username != NULL && c->redis.password == NULL) {
        config_rules_complain(r, "redis.url", "a user without a password");
    }
    if (c->redis.sentinel_password_file != NULL) {
        c->redis.sentinel_password =
            read_password(r, "redis.sentinel.passwordFile", c->redis.sentinel_password_file);
    } else if (c->redis.sentinel_username != NULL) {
        config_rules_complain(r, "redis.sentinel.username", "a user without a password");
    }
}

static void check_tls(const struct config_rules *r) {
    static const char NONE[] =
        "this build has no TLS to Redis: it needs hiredis 1.0 or later with TLS";
    const struct config *c = r->config;
    bool section = given(r, "redis.tls");
    bool secure_url = c->redis.url != NULL && strncmp(c->redis.url, "rediss:", 7) == 0;

    if (secure_url && !HAS_TLS) {
        config_rules_complain(r, "redis.url", "%s", NONE);
    }
    if (section && !HAS_TLS) {
        config_rules_complain(r, "redis.tls", "%s", NONE);
    }
    if (section && ((c->redis.url != NULL && !secure_url) || c->redis.embedded)) {
        config_rules_complain(r, "redis.tls", "needs a rediss:// URL, sentinel or cluster");
    }
    if ((c->redis.tls_certificate_file == NULL) != (c->redis.tls_key_file == NULL)) {
        config_rules_complain(r, "redis.tls", "certificate and key belong together");
    }
}

static void check_nodes(const struct config_rules *r, const char *path,
                        const struct config_strings *nodes) {
    const struct config_node *node = config_tree_find(r->root, path);

    if (nodes->set && node != NULL && node->kind == CONFIG_NODE_LIST && node->count == 0) {
        config_rules_complain(r, path, "one node is needed at least");
    }
}

void config_check_redis(const struct config_rules *r) {
    const struct config *c = r->config;

    check_ways(r);
    take_url(r);
    take_passwords(r);
    check_tls(r);
    check_nodes(r, "redis.sentinel.nodes", &c->redis.sentinel_nodes);
    check_nodes(r, "redis.cluster.nodes", &c->redis.cluster_nodes);
    if (c->redis.embedded && c->redis.wait_replicas > 0) {
        config_rules_complain(r, "redis.waitReplicas", "the embedded server has no replicas");
    }
}
