/*
 * jws-check --jwk FILE: verifies the compact JWS on standard input with the daemon's own verifier,
 * so that public vector sets can be run against it. FILE is a JWK, or a JWK Set from which the
 * header's kid picks. Exit 0 valid, 1 not valid (standard error says why), 2 usage.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wslock/auth/jws.h"
#include "wslock/base/buf.h"

#define MAX_INPUT_BYTES (1024 * 1024)

static bool read_all(FILE *in, struct buf *out) {
    char block[4096];
    size_t n;

    while ((n = fread(block, 1, sizeof block, in)) > 0 && out->len <= MAX_INPUT_BYTES) {
        buf_append(out, block, n);
    }
    return !ferror(in) && out->len <= MAX_INPUT_BYTES;
}

static struct str trim_newline(const struct buf *b) {
    struct str s = {b->data, b->len};

    if (s.len > 0 && s.p[s.len - 1] == '\n') {
        s.len--;
    }
    if (s.len < b->len && s.len > 0 && s.p[s.len - 1] == '\r') {
        s.len--;
    }
    return s;
}

static int check(const struct buf *jwk, const struct buf *jws) {
    const char *why = NULL;

    if (jws_verify_compact((struct str){jwk->data, jwk->len}, trim_newline(jws), &why) ==
        JWS_VALID) {
        return 0;
    }
    fprintf(stderr, "jws-check: %s\n", why);
    return 1;
}

int main(int argc, char **argv) {
    struct buf jwk, jws;
    FILE *file;
    int status = 2;

    if (argc != 3 || strcmp(argv[1], "--jwk") != 0) {
        fprintf(stderr, "usage: jws-check --jwk FILE < COMPACT-JWS\n");
        return 2;
    }
    buf_init(&jwk);
    buf_init(&jws);
    file = fopen(argv[2], "rbe");
    if (file == NULL || !read_all(file, &jwk)) {
        fprintf(stderr, "jws-check: %s: %s\n", argv[2], errno ? strerror(errno) : "too large");
    } else if (!read_all(stdin, &jws)) {
        fprintf(stderr, "jws-check: standard input cannot be read, or is too large\n");
    } else {
        status = check(&jwk, &jws);
    }
    if (file != NULL) {
        fclose(file);
    }
    buf_fini(&jwk);
    buf_fini(&jws);
    return status;
}
