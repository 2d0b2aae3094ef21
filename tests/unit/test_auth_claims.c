/* What the claims must be, and what identity they make. */
#include "auth_support.h"

static const struct signer SIGNER = {.alg = "HS256", .secret = {SECRET, 32}};

static void setup_fixture(struct fixture *f) {
    fixture_init(f);
    add_key(f, NULL, "HS256", write_file(f, "a", SECRET, 32));
}

static void replace(char **text, const char *with) {
    mem_free(*text);
    *text = with != NULL ? mem_strdup(with) : NULL;
}

static enum auth_result try_claims(struct fixture *f, const char *claims,
                                   struct auth_identity **identity) {
    return verify(f, make_token(&SIGNER, NULL, str_of(claims)), identity);
}

struct claims_case {
    const char *claims;
    enum auth_result expected;
};

static void try_all(struct fixture *f, const struct claims_case *cases, size_t count) {
    fixture_load(f);
    for (size_t i = 0; i < count; i++) {
        if (try_claims(f, cases[i].claims, NULL) != cases[i].expected) {
            fail_msg("%s", cases[i].claims);
        }
    }
}

/* NOW_MS is 1800000000 s, the skew 30 s. */
static void test_times(void **state) {
    static const struct claims_case CASES[] = {
        {"{\"sub\":\"a\",\"exp\":1800000001}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000000}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1799999971}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1799999970.5}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1799999970}", AUTH_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1799999969.9}", AUTH_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":0}", AUTH_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1}", AUTH_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1.8e9}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":253402300799}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":253402300800}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000000000}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1e300}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1e999}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":9223372036854775807}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":9223372036854775808}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":-1}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":NaN}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":\"1800000060\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":true}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":null}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":[1800000060]}", AUTH_INVALID},
        {"{\"sub\":\"a\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":1800000030}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":1800000030.5}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":1800000031}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":\"0\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":null,\"iat\":null}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":[null]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iat\":1799999999.25}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iat\":\"now\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iat\":-5}", AUTH_INVALID},
        {"", AUTH_INVALID},
        {"[]", AUTH_INVALID},
        {"null", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060} ", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060}x", AUTH_INVALID},
        /* Expired is said only of what is good otherwise. */
        {"{\"sub\":7.5,\"exp\":1}", AUTH_INVALID},
        {"{\"sub\":7,\"exp\":1}", AUTH_EXPIRED},
        {"{\"sub\":\"a\",\"exp\":1,\"nbf\":\"x\"}", AUTH_INVALID},
    };
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    try_all(&f, CASES, ARRAY_LEN(CASES));
    fixture_fini(&f);
}

/* An expired token with a bad signature is invalid, not expired. */
static void test_expired_and_forged(void **state) {
    const struct signer forger = {.alg = "HS256", .secret = {SECRET + 1, 32}};
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    fixture_load(&f);
    assert_int_equal(
        verify(&f, make_token(&forger, NULL, str_of("{\"sub\":\"a\",\"exp\":1}")), NULL),
        AUTH_INVALID);
    fixture_fini(&f);
}

/* Claims that nobody reads are held to the bounds of JSON too, and the reason says so. */
static void test_reason_for_unread_claims(void **state) {
    static const struct {
        const char *claim, *why;
    } CASES[] = {
        {"9223372036854775807", NULL},
        {"9223372036854775808",
         "the payload has an integer beyond signed 64 bits or a number beyond a double"},
        {"-1e309", "the payload has an integer beyond signed 64 bits or a number beyond a double"},
        {"[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]", NULL},
        {"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "the payload has values nested more than 16 deep"},
        {"{\"b\":1,\"b\":2}", "the payload has a name twice"},
        {"1 2", "the payload is not one JSON object"},
    };
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    fixture_load(&f);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct auth_identity *identity = NULL;
        const char *why = NULL;
        struct buf claims;
        char *token;

        buf_init(&claims);
        buf_printf(&claims, "{\"sub\":\"a\",\"exp\":1800000060,\"x\":%s}", CASES[i].claim);
        token = make_token(&SIGNER, NULL, (struct str){claims.data, claims.len});
        assert_int_equal(auth_verify(f.auth, str_of(token), NOW_MS, &identity, &why),
                         CASES[i].why ? AUTH_INVALID : AUTH_OK);
        if (CASES[i].why != NULL) {
            assert_string_equal(why, CASES[i].why);
        }
        auth_identity_destroy(&identity);
        buf_fini(&claims);
        mem_free(token);
    }
    fixture_fini(&f);
}

