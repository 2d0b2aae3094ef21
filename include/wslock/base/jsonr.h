/*
 * The one reader of JSON (RFC 8259) that comes from outside: messages, tokens, key files, bodies of
 * the operations endpoint. jansson parses; what it leaves open is closed here.
 */
#ifndef WSLOCK_BASE_JSONR_H
#define WSLOCK_BASE_JSONR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define JSON_INTEGER_MAX ((int64_t)9007199254740991) /* 2^53 - 1: every reader holds it exactly */
#define JSON_DEPTH_MAX 16

/* Why a text was refused. */
enum jsonr_fault {
    JSONR_NOT_AN_OBJECT, /* not one JSON value in UTF-8, or of another type than was asked for */
    JSONR_TOO_DEEP,
    JSONR_NAME_TWICE,   /* in one object */
    JSONR_OUT_OF_RANGE, /* an integer beyond signed 64 bits, or a number beyond a double */
};

/* One object, objects and arrays nested at most JSON_DEPTH_MAX deep, no name twice, nothing but
 * white space around it, and no NUL byte anywhere (jansson skips one behind a number or a literal).
 * `\u0000` in a string is taken, in a name it is not. The caller's reference; NULL otherwise, and
 * *fault says why. fault may be NULL. */
json_t *jsonr_object(struct str text, enum jsonr_fault *fault) MUST_CHECK;
/* The same for one array. */
json_t *jsonr_array(struct str text, enum jsonr_fault *fault) MUST_CHECK;
/* A string's bytes (which may hold NULs), borrowed; p is NULL if the value is no string. */
struct str jsonr_str(const json_t *value);
/* Whether the value is a string that equals text. */
bool jsonr_is(const json_t *value, const char *text);

#endif
