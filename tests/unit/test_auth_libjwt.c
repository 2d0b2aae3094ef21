/*
 * Against libjwt, on what it can read: random headers, claims and damage, signed as they are or
 * damaged afterwards. What libjwt refuses is never accepted, but for what is written at `excused`;
 * what both read says the same; and what is well made is accepted by both.
 */
#include <jwt.h>

#include "auth_support.h"
#include "seeded.h"

static const char *const HEADERS[] = {
    "{\"alg\":\"%s\"}",
    "{\"alg\":\"%s\",\"typ\":\"JWT\"}",
    "{\"typ\":\"JWT\",\"alg\":\"%s\",\"kid\":\"k\"}",
    "{\"alg\":\"%s\",\"typ\":\"JWT\",\"crit\":[\"exp\"]}",
    "{\"alg\":\"%s\",\"typ\":7}",
    "{\"alg\":\"none\",\"x\":\"%s\"}",
    " {\"alg\" : \"%s\" } ",
    "{\"alg\":\"%s\",\"alg\":\"%s\"}",
};
#define GOOD_HEADERS 3 /* the first ones */

static const char *const CLAIMS[] = {
    "{\"sub\":\"ann\",\"exp\":1800000060}",
    "{\"sub\":\"ann\",\"exp\":1800000060,\"name\":\"Ann\",\"iss\":\"me\",\"jti\":\"1\"}",
    "{\"exp\":1900000000,\"sub\":\"\\u00e4\\u20ac\",\"roles\":[\"a\",\"b\"],\"nbf\":1,\"iat\":2}",
    "{\"sub\":\"ann\",\"exp\":1800000060,\"aud\":[\"x\"],\"deep\":{\"a\":[1,{\"b\":null}]}}",
    "{\"sub\":\"ann\",\"exp\":1}",
    "{\"sub\":\"ann\",\"exp\":\"1800000060\"}",
    "{\"sub\":7,\"exp\":1800000060}",
    "{\"sub\":\"ann\",\"exp\":1800000060,\"nbf\":1900000000}",
    "{\"sub\":\"ann\",\"sub\":\"bob\",\"exp\":1800000060}",
    "{\"sub\":\"ann\",\"exp\":1.5e10}",
    "[]",
    "",
};
#define GOOD_CLAIMS 4

static const char *const ALGS[] = {"HS256", "HS384", "HS512", "RS256", "RS512", "ES256", "ES384"};

struct other { /* one algorithm's key, as libjwt wants it */
    struct fixture f;
    struct signer signer;
    char *pem;
    size_t pem_len;
};

static struct other others[ARRAY_LEN(ALGS)];

static void read_pem(struct other *o) {
    FILE *file = fopen(o->f.keys[0].public_key_file, "re");

    assert_non_null(file);
    o->pem = mem_zalloc(4096);
    o->pem_len = fread(o->pem, 1, 4095, file);
    fclose(file);
}

static int make_others(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ALGS); i++) {
        struct other *o = &others[i];
        const char *kind = ALGS[i][0] == 'R' ? "RSA2048" : ALGS[i][2] == '2' ? "P-256" : "P-384";

        fixture_init(&o->f);
        o->signer = (struct signer){.alg = ALGS[i], .secret = {SECRET, 64}};
        if (ALGS[i][0] == 'H') {
            add_key(&o->f, "k", ALGS[i], write_file(&o->f, "k", SECRET, 64));
        } else {
            o->signer.pkey = make_key(kind);
            add_key(&o->f, "k", ALGS[i], write_pem(&o->f, "k", o->signer.pkey));
            read_pem(o);
        }
        fixture_load(&o->f);
    }
    return 0;
}

static int free_others(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ALGS); i++) {
        EVP_PKEY_free(others[i].signer.pkey);
        mem_free(others[i].pem);
        fixture_fini(&others[i].f);
    }
    return 0;
}

/* One byte changed, put in, taken out, or a run doubled. Only bytes that a C string can hold. */
static void damage(struct seeded *random, struct buf *text) {
    static const char USUAL[] = "\"\\{}[],:.=-_ 0159aeuAZ\n";
    size_t at = text->len > 0 ? (size_t)seeded_below(random, text->len) : 0;
    char c = USUAL[seeded_below(random, sizeof USUAL - 1)];
    char *copy = mem_strndup(text->data, text->len);
    size_t len = text->len;

    if (seeded_below(random, 4) == 0) {
        c = (char)(1 + seeded_below(random, 255));
    }
    buf_reset(text);
    buf_append(text, copy, at);
    switch (seeded_below(random, 3)) {
    case 0:
        buf_append_char(text, c);
        break;
    case 1:
        at += at < len;
        break;
    default:
        buf_append_char(text, c);
        at += at < len;
        break;
    }
    buf_append(text, copy + at, len - at);
    mem_free(copy);
}

/* U+0000 in a text: libjwt does not read it, we do where no rule is against it. */
static bool excused(const struct buf *claims) {
    return memmem(claims->data, claims->len, "\\u0000", 6) != NULL;
}

