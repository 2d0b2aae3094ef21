/* The fields of each request's `data`, in one table. Private to the module. */
#ifndef WSLOCK_WIRE_FIELDS_H
#define WSLOCK_WIRE_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/wire/request.h"

/* What was wrong: static texts. */
struct field_problem {
    enum wire_error_code code;
    const char *field; /* INVALID_ARGUMENT only */
    const char *message;
};

enum value_kind { VALUE_ABSENT, VALUE_STRING, VALUE_INTEGER, VALUE_BOOL, VALUE_OTHER };

/* A field's value, from either parser. `null` is absent. */
struct value {
    enum value_kind kind;
    struct str text;
    int64_t integer;
    bool boolean;
};
typedef struct value (*value_find)(const void *data, const char *name);

/* Reads the fields of out->kind from data into *out, which has the defaults. Texts are borrowed
 * from data. */
bool fields_read(value_find find, const void *data, const struct wire_decode_options *options,
                 struct wire_request *out, struct field_problem *problem) MUST_CHECK;

#endif
