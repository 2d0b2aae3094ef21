/* Checks the version of the server, as INFO reports it. */
#include "wslock/redis/version.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_LEN 24

struct product {
    const char *name, *field; /* the line of INFO that has its version */
    long major, minor;        /* the oldest supported */
};

/* Valkey first: its INFO also has a compatible redis_version. */
static const struct product PRODUCTS[] = {
    {"Valkey", "valkey_version:", 7, 2},
    {"Redis", "redis_version:", 7, 0},
};

/* The value of a field, cut to the length of a version. */
static bool find(struct str info, const char *field, char out[VERSION_LEN]) {
    size_t len = strlen(field), n = 0;
    const char *at = info.p, *end = info.p + info.len;

    while ((at = memmem(at, (size_t)(end - at), field, len)) != NULL) {
        bool begins_line = at == info.p || at[-1] == '\n';

        at += len;
        if (!begins_line) {
            continue;
        }
        while (at < end && n < VERSION_LEN - 1 && *at > ' ' && *at <= '~') {
            out[n++] = *at++;
        }
        out[n] = '\0';
        return true;
    }
    return false;
}

static bool is_at_least(const char *version, long major, long minor) {
    char *end;
    long first = strtol(version, &end, 10);
    long second = *end == '.' ? strtol(end + 1, NULL, 10) : 0;

    return first > major || (first == major && second >= minor);
}

bool redis_version_fits(struct str info, char *problem, size_t size) {
    char version[VERSION_LEN];

    for (size_t i = 0; info.len > 0 && i < ARRAY_LEN(PRODUCTS); i++) {
        const struct product *p = &PRODUCTS[i];

        if (!find(info, p->field, version)) {
            continue;
        }
        if (is_at_least(version, p->major, p->minor)) {
            return true;
        }
        snprintf(problem, size, "the server is %s %s, this program needs %s %ld.%ld or later",
                 p->name, version, p->name, p->major, p->minor);
        return false;
    }
    snprintf(problem, size, "the server does not say which version of Redis or Valkey it is");
    return false;
}
