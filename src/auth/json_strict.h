/* JSON from tokens and key files, by jansson, with what it leaves open closed. */
#ifndef AUTH_JSON_STRICT_H
#define AUTH_JSON_STRICT_H

#include <jansson.h>
#include <stdbool.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

/* One object, nested at most JSON_DEPTH_MAX deep, no key twice, nothing behind it. The
 * caller's reference; NULL otherwise, and *code (code may be NULL) says why: jansson's word, which
 * is json_error_stack_overflow for too much nesting. */
json_t *auth_json_read(struct str text, enum json_error_code *code) MUST_CHECK;
/* A string's bytes (which may hold NULs); borrowed. */
struct str auth_json_str(const json_t *string);
/* Whether the value is a string that equals text. */
bool auth_json_is(const json_t *value, const char *text);

#endif
