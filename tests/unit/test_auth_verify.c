/* Which key is taken, every algorithm, and what forgers try. */
#include "auth_support.h"

#include <unistd.h>

static EVP_PKEY *rsa, *p256, *p384, *ed;

static int make_keys(void **state) {
    (void)state;
    rsa = make_key("RSA2048");
    p256 = make_key("P-256");
    p384 = make_key("P-384");
    ed = make_key("ED25519");
    return 0;
}

static int free_keys(void **state) {
    (void)state;
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(p256);
    EVP_PKEY_free(p384);
    EVP_PKEY_free(ed);
    return 0;
}

static EVP_PKEY *key_for(const char *alg) {
    if (alg[0] == 'R' || alg[0] == 'P') {
        return rsa;
    }
    return strcmp(alg, "ES256") == 0 ? p256 : strcmp(alg, "ES384") == 0 ? p384 : ed;
}

static const char CLAIMS[] = "{\"sub\":\"ann\",\"exp\":1800000060}";

static struct signer signer_for(const char *alg) {
    return (struct signer){alg, {SECRET, 64}, alg[0] == 'H' ? NULL : key_for(alg)};
}

/* A key file for each algorithm, its kid the algorithm's name. */
static void add_all_keys(struct fixture *f) {
    for (size_t i = 0; i < ARRAY_LEN(ALL_ALGS); i++) {
        add_key(f, ALL_ALGS[i], ALL_ALGS[i],
                ALL_ALGS[i][0] == 'H' ? write_file(f, ALL_ALGS[i], SECRET, 64)
                                      : write_pem(f, ALL_ALGS[i], key_for(ALL_ALGS[i])));
    }
}

static enum auth_result try_with(struct fixture *f, const struct signer *s, const char *header) {
    return verify(f, make_token(s, header, str_of(CLAIMS)), NULL);
}

static void test_every_algorithm(void **state) {
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_all_keys(&f);
    fixture_load(&f);
    assert_null(auth_not_ready(f.auth));
    for (size_t i = 0; i < ARRAY_LEN(ALL_ALGS); i++) {
        const struct signer signer = signer_for(ALL_ALGS[i]);
        char header[128];

        assert_int_equal(try_with(&f, &signer, NULL), AUTH_OK);
        for (size_t j = 0; j < ARRAY_LEN(ALL_ALGS); j++) {
            (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", ALL_ALGS[i],
                           ALL_ALGS[j]);
            assert_int_equal(try_with(&f, &signer, header), i == j ? AUTH_OK : AUTH_INVALID);
            (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"%s\"}", ALL_ALGS[j],
                           ALL_ALGS[j]);
            assert_int_equal(try_with(&f, &signer, header), i == j ? AUTH_OK : AUTH_INVALID);
        }
    }
    fixture_fini(&f);
}

/* HS256 with what everyone knows of the other keys as its secret; no algorithm at all. */
static void test_forged(void **state) {
    static const char *const NONE[] = {"none", "None", "NONE", "nOnE", "", "HS1", "ES512", "PS384"};
    struct fixture f;
    struct signer forger = {.alg = "HS256"};
    char pem[4096], header[128];
    FILE *file;
    size_t len;

    (void)state;
    fixture_init(&f);
    add_key(&f, "r", "RS256", write_pem(&f, "r", rsa));
    add_key(&f, "e", "ES256", write_pem(&f, "e", p256));
    fixture_load(&f);

    file = fopen(f.keys[0].public_key_file, "re");
    assert_non_null(file);
    len = fread(pem, 1, sizeof pem, file);
    fclose(file);
    for (size_t cut = 0; cut < 2; cut++) {
        forger.secret = (struct str){pem, len - cut};
        assert_int_equal(try_with(&f, &forger, NULL), AUTH_INVALID);
        assert_int_equal(try_with(&f, &forger, "{\"alg\":\"HS256\",\"kid\":\"r\"}"), AUTH_INVALID);
        assert_int_equal(try_with(&f, &forger, "{\"alg\":\"RS256\",\"kid\":\"r\"}"), AUTH_INVALID);
    }
    for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
        (void)snprintf(header, sizeof header, "{\"alg\":\"%s\",\"kid\":\"r\"}", NONE[i]);
        char *token = make_token(&forger, header, str_of(CLAIMS));

        assert_int_equal(verify(&f, mem_strdup(token), NULL), AUTH_INVALID);
        strrchr(token, '.')[1] = '\0';
        assert_int_equal(verify(&f, mem_strdup(token), NULL), AUTH_INVALID);
        *strrchr(token, '.') = '\0';
        assert_int_equal(verify(&f, token, NULL), AUTH_INVALID);
    }
    fixture_fini(&f);
}

