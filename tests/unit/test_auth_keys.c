/* Key files: what loads, what is left out, what is a problem. */
#include "auth_support.h"

#include <sys/stat.h>

static const char CLAIMS[] = "{\"sub\":\"ann\",\"exp\":1800000060}";

static enum auth_result try_with(struct fixture *f, const struct signer *s, const char *header) {
    return verify(f, make_token(s, header, str_of(CLAIMS)), NULL);
}

static void expect_problem(struct fixture *f, const char *first, const char *second) {
    char *problem = load_problem(f);

    if (strstr(problem, first) == NULL || strstr(problem, second) == NULL) {
        fail_msg("\"%s\" has not \"%s\" and \"%s\"", problem, first, second);
    }
    mem_free(problem);
}

/* The bytes are the secret, but for one line end behind them. */
static void test_secret_files(void **state) {
    static const struct {
        const char *content;
        size_t secret_len; /* 0: refused */
    } CASES[] = {
        {"0123456789abcdef0123456789abcdef", 32},
        {"0123456789abcdef0123456789abcdef\n", 32},
        {"0123456789abcdef0123456789abcdef\r\n", 32},
        {"0123456789abcdef0123456789abcdef\n\n", 33},
        {"0123456789abcdef0123456789abcdef ", 33},
        {"0123456789abcdef0123456789abcde\n", 0},
        {"", 0},
        {"\n", 0},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const struct signer signer = {"HS256", {CASES[i].content, CASES[i].secret_len}, NULL};
        struct fixture f;

        fixture_init(&f);
        add_key(&f, NULL, "HS256", write_file(&f, "s", CASES[i].content, strlen(CASES[i].content)));
        if (CASES[i].secret_len > 0) {
            fixture_load(&f);
            assert_int_equal(try_with(&f, &signer, NULL), AUTH_OK);
        } else {
            expect_problem(&f, "auth.keys[0]", "shorter");
        }
        fixture_fini(&f);
    }
}

/* A key of an algorithm that auth.algorithms does not have is left out, not even read. */
static void test_key_not_allowed(void **state) {
    static const char HMAC_SECRET[] = "0123456789abcdef0123456789abcdef";
    struct fixture f;

    (void)state;
    fixture_init(&f);
    add_key(&f, NULL, "HS256", write_file(&f, "s", HMAC_SECRET, 32));
    free_strings(&f.config.auth.algorithms);
    f.config.auth.algorithms = strings_of("RS256", NULL);
    expect_problem(&f, "no usable key", "auth.algorithms");
    fixture_fini(&f);
}

/* RFC 7518 §3.2 for the longer hashes, and a secret that holds NULs. */
static void test_secret_lengths(void **state) {
    static const struct {
        const char *alg;
        size_t min;
    } CASES[] = {{"HS256", 32}, {"HS384", 48}, {"HS512", 64}};
    char bytes[64] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        const struct signer signer = {CASES[i].alg, {bytes, CASES[i].min}, NULL};
        struct fixture f;

        bytes[63] = 1;
        fixture_init(&f);
        add_key(&f, NULL, CASES[i].alg, write_file(&f, "s", bytes, CASES[i].min));
        fixture_load(&f);
        assert_int_equal(try_with(&f, &signer, NULL), AUTH_OK);
        mem_free(write_file(&f, "s", bytes, CASES[i].min - 1));
        expect_problem(&f, "auth.keys[0]", "shorter");
        fixture_fini(&f);
    }
}

static void expect_key_problem(const char *alg, const char *content, size_t len,
                               const char *expected) {
    struct fixture f;

    fixture_init(&f);
    add_key(&f, NULL, alg, write_file(&f, "k", content, len));
    expect_problem(&f, "auth.keys[0]", expected);
    fixture_fini(&f);
}

static void expect_pem_problem(const char *alg, const char *kind, const char *expected) {
    EVP_PKEY *pkey = make_key(kind);
    struct fixture f;

    fixture_init(&f);
    add_key(&f, NULL, alg, write_pem(&f, "k", pkey));
    expect_problem(&f, "auth.keys[0]", expected);
    fixture_fini(&f);
    EVP_PKEY_free(pkey);
}

