/* Where a claim stands: by name, or by a JSON pointer (RFC 6901), which starts with `/`. */
#ifndef AUTH_CLAIM_PATH_H
#define AUTH_CLAIM_PATH_H

#include <jansson.h>
#include <stdbool.h>

#include "wslock/base/macros.h"

/* The value there, borrowed; NULL if there is none. The configuration has checked the path. */
const json_t *auth_claim_get(const json_t *claims, const char *path);
/* Puts value (whose reference it takes) there, making the objects on the way. False if
 * something is there already, or something on the way is no object. */
bool auth_claim_put(json_t *claims, const char *path, json_t *value) MUST_CHECK;

#endif
