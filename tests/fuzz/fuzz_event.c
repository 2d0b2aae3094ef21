/* What comes out of the store: events of the streams and replies of the scripts, whatever they
 * hold. */
#include "../../src/lock/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sum; /* what was found is touched, for the sanitizers */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct str packed = {(const char *)data, size};
    static struct decode_scratch scratch;
    struct lock_event event;
    struct script_head head;
    struct lock_result result;

    if (lock_event_decode(packed, &event)) {
        sum += event.resource.len > 0 ? (size_t)event.resource.p[event.resource.len - 1] : 0;
    }
    if (script_reply_decode(packed, &scratch, &head, &result)) {
        for (size_t i = 0; i < result.held_count; i++) {
            sum += result.held[i].len > 0 ? (size_t)result.held[i].p[0] : 0;
        }
        for (size_t i = 0; i < result.snapshot.member_listed; i++) {
            const struct str *name = &result.snapshot.members[i].username;

            sum += name->len > 0 ? (size_t)name->p[name->len - 1] : 0;
        }
    }
    return 0;
}
