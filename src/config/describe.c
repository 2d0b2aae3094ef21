/* The types of the table in words. */
#include "describe.h"

#include "unit.h"

static void describe_words(const struct config_row *row, struct buf *out) {
    for (size_t i = 0; row->words[i] != NULL; i++) {
        if (i > 0) {
            buf_append_str(out, row->words[i + 1] != NULL ? ", " : " or ");
        }
        buf_append_str(out, row->words[i]);
    }
}

void config_describe(const struct config_row *row, struct buf *out) {
    switch (row->type) {
    case CONFIG_TYPE_BOOL:
        buf_append_str(out, "true or false");
        break;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_COUNT:
        buf_printf(out, "a number from %lld to %lld", (long long)row->min, (long long)row->max);
        break;
    case CONFIG_TYPE_DURATION:
        buf_append_str(out, "a duration from ");
        config_print_duration(row->min, out);
        buf_append_str(out, " to ");
        config_print_duration(row->max, out);
        break;
    case CONFIG_TYPE_SIZE:
        buf_append_str(out, "a size from ");
        config_print_size(row->min, out);
        buf_append_str(out, " to ");
        config_print_size(row->max, out);
        break;
    case CONFIG_TYPE_TEXT:
        buf_append_str(out, row->shape != NULL ? row->shape : "a text");
        break;
    case CONFIG_TYPE_FILE:
        buf_append_str(out, "a file's path");
        break;
    case CONFIG_TYPE_CHOICE:
    case CONFIG_TYPE_FLAG:
        describe_words(row, out);
        break;
    case CONFIG_TYPE_STRINGS:
        buf_append_str(out, row->lone ? "a text or a list of texts" : "a list of texts");
        break;
    case CONFIG_TYPE_LIST:
        buf_append_str(out, "a list of mappings");
        break;
    case CONFIG_TYPE_SECTION:
    case CONFIG_TYPE_STRUCT:
    case CONFIG_TYPE_NAMED:
        buf_append_str(out, "a mapping");
        break;
    }
}