/* The key that has the token's kid, else the one without. */
static void test_kid_picks(void **state) {
    const struct signer a = {.alg = "HS256", .secret = {SECRET, 32}};
    const struct signer b = {.alg = "HS256", .secret = {SECRET, 33}};
    const struct signer c = {.alg = "HS256", .secret = {SECRET, 34}};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_key(&f, "a", "HS256", write_file(&f, "a", SECRET, 32));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &a, NULL), AUTH_OK);
    assert_int_equal(try_with(&f, &a, "{\"alg\":\"HS256\",\"kid\":\"b\"}"), AUTH_INVALID);

    add_key(&f, "b", "HS256", write_file(&f, "b", SECRET, 33));
    add_key(&f, NULL, "HS256", write_file(&f, "c", SECRET, 34));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &a, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &b, "{\"alg\":\"HS256\",\"kid\":\"b\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &b, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &c, "{\"alg\":\"HS256\",\"kid\":\"c\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &c, "{\"alg\":\"HS256\",\"kid\":\"\"}"), AUTH_OK);
    /* One that names a key is held to that key, and another key's signature does for no kid. */
    assert_int_equal(try_with(&f, &c, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &a, "{\"alg\":\"HS256\",\"kid\":\"c\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &a, "{\"alg\":\"HS256\",\"kid\":\"b\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &a, "{\"alg\":\"HS256\",\"kid\":\"A\"}"), AUTH_INVALID);
    /* Without a kid three could be meant. */
    assert_int_equal(try_with(&f, &a, NULL), AUTH_INVALID);
    assert_int_equal(try_with(&f, &c, NULL), AUTH_INVALID);
    fixture_fini(&f);
}

/* A key without a kid serves tokens of its own algorithm only, and only where it is the only one.
 */
static void test_key_without_kid(void **state) {
    const struct signer hs256 = {.alg = "HS256", .secret = {SECRET, 64}};
    const struct signer hs512 = {.alg = "HS512", .secret = {SECRET, 64}};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_key(&f, NULL, "HS512", write_file(&f, "a", SECRET, 64));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &hs512, "{\"alg\":\"HS512\",\"kid\":\"x\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &hs512, NULL), AUTH_OK);
    assert_int_equal(try_with(&f, &hs256, "{\"alg\":\"HS256\",\"kid\":\"x\"}"), AUTH_INVALID);

    add_key(&f, "x", "HS256", write_file(&f, "b", SECRET, 64));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &hs512, "{\"alg\":\"HS512\",\"kid\":\"x\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &hs256, "{\"alg\":\"HS256\",\"kid\":\"x\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &hs256, "{\"alg\":\"HS256\",\"kid\":\"y\"}"), AUTH_INVALID);

    add_key(&f, NULL, "HS512", write_file(&f, "c", SECRET, 64));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &hs512, "{\"alg\":\"HS512\",\"kid\":\"x\"}"), AUTH_INVALID);
    fixture_fini(&f);
}

static void test_typ(void **state) {
    static const struct {
        const char *header;
        enum auth_result expected;
    } CASES[] = {
        {"{\"alg\":\"HS256\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"jwt\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"AT+JWT\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"application/at+jwt\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"application/JWT\"}", AUTH_OK},
        {"{\"alg\":\"HS256\",\"typ\":\"\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":\"application/\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":\"application/application/JWT\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":\"JWT\\u0000\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":\"logout+jwt\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":\"JOSE\"}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":null}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"typ\":[\"JWT\"]}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"crit\":[\"exp\"]}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"b64\":false}", AUTH_INVALID},
        {"{\"alg\":\"HS256\",\"alg\":\"HS256\"}", AUTH_INVALID},
    };
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_key(&f, NULL, "HS256", write_file(&f, "a", SECRET, 32));
    fixture_load(&f);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        if (try_with(&f, &signer, CASES[i].header) != CASES[i].expected) {
            fail_msg("%s", CASES[i].header);
        }
    }
    fixture_fini(&f);
}

