/* Begins and ends messages, and writes the pieces that they share. */
#include "writer.h"

#include <string.h>

#include "framing.h"

static struct buf scratch;
static struct jsonw writer;
static const char *writer_event;
static const struct wire_ref *writer_ref;

struct jsonw *writer_open(const struct wire_to *to, const char *event) {
    buf_reset(&scratch);
    jsonw_init(&writer, &scratch);
    jsonw_object_open(&writer);
    writer_event = event;
    writer_ref = to->ref;
    return &writer;
}

struct wire_message *writer_close(struct jsonw *w) {
    struct str ref = {NULL, 0};

    jsonw_object_close(w);
    if (writer_ref != NULL) {
        ref = (struct str){writer_ref->json, writer_ref->len};
    }
    return framing_message(writer_event, ref, (struct str){scratch.data, scratch.len});
}

void writer_put_at(struct jsonw *w, const struct wire_at *at) {
    jsonw_kstr(w, "resourceId", at->resource);
    jsonw_ki64(w, "rev", at->rev);
}

void writer_put_person(struct jsonw *w, const struct wire_person *person, bool minimal) {
    jsonw_kstr(w, "userId", person->user_id);
    if (!minimal) {
        jsonw_kstr(w, "username", writer_display_name(person, minimal));
    }
}

struct str writer_display_name(const struct wire_person *person, bool minimal) {
    return minimal || person->username.len == 0 ? person->user_id : person->username;
}

static void put_person_object(struct jsonw *w, const char *key, const struct wire_person *person,
                              bool minimal) {
    jsonw_key(w, key);
    jsonw_object_open(w);
    writer_put_person(w, person, minimal);
    jsonw_object_close(w);
}

void writer_put_lock(struct jsonw *w, const struct wire_lock *lock, bool minimal) {
    bool reserved = strcmp(lock->state, "reserved") == 0;
    bool grace = strcmp(lock->state, "grace") == 0;
    bool owned = grace || strcmp(lock->state, "held") == 0;

    jsonw_key(w, "lock");
    jsonw_object_open(w);
    jsonw_kcstr(w, "state", lock->state);
    if (owned) {
        put_person_object(w, "holder", &lock->person, minimal);
        jsonw_ki64(w, "since", lock->since_ms);
        jsonw_ki64(w, "expiresAt", lock->expires_ms);
        jsonw_kbool(w, "dirty", lock->dirty);
    }
    if (grace) {
        jsonw_ki64(w, "graceUntil", lock->grace_until_ms);
    }
    if (reserved) {
        put_person_object(w, "reservedFor", &lock->person, minimal);
        jsonw_ki64(w, "reservedUntil", lock->reserved_until_ms);
    }
    if (owned || reserved) {
        jsonw_ki64(w, "queueLength", lock->queue_length);
    }
    if (lock->mine >= 0) {
        jsonw_kbool(w, "mine", lock->mine > 0);
    }
    jsonw_object_close(w);
}

static const char *upgrade_text(enum config_upgrade upgrade) {
    switch (upgrade) {
    case CONFIG_UPGRADE_DENY:
        return "deny";
    case CONFIG_UPGRADE_QUEUE:
        return "queue";
    case CONFIG_UPGRADE_REQUEST:
        return "request";
    }
    return NULL;
}

static const char *disconnect_text(enum config_disconnect disconnect) {
    switch (disconnect) {
    case CONFIG_DISCONNECT_RELEASE:
        return "release";
    case CONFIG_DISCONNECT_GRACE:
        return "grace";
    case CONFIG_DISCONNECT_PROMPT:
        return "prompt";
    }
    return NULL;
}

static const char *takeover_text(enum config_takeover takeover) {
    switch (takeover) {
    case CONFIG_TAKEOVER_IMMEDIATE:
        return "immediate";
    case CONFIG_TAKEOVER_REQUEST:
        return "request";
    case CONFIG_TAKEOVER_NEVER:
        return "never";
    }
    return NULL;
}

static void put_limit(struct jsonw *w, const char *key, int64_t limit) {
    jsonw_key(w, key);
    if (limit == CONFIG_NO_LIMIT) {
        jsonw_null(w);
    } else {
        jsonw_i64(w, limit);
    }
}

void writer_put_policy(struct jsonw *w, const struct config_policy *policy) {
    jsonw_key(w, "policy");
    jsonw_object_open(w);
    jsonw_ki64(w, "ttlMs", policy->lock_ttl_ms);
    jsonw_ki64(w, "heartbeatIntervalMs", policy->heartbeat_interval_ms);
    jsonw_kcstr(w, "upgrade", upgrade_text(policy->upgrade));
    jsonw_kbool(w, "requests", policy->requests);
    jsonw_ki64(w, "requestTimeoutMs", policy->request_timeout_ms);
    jsonw_ki64(w, "claimWindowMs", policy->claim_window_ms);
    jsonw_kcstr(w, "disconnect", disconnect_text(policy->disconnect));
    jsonw_ki64(w, "gracePeriodMs", policy->grace_period_ms);
    jsonw_ki64(w, "livenessMs", config_liveness_ms(policy));
    jsonw_kcstr(w, "takeover", takeover_text(policy->takeover));
    jsonw_ki64(w, "takeoverTimeoutMs", policy->takeover_timeout_ms);
    put_limit(w, "maxConcurrentTabLocksPerUser", policy->max_tab_locks);
    put_limit(w, "maxViewersPerChild", policy->max_viewers);
    jsonw_object_close(w);
}
