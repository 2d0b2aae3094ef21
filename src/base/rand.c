/* Random bytes and ids. */
#include "wslock/base/rand.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "wslock/base/log.h"
#include "wslock/base/macros.h"

void rand_bytes(void *out, size_t len) {
    unsigned char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_error("random_unavailable", LFI("errno", errno));
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}

uint64_t rand_u64(void) {
    uint64_t value;
    rand_bytes(&value, sizeof value);
    return value;
}

uint64_t rand_below(uint64_t bound) {
    assert(bound > 0);
    /* What lies below 2^64 mod bound would make the small results likelier. */
    uint64_t skip = -bound % bound;
    uint64_t value;
    do {
        value = rand_u64();
    } while (value < skip);
    return value % bound;
}

void rand_id(char out[RAND_ID_LEN + 1]) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    unsigned char bytes[16];
    rand_bytes(bytes, sizeof bytes);
    uint32_t bits = 0;
    unsigned held = 0;
    size_t at = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bits = bits << 8 | bytes[i];
        held += 8;
        while (held >= 6) {
            held -= 6;
            out[at++] = digits[bits >> held & 63];
        }
    }
    out[at++] = digits[bits << (6 - held) & 63];
    assert(at == RAND_ID_LEN);
    out[at] = '\0';
}
