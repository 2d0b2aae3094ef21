/* The key set of auth.jwks.url over simulated time: when it is fetched, how long it is used. */
#include "auth_support.h"

#include "wslock/base/clock.h"
#include "wslock/base/wheel.h"

#define REFRESH_MS 600000
#define COOLDOWN_MS 30000
#define MAX_AGE_MS 3600000

static const char CLAIMS[] = "{\"sub\":\"ann\",\"exp\":1800000060}";

static uint64_t now_ms;

static uint64_t fake_boot_us(void) {
    return now_ms * 1000;
}

static int64_t fake_wall_us(void) {
    return (int64_t)now_ms * 1000;
}

static const struct clock_source CLOCK = {fake_boot_us, fake_wall_us};

struct world {
    struct fixture f;
    struct wheel *wheel;
    struct auth_key_source source;
    struct auth_fetch fetch; /* under way: done is not NULL */
    struct auth_work *work;  /* to be done, or NULL */
    unsigned fetches, told;
    EVP_PKEY *keys[3]; /* with the kids "0", "1" and "2" */
};

static void start_fetch(void *ctx, const struct auth_fetch *fetch) {
    struct world *w = ctx;

    assert_null(w->fetch.done);
    w->fetch = *fetch;
    w->fetches++;
}

static void cancel_fetch(void *ctx) {
    struct world *w = ctx;

    w->fetch.done = NULL;
}

static void start_work(void *ctx, struct auth_work *work) {
    struct world *w = ctx;

    assert_null(w->work);
    w->work = work;
}

static void do_work(struct world *w) {
    struct auth_work *work = w->work;

    w->work = NULL;
    work->run(work);
    work->done(work);
}

static void on_fetched(void *ctx) {
    struct world *w = ctx;

    w->told++;
}

static void pass_ms(struct world *w, uint64_t ms) {
    for (uint64_t end_ms = now_ms + ms; now_ms < end_ms;) {
        now_ms += end_ms - now_ms < 10 ? end_ms - now_ms : 10;
        wheel_advance(w->wheel, now_ms);
    }
}

static void bring(struct world *w, const char *problem, const char *text) {
    const struct auth_fetch fetch = w->fetch;

    if (fetch.done == NULL) {
        fail_msg("no fetch is under way");
        return;
    }
    w->fetch.done = NULL;
    fetch.done(fetch.ctx, problem, str_of(text));
}

static void answer(struct world *w, const char *problem, const char *text) {
    bring(w, problem, text);
    if (w->work != NULL) {
        do_work(w);
    }
}

/* With the keys from the first to before the last. */
static struct buf key_set(struct world *w, size_t first, size_t last) {
    struct buf set;
    char kid[32];

    buf_init(&set);
    buf_append_str(&set, "{\"keys\":[");
    for (size_t i = first; i < last; i++) {
        (void)snprintf(kid, sizeof kid, "\"kid\":\"%zu\"", i);
        buf_append_str(&set, i > first ? "," : "");
        append_jwk(&set, w->keys[i], kid);
    }
    buf_append_str(&set, "]}");
    return set;
}

static void answer_keys(struct world *w, size_t first, size_t last) {
    struct buf set = key_set(w, first, last);

    answer(w, NULL, buf_cstr(&set));
    buf_fini(&set);
}

static enum auth_result try_key(struct world *w, size_t key) {
    const struct signer signer = {.alg = "ES256", .pkey = w->keys[key]};
    char header[64];

    (void)snprintf(header, sizeof header, "{\"alg\":\"ES256\",\"kid\":\"%zu\"}", key);
    return verify(&w->f, make_token(&signer, header, str_of(CLAIMS)), NULL);
}

