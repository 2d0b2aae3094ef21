/* The fields that each event takes in `data`: one table, private to the module. */
#ifndef WSLOCK_WIRE_FIELDS_H
#define WSLOCK_WIRE_FIELDS_H

#include <jansson.h>
#include <stdbool.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"
#include "wslock/wire/request.h"

/* What was wrong: static texts. */
struct field_problem {
    enum wire_error_code code;
    const char *field; /* INVALID_ARGUMENT only */
    const char *message;
};

/* Reads what the event of out->kind takes from data (NULL: none was sent) into *out, whose defaults
 * are set; texts are borrowed from data. */
bool fields_read(const json_t *data, const struct wire_decode_options *options,
                 struct wire_request *out, struct field_problem *problem) MUST_CHECK;

/* A JSON string as a str; false if the value (which may be NULL) is none. */
bool field_str(const json_t *value, struct str *out) MUST_CHECK;

#endif
