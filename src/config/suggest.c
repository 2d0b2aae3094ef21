/* Finds a key by its name, and the nearest name for a misspelt one. */
#include "suggest.h"

#include <ctype.h>
#include <string.h>

#define MAX_NAME 32 /* longer than any name in the table */

const struct config_row *config_row_find(const struct config_scope *scope, const char *prefix,
                                         const char *name) {
    for (size_t i = 0; i < scope->count; i++) {
        const char *own = config_row_name(&scope->rows[i], prefix);
        if (own != NULL && strcmp(own, name) == 0) {
            return &scope->rows[i];
        }
    }
    return NULL;
}

static size_t least(size_t a, size_t b, size_t c) {
    size_t ab = a < b ? a : b;

    return ab < c ? ab : c;
}

static bool same_letter(char a, char b) {
    return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* The edit distance, ignoring case: inserted, deleted, replaced or transposed letters. Both names
 * have at most MAX_NAME bytes. */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][MAX_NAME + 1];
    size_t len = strlen(b);
    size_t i;

    for (size_t j = 0; j <= len; j++) {
        rows[0][j] = j;
    }
    for (i = 1; a[i - 1] != '\0'; i++) {
        size_t *now = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        now[0] = i;
        for (size_t j = 1; j <= len; j++) {
            bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) &&
                           same_letter(a[i - 2], b[j - 1]);

            now[j] = least(above[j] + 1, now[j - 1] + 1,
                           above[j - 1] + !same_letter(a[i - 1], b[j - 1]));
            if (swapped && two_above[j - 2] + 1 < now[j]) {
                now[j] = two_above[j - 2] + 1;
            }
        }
    }
    return rows[(i + 2) % 3][len];
}

const char *config_suggest(const struct config_scope *scope, const char *prefix, const char *name) {
    size_t len = strlen(name);
    size_t best = len / 3 + 1; /* at most a third of the letters may differ */
    const char *nearest = NULL;

    if (len > MAX_NAME) {
        return NULL;
    }
    for (size_t i = 0; i < scope->count; i++) {
        const char *own = config_row_name(&scope->rows[i], prefix);
        if (own == NULL || strlen(own) > MAX_NAME) {
            continue;
        }
        size_t d = distance(name, own);
        if (d < best) {
            best = d;
            nearest = own;
        }
    }
    return nearest;
}