/* Starts with the URL, and no other key. */
static void world_init(struct world *w) {
    memset(w, 0, sizeof *w);
    now_ms = 1000000;
    clock_set_source(&CLOCK);
    fixture_init(&w->f);
    w->f.config.auth.jwks_url = mem_strdup("https://id.example.org/certs");
    w->f.config.auth.jwks_refresh_ms = REFRESH_MS;
    w->f.config.auth.jwks_cooldown_ms = COOLDOWN_MS;
    w->f.config.auth.jwks_max_age_ms = MAX_AGE_MS;
    for (size_t i = 0; i < ARRAY_LEN(w->keys); i++) {
        w->keys[i] = make_key("P-256");
    }
    w->wheel = wheel_create(now_ms);
    w->source = (struct auth_key_source){w->wheel, start_fetch, cancel_fetch, start_work, w};
    fixture_load(&w->f);
    assert_int_equal(try_key(w, 0), AUTH_INVALID);
    auth_fetch_keys(w->f.auth, &w->f.config, &w->source);
    auth_watch_keys(w->f.auth, on_fetched, w);
    pass_ms(w, 10);
    assert_int_equal(w->fetches, 1);
    assert_string_equal(w->fetch.url, w->f.config.auth.jwks_url);
}

static void world_fini(struct world *w) {
    for (size_t i = 0; i < ARRAY_LEN(w->keys); i++) {
        EVP_PKEY_free(w->keys[i]);
    }
    fixture_fini(&w->f);
    wheel_destroy(&w->wheel);
    clock_set_source(NULL);
}

static void reload(struct world *w) {
    char *problem = NULL;
    struct auth *next = auth_create(&w->f.config, &problem);

    assert_non_null(next);
    auth_reload(w->f.auth, &w->f.config, &next);
}

static void test_refresh(void **state) {
    struct world w;

    (void)state;
    world_init(&w);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    assert_non_null(auth_not_ready(w.f.auth));
    answer_keys(&w, 0, 1);
    assert_int_equal(w.told, 1);
    assert_int_equal(try_key(&w, 0), AUTH_OK);
    assert_null(auth_not_ready(w.f.auth));
    pass_ms(&w, REFRESH_MS - 20);
    assert_int_equal(w.fetches, 1);
    pass_ms(&w, 30);
    assert_int_equal(w.fetches, 2);
    answer_keys(&w, 1, 2);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    assert_int_equal(try_key(&w, 1), AUTH_OK);
    world_fini(&w);
}

static void test_unknown_key(void **state) {
    struct world w;
    uint64_t wait_ms = 7, since_ms;

    (void)state;
    world_init(&w);
    assert_true(auth_await_key(w.f.auth, now_ms, &wait_ms));
    assert_int_equal(wait_ms, 0); /* it is under way */
    answer_keys(&w, 0, 1);
    pass_ms(&w, 10000);
    since_ms = now_ms;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(try_key(&w, 1), AUTH_UNKNOWN_KEY);
        assert_true(auth_await_key(w.f.auth, since_ms, &wait_ms));
        assert_true(wait_ms <= COOLDOWN_MS - 10000 && wait_ms > COOLDOWN_MS - 10100);
    }
    pass_ms(&w, wait_ms - 20);
    assert_int_equal(w.fetches, 1);
    pass_ms(&w, 40);
    assert_int_equal(w.fetches, 2);
    answer_keys(&w, 0, 1);
    assert_false(auth_await_key(w.f.auth, since_ms, &wait_ms)); /* the fetch has not brought it */
    assert_true(auth_await_key(w.f.auth, now_ms, &wait_ms));    /* a token that came later */
    pass_ms(&w, COOLDOWN_MS + 20);
    assert_int_equal(w.fetches, 3);
    answer(&w, "no answer", "");
    assert_true(auth_await_key(w.f.auth, since_ms + COOLDOWN_MS, &wait_ms)); /* nor has this one */
    pass_ms(&w, COOLDOWN_MS + 20);
    answer_keys(&w, 0, 2);
    assert_int_equal(try_key(&w, 1), AUTH_OK);
    world_fini(&w);
}

