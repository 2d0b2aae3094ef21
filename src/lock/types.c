/* The texts of states and causes. */
#include "wslock/lock/types.h"

#include "wslock/base/macros.h"

static const char *const state_texts[] = {
#define LOCK_STATE(id, text) text,
#include "wslock/lock/tables.def"
#undef LOCK_STATE
};

static const char *const cause_texts[] = {
#define LOCK_CAUSE(id, text) text,
#include "wslock/lock/tables.def"
#undef LOCK_CAUSE
};

const char *lock_state_text(enum lock_state state) {
    return state_texts[state];
}

const char *lock_cause_text(enum lock_cause cause) {
    return cause_texts[cause];
}

enum lock_cause lock_cause_parse(struct str text) {
    for (size_t i = 0; i < ARRAY_LEN(cause_texts); i++) {
        if (str_eqz(text, cause_texts[i])) {
            return (enum lock_cause)i;
        }
    }
    return LOCK_CAUSE_NONE;
}

int64_t lock_renewed_ms(const struct lock_view *lock) {
    int64_t ttl_ms = 0;

    if (lock->state != LOCK_STATE_HELD) {
        return 0;
    }
    for (size_t i = 0; i < lock->policy.len && i < 15 && lock->policy.p[i] != ' '; i++) {
        ttl_ms = ttl_ms * 10 + (lock->policy.p[i] - '0');
    }
    return lock->expires_ms - ttl_ms;
}