/* A NUL byte in the header or the claims, also where jansson reads over it. */
static void test_nul(void **state) {
    static const char HEADER[] = "{\"alg\":\"HS256\",\"x\":[1,true],\"b64\":true}";
    static const char PAYLOAD[] = "{\"sub\":\"ann\",\"exp\":1800000060,\"iat\":1.5,\"x\":[null,7]}";
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    struct fixture f;
    char text[128];

    (void)state;
    fixture_init(&f);
    add_key(&f, NULL, "HS256", write_file(&f, "a", SECRET, 32));
    fixture_load(&f);
    assert_int_equal(verify(&f, make_token(&signer, HEADER, str_of(PAYLOAD)), NULL), AUTH_OK);
    for (size_t at = 0; at < sizeof HEADER; at++) {
        memcpy(text, HEADER, at);
        text[at] = '\0';
        memcpy(text + at + 1, HEADER + at, sizeof HEADER - 1 - at);
        assert_int_equal(
            verify(&f, make_token_of(&signer, (struct str){text, sizeof HEADER}, str_of(PAYLOAD)),
                   NULL),
            AUTH_INVALID);
    }
    for (size_t at = 0; at < sizeof PAYLOAD; at++) {
        memcpy(text, PAYLOAD, at);
        text[at] = '\0';
        memcpy(text + at + 1, PAYLOAD + at, sizeof PAYLOAD - 1 - at);
        assert_int_equal(
            verify(&f, make_token(&signer, HEADER, (struct str){text, sizeof PAYLOAD}), NULL),
            AUTH_INVALID);
    }
    fixture_fini(&f);
}

static void test_size(void **state) {
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    struct fixture f;
    struct buf claims;
    size_t exact = 0;

    (void)state;
    fixture_init(&f);
    add_key(&f, NULL, "HS256", write_file(&f, "a", SECRET, 32));
    fixture_load(&f);
    buf_init(&claims);
    for (size_t pad = 5900; pad < 6200; pad++) {
        char *token;
        size_t len;

        buf_reset(&claims);
        buf_printf(&claims, "{\"sub\":\"ann\",\"exp\":1800000060,\"pad\":\"%0*d\"}", (int)pad, 0);
        token = make_token(&signer, NULL, (struct str){claims.data, claims.len});
        len = strlen(token);
        exact += len == AUTH_MAX_TOKEN_BYTES;
        assert_int_equal(verify(&f, token, NULL),
                         len <= AUTH_MAX_TOKEN_BYTES ? AUTH_OK : AUTH_INVALID);
    }
    assert_true(exact > 0);
    buf_fini(&claims);
    fixture_fini(&f);
}

/* A bit changed anywhere, or an end cut off, and it is nobody's token. */
static void test_every_change(void **state) {
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_all_keys(&f);
    fixture_load(&f);
    for (size_t i = 0; i < ARRAY_LEN(ALL_ALGS); i++) {
        const struct signer signer = signer_for(ALL_ALGS[i]);
        char *token = make_token(&signer, NULL, str_of(CLAIMS));
        size_t step = ALL_ALGS[i][0] == 'H' ? 1 : 7;

        for (size_t at = 0; at < strlen(token); at += step) {
            char *changed = mem_strdup(token), *cut = mem_strndup(token, at);

            changed[at] = (char)(changed[at] ^ (at % 2 ? 1 : 2));
            assert_int_equal(verify(&f, changed, NULL), AUTH_INVALID);
            assert_int_equal(verify(&f, cut, NULL), AUTH_INVALID);
        }
        assert_int_equal(verify(&f, token, NULL), AUTH_OK);
    }
    fixture_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_algorithm),
        cmocka_unit_test(test_forged),
        cmocka_unit_test(test_kid_picks),
        cmocka_unit_test(test_key_without_kid),
        cmocka_unit_test(test_typ),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_size),
        cmocka_unit_test(test_every_change),
    };
    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
