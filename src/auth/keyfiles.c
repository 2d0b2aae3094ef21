/* Loads the key files that the configuration names. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "wslock/base/file.h"
#include "wslock/base/mem.h"

#include "keyfiles.h"

#define MAX_KEY_FILE_BYTES 65536

int auth_no_passphrase(char *buf, int size, int writing, void *ctx) {
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static struct auth_key *read_public_key(enum auth_alg alg, const char *kid, struct buf *pem,
                                        const struct auth_checked *checked, const char **why) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    EVP_PKEY *pkey = bio != NULL ? PEM_read_bio_PUBKEY(bio, NULL, auth_no_passphrase, NULL) : NULL;
    struct auth_key *key = NULL;

    if (pkey != NULL) {
        key = auth_key_create_public(alg, kid, pkey, checked, why);
    } else {
        *why = "holds no public key in PEM (BEGIN PUBLIC KEY)";
    }
    ERR_clear_error();
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return key;
}

/* Editors add a line break at the end of a file; it is no part of the secret. */
static void trim_newline(struct buf *content) {
    if (content->len == 0 || content->data[content->len - 1] != '\n') {
        return;
    }
    content->len--;
    if (content->len > 0 && content->data[content->len - 1] == '\r') {
        content->len--;
    }
}

bool auth_secret_read(enum auth_alg alg, const char *path, struct buf *out, const char **why) {
    if (!file_read(path, MAX_KEY_FILE_BYTES, out, why)) {
        return false;
    }
    trim_newline(out);
    if (alg == AUTH_ALG_NONE || auth_alg_info(alg)->family != AUTH_FAMILY_HMAC) {
        *why = "a secret is for HS256, HS384 and HS512 only";
        return false;
    }
    if (out->len < auth_alg_info(alg)->size_bytes) {
        *why = AUTH_SHORT_SECRET;
        return false;
    }
    return true;
}

static char *load_key(struct auth_keystore *store, const struct config *config, size_t index,
                      const struct auth_checked *checked) {
    const struct config_key *row = &config->auth.keys[index];
    const char *path = row->secret_file != NULL ? row->secret_file : row->public_key_file;
    enum auth_alg alg = auth_alg_parse(str_of(row->alg));
    struct auth_key *key = NULL;
    struct buf content;
    const char *why = NULL;
    char *problem = NULL;
    char name[64];

    if (alg != AUTH_ALG_NONE && !auth_alg_allowed(&config->auth.algorithms, alg)) {
        return NULL;
    }
    buf_init(&content);
    if (alg == AUTH_ALG_NONE || path == NULL) {
        why = "no file, or an algorithm that is not known";
    } else if (row->secret_file != NULL && auth_secret_read(alg, path, &content, &why)) {
        key = auth_key_create_secret(alg, row->kid, (struct str){content.data, content.len}, &why);
    } else if (row->secret_file == NULL && file_read(path, MAX_KEY_FILE_BYTES, &content, &why)) {
        key = read_public_key(alg, row->kid, &content, checked, &why);
    }
    if (key != NULL && !auth_keystore_add(store, key)) {
        why = "there are more than 256 keys";
    }
    if (why != NULL) {
        (void)snprintf(name, sizeof name, "auth.keys[%zu].%s", index,
                       row->secret_file != NULL ? "secretFile" : "publicKeyFile");
        problem = mem_printf("%s: %s: %s", name, path != NULL ? path : "-", why);
    }
    buf_fini_secret(&content);
    return problem;
}

/* The only allowed algorithm of a kind; AUTH_ALG_NONE if there are several or none. */
static enum auth_alg only_of(const struct config_strings *algorithms, bool rsa) {
    enum auth_alg only = AUTH_ALG_NONE;

    for (size_t i = 0; i < algorithms->count; i++) {
        enum auth_alg alg = auth_alg_parse(str_of(algorithms->items[i]));

        if (alg == AUTH_ALG_NONE || alg == only) {
            continue;
        }
        if (rsa ? !auth_alg_is_rsa(alg) : auth_alg_info(alg)->family != AUTH_FAMILY_HMAC) {
            continue;
        }
        if (only != AUTH_ALG_NONE) {
            return AUTH_ALG_NONE;
        }
        only = alg;
    }
    return only;
}

struct auth_jwk_defaults auth_jwk_defaults_of(const struct config *config) {
    return (struct auth_jwk_defaults){
        .rsa = only_of(&config->auth.algorithms, true),
        .oct = only_of(&config->auth.algorithms, false),
    };
}

static char *load_jwks(struct auth_keystore *store, const struct config *config,
                       const struct auth_checked *checked) {
    struct auth_jwk_defaults defaults = auth_jwk_defaults_of(config);
    const char *path = config->auth.jwks_file;
    struct buf content;
    const char *why = NULL;
    char *problem = NULL;

    defaults.checked = checked;
    buf_init(&content);
    if (file_read(path, AUTH_MAX_JWKS_BYTES, &content, &why)) {
        why = auth_jwks_add(store, (struct str){content.data, content.len}, &defaults,
                            &config->auth.algorithms, path);
    }
    if (why != NULL) {
        problem = mem_printf("%s: %s: %s", "auth.jwks.file", path, why);
    }
    buf_fini_secret(&content);
    return problem;
}

/* Reports and frees a problem, if there is one. */
static bool report(char *problem, config_finding_cb on_problem, void *ctx) {
    bool ok = problem == NULL;

    if (!ok) {
        on_problem(ctx, problem);
    }
    mem_free(problem);
    return ok;
}

bool auth_keys_load(struct auth_keystore *store, const struct config *config,
                    const struct auth_checked *checked, config_finding_cb on_problem, void *ctx) {
    bool ok = true;

    for (size_t i = 0; i < config->auth.key_count; i++) {
        ok = report(load_key(store, config, i, checked), on_problem, ctx) && ok;
    }
    if (config->auth.jwks_file != NULL) {
        ok = report(load_jwks(store, config, checked), on_problem, ctx) && ok;
    }
    if (ok && store->count == 0 && config->auth.jwks_url == NULL) {
        on_problem(ctx, "auth: no usable key: neither auth.keys nor auth.jwks has one for an "
                        "algorithm in auth.algorithms");
        ok = false;
    }
    return ok;
}