static void compare(const struct auth_identity *id, jwt_t *jwt) {
    const char *issuer = jwt_get_grant(jwt, "iss"), *user = jwt_get_grant(jwt, "sub");
    char digits[24];

    if (user == NULL) {
        (void)snprintf(digits, sizeof digits, "%ld", jwt_get_grant_int(jwt, "sub"));
        user = digits;
    }
    assert_string_equal(id->user_id, user);
    assert_true((id->issuer != NULL) == (issuer != NULL));
    if (issuer != NULL) {
        assert_string_equal(id->issuer, issuer);
    }
    /* It reads 0 or, from 1.17 on, -1 where a number is no integer. */
    if (jwt_get_grant_int(jwt, "exp") > 0) {
        assert_int_equal(id->expires_unix_ms / 1000, jwt_get_grant_int(jwt, "exp"));
    }
}

struct round {
    size_t accepted, refused_by_us_alone, refused_by_both;
};

static void try_one(struct seeded *random, struct other *o, struct round *round) {
    size_t header_index = (size_t)seeded_below(random, ARRAY_LEN(HEADERS));
    size_t claims_index = (size_t)seeded_below(random, ARRAY_LEN(CLAIMS));
    bool before = seeded_below(random, 3) == 0, after = seeded_below(random, 3) == 0;
    struct auth_identity *id = NULL;
    struct buf claims, token;
    jwt_t *jwt = NULL;
    enum auth_result ours;
    char header[256], *text;
    const char *why;
    bool theirs;

    buf_init(&claims);
    buf_init(&token);
    buf_append_str(&claims, CLAIMS[claims_index]);
    (void)snprintf(header, sizeof header, HEADERS[header_index], o->signer.alg, o->signer.alg);
    if (before) {
        damage(random, &claims);
    }
    text = make_token(&o->signer, header, (struct str){claims.data, claims.len});
    buf_append_str(&token, text);
    if (after) {
        damage(random, &token);
    }
    buf_cstr(&token);

    ours = auth_verify(o->f.auth, (struct str){token.data, token.len}, NOW_MS, &id, &why);
    theirs = jwt_decode(&jwt, token.data, (unsigned char *)(o->pem != NULL ? o->pem : SECRET),
                        (int)(o->pem != NULL ? o->pem_len : 64)) == 0;
    if (ours == AUTH_OK && !theirs && !excused(&claims)) {
        fail_msg("accepted: %s %.*s in %s", header, (int)claims.len, claims.data, token.data);
    }
    if (!before && !after && header_index < GOOD_HEADERS && claims_index < GOOD_CLAIMS &&
        !(ours == AUTH_OK && theirs)) {
        fail_msg("refused: %s", token.data);
    }
    if (ours == AUTH_OK && theirs) {
        compare(id, jwt);
    }
    round->accepted += ours == AUTH_OK;
    round->refused_by_us_alone += ours != AUTH_OK && theirs;
    round->refused_by_both += ours != AUTH_OK && !theirs;

    jwt_free(jwt);
    auth_identity_destroy(&id);
    mem_free(text);
    buf_fini(&claims);
    buf_fini(&token);
}

static void test_differential(void **state) {
    struct seeded random = seeded_start("test_auth_libjwt");
    struct round round = {0};

    (void)state;
    for (size_t i = 0; i < 12000; i++) {
        /* It parses the PEM at each call: the slow ones less often. */
        size_t which = seeded_below(&random, 10) < 8 ? seeded_below(&random, 3)
                                                     : seeded_below(&random, ARRAY_LEN(ALGS));

        try_one(&random, &others[which], &round);
    }
    assert_true(round.accepted > 200);
    assert_true(round.refused_by_us_alone > 200);
    assert_true(round.refused_by_both > 200);
}

/* The forgeries that it accepts, and the good tokens that its oldest version does not read. */
static void test_known_differences(void **state) {
    struct other *rs = &others[3];
    const struct signer forger = {.alg = "HS256", .secret = {rs->pem, rs->pem_len}};
    const char *claims = "{\"sub\":\"ann\",\"exp\":1800000060}";

    (void)state;
    assert_string_equal(rs->signer.alg, "RS256");
    assert_int_equal(verify(&rs->f, make_token(&forger, NULL, str_of(claims)), NULL), AUTH_INVALID);
    assert_int_equal(
        verify(&rs->f, make_token(&rs->signer, NULL, str_of("{\"sub\":\"ann\",\"exp\":1}")), NULL),
        AUTH_EXPIRED);
    assert_int_equal(
        verify(&rs->f,
               make_token(&rs->signer, NULL, str_of("{\"sub\":\"ann\",\"exp\":1800000060.5}")),
               NULL),
        AUTH_OK);
    assert_int_equal(
        verify(&rs->f,
               make_token(&rs->signer, "{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", str_of(claims)),
               NULL),
        AUTH_OK);
    assert_int_equal(
        verify(&rs->f, mem_strdup("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4iLCJleHAiOjE4MDAwMDAwNjB9."),
               NULL),
        AUTH_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_differential),
        cmocka_unit_test(test_known_differences),
    };
    return cmocka_run_group_tests(tests, make_others, free_others);
}
