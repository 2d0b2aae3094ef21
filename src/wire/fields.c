/* The table of the requests' fields. */
#include "fields.h"

#include <stddef.h>
#include <stdint.h>

#include "wslock/base/jsonr.h"

#define REVISION_MAX 128 /* code points */
#define WORDS_MAX 500
#define REQUEST_ID_MAX 64

struct field {
    const char *name;
    /* Checks the value and stores it at slot. */
    bool (*read)(const struct value *value, const struct field *field,
                 const struct wire_decode_options *options, void *slot);
    size_t offset;   /* of the slot in struct wire_request */
    size_t min, max; /* code points; for read_text */
    bool required;
    enum wire_error_code missing; /* required fields */
    enum wire_error_code wrong;
    const char *rule; /* static sentence for both */
};

static bool is_text(const struct value *value, struct str *out) {
    if (value->kind != VALUE_STRING) {
        return false;
    }
    *out = value->text;
    return true;
}

static bool read_resource(const struct value *value, const struct field *field,
                          const struct wire_decode_options *options, void *slot) {
    struct str text;

    (void)field;
    return is_text(value, &text) &&
           wire_resource_parse(text, options->reject_two_parts, (struct wire_resource *)slot);
}

/* Any string; checked by whoever uses it. */
static bool read_opaque(const struct value *value, const struct field *field,
                        const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    return is_text(value, (struct str *)slot);
}

/* field->min to field->max code points, none of them U+0000. */
static bool read_text(const struct value *value, const struct field *field,
                      const struct wire_decode_options *options, void *slot) {
    struct str text;

    (void)options;
    if (!is_text(value, &text) || memchr(text.p, '\0', text.len) != NULL || text.len < field->min ||
        utf8_length(text.p, text.len) > field->max) {
        return false;
    }
    *(struct str *)slot = text;
    return true;
}

static bool read_client_id(const struct value *value, const struct field *field,
                           const struct wire_decode_options *options, void *slot) {
    struct str text;

    (void)field;
    (void)options;
    if (!is_text(value, &text) || !wire_client_id_valid(text)) {
        return false;
    }
    *(struct str *)slot = text;
    return true;
}

static bool read_fence(const struct value *value, const struct field *field,
                       const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    if (value->kind != VALUE_INTEGER || value->integer < 1 || value->integer > JSON_INTEGER_MAX) {
        return false;
    }
    *(int64_t *)slot = value->integer;
    return true;
}

static bool read_bool(const struct value *value, const struct field *field,
                      const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    if (value->kind != VALUE_BOOL) {
        return false;
    }
    *(bool *)slot = value->boolean;
    return true;
}

/* A boolean stored as int, so that the default can be -1. */
static bool read_tristate(const struct value *value, const struct field *field,
                          const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    if (value->kind != VALUE_BOOL) {
        return false;
    }
    *(int *)slot = value->boolean;
    return true;
}

/* The index of the value in texts; -1: none. */
static int choose(const struct value *value, const char *const *texts, size_t count) {
    struct str text;

    if (!is_text(value, &text)) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        if (str_eqz(text, texts[i])) {
            return (int)i;
        }
    }
    return -1;
}

static bool read_mode(const struct value *value, const struct field *field,
                      const struct wire_decode_options *options, void *slot) {
    static const char *const texts[] = {"viewer", "editor"};
    int choice = choose(value, texts, ARRAY_LEN(texts));

    (void)field;
    (void)options;
    if (choice < 0) {
        return false;
    }
    *(bool *)slot = choice == 1;
    return true;
}

static bool read_choice(const struct value *value, size_t count, void *slot) {
    static const char *const texts[] = {
        [WIRE_ACTION_APPROVE] = "APPROVE",
        [WIRE_ACTION_DENY] = "DENY",
        [WIRE_ACTION_IGNORE] = "IGNORE",
    };
    int choice = choose(value, texts, count);

    if (choice < 0) {
        return false;
    }
    *(enum wire_action *)slot = (enum wire_action)choice;
    return true;
}

static bool read_action(const struct value *value, const struct field *field,
                        const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    return read_choice(value, WIRE_ACTION_IGNORE + 1, slot);
}

