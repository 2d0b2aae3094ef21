/* Loads a configuration; frees it. */
#include "load.h"

#include <errno.h>
#include <string.h>

#include "wslock/base/mem.h"

#include "bind.h"
#include "file.h"
#include "rules.h"

struct config_node *config_load_tree(const char *path, struct config_problems *problems) {
    struct config_node *root = NULL;
    struct buf text;

    buf_init(&text);
    if (config_read_file(path, CONFIG_MAX_FILE_BYTES, &text)) {
        root = config_tree_parse(path, text.data, text.len, problems);
    } else {
        config_problems_add(problems, path, 0, "", "%s", strerror(errno));
    }
    if (text.cap > 0) {
        explicit_bzero(text.data, text.cap);
    }
    buf_fini(&text);
    if (root != NULL) {
        config_tree_expand(root, problems);
    }
    return root;
}

struct config *config_load_bound(struct config_node **root, struct config_problems *problems) {
    struct config *config = mem_zalloc(sizeof *config);
    const struct config_rules rules = {config, *root, problems};

    config->root = *root;
    *root = NULL;
    config_bind(config, config->root, problems);
    config_check_rules(&rules);
    if (problems->count > 0) {
        config_destroy(&config);
    }
    return config;
}

struct config *config_load_file(const char *path, config_problem_cb on_problem, void *ctx) {
    struct config_problems problems = {0};
    struct config_node *root = config_load_tree(path, &problems);
    struct config *config = root != NULL ? config_load_bound(&root, &problems) : NULL;

    config_problems_report(&problems, on_problem, ctx);
    return config;
}

struct config *config_load_text(const char *name, const char *text, size_t len,
                                config_problem_cb on_problem, void *ctx) {
    struct config_problems problems = {0};
    struct config_node *root = config_tree_parse(name, text, len, &problems);
    struct config *config = NULL;

    if (root != NULL) {
        config_tree_expand(root, &problems);
        config = config_load_bound(&root, &problems);
    }
    config_problems_report(&problems, on_problem, ctx);
    return config;
}

static void wipe(char *secret) {
    if (secret != NULL) {
        explicit_bzero(secret, strlen(secret));
    }
    mem_free(secret);
}

void config_destroy(struct config **c) {
    struct config *config = *c;

    *c = NULL;
    if (config == NULL) {
        return;
    }
    wipe(config->redis.password);
    wipe(config->redis.sentinel_password);
    mem_free(config->redis.host);
    mem_free(config->redis.unix_path);
    mem_free(config->redis.username);
    mem_free(config->state_dir);
    config_scope_fini(&CONFIG_ROOT, config);
    config_tree_destroy(&config->root);
    mem_free(config);
}

const struct config_policy *config_policy_for(const struct config *c, struct str type) {
    for (size_t i = 0; i < c->type_count; i++) {
        if (str_eqz(type, c->types[i].type)) {
            return &c->types[i];
        }
    }
    return c->reject_unknown_types ? NULL : &c->default_policy;
}
