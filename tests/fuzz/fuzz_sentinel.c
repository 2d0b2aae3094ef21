/* What a Sentinel sends: read one reply after another. */
#include <stdlib.h>

#include "../../src/redis/sentinel_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str rest = {(const char *)data, size};
    struct redis_address address;
    struct sentinel_reply reply;
    struct str problem;
    ssize_t len;

    while ((len = sentinel_reply_read(rest, &reply)) > 0) {
        if ((size_t)len > rest.len || reply.count > SENTINEL_REPLY_MAX_ITEMS) {
            abort();
        }
        for (size_t i = 0; i < reply.count; i++) {
            if (reply.items[i].p < rest.p || reply.items[i].p + reply.items[i].len > rest.p + len) {
                abort();
            }
        }
        if ((sentinel_reply_address(&reply, &address, &problem) ||
             sentinel_reply_switch(&reply, "m", &address)) &&
            (address.port < 1 || address.port > 65535 || address.host[0] == '\0')) {
            abort();
        }
        rest = (struct str){rest.p + len, rest.len - (size_t)len};
    }
    return 0;
}
