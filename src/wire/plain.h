/*
 * A fast reader for the usual form of a message: one pass without allocation, for ASCII without
 * escapes, known fields and flat data. Every other message, valid or not, is left to the reader of
 * all JSON (base/jsonr). Private to the module.
 */
#ifndef WSLOCK_WIRE_PLAIN_H
#define WSLOCK_WIRE_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "fields.h"

#define PLAIN_FIELDS_MAX 8
#define PLAIN_ID_MAX 66 /* 64 characters and their quotes */

struct plain_message {
    struct str event;
    struct str id; /* as JSON; len 0: none */
    size_t count;
    struct plain_field {
        struct str name;
        struct value value;
    } fields[PLAIN_FIELDS_MAX]; /* of data */
};

/* False: not such a message. Texts are borrowed from text. */
bool plain_read(struct str text, struct plain_message *out) MUST_CHECK;
/* The same for Socket.IO's form of an event, ["NAME",DATA]; without an id. */
bool plain_read_array(struct str text, struct plain_message *out) MUST_CHECK;
/* A value_find; data is the struct plain_message. */
struct value plain_find(const void *data, const char *name);

#endif
