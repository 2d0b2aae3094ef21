/* What comes out of the store: events of the streams and replies of the scripts, whatever they
 * hold. */
#include <stdlib.h>

#include "../../src/lock/event.h"
#include "../../src/lock/script_reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile size_t sum; /* what was found is touched, for the sanitizers */

static void touch(struct str text) {
    sum += text.len > 0 ? (size_t)text.p[0] + (size_t)text.p[text.len - 1] : 0;
}

static void touch_takeover(const struct lock_takeover *t) {
    touch(t->user_id);
    touch(t->reason);
    touch(t->packed);
}

/* What is reported of it again has to fit (lock_report). */
static void touch_waiter(const struct lock_waiter *w) {
    if (w->user_id.len > LOCK_USER_MAX || w->client_id.len > LOCK_CLIENT_MAX) {
        abort();
    }
    touch(w->username);
    touch(w->message);
    touch(w->packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct str packed = {(const char *)data, size};
    static struct decode_scratch scratch;
    struct lock_event event;
    struct script_reply reply;

    if (lock_event_decode(packed, &event)) {
        touch(event.resource);
        touch(event.ended.request_id);
        touch(event.operation.reason);
        touch_takeover(&event.takeover);
        touch_takeover(&event.lock.takeover);
        if (event.kind == LOCK_EVENT_WAITER) {
            touch_waiter(&event.waiter);
        }
    }
    if (script_reply_decode(packed, &scratch, &reply)) {
        for (size_t i = 0; i < reply.name_count; i++) {
            touch(reply.names[i]);
        }
        for (size_t i = 0; i < reply.snapshot.member_listed; i++) {
            touch(reply.snapshot.members[i].username);
        }
        for (size_t i = 0; i < reply.snapshot.waiter_count; i++) {
            touch_waiter(&reply.snapshot.waiters[i]);
        }
        touch_takeover(&reply.common.lock.takeover);
    }
    return 0;
}
