/* Signatures by the vectors of RFC 7515, 7520 and 8037, and what was made from them. */
#include "auth_support.h"
#include "wslock/auth/jws.h"

static int count_valid, count_invalid;

static void check(int line, const char *key, const char *jws, bool valid) {
    const char *why = NULL;
    enum jws_result result;

    assert_non_null(key);
    result = jws_verify_compact(str_of(key), str_of(jws), &why);
    if ((result == JWS_VALID) != valid) {
        fail_msg("vectors.cases:%d: %s", line, valid ? why : "accepted");
    }
    assert_true((why == NULL) == (result == JWS_VALID));
    *(valid ? &count_valid : &count_invalid) += 1;
}

static void test_vectors(void **state) {
    FILE *file = fopen(SOURCE_DIR "/tests/unit/data/auth/vectors.cases", "re");
    char *line = NULL, *key = NULL;
    size_t cap = 0;
    int number = 0;
    ssize_t len;

    (void)state;
    assert_non_null(file);
    log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    while ((len = getline(&line, &cap, file)) > 0) {
        number++;
        if (line[len - 1] == '\n') {
            line[len - 1] = '\0';
        }
        if (strncmp(line, "key ", 4) == 0) {
            mem_free(key);
            key = mem_strdup(line + 4);
        } else if (strncmp(line, "valid ", 6) == 0) {
            check(number, key, line + 6, true);
        } else if (strncmp(line, "invalid ", 8) == 0) {
            check(number, key, line + 8, false);
        } else if (line[0] != '#' && line[0] != '\0') {
            fail_msg("vectors.cases:%d: not a case", number);
        }
    }
    assert_true(count_valid >= 15 && count_invalid >= 100);
    mem_free(key);
    free(line);
    fclose(file);
}

/* Bytes that no line of a file can hold. */
static void test_bytes(void **state) {
    static const char KEY[] =
        "{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}";
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    char *good = make_token(&signer, NULL, str_of("x"));
    size_t len = strlen(good);
    const char *why;

    (void)state;
    assert_int_equal(jws_verify_compact(str_of(KEY), str_of(good), &why), JWS_VALID);
    for (size_t i = 0; i < len; i++) {
        char kept = good[i];

        for (int c = 0; c < 256; c++) {
            good[i] = (char)c;
            if (good[i] != kept) {
                assert_int_not_equal(jws_verify_compact(str_of(KEY), (struct str){good, len}, &why),
                                     JWS_VALID);
            }
        }
        good[i] = kept;
        assert_int_not_equal(jws_verify_compact(str_of(KEY), (struct str){good, i}, &why),
                             JWS_VALID);
    }
    assert_int_not_equal(jws_verify_compact(str_of(KEY), (struct str){good, len + 1}, &why),
                         JWS_VALID);
    mem_free(good);
}

static void test_unusable_key(void **state) {
    const struct signer signer = {.alg = "HS256", .secret = {SECRET, 32}};
    char *token = make_token(&signer, NULL, str_of("x"));
    const char *why;

    (void)state;
    assert_int_equal(jws_verify_compact(str_of("{\"kty\":\"oct\"}"), str_of(token), &why),
                     JWS_BAD_KEY);
    assert_int_equal(jws_verify_compact(str_of("{}"), str_of(token), &why), JWS_BAD_KEY);
    assert_int_equal(jws_verify_compact(str_of(""), str_of(token), &why), JWS_BAD_KEY);
    mem_free(token);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_unusable_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