static void test_failures(void **state) {
    static const char *const BAD[] = {
        "", "{", "{}", "{\"keys\":{}}", "{\"keys\":[]}", "{\"keys\":[{\"kty\":\"EC\"}]}"};
    struct world w;

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) { /* before any set has come */
        answer(&w, NULL, BAD[i]);
        assert_non_null(auth_not_ready(w.f.auth));
        pass_ms(&w, COOLDOWN_MS + 20);
        assert_int_equal(w.fetches, i + 2);
    }
    answer_keys(&w, 0, 1);
    pass_ms(&w, REFRESH_MS + 20);
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) { /* with a good set */
        answer(&w, NULL, BAD[i]);
        assert_int_equal(try_key(&w, 0), AUTH_OK);
        pass_ms(&w, COOLDOWN_MS + 20);
    }
    assert_null(auth_not_ready(w.f.auth));
    assert_int_equal(w.told, 2 * ARRAY_LEN(BAD) + 1);
    world_fini(&w);
}

static void test_max_age(void **state) {
    struct world w;
    uint64_t start_ms;

    (void)state;
    world_init(&w);
    start_ms = now_ms;
    answer_keys(&w, 0, 1);
    pass_ms(&w, REFRESH_MS + 20);
    while (now_ms < start_ms + MAX_AGE_MS - COOLDOWN_MS) {
        answer(&w, "down", "");
        assert_int_equal(try_key(&w, 0), AUTH_OK);
        pass_ms(&w, COOLDOWN_MS + 20);
    }
    answer(&w, "down", "");
    pass_ms(&w, start_ms + MAX_AGE_MS + 40 - now_ms);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    assert_non_null(auth_not_ready(w.f.auth));
    pass_ms(&w, COOLDOWN_MS);
    answer_keys(&w, 0, 1);
    assert_int_equal(try_key(&w, 0), AUTH_OK);
    pass_ms(&w, MAX_AGE_MS - 2 * COOLDOWN_MS); /* counted anew */
    assert_int_equal(try_key(&w, 0), AUTH_OK);
    world_fini(&w);
}

static void test_beside_other_keys(void **state) {
    const struct signer hs256 = {.alg = "HS256", .secret = str_of(SECRET)};
    struct world w;

    (void)state;
    world_init(&w);
    answer_keys(&w, 0, 2);
    add_key(&w.f, "fixed", "HS256", write_file(&w.f, "secret", SECRET, sizeof SECRET - 1));
    reload(&w);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            verify(&w.f,
                   make_token(&hs256, "{\"alg\":\"HS256\",\"kid\":\"fixed\"}", str_of(CLAIMS)),
                   NULL),
            AUTH_OK);
        pass_ms(&w, REFRESH_MS);
        answer_keys(&w, (size_t)i % 2, 2);
    }
    /* The provider cannot have a secret, nor a key for what auth.algorithms does not have. */
    assert_int_equal(
        verify(&w.f, make_token(&hs256, "{\"alg\":\"HS256\",\"kid\":\"x\"}", str_of(CLAIMS)), NULL),
        AUTH_INVALID);
    world_fini(&w);
}

