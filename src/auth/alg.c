/* Look-ups in the table of signature algorithms. */
#include "alg.h"

#include <assert.h>

#include "wslock/base/macros.h"

static const struct auth_alg_info ALGS[] = {
#define ALG(id, name, family, digest, size_bytes, group)                                           \
    {name, AUTH_FAMILY_##family, digest, size_bytes, group},
#include "wslock/config/algs.def"
#undef ALG
};

enum auth_alg auth_alg_parse(struct str name) {
    for (size_t i = 0; i < AUTH_ALG_COUNT; i++) {
        if (str_eqz(name, ALGS[i].name)) {
            return (enum auth_alg)i;
        }
    }
    return AUTH_ALG_NONE;
}

const struct auth_alg_info *auth_alg_info(enum auth_alg alg) {
    assert(alg < AUTH_ALG_COUNT);
    return &ALGS[alg];
}

bool auth_alg_is_rsa(enum auth_alg alg) {
    return alg != AUTH_ALG_NONE && (auth_alg_info(alg)->family == AUTH_FAMILY_RSA_PKCS1 ||
                                    auth_alg_info(alg)->family == AUTH_FAMILY_RSA_PSS);
}