static void test_bad_files(void **state) {
    char *big = mem_zalloc(70000);
    struct fixture f;

    (void)state;
    expect_key_problem("RS256", "", 0, "no public key");
    expect_key_problem("RS256", "garbage", 7, "no public key");
    expect_key_problem("HS256", big, 70000, "too large");
    expect_key_problem("RS256", big, 70000, "too large");
    mem_free(big);
    expect_pem_problem("RS256", "RSA1024", "less than 2048 bits");
    expect_pem_problem("PS256", "P-256", "not an RSA key");
    expect_pem_problem("ES256", "P-384", "curve");
    expect_pem_problem("ES384", "P-256", "curve");
    expect_pem_problem("ES256", "P-521", "curve");
    expect_pem_problem("ES256", "ED25519", "not an elliptic curve key");
    expect_pem_problem("EdDSA", "P-256", "not an Ed25519 key");

    fixture_init(&f);
    add_key(&f, NULL, "HS256", path_in(&f, "none"));
    expect_problem(&f, "/none", "No such file");
    fixture_fini(&f);
    fixture_init(&f);
    add_key(&f, NULL, "HS256", mem_strdup(f.dir));
    expect_problem(&f, "auth.keys[0]", "not a regular file");
    fixture_fini(&f);
    fixture_init(&f);
    add_key(&f, NULL, "HS256", path_in(&f, "pipe"));
    assert_int_equal(mkfifo(f.keys[0].secret_file, 0600), 0);
    expect_problem(&f, "auth.keys[0]", "not a regular file");
    fixture_fini(&f);
    fixture_init(&f);
    expect_problem(&f, "auth.keys", "auth.jwks");
    fixture_fini(&f);
}

/* A private key is no public one: it must not lie about where it is not needed. */
static void test_private_pem(void **state) {
    EVP_PKEY *pkey = make_key("P-256");
    BIO *bio = BIO_new(BIO_s_mem());
    char *data;
    long len;

    (void)state;
    assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL), 1);
    len = BIO_get_mem_data(bio, &data);
    expect_key_problem("ES256", data, (size_t)len, "no public key");
    BIO_free(bio);
    EVP_PKEY_free(pkey);
}

static void set_jwks(struct fixture *f, const char *text, size_t len) {
    mem_free(f->config.auth.jwks_file);
    f->config.auth.jwks_file = write_file(f, "jwks.json", text, len);
}