static bool read_decision(const struct value *value, const struct field *field,
                          const struct wire_decode_options *options, void *slot) {
    (void)field;
    (void)options;
    return read_choice(value, WIRE_ACTION_DENY + 1, slot);
}

static bool read_presence(const struct value *value, const struct field *field,
                          const struct wire_decode_options *options, void *slot) {
    static const char *const texts[] = {
        [WIRE_PRESENCE_DIFF] = "diff",
        [WIRE_PRESENCE_FULL] = "full",
        [WIRE_PRESENCE_NONE] = "none",
    };
    int choice = choose(value, texts, ARRAY_LEN(texts));

    (void)field;
    (void)options;
    if (choice < 0) {
        return false;
    }
    *(enum wire_presence *)slot = (enum wire_presence)choice;
    return true;
}

/* clang-format off */
#define SLOT(member) .offset = offsetof(struct wire_request, member)
#define OPTIONAL .wrong = WIRE_ERR_INVALID_ARGUMENT

#define FIELD_RESOURCE                                                                              \
    {"resourceId", read_resource, SLOT(resource), .required = true,                                 \
     .missing = WIRE_ERR_INVALID_RESOURCE_ID, .wrong = WIRE_ERR_INVALID_RESOURCE_ID,                \
     .rule = "resourceId must be type:id or type:id:child."}
#define FIELD_CLIENT_ID                                                                             \
    {"clientId", read_client_id, SLOT(client_id), OPTIONAL,                                         \
     .rule = "clientId must be 8 to 64 characters of [A-Za-z0-9_-]."}
#define FIELD_PAGE_ID                                                                               \
    {"pageId", read_client_id, SLOT(page_id), OPTIONAL,                                             \
     .rule = "pageId must be 8 to 64 characters of [A-Za-z0-9_-]."}
#define FIELD_FENCE                                                                                 \
    {"token", read_fence, SLOT(token), OPTIONAL,                                                    \
     .rule = "token must be a fencing token: an integer from 1 to 2^53 - 1."}
#define REQUIRED                                                                                    \
    .required = true, .missing = WIRE_ERR_INVALID_ARGUMENT, .wrong = WIRE_ERR_INVALID_ARGUMENT
#define FIELD_REVISION                                                                              \
    {"revision", read_text, SLOT(revision), .max = REVISION_MAX, OPTIONAL,                          \
     .rule = "revision must be a string of at most 128 characters without U+0000."}
#define FIELD_REQUEST_ID                                                                            \
    {"requestId", read_text, SLOT(request_id), .min = 1, .max = REQUEST_ID_MAX, REQUIRED,           \
     .rule = "requestId must be a string of 1 to 64 characters."}