static void test_reload(void **state) {
    struct world w;
    uint64_t wait_ms;

    (void)state;
    world_init(&w);
    answer_keys(&w, 0, 1);
    reload(&w); /* the same URL: the keys stay, and are fetched when the cool-down is over */
    assert_int_equal(try_key(&w, 0), AUTH_OK);
    assert_int_equal(w.fetches, 1);
    pass_ms(&w, COOLDOWN_MS + 20);
    assert_int_equal(w.fetches, 2);

    free_strings(&w.f.config.auth.algorithms);
    w.f.config.auth.algorithms = strings_of("RS256", NULL);
    reload(&w); /* while it is fetched */
    assert_int_equal(try_key(&w, 0), AUTH_INVALID);
    assert_non_null(auth_not_ready(w.f.auth));
    answer_keys(&w, 0, 1);
    assert_int_equal(try_key(&w, 0), AUTH_INVALID);

    free_strings(&w.f.config.auth.algorithms);
    w.f.config.auth.algorithms = strings_of("ES256", NULL);
    mem_free(w.f.config.auth.jwks_url);
    w.f.config.auth.jwks_url = mem_strdup("https://other.example.org/certs");
    reload(&w); /* another URL: at once */
    pass_ms(&w, 20);
    assert_int_equal(w.fetches, 3);
    assert_string_equal(w.fetch.url, w.f.config.auth.jwks_url);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    answer_keys(&w, 0, 1);
    assert_int_equal(try_key(&w, 0), AUTH_OK);

    w.f.config.auth.jwks_max_age_ms = REFRESH_MS;
    reload(&w); /* a shorter maxAge counts from the last fetch */
    pass_ms(&w, COOLDOWN_MS);
    answer(&w, "down", "");
    pass_ms(&w, REFRESH_MS);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);

    add_key(&w.f, "fixed", "ES256", write_pem(&w.f, "fixed.pem", w.keys[1]));
    mem_free(w.f.config.auth.jwks_url);
    w.f.config.auth.jwks_url = NULL;
    reload(&w);
    assert_null(w.fetch.done); /* cancelled */
    assert_null(auth_not_ready(w.f.auth));
    assert_int_equal(try_key(&w, 0), AUTH_INVALID);
    assert_false(auth_await_key(w.f.auth, now_ms, &wait_ms));
    pass_ms(&w, MAX_AGE_MS);
    assert_null(w.fetch.done);
    world_fini(&w);
}

static void bring_keys(struct world *w, size_t first, size_t last) {
    struct buf set = key_set(w, first, last);

    bring(w, NULL, buf_cstr(&set));
    buf_fini(&set);
}

/* The keys of a fetched set are checked in another thread. */
static void test_checking(void **state) {
    struct world w;
    struct auth_work *late;
    uint64_t wait_ms;

    (void)state;
    world_init(&w);
    bring_keys(&w, 0, 1);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    assert_true(auth_await_key(w.f.auth, now_ms - 20, &wait_ms));
    assert_int_equal(wait_ms, 0); /* still under way */
    assert_int_equal(w.told, 0);
    do_work(&w);
    assert_int_equal(w.told, 1);
    assert_int_equal(try_key(&w, 0), AUTH_OK);

    pass_ms(&w, REFRESH_MS + 20);
    bring_keys(&w, 0, 1); /* the same text */
    assert_null(w.work);
    pass_ms(&w, REFRESH_MS + 20);
    bring_keys(&w, 1, 2);
    assert_int_equal(try_key(&w, 0), AUTH_OK); /* meanwhile */
    mem_free(w.f.config.auth.jwks_url);
    w.f.config.auth.jwks_url = mem_strdup("https://other.example.org/certs");
    reload(&w); /* what is checked is of no use any more */
    late = w.work;
    w.work = NULL;
    pass_ms(&w, 20);
    bring_keys(&w, 2, 3);
    do_work(&w);
    late->run(late);
    late->done(late);
    assert_int_equal(try_key(&w, 1), AUTH_UNKNOWN_KEY);
    assert_int_equal(try_key(&w, 2), AUTH_OK);

    pass_ms(&w, REFRESH_MS + 20);
    bring_keys(&w, 0, 1);
    late = w.work;
    world_fini(&w); /* nobody waits for it */
    late->run(late);
    late->done(late);
}

static void test_invalid_key(void **state) {
    static const char OFF_CURVE[] = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"0\","
                                    "\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\","
                                    "\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}]}";
    struct world w;

    (void)state;
    world_init(&w);
    answer(&w, NULL, OFF_CURVE);
    assert_int_equal(try_key(&w, 0), AUTH_UNKNOWN_KEY);
    assert_non_null(auth_not_ready(w.f.auth));
    world_fini(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refresh),     cmocka_unit_test(test_unknown_key),
        cmocka_unit_test(test_failures),    cmocka_unit_test(test_max_age),
        cmocka_unit_test(test_reload),      cmocka_unit_test(test_checking),
        cmocka_unit_test(test_invalid_key), cmocka_unit_test(test_beside_other_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