static void test_jwks(void **state) {
    EVP_PKEY *rsa = make_key("RSA2048"), *ec = make_key("P-256"), *ed = make_key("ED25519");
    const struct signer rs256 = {.alg = "RS256", .pkey = rsa},
                        ps256 = {.alg = "PS256", .pkey = rsa};
    const struct signer es256 = {.alg = "ES256", .pkey = ec}, eddsa = {.alg = "EdDSA", .pkey = ed};
    struct fixture f;
    struct buf set;

    (void)state;
    fixture_init(&f);
    buf_init(&set);
    buf_append_str(&set, "{\"keys\":[");
    append_jwk(&set, rsa, "\"kid\":\"r\",\"alg\":\"RS256\",\"use\":\"sig\",\"x5t\":\"ignored\"");
    buf_append_str(&set, ",{\"kty\":\"RSA\"},7,{\"kty\":\"oct\",\"use\":\"enc\"},");
    append_jwk(&set, ec, "\"kid\":\"e\",\"key_ops\":[\"verify\"]");
    buf_append_char(&set, ',');
    append_jwk(&set, ed, "\"kid\":\"d\"");
    buf_append_str(&set, ",{\"kty\":\"EC\",\"crv\":\"P-521\"}],\"other\":1}");
    set_jwks(&f, set.data, set.len);
    fixture_load(&f);
    assert_int_equal(try_with(&f, &rs256, "{\"alg\":\"RS256\",\"kid\":\"r\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &ps256, "{\"alg\":\"PS256\",\"kid\":\"r\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &es256, "{\"alg\":\"ES256\",\"kid\":\"e\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &eddsa, "{\"alg\":\"EdDSA\",\"kid\":\"d\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &eddsa, NULL), AUTH_OK);
    assert_int_equal(try_with(&f, &eddsa, "{\"alg\":\"EdDSA\",\"kid\":\"e\"}"), AUTH_INVALID);

    /* What auth.algorithms does not have is left out, whatever the set says. */
    free_strings(&f.config.auth.algorithms);
    f.config.auth.algorithms = strings_of("ES256", NULL);
    fixture_load(&f);
    assert_int_equal(try_with(&f, &rs256, "{\"alg\":\"RS256\",\"kid\":\"r\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &es256, "{\"alg\":\"ES256\",\"kid\":\"e\"}"), AUTH_OK);
    buf_fini(&set);
    fixture_fini(&f);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ed);
}

/* An RSA key without `alg` is bound to the one RSA algorithm that is configured, if it is one. */
static void test_jwks_without_alg(void **state) {
    EVP_PKEY *rsa = make_key("RSA2048");
    const struct signer rs256 = {.alg = "RS256", .pkey = rsa},
                        ps256 = {.alg = "PS256", .pkey = rsa};
    struct fixture f;
    struct buf set;

    (void)state;
    fixture_init(&f);
    buf_init(&set);
    buf_append_str(&set, "{\"keys\":[");
    append_jwk(&set, rsa, "\"kid\":\"r\"");
    buf_append_str(&set, "]}");
    set_jwks(&f, set.data, set.len);
    expect_problem(&f, "auth.jwks.file", "no key that can be used");

    free_strings(&f.config.auth.algorithms);
    f.config.auth.algorithms = strings_of("ES256", "PS256");
    fixture_load(&f);
    assert_int_equal(try_with(&f, &ps256, "{\"alg\":\"PS256\",\"kid\":\"r\"}"), AUTH_OK);
    assert_int_equal(try_with(&f, &rs256, "{\"alg\":\"RS256\",\"kid\":\"r\"}"), AUTH_INVALID);
    buf_fini(&set);
    fixture_fini(&f);
    EVP_PKEY_free(rsa);
}

static void test_bad_jwks(void **state) {
    static const char *const BAD[] = {
        "", "{", "[]", "{}", "{\"keys\":{}}", "{\"keys\":[],\"keys\":[]}"};
    static const char NUL[] = "{\"keys\":[],\"x\":1\0}";
    struct fixture f;
    struct buf set;

    (void)state;
    fixture_init(&f);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        set_jwks(&f, BAD[i], strlen(BAD[i]));
        expect_problem(&f, "auth.jwks.file", "not a JSON Web Key Set");
    }
    set_jwks(&f, NUL, sizeof NUL - 1);
    expect_problem(&f, "auth.jwks.file", "not a JSON Web Key Set");
    set_jwks(&f, "{\"keys\":[]}", 11);
    expect_problem(&f, "auth.jwks.file", "no key that can be used");

    buf_init(&set);
    buf_append_str(&set, "{\"keys\":[1");
    for (size_t i = 1; i < 257; i++) {
        buf_append_str(&set, ",1");
    }
    buf_append_str(&set, "]}");
    set_jwks(&f, set.data, set.len);
    expect_problem(&f, "auth.jwks.file", "more than 256 keys");
    buf_reset(&set);
    while (set.len <= 1024 * 1024) {
        buf_append_char(&set, ' ');
    }
    set_jwks(&f, set.data, set.len);
    expect_problem(&f, "auth.jwks.file", "too large");
    buf_fini(&set);
    fixture_fini(&f);
}

/* A key of a file and one of the set under one name and algorithm: a token could mean either. */
static void test_ambiguous(void **state) {
    const struct signer first = {.alg = "HS256", .secret = {SECRET, 32}};
    struct fixture f;
    struct buf set;

    (void)state;
    fixture_init(&f);
    add_key(&f, "a", "HS256", write_file(&f, "a", SECRET, 32));
    buf_init(&set);
    buf_append_str(&set, "{\"keys\":[{\"kty\":\"oct\",\"alg\":\"HS256\",\"kid\":\"a\",\"k\":\"");
    append_b64(&set, SECRET, 40);
    buf_append_str(&set, "\"},{\"kty\":\"oct\",\"alg\":\"HS384\",\"kid\":\"a\",\"k\":\"");
    append_b64(&set, SECRET, 48);
    buf_append_str(&set, "\"}]}");
    set_jwks(&f, set.data, set.len);
    fixture_load(&f);
    assert_int_equal(try_with(&f, &first, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), AUTH_INVALID);
    const struct signer other = {.alg = "HS384", .secret = {SECRET, 48}};
    assert_int_equal(try_with(&f, &other, "{\"alg\":\"HS384\",\"kid\":\"a\"}"), AUTH_OK);
    /* Nor does a key without a kid stand in for the two. */
    const struct signer third = {.alg = "HS256", .secret = {SECRET, 50}};
    add_key(&f, NULL, "HS256", write_file(&f, "b", SECRET, 50));
    fixture_load(&f);
    assert_int_equal(try_with(&f, &third, "{\"alg\":\"HS256\",\"kid\":\"a\"}"), AUTH_INVALID);
    assert_int_equal(try_with(&f, &third, "{\"alg\":\"HS256\",\"kid\":\"b\"}"), AUTH_OK);
    buf_fini(&set);
    fixture_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_files),     cmocka_unit_test(test_key_not_allowed),
        cmocka_unit_test(test_secret_lengths),   cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_private_pem),      cmocka_unit_test(test_jwks),
        cmocka_unit_test(test_jwks_without_alg), cmocka_unit_test(test_bad_jwks),
        cmocka_unit_test(test_ambiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
