/* The table of signature algorithms. */
#ifndef AUTH_ALG_H
#define AUTH_ALG_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/str.h"

enum auth_alg {
#define ALG(id, name, family, digest, size_bytes, group) AUTH_ALG_##id,
#include "wslock/config/algs.def"
#undef ALG
    AUTH_ALG_COUNT
};
#define AUTH_ALG_NONE AUTH_ALG_COUNT /* no algorithm of the table; `none` is not in it */

enum auth_family {
    AUTH_FAMILY_HMAC,
    AUTH_FAMILY_RSA_PKCS1,
    AUTH_FAMILY_RSA_PSS,
    AUTH_FAMILY_ECDSA,
    AUTH_FAMILY_EDDSA
};

struct auth_alg_info {
    const char *name;
    enum auth_family family;
    const char *digest; /* see algs.def, as are size_bytes and group */
    size_t size_bytes;
    const char *group;
};

/* AUTH_ALG_NONE for a name that is not in the table; case-sensitive. */
enum auth_alg auth_alg_parse(struct str name);
const struct auth_alg_info *auth_alg_info(enum auth_alg alg);
bool auth_alg_is_rsa(enum auth_alg alg);

#endif
