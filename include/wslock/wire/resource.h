/* Resource ids, protocol §3. */
#ifndef WSLOCK_WIRE_RESOURCE_H
#define WSLOCK_WIRE_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define WIRE_RESOURCE_MAX (64 + 1 + 128 + 1 + 64)

struct wire_resource {
    char text[WIRE_RESOURCE_MAX + 1]; /* normalised, three parts, NUL-terminated */
    size_t len;
    size_t type_len;     /* of `type` */
    size_t document_len; /* of `type:id` */
};

/* False: not a resource id, or it has two parts and reject_two_parts is set. */
bool wire_resource_parse(struct str text, bool reject_two_parts,
                         struct wire_resource *out) MUST_CHECK;
static inline struct str wire_resource_str(const struct wire_resource *r) {
    struct str s = {r->text, r->len};
    return s;
}
static inline struct str wire_resource_type(const struct wire_resource *r) {
    struct str s = {r->text, r->type_len};
    return s;
}

/* clientId: 8 to 64 characters of [A-Za-z0-9_-]. */
bool wire_client_id_valid(struct str text);

#endif
