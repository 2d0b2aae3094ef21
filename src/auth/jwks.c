/* Fetches the key set of auth.jwks.url and keeps its keys. */
#include "jwks.h"

#include <string.h>

#include "wslock/base/clock.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"
#include "wslock/metrics/metrics.h"

#include "keyfiles.h"

#define TIMEOUT_MS 10000
#define LOG_PER_MINUTE 10

struct jwks {
    struct auth_keystore *store;
    const struct config *config;
    struct auth_key_source source;
    size_t others; /* keys of store that come from elsewhere */
    char *url;     /* of the set; NULL: none is configured */
    struct buf text;
    struct auth_checked *checked;     /* the keys of text, or NULL */
    struct check *check;              /* of a set that has been fetched, or NULL */
    bool loaded;                      /* store has the keys of text */
    bool fetching, fetched_before;    /* this URL */
    bool failing;                     /* the last fetch failed */
    uint64_t started_ms;              /* when the last fetch began, boot time */
    uint64_t loaded_ms;               /* when the last one that succeeded began */
    struct wheel_timer next, too_old; /* the next fetch; the end of maxAge */
    void (*on_fetched)(void *ctx);
    void *on_fetched_ctx;
};

/* A fetched set whose keys are checked. */
struct check {
    struct auth_work work;
    struct jwks *jwks; /* NULL: nobody waits for it any more */
    struct buf text;
    struct auth_checked *checked; /* the result: NULL if it took too long */
};

static void on_too_old(struct wheel_timer *timer);
static void on_next(struct wheel_timer *timer);

/* ---- the keys ---- */

static size_t key_count(const struct jwks *j) {
    return j->store->count - j->others;
}

static void drop(struct jwks *j) {
    struct auth_keystore dropped;

    auth_keystore_split(j->store, j->others, &dropped);
    auth_keystore_fini(&dropped);
    buf_reset(&j->text);
    auth_checked_destroy(&j->checked);
    j->loaded = false;
    wheel_cancel(&j->too_old);
    metrics_set(METRIC_JWKS_KEYS, 0, NULL, NULL);
}

/* Puts the set's keys in the place of those before. NULL, or why everything stays as it is. */
static const char *adopt(struct jwks *j, struct str text, const struct auth_checked *checked) {
    struct auth_jwk_defaults defaults = auth_jwk_defaults_of(j->config);
    struct auth_keystore before;
    const char *why;

    defaults.public_only = true;
    defaults.checked = checked;
    auth_keystore_split(j->store, j->others, &before);
    why = auth_jwks_add(j->store, text, &defaults, &j->config->auth.algorithms, j->url);
    if (why != NULL) {
        auth_keystore_join(j->store, &before);
    }
    auth_keystore_fini(&before);
    metrics_set(METRIC_JWKS_KEYS, (double)key_count(j), NULL, NULL);
    return why;
}

/* NULL: the set is in use. */
static const char *take(struct jwks *j, struct str text, struct auth_checked **checked) {
    const char *why =
        *checked != NULL ? adopt(j, text, *checked) : "its keys take too long to check";

    if (why == NULL) {
        buf_reset(&j->text);
        buf_append(&j->text, text.p, text.len);
        auth_checked_destroy(&j->checked);
        j->checked = *checked;
        *checked = NULL;
        j->loaded = true;
        log_info("jwks_loaded", LF("url", j->url), LFI("keys", key_count(j)));
    }
    return why;
}

static void watch_age(struct jwks *j) {
    uint64_t age_ms = clock_boot_ms() - j->loaded_ms;
    uint64_t max_ms = (uint64_t)j->config->auth.jwks_max_age_ms;

    wheel_set(j->source.wheel, &j->too_old, age_ms < max_ms ? max_ms - age_ms : 0, on_too_old);
}

static void on_too_old(struct wheel_timer *timer) {
    struct jwks *j = CONTAINER_OF(timer, struct jwks, too_old);

    log_error("jwks_too_old", LF("url", j->url), LFI("keys_dropped", key_count(j)));
    drop(j);
}

/* ---- fetching ---- */

/* How long until the next fetch may begin. */
static uint64_t pause_ms(const struct jwks *j, int64_t interval_ms) {
    uint64_t passed_ms = clock_boot_ms() - j->started_ms;

    return j->fetched_before && passed_ms < (uint64_t)interval_ms
               ? (uint64_t)interval_ms - passed_ms
               : 0;
}

static void fetch_after(struct jwks *j, int64_t interval_ms) {
    wheel_set(j->source.wheel, &j->next, pause_ms(j, interval_ms), on_next);
}

static void tell_failed(struct jwks *j, const char *why) {
    static struct log_limit limit;

    metrics_add(METRIC_JWKS_FETCHES, 1, "failed", NULL);
    j->failing = true;
    if (log_limit_pass(&limit, LOG_PER_MINUTE)) {
        log_warn("jwks_fetch_failed", LF("url", j->url), LF("reason", why),
                 LFI("keys_kept", key_count(j)));
    }
}

static void tell_fetched(struct jwks *j) {
    metrics_add(METRIC_JWKS_FETCHES, 1, "ok", NULL);
    metrics_set(METRIC_JWKS_FETCHED, (double)clock_wall_ms() / 1000, NULL, NULL);
    if (j->failing) {
        log_info("jwks_fetched_again", LF("url", j->url));
    }
    j->failing = false;
}