static void test_issuer_and_audience(void **state) {
    static const struct claims_case CASES[] = {
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"x\"}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"y\"}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"z\",\"y\"]}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"z\"]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"x\",7]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[[\"x\"]]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":{\"x\":1}}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"X\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":\"x\\u0000\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"you\",\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me/\",\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\\u0000\",\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":[\"me\"],\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":null,\"aud\":\"x\"}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":null}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"me\",\"aud\":[\"x\",null]}", AUTH_INVALID},
    };
    static const struct claims_case ANY[] = {
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":\"you\",\"aud\":\"z\"}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"aud\":7}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":7}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":null,\"aud\":null,\"jti\":null}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"iss\":[null]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"jti\":\"a\\u0000\"}", AUTH_INVALID},
    };
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    f.config.auth.issuer = mem_strdup("me");
    f.config.auth.audience = strings_of("x", "y");
    try_all(&f, CASES, ARRAY_LEN(CASES));
    replace(&f.config.auth.issuer, NULL);
    free_strings(&f.config.auth.audience);
    try_all(&f, ANY, ARRAY_LEN(ANY));
    fixture_fini(&f);
}

static void test_user(void **state) {
    static const struct claims_case CASES[] = {
        {"{\"sub\":\"\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":7.0,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":1e3,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":true,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":{\"id\":7},\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":9223372036854775808,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":null,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":[\"a\"],\"exp\":1800000060}", AUTH_INVALID},
        {"{\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\\u0000b\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\\nb\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\\u007f\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\\u0085b\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\\u00a0b\",\"exp\":1800000060}", AUTH_OK},
        {"{\"sub\":\" \",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"\\u00a0\\u3000\\u2003\\u2800\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"\\u200b\\u202e\\ufeff\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"\\u00e4\\ud83d\\ude00\",\"exp\":1800000060}", AUTH_OK},
        {"{\"sub\":\"\\ud83d\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"\xff\",\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"name\":7,\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"name\":[\"A\"],\"exp\":1800000060}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"name\":null,\"exp\":1800000060}", AUTH_OK},
    };
    struct fixture f;
    struct buf claims;

    (void)state;
    setup_fixture(&f);
    try_all(&f, CASES, ARRAY_LEN(CASES));
    buf_init(&claims);
    for (int len = 255; len <= 258; len++) {
        buf_reset(&claims);
        buf_printf(&claims, "{\"sub\":\"%0*d\",\"exp\":1800000060}", len, 0);
        assert_int_equal(try_claims(&f, buf_cstr(&claims), NULL),
                         len <= 256 ? AUTH_OK : AUTH_INVALID);
        buf_reset(&claims);
        buf_printf(&claims, "{\"sub\":\"a\",\"name\":\"%0*d\",\"exp\":1800000060}", len, 0);
        assert_int_equal(try_claims(&f, buf_cstr(&claims), NULL), AUTH_OK);
    }
    buf_fini(&claims);
    fixture_fini(&f);
}

static void test_identity(void **state) {
    struct auth_identity *id = NULL;
    struct fixture f;

    (void)state;
    setup_fixture(&f);
    fixture_load(&f);
    assert_int_equal(
        try_claims(&f,
                   "{\"sub\":\"ann\",\"name\":\"Ann\\n\\u0000\\u0085B\",\"exp\":1800000060.5,"
                   "\"jti\":\"t1\",\"iss\":\"me\",\"roles\":[\"a\",\"lock-admin\"]}",
                   &id),
        AUTH_OK);
    assert_string_equal(id->user_id, "ann");
    assert_string_equal(id->username, "AnnB");
    assert_int_equal(id->role_count, 1);
    assert_string_equal(id->roles[0], "lock-admin");
    assert_true(id->admin);
    assert_int_equal(id->expires_unix_ms, INT64_C(1800000060500));
    assert_int_equal(id->deadline_unix_ms, INT64_C(1800000090500));
    assert_string_equal(id->token_id, "t1");
    assert_string_equal(id->issuer, "me");
    auth_identity_destroy(&id);
    assert_null(id);

    assert_int_equal(try_claims(&f, "{\"sub\":\"ann\",\"name\":\"\",\"exp\":1800000060}", &id),
                     AUTH_OK);
    assert_string_equal(id->username, "ann");
    assert_int_equal(id->role_count, 0);
    assert_false(id->admin);
    assert_null(id->token_id);
    assert_null(id->issuer);
    auth_identity_destroy(&id);
    fixture_fini(&f);
}

/* An integer is its digits, as one finds them in the token; a text of the same digits is the same
 * user. */
static void test_integer_user(void **state) {
    static const char *const NUMBERS[] = {
        "0", "7", "-7", "9007199254740993", "9223372036854775807", "-9223372036854775808"};
    struct auth_identity *id = NULL;
    struct fixture f;
    struct buf claims;

    (void)state;
    setup_fixture(&f);
    fixture_load(&f);
    buf_init(&claims);
    for (size_t i = 0; i < 2 * ARRAY_LEN(NUMBERS); i++) {
        const char *quote = i % 2 ? "\"" : "", *number = NUMBERS[i / 2];

        buf_reset(&claims);
        buf_printf(&claims, "{\"sub\":%s%s%s,\"exp\":1800000060}", quote, number, quote);
        assert_int_equal(try_claims(&f, buf_cstr(&claims), &id), AUTH_OK);
        assert_string_equal(id->user_id, number);
        assert_string_equal(id->username, number);
        auth_identity_destroy(&id);
    }
    buf_fini(&claims);
    /* Wherever the configuration looks for the user. */
    replace(&f.config.auth.claim_user_id, "/x/uid");
    fixture_load(&f);
    assert_int_equal(try_claims(&f, "{\"sub\":\"a\",\"x\":{\"uid\":42},\"exp\":1800000060}", &id),
                     AUTH_OK);
    assert_string_equal(id->user_id, "42");
    auth_identity_destroy(&id);
    fixture_fini(&f);
}

/* `null` is as good as nothing where nothing is asked for, and so is a jti of any other type. */
static void test_absent(void **state) {
    static const char *const JTIS[] = {"null", "7", "1.5", "true", "[\"t\"]", "{\"t\":1}"};
    struct auth_identity *id = NULL;
    struct fixture f;
    struct buf claims;

    (void)state;
    setup_fixture(&f);
    fixture_load(&f);
    assert_int_equal(try_claims(&f,
                                "{\"sub\":\"a\",\"exp\":1800000060,\"nbf\":null,\"iat\":null,"
                                "\"iss\":null,\"aud\":null,\"jti\":null,\"name\":null,"
                                "\"roles\":null}",
                                &id),
                     AUTH_OK);
    assert_string_equal(id->username, "a");
    assert_null(id->name_note);
    assert_null(id->token_id);
    assert_null(id->issuer);
    assert_int_equal(id->role_count, 0);
    auth_identity_destroy(&id);
    buf_init(&claims);
    for (size_t i = 0; i < ARRAY_LEN(JTIS); i++) {
        buf_reset(&claims);
        buf_printf(&claims, "{\"sub\":\"a\",\"exp\":1800000060,\"jti\":%s}", JTIS[i]);
        assert_int_equal(try_claims(&f, buf_cstr(&claims), &id), AUTH_OK);
        assert_null(id->token_id);
        auth_identity_destroy(&id);
    }
    buf_fini(&claims);
    fixture_fini(&f);
}

static void test_roles(void **state) {
    static const struct claims_case CASES[] = {
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[]}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":null}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":\"a\"}", AUTH_OK},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[\"a\",7]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[null]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":7}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":{\"lock-admin\":true}}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[\"a\\u0000b\"]}", AUTH_INVALID},
        {"{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[\"\"]}", AUTH_INVALID},
    };
    static const char *const KEPT[] = {"chief", "a b", "r0", "by type", "lock-admin"};
    struct config_strings admins = strings_of("b", "a b");
    struct config_policy type = {.takeover_roles = strings_of("by type", "r0")};
    struct auth_identity *id = NULL;
    struct fixture f;
    struct buf claims;

    (void)state;
    setup_fixture(&f);
    f.config.default_policy.editor_roles = strings_of("a lock-admin", "a b");
    f.config.default_policy.takeover_roles = strings_of("lock-admin", "chief");
    f.config.types = &type;
    f.config.type_count = 1;
    try_all(&f, CASES, ARRAY_LEN(CASES));
    /* One text is one role: nothing is split. */
    assert_int_equal(
        try_claims(&f, "{\"sub\":\"a\",\"exp\":1800000060,\"roles\":\"a lock-admin\"}", &id),
        AUTH_OK);
    assert_int_equal(id->role_count, 1);
    assert_false(id->admin);
    assert_false(auth_identity_has_role(id, &admins));
    auth_identity_destroy(&id);
    assert_int_equal(try_claims(&f, "{\"sub\":\"a\",\"exp\":1800000060,\"roles\":\"a b\"}", &id),
                     AUTH_OK);
    assert_true(auth_identity_has_role(id, &admins));
    auth_identity_destroy(&id);

    buf_init(&claims);
    /* As many as fit into 8 KiB, and those that anything depends on are kept: of every key, of
     * every type, each once, in the token's order. */
    buf_append_str(&claims, "{\"sub\":\"a\",\"exp\":1800000060,\"roles\":[\"chief\",\"a b\"");
    for (int i = 0; i < 800; i++) {
        buf_printf(&claims, ",\"r%d\"", i % 400);
    }
    buf_append_str(&claims, ",\"A B\",\"by type\",\"lock-admin\",\"chief\",\"lock-admin\"]}");
    assert_int_equal(try_claims(&f, buf_cstr(&claims), &id), AUTH_OK);
    assert_int_equal(id->role_count, ARRAY_LEN(KEPT));
    for (size_t i = 0; i < ARRAY_LEN(KEPT); i++) {
        assert_string_equal(id->roles[i], KEPT[i]);
    }
    assert_true(id->admin);
    auth_identity_destroy(&id);
    buf_fini(&claims);
    free_strings(&admins);
    free_strings(&type.takeover_roles);
    fixture_fini(&f);
}

