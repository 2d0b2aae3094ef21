/* Lock tickets: what is signed is read again, by libjwt too; nothing else is. */
#include <jwt.h>

#include "auth_support.h"
#include "wslock/auth/ticket.h"

/* RFC 7515, appendix A.3. */
#define KEY_PEM                                                                                    \
    "-----BEGIN PRIVATE KEY-----\n"                                                                \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff\n"                           \
    "H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp\n"                           \
    "7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt\n"                                   \
    "-----END PRIVATE KEY-----\n"
static const char PUBLIC_PEM[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
    "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
    "-----END PUBLIC KEY-----\n";
static const char JWKS[] =
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
    "\"kid\":\"oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U\",\"use\":\"sig\",\"alg\":\"ES256\"}]}";
#define KID "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"

static struct fixture f;
static struct ticket_keys *keys;

static int setup(void **state) {
    char *problem = NULL, *path;

    (void)state;
    fixture_init(&f);
    path = write_file(&f, "key.pem", KEY_PEM, sizeof KEY_PEM - 1);
    keys = ticket_keys_load(path, &problem);
    mem_free(path);
    return keys != NULL ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    ticket_keys_destroy(&keys);
    fixture_fini(&f);
    return 0;
}

static struct ticket sample(void) {
    return (struct ticket){
        .user_id = str_of("u-17\"\\"),
        .resource = str_of("document:42:main"),
        .fence = INT64_C(9007199254740991),
        .issued_unix_ms = NOW_MS + 999,
        .expires_unix_ms = NOW_MS + 300999,
    };
}

static struct buf signed_ticket(const struct ticket *ticket) {
    struct buf out;

    buf_init(&out);
    assert_true(ticket_sign(keys, ticket, &out));
    buf_cstr(&out);
    return out;
}

static bool reads(const char *text, struct ticket_claims *claims) {
    struct ticket_claims own;
    const char *why = "";
    bool ok = ticket_read(keys, str_of(text), claims != NULL ? claims : &own, &why);

    assert_true(ok == (why == NULL));
    return ok;
}

static void the_key_is_published(void **state) {
    struct str jwks = ticket_keys_jwks(keys);

    (void)state;
    assert_true(str_eqz(jwks, JWKS));
}

static void what_is_signed_is_read(void **state) {
    const struct ticket ticket = sample();
    struct ticket_claims claims;

    (void)state;
    for (int i = 0; i < 200; i++) { /* r and s begin with zeros now and then */
        struct buf text = signed_ticket(&ticket);

        assert_true(reads(text.data, &claims));
        assert_string_equal(claims.resource, "document:42:main");
        assert_int_equal(claims.fence, INT64_C(9007199254740991));
        assert_int_equal(claims.expires_unix_ms, NOW_MS + 300000);
        buf_fini(&text);
    }
}

static void libjwt_reads_it_too(void **state) {
    const struct ticket ticket = sample();
    struct buf text = signed_ticket(&ticket);
    jwt_t *jwt = NULL;

    (void)state;
    assert_int_equal(
        jwt_decode(&jwt, text.data, (const unsigned char *)PUBLIC_PEM, sizeof PUBLIC_PEM - 1), 0);
    assert_int_equal(jwt_get_alg(jwt), JWT_ALG_ES256);
    assert_string_equal(jwt_get_header(jwt, "kid"), KID);
    assert_string_equal(jwt_get_grant(jwt, "sub"), "u-17\"\\");
    assert_string_equal(jwt_get_grant(jwt, "res"), "document:42:main");
    assert_int_equal(jwt_get_grant_int(jwt, "iat"), NOW_MS / 1000);
    assert_int_equal(jwt_get_grant_int(jwt, "exp"), NOW_MS / 1000 + 300);
    jwt_free(jwt);
    buf_fini(&text);
}

static void no_byte_can_be_changed(void **state) {
    const struct ticket ticket = sample();
    struct buf text = signed_ticket(&ticket);

    (void)state;
    for (size_t i = 0; i < text.len; i++) {
        char was = text.data[i];

        text.data[i] = was == 'A' ? 'B' : 'A';
        assert_false(reads(text.data, NULL));
        text.data[i] = was;
    }
    assert_true(reads(text.data, NULL));
    text.data[text.len - 1] = '\0';
    assert_false(reads(text.data, NULL));
    buf_fini(&text);
}

/* Signed with the very key, but no ticket. */
static void other_uses_of_the_key(void **state) {
    static const struct {
        const char *header, *claims;
        bool ok;
    } CASES[] = {
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"iat\":1,\"exp\":2}", true},
        {"{\"alg\":\"ES256\"}", "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"x\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\",\"crit\":[\"exp\"]}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}", "[]", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}", "{\"sub\":\"a\",\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}", "{\"res\":\"a:b:c\",\"fence\":7,\"exp\":2}",
         false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":\"7\",\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7.0,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":0,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":9007199254740992,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"exp\":9223372036854775807}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b\\u0000c\",\"fence\":7,\"exp\":2}", false},
        {"{\"alg\":\"ES256\",\"kid\":\"" KID "\"}",
         "{\"sub\":\"a\",\"res\":\"a:b:c\",\"fence\":7,\"fence\":8,\"exp\":2}", false},
    };
    BIO *bio = BIO_new_mem_buf(KEY_PEM, -1);
    struct signer signer = {"ES256", {NULL, 0}, PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL)};

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        char *text = make_token(&signer, CASES[i].header, str_of(CASES[i].claims));

        if (reads(text, NULL) != CASES[i].ok) {
            fail_msg("case %zu: %s", i, CASES[i].claims);
        }
        mem_free(text);
    }
    EVP_PKEY_free(signer.pkey);
    BIO_free(bio);
}

static void a_key_that_does_not_do(void **state) {
    static const char WRONG_PAIR[] = /* the public half is another key's */
        "-----BEGIN EC PRIVATE KEY-----\n"
        "MHcCAQEEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAFoAoGCCqGSM49\n"
        "AwEHoUQDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72b\n"
        "focs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
        "-----END EC PRIVATE KEY-----\n";
    static const char *const TEXTS[] = {
        WRONG_PAIR,
        PUBLIC_PEM,
        "",
        "x",
        KEY_PEM KEY_PEM,
        KEY_PEM "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n",
        KEY_PEM "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n"
                "-----END ENCRYPTED PRIVATE KEY-----\n",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++) {
        char *path = write_file(&f, "bad.pem", TEXTS[i], strlen(TEXTS[i]));
        char *problem = NULL;

        if (ticket_keys_load(path, &problem) != NULL) {
            fail_msg("taken: %zu", i);
        }
        assert_non_null(strstr(problem, "tickets.signingKeyFile"));
        assert_non_null(strstr(problem, path));
        mem_free(problem);
        mem_free(path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_is_published),  cmocka_unit_test(what_is_signed_is_read),
        cmocka_unit_test(libjwt_reads_it_too),   cmocka_unit_test(no_byte_can_be_changed),
        cmocka_unit_test(other_uses_of_the_key), cmocka_unit_test(a_key_that_does_not_do),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