static void end_fetch(struct jwks *j, const char *problem) {
    j->fetching = false;
    if (problem != NULL) {
        tell_failed(j, problem);
        fetch_after(j, j->config->auth.jwks_cooldown_ms);
    } else {
        tell_fetched(j);
        j->loaded_ms = j->started_ms;
        watch_age(j);
        fetch_after(j, j->config->auth.jwks_refresh_ms);
    }
    if (j->on_fetched != NULL) {
        j->on_fetched(j->on_fetched_ctx);
    }
}

static void run_check(struct auth_work *work) {
    struct check *c = CONTAINER_OF(work, struct check, work);

    c->checked = auth_jwks_check((struct str){c->text.data, c->text.len});
}

static void on_checked(struct auth_work *work) {
    struct check *c = CONTAINER_OF(work, struct check, work);
    struct jwks *j = c->jwks;

    if (j != NULL) {
        j->check = NULL;
        end_fetch(j, take(j, (struct str){c->text.data, c->text.len}, &c->checked));
    }
    auth_checked_destroy(&c->checked);
    buf_fini(&c->text);
    mem_free(c);
}

static void start_check(struct jwks *j, struct str text) {
    struct check *c = mem_zalloc(sizeof *c);

    c->work = (struct auth_work){run_check, on_checked};
    c->jwks = j;
    buf_init(&c->text);
    buf_append(&c->text, text.p, text.len);
    j->check = c;
    j->source.work(j->source.ctx, &c->work);
}

/* An unchanged set is not read again, nor what is wrong in it logged. */
static void on_done(void *ctx, const char *problem, struct str text) {
    struct jwks *j = ctx;

    if (problem != NULL || (j->loaded && str_eq(text, (struct str){j->text.data, j->text.len}))) {
        end_fetch(j, problem);
    } else {
        start_check(j, text);
    }
}

static void on_next(struct wheel_timer *timer) {
    struct jwks *j = CONTAINER_OF(timer, struct jwks, next);
    const struct auth_fetch fetch = {j->url, AUTH_MAX_JWKS_BYTES, TIMEOUT_MS, on_done, j};

    j->fetching = j->fetched_before = true;
    j->started_ms = clock_boot_ms();
    j->source.start(j->source.ctx, &fetch);
}

static void stop_fetching(struct jwks *j) {
    wheel_cancel(&j->next);
    if (j->check != NULL) {
        j->check->jwks = NULL;
        j->check = NULL;
    } else if (j->fetching) {
        j->source.cancel(j->source.ctx);
    }
    j->fetching = false;
}

bool jwks_await(struct jwks *j, uint64_t since_boot_ms, uint64_t *wait_ms) {
    if (j->url == NULL || (j->loaded && j->loaded_ms >= since_boot_ms)) {
        return false;
    }
    *wait_ms = 0;
    if (!j->fetching) {
        *wait_ms = pause_ms(j, j->config->auth.jwks_cooldown_ms);
        fetch_after(j, j->config->auth.jwks_cooldown_ms);
    }
    return true;
}

/* ---- its life ---- */

static bool is_same_url(const struct jwks *j) {
    const char *url = j->config->auth.jwks_url;

    return url != NULL && j->url != NULL && strcmp(url, j->url) == 0;
}

static void change_url(struct jwks *j) {
    const char *url = j->config->auth.jwks_url;

    stop_fetching(j);
    drop(j);
    mem_free(j->url);
    j->url = url != NULL ? mem_strdup(url) : NULL;
    j->fetched_before = j->failing = false;
}

/* The rules for keys may have changed. */
static void adopt_again(struct jwks *j) {
    const char *why = adopt(j, (struct str){j->text.data, j->text.len}, j->checked);

    if (why != NULL) {
        tell_failed(j, why);
        drop(j);
    } else {
        watch_age(j);
    }
}

void jwks_configure(struct jwks *j) {
    j->others = j->store->count;
    if (!is_same_url(j)) {
        change_url(j);
    } else if (j->loaded) {
        adopt_again(j);
    }
    if (j->url != NULL && !j->fetching) {
        fetch_after(j, j->config->auth.jwks_cooldown_ms);
    }
}

struct jwks *jwks_create(struct auth_keystore *store, const struct config *config,
                         const struct auth_key_source *source) {
    struct jwks *j = mem_zalloc(sizeof *j);

    j->store = store;
    j->config = config;
    j->source = *source;
    buf_init(&j->text);
    wheel_timer_init(&j->next);
    wheel_timer_init(&j->too_old);
    return j;
}

void jwks_destroy(struct jwks **jwks) {
    struct jwks *j = *jwks;

    if (j == NULL) {
        return;
    }
    stop_fetching(j);
    wheel_cancel(&j->too_old);
    buf_fini(&j->text);
    auth_checked_destroy(&j->checked);
    mem_free(j->url);
    mem_free(j);
    *jwks = NULL;
}

bool jwks_is_missing(const struct jwks *j) {
    return j->url != NULL && !j->loaded;
}

bool jwks_may_bring(const struct jwks *j, enum auth_alg alg) {
    return j->url != NULL && auth_alg_info(alg)->family != AUTH_FAMILY_HMAC &&
           auth_alg_allowed(&j->config->auth.algorithms, alg);
}

void jwks_watch(struct jwks *j, void (*on_fetched)(void *ctx), void *ctx) {
    j->on_fetched = on_fetched;
    j->on_fetched_ctx = ctx;
}
