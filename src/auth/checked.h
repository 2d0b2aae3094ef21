/* Public keys that have been checked once: the check of an RSA key takes 5 ms and more. */
#ifndef AUTH_CHECKED_H
#define AUTH_CHECKED_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/macros.h"

struct auth_checked {
    struct auth_checked_key {
        EVP_PKEY *pkey; /* a reference */
        bool valid;
    } * keys;
    size_t count;
};

struct auth_checked *auth_checked_create(void) MUST_CHECK;
void auth_checked_destroy(struct auth_checked **checked);
/* Takes a reference of its own. */
void auth_checked_add(struct auth_checked *checked, EVP_PKEY *pkey, bool valid);
/* Whether the key's numbers are valid: as was found before, or by a check now. checked may be NULL.
 */
bool auth_checked_is_valid(const struct auth_checked *checked, EVP_PKEY *pkey) MUST_CHECK;

#endif