/* RFC 6901 §5 and what is near it, as the place of the user id. */
static void test_pointers(void **state) {
    static const struct {
        const char *path, *claims, *user; /* NULL: not found */
    } CASES[] = {
        {"/a/b", "{\"a\":{\"b\":\"u\"},", "u"},
        {"/a/0", "{\"a\":[\"u\",\"v\"],", "u"},
        {"/a/1", "{\"a\":[\"u\",\"v\"],", "v"},
        {"/a/2", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/01", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/-", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/+1", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/18446744073709551616", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/", "{\"a\":[\"u\",\"v\"],", NULL},
        {"/a/", "{\"a\":{\"\":\"u\"},", "u"},
        {"/", "{\"\":\"u\",", "u"},
        {"/a/b/c", "{\"a\":{\"b\":\"u\"},", NULL},
        {"/x~1y/~0", "{\"x/y\":{\"~\":\"u\"},", "u"},
        {"/~01", "{\"~1\":\"u\",", "u"},
        {"/x y", "{\"x y\":\"u\",", "u"},
        {"https://id/x", "{\"https://id/x\":\"u\",", "u"},
        {"a~b", "{\"a~b\":\"u\",", "u"},
        {"/00/0", "{\"00\":[\"u\"],", "u"},
    };
    struct fixture f;
    struct buf claims;

    (void)state;
    setup_fixture(&f);
    buf_init(&claims);
    for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
        struct auth_identity *id = NULL;

        replace(&f.config.auth.claim_user_id, CASES[i].path);
        fixture_load(&f);
        buf_reset(&claims);
        buf_printf(&claims, "%s\"exp\":1800000060}", CASES[i].claims);
        if (try_claims(&f, buf_cstr(&claims), &id) !=
            (CASES[i].user != NULL ? AUTH_OK : AUTH_INVALID)) {
            fail_msg("%s in %s", CASES[i].path, claims.data);
        }
        if (id != NULL) {
            assert_string_equal(id->user_id, CASES[i].user);
        }
        auth_identity_destroy(&id);
    }
    buf_fini(&claims);
    fixture_fini(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_expired_and_forged),
        cmocka_unit_test(test_issuer_and_audience),
        cmocka_unit_test(test_reason_for_unread_claims),
        cmocka_unit_test(test_user),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_integer_user),
        cmocka_unit_test(test_absent),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_pointers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
