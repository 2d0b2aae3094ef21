/* Encodes a record as one JSON line. */
#include "record.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "chain.h"
#include "wslock/base/jsonw.h"

#define ELLIPSIS "\xE2\x80\xA6"

/* How much of the values is kept. The first set serves every record that the daemon makes of
 * checked input; the second is small enough that a line fits whatever its bytes are (each may
 * become six). */
struct caps {
    size_t value_bytes;
    size_t roles;
};
static const struct caps caps_usual = {2048, 64};
static const struct caps caps_tight = {256, 12};

static const char *const action_names[] = {
#define AUDIT_ACTION(name) #name,
#include "wslock/audit/actions.def"
#undef AUDIT_ACTION
};

static void put_digits(char *at, int width, int value) {
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void record_format_time(int64_t wall_us, char out[RECORD_TIME_LEN + 1]) {
    int64_t seconds = wall_us / 1000000;
    int64_t micros = wall_us % 1000000;
    if (micros < 0) {
        micros += 1000000;
        seconds--;
    }
    const time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900) {
        tm = (struct tm){.tm_year = 70, .tm_mday = 1};
    }
    memcpy(out, "0000-00-00T00:00:00.000000Z", RECORD_TIME_LEN + 1);
    put_digits(out, 4, tm.tm_year + 1900);
    put_digits(out + 5, 2, tm.tm_mon + 1);
    put_digits(out + 8, 2, tm.tm_mday);
    put_digits(out + 11, 2, tm.tm_hour);
    put_digits(out + 14, 2, tm.tm_min);
    put_digits(out + 17, 2, tm.tm_sec);
    put_digits(out + 20, 6, (int)micros);
}

static void put_value(struct jsonw *w, struct str value, const struct caps *caps) {
    if (value.len <= caps->value_bytes) {
        jsonw_str(w, value);
        return;
    }
    char cut[2048 + sizeof ELLIPSIS];
    assert(caps->value_bytes <= 2048);
    size_t len = caps->value_bytes;
    while (len > 0 && ((unsigned char)value.p[len] & 0xC0) == 0x80) {
        len--;
    }
    memcpy(cut, value.p, len);
    memcpy(cut + len, ELLIPSIS, sizeof ELLIPSIS);
    jsonw_str(w, (struct str){cut, len + sizeof ELLIPSIS - 1});
}

static void put_field(struct jsonw *w, const char *key, struct str value, const struct caps *caps) {
    if (value.len == 0) {
        return;
    }
    jsonw_key(w, key);
    put_value(w, value, caps);
}

static void put_number(struct jsonw *w, const char *key, int64_t value, int64_t absent_below) {
    if (value >= absent_below) {
        jsonw_ki64(w, key, value);
    }
}

static void put_roles(struct jsonw *w, const struct audit_record *r, const struct caps *caps) {
    if (r->role_count == 0) {
        return;
    }
    jsonw_key(w, "roles");
    jsonw_array_open(w);
    for (size_t i = 0; i < r->role_count && i < caps->roles; i++) {
        put_value(w, str_of(r->roles[i]), caps);
    }
    if (r->role_count > caps->roles) {
        jsonw_str(w, str_of(ELLIPSIS));
    }
    jsonw_array_close(w);
}

static void put_person(struct jsonw *w, const char *key, const struct audit_person *person,
                       const struct audit_record *roles_of, const struct caps *caps) {
    if (person->id.len == 0) {
        return;
    }
    jsonw_key(w, key);
    jsonw_object_open(w);
    put_field(w, "id", person->id, caps);
    put_field(w, "name", person->name, caps);
    if (roles_of != NULL) {
        put_roles(w, roles_of, caps);
    }
    jsonw_object_close(w);
}

static void encode(struct buf *out, const struct audit_record *r, const struct record_stamp *stamp,
                   const struct caps *caps) {
    char time_text[RECORD_TIME_LEN + 1];
    record_format_time(stamp->wall_us, time_text);

    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object_open(&w);
    jsonw_kstr(&w, "time", (struct str){time_text, RECORD_TIME_LEN});
    jsonw_kcstr(&w, "action", action_names[r->action]);
    jsonw_kcstr(&w, "outcome", r->failure ? "failure" : "success");
    put_field(&w, "resourceId", r->resource_id, caps);
    put_person(&w, "user", &r->user, r, caps);
    put_person(&w, "previousHolder", &r->previous_holder, NULL, caps);
    put_person(&w, "admin", &r->admin, NULL, caps);
    put_field(&w, "reason", r->reason, caps);
    put_number(&w, "fence", r->fence, 1);
    put_number(&w, "rev", r->rev, 1);
    put_number(&w, "heldMs", r->held_ms, 0);
    put_field(&w, "decision", r->decision, caps);
    put_field(&w, "answer", r->answer, caps);
    if (r->previous_dirty >= 0) {
        jsonw_kbool(&w, "previousDirty", r->previous_dirty != 0);
    }
    put_field(&w, "revision", r->revision, caps);
    put_field(&w, "sessionId", r->session_id, caps);
    put_field(&w, "clientId", r->client_id, caps);
    put_field(&w, "tokenId", r->token_id, caps);
    put_field(&w, "issuer", r->issuer, caps);
    put_field(&w, "address", r->address, caps);
    put_field(&w, "userAgent", r->user_agent, caps);
    put_field(&w, "lockRequestId", r->lock_request_id, caps);
    put_field(&w, "ref", r->ref, caps);
    put_field(&w, "detail", r->detail, caps);
    put_field(&w, "instance", stamp->instance, caps);
    put_field(&w, "eventId", r->event_id, caps);
    if (r->recovered) {
        jsonw_kbool(&w, "recovered", true);
    }
    jsonw_ki64(&w, "v", RECORD_VERSION);
    jsonw_ki64(&w, "seq", (int64_t)stamp->seq);
}

void record_encode(struct buf *out, const struct audit_record *r,
                   const struct record_stamp *stamp) {
    assert(r->action < AUDIT_ACTION_COUNT);
    const size_t start = out->len;
    encode(out, r, stamp, &caps_usual);
    if (out->len - start > RECORD_LINE_MAX - CHAIN_TAIL_LEN) {
        out->len = start;
        encode(out, r, stamp, &caps_tight);
    }
    assert(out->len - start <= RECORD_LINE_MAX - CHAIN_TAIL_LEN);
}
