/* The claims of a token whose signature is valid. */
#ifndef AUTH_CLAIMS_H
#define AUTH_CLAIMS_H

#include <jansson.h>

#include "wslock/auth/auth.h"

/* The required claims and their places. Owned by auth. */
struct auth_claim_rules {
    char *issuer; /* or NULL: any */
    struct config_strings audience;
    struct config_strings admin_roles;
    struct config_strings known_roles; /* each that the configuration names, once; others are not
                                          kept */
    char *user_id_path, *username_path, *roles_path;
    int64_t clock_skew_ms;
};

bool auth_is_one_of(struct str text, const struct config_strings *set);
/* Checks every claim's type, then its value. *identity is set with AUTH_OK only. */
enum auth_result auth_claims_read(const json_t *claims, const struct auth_claim_rules *rules,
                                  int64_t now_unix_ms, struct auth_identity **identity,
                                  const char **why) MUST_CHECK;

#endif
