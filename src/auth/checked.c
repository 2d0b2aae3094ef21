/* Checks the numbers of public keys, and remembers what was found. */
#include "checked.h"

#include "wslock/base/mem.h"

/* Checks that an EC point is on its curve, and that RSA modulus and exponent are valid. */
static bool check(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

struct auth_checked *auth_checked_create(void) {
    return mem_zalloc(sizeof(struct auth_checked));
}

void auth_checked_destroy(struct auth_checked **checked) {
    struct auth_checked *c = *checked;

    *checked = NULL;
    if (c == NULL) {
        return;
    }
    for (size_t i = 0; i < c->count; i++) {
        EVP_PKEY_free(c->keys[i].pkey);
    }
    mem_free(c->keys);
    mem_free(c);
}

void auth_checked_add(struct auth_checked *checked, EVP_PKEY *pkey, bool valid) {
    EVP_PKEY_up_ref(pkey);
    checked->keys = mem_realloc(checked->keys, (checked->count + 1) * sizeof *checked->keys);
    checked->keys[checked->count++] = (struct auth_checked_key){pkey, valid};
}

bool auth_checked_is_valid(const struct auth_checked *checked, EVP_PKEY *pkey) {
    for (size_t i = 0; checked != NULL && i < checked->count; i++) {
        if (EVP_PKEY_eq(checked->keys[i].pkey, pkey) == 1) {
            return checked->keys[i].valid;
        }
    }
    return check(pkey);
}