static const struct field auth_fields[] = {
    {"token", read_opaque, SLOT(auth_token), .required = true,
     .missing = WIRE_ERR_UNAUTHENTICATED, .wrong = WIRE_ERR_INVALID_ARGUMENT,
     .rule = "token must be a string that holds a JWT."},
    FIELD_CLIENT_ID,
    FIELD_PAGE_ID,
};
static const struct field auth_refresh_fields[] = {
    {"token", read_opaque, SLOT(auth_token), .required = true,
     .missing = WIRE_ERR_INVALID_ARGUMENT, .wrong = WIRE_ERR_INVALID_ARGUMENT,
     .rule = "token must be a string that holds a JWT."},
};
static const struct field join_fields[] = {
    FIELD_RESOURCE,
    {"mode", read_mode, SLOT(editor), OPTIONAL,
     .rule = "mode must be \"editor\" or \"viewer\"."},
    FIELD_CLIENT_ID,
    FIELD_PAGE_ID,
    FIELD_FENCE,
    {"presence", read_presence, SLOT(presence), OPTIONAL,
     .rule = "presence must be \"diff\", \"full\" or \"none\"."},
};
static const struct field resource_fields[] = {
    FIELD_RESOURCE,
};
static const struct field acquire_fields[] = {
    FIELD_RESOURCE,
    {"takeOwn", read_bool, SLOT(take_own), OPTIONAL,
     .rule = "takeOwn must be true or false."},
};
static const struct field heartbeat_fields[] = {
    FIELD_RESOURCE,
    FIELD_FENCE,
    {"active", read_bool, SLOT(active), OPTIONAL,
     .rule = "active must be true or false."},
    {"dirty", read_tristate, SLOT(dirty), OPTIONAL,
     .rule = "dirty must be true or false."},
};
static const struct field release_fields[] = {
    FIELD_RESOURCE,
    FIELD_REVISION,
};
static const struct field request_fields[] = {
    FIELD_RESOURCE,
    {"message", read_text, SLOT(message), .max = WORDS_MAX, OPTIONAL,
     .rule = "message must be a string of at most 500 characters without U+0000."},
};
static const struct field request_reply_fields[] = {
    FIELD_REQUEST_ID,
    {"action", read_action, SLOT(action), REQUIRED,
     .rule = "action must be \"APPROVE\", \"DENY\" or \"IGNORE\"."},
    FIELD_REVISION,
};
static const struct field takeover_fields[] = {
    FIELD_RESOURCE,
    {"reason", read_text, SLOT(reason), .min = 1, .max = WORDS_MAX, REQUIRED,
     .rule = "reason must be a string of 1 to 500 characters without U+0000."},
    {"urgent", read_bool, SLOT(urgent), OPTIONAL,
     .rule = "urgent must be true or false."},
};
static const struct field takeover_reply_fields[] = {
    FIELD_REQUEST_ID,
    {"action", read_decision, SLOT(action), REQUIRED,
     .rule = "action must be \"APPROVE\" or \"DENY\"."},
    FIELD_REVISION,
};
static const struct field id_fields[] = {
    FIELD_REQUEST_ID,
};

#define FIELDS(rows) {rows, ARRAY_LEN(rows)}
static const struct {
    const struct field *rows;
    size_t count;
} events[] = {
    [WIRE_REQ_AUTH] = FIELDS(auth_fields),
    [WIRE_REQ_AUTH_REFRESH] = FIELDS(auth_refresh_fields),
    [WIRE_REQ_PING] = {NULL, 0},
    [WIRE_REQ_JOIN] = FIELDS(join_fields),
    [WIRE_REQ_LEAVE] = FIELDS(resource_fields),
    [WIRE_REQ_ACQUIRE] = FIELDS(acquire_fields),
    [WIRE_REQ_HEARTBEAT] = FIELDS(heartbeat_fields),
    [WIRE_REQ_RELEASE] = FIELDS(release_fields),
    [WIRE_REQ_STATUS] = FIELDS(resource_fields),
    [WIRE_REQ_CLAIM] = FIELDS(resource_fields),
    [WIRE_REQ_QUEUE_LEAVE] = FIELDS(resource_fields),
    [WIRE_REQ_REQUEST] = FIELDS(request_fields),
    [WIRE_REQ_REQUEST_REPLY] = FIELDS(request_reply_fields),
    [WIRE_REQ_REQUEST_CANCEL] = FIELDS(id_fields),
    [WIRE_REQ_TAKEOVER] = FIELDS(takeover_fields),
    [WIRE_REQ_TAKEOVER_REPLY] = FIELDS(takeover_reply_fields),
    [WIRE_REQ_TAKEOVER_CANCEL] = FIELDS(id_fields),
};
/* clang-format on */
_Static_assert(ARRAY_LEN(events) == WIRE_REQ_COUNT, "every event has its fields");

static bool refuse(const struct field *field, enum wire_error_code code,
                   struct field_problem *problem) {
    problem->code = code;
    problem->field = code == WIRE_ERR_INVALID_ARGUMENT ? field->name : NULL;
    problem->message = field->rule;
    return false;
}

bool fields_read(value_find find, const void *data, const struct wire_decode_options *options,
                 struct wire_request *out, struct field_problem *problem) {
    for (size_t i = 0; i < events[out->kind].count; i++) {
        const struct field *field = &events[out->kind].rows[i];
        const struct value value = find(data, field->name);

        if (value.kind == VALUE_ABSENT) {
            if (field->required) {
                return refuse(field, field->missing, problem);
            }
            continue;
        }
        if (!field->read(&value, field, options, (char *)out + field->offset)) {
            return refuse(field, field->wrong, problem);
        }
    }
    return true;
}
