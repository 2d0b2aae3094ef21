/* Parses and prints counts, durations and sizes. */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* In descending order; the last unit fits every value. */
static const struct unit DURATIONS[] = {{"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit SIZES[] = {{"MiB", 1024 * 1024}, {"KiB", 1024}, {"", 1}};

#define MAX_DIGITS 11 /* times the largest factor stays below 2^63 */

/* The digits at the front; NULL: none, too many, or a leading zero. */
static const char *parse_digits(const char *text, int64_t *value) {
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > MAX_DIGITS || (digits > 1 && *text == '0')) {
        return NULL;
    }
    *value = strtoll(text, NULL, 10);
    return text + digits;
}

bool config_parse_count(const char *text, int64_t *value) {
    bool negative = *text == '-';
    const char *rest = parse_digits(text + negative, value);

    if (rest == NULL || *rest != '\0') {
        return false;
    }
    if (negative) {
        *value = -*value;
    }
    return true;
}

static bool parse_unit(const char *text, const struct unit *units, size_t count, int64_t *value) {
    const char *name = parse_digits(text, value);

    if (name == NULL) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, units[i].name) == 0) {
            *value *= units[i].factor;
            return true;
        }
    }
    return false;
}

bool config_parse_duration(const char *text, int64_t *ms) {
    return parse_unit(text, DURATIONS, ARRAY_LEN(DURATIONS), ms);
}

bool config_parse_size(const char *text, int64_t *bytes) {
    return parse_unit(text, SIZES, ARRAY_LEN(SIZES), bytes);
}

static void print_unit(int64_t value, const struct unit *unit, struct buf *out) {
    while (value % unit->factor != 0) {
        unit++;
    }
    buf_append_i64(out, value / unit->factor);
    buf_append_str(out, unit->name);
}

void config_print_duration(int64_t ms, struct buf *out) {
    print_unit(ms, DURATIONS, out);
}

void config_print_size(int64_t bytes, struct buf *out) {
    print_unit(bytes, SIZES, out);
}
