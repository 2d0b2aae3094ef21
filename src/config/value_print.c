/* Prints values as YAML. */
#include <string.h>

#include "unit.h"
#include "value.h"

/* Characters that YAML folds or refuses unless escaped. */
static bool needs_escape(uint32_t code) {
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x2028 || code == 0x2029 ||
           code == 0xfeff || code == 0xfffe || code == 0xffff;
}

void config_print_quoted(const char *text, struct buf *out) {
    const char *end = text + strlen(text);
    size_t step;

    buf_append_char(out, '"');
    for (const char *p = text; p < end; p += step) {
        step = utf8_sequence(p, (size_t)(end - p));
        uint32_t code = step > 0 ? utf8_code(p, step) : 0xfffd; /* invalid bytes are copied */
        if (step == 0) {
            step = 1;
        }
        if (code == '"' || code == '\\') {
            buf_append_char(out, '\\');
        }
        if (strncmp(p, "${", 2) == 0) {
            buf_append_char(out, '$');
        }
        if (needs_escape(code)) {
            buf_printf(out, "\\u%04x", (unsigned)code);
        } else {
            buf_append(out, p, step);
        }
    }
    buf_append_char(out, '"');
}

static const char MASK[] = "***";

/* Prints a URL with its password masked: the text between the colon after the user and the last @
 * of the authority. */
static void print_masked(const char *text, struct buf *out) {
    const char *scheme = strstr(text, "://");
    const char *user = scheme != NULL ? scheme + 3 : text;
    const char *slash = strchr(user, '/');
    const char *end = slash != NULL ? slash : user + strlen(user);
    const char *at = memrchr(user, '@', (size_t)(end - user));
    const char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
    struct buf masked;

    buf_init(&masked);
    if (colon != NULL) {
        buf_append(&masked, text, (size_t)(colon + 1 - text));
        buf_append_str(&masked, MASK);
        buf_append_str(&masked, at);
    } else {
        buf_append_str(&masked, text);
    }
    config_print_quoted(buf_cstr(&masked), out);
    buf_fini(&masked);
}

static void print_strings(const struct config_strings *strings, struct buf *out) {
    buf_append_char(out, '[');
    for (size_t i = 0; i < strings->count; i++) {
        if (i > 0) {
            buf_append_str(out, ", ");
        }
        config_print_quoted(strings->items[i], out);
    }
    buf_append_char(out, ']');
}

void config_value_print(const struct config_row *row, const void *base, struct buf *out) {
    const void *field = (const char *)base + row->offset;
    unsigned choice;

    if (config_value_is_null(row, base)) {
        buf_append_str(out, "null");
        return;
    }
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        buf_append_str(out, *(const bool *)field ? "true" : "false");
        break;
    case CONFIG_TYPE_INT:
        buf_append_i64(out, *(const int *)field);
        break;
    case CONFIG_TYPE_COUNT:
        buf_append_i64(out, *(const int64_t *)field);
        break;
    case CONFIG_TYPE_DURATION:
        config_print_duration(*(const int64_t *)field, out);
        break;
    case CONFIG_TYPE_SIZE:
        config_print_size(*(const int64_t *)field, out);
        break;
    case CONFIG_TYPE_TEXT:
    case CONFIG_TYPE_FILE:
        (row->secret ? print_masked : config_print_quoted)(*(char *const *)field, out);
        break;
    case CONFIG_TYPE_CHOICE:
        memcpy(&choice, field, sizeof choice);
        buf_append_str(out, row->words[choice]);
        break;
    case CONFIG_TYPE_FLAG:
        buf_append_str(out, row->words[*(const bool *)field]);
        break;
    case CONFIG_TYPE_STRINGS:
        print_strings(field, out);
        break;
    case CONFIG_TYPE_SECTION:
    case CONFIG_TYPE_STRUCT:
    case CONFIG_TYPE_LIST:
    case CONFIG_TYPE_NAMED:
        break;
    }
}
