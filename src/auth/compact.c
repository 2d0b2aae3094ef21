/* Splits a compact JWS and checks its header. */
#include "compact.h"

#include "wslock/auth/auth.h"
#include "wslock/base/jsonr.h"

#include "b64.h"

/* The three parts; false unless there are exactly two dots. */
static bool split(struct str token, struct str parts[3]) {
    size_t part = 0, start = 0;

    for (size_t i = 0; i <= token.len; i++) {
        if (i < token.len && token.p[i] != '.') {
            continue;
        }
        if (part == 3) {
            return false;
        }
        parts[part++] = (struct str){token.p + start, i - start};
        start = i + 1;
    }
    return part == 3;
}

static const char *read_header(struct auth_compact *c) {
    const json_t *alg = json_object_get(c->header, "alg");
    const json_t *kid = json_object_get(c->header, "kid");
    const json_t *b64 = json_object_get(c->header, "b64");

    c->alg = json_is_string(alg) ? auth_alg_parse(jsonr_str(alg)) : AUTH_ALG_NONE;
    if (c->alg == AUTH_ALG_NONE) {
        return "the header's alg is not supported";
    }
    if (json_object_get(c->header, "crit") != NULL) {
        return "the header has crit: no extension is supported";
    }
    if (b64 != NULL && !json_is_true(b64)) {
        return "the header has b64: unencoded payloads are not supported";
    }
    if (kid != NULL && !json_is_string(kid)) {
        return "the header's kid is not a text";
    }
    if (kid != NULL) {
        c->kid = jsonr_str(kid);
    }
    return NULL;
}

const char *auth_compact_read(struct str token, struct auth_compact *out) {
    struct str parts[3];
    struct buf header;

    *out = (struct auth_compact){.alg = AUTH_ALG_NONE};
    buf_init(&out->payload);
    buf_init(&out->signature);
    if (token.len > AUTH_MAX_TOKEN_BYTES) {
        return "longer than 8 KiB";
    }
    if (!split(token, parts)) {
        return "not three parts between dots";
    }
    buf_init(&header);
    if (auth_b64_decode(parts[0], &header)) {
        out->header = jsonr_object((struct str){header.data, header.len}, NULL);
    }
    buf_fini(&header);
    if (out->header == NULL) {
        return "the header is not base64url of one JSON object";
    }
    if (!auth_b64_decode(parts[1], &out->payload)) {
        return "the payload is not base64url";
    }
    if (!auth_b64_decode(parts[2], &out->signature) || out->signature.len == 0) {
        return "the signature is missing or not base64url";
    }
    out->signed_part = (struct str){token.p, parts[0].len + 1 + parts[1].len};
    return read_header(out);
}

json_t *auth_compact_claims(const struct auth_compact *compact, const char **why) {
    const struct str payload = {compact->payload.data, compact->payload.len};
    enum jsonr_fault fault;
    json_t *claims = jsonr_object(payload, &fault);

    if (claims != NULL) {
        return claims;
    }
    switch (fault) {
    case JSONR_NOT_AN_OBJECT:
        *why = "the payload is not one JSON object";
        break;
    case JSONR_TOO_DEEP:
        *why = "the payload has values nested more than 16 deep";
        break;
    case JSONR_NAME_TWICE:
        *why = "the payload has a name twice";
        break;
    case JSONR_OUT_OF_RANGE:
        *why = "the payload has an integer beyond signed 64 bits or a number beyond a double";
        break;
    }
    return NULL;
}

void auth_compact_fini(struct auth_compact *compact) {
    json_decref(compact->header);
    buf_fini(&compact->payload);
    buf_fini(&compact->signature);
    *compact = (struct auth_compact){.alg = AUTH_ALG_NONE};
}
