/* Drives libcurl's multi interface with libuv. Each fetch has handles of its own, so that nothing
 * of it is left for the next. */
#include "wslock/fetch/fetch.h"

#include <arpa/inet.h>
#include <assert.h>
#include <curl/curl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "lookup.h"
#include "wslock/base/buf.h"
#include "wslock/base/list.h"
#include "wslock/base/mem.h"

#define HEAD_BYTES_MAX 65536
#define HOST_BYTES_MAX 256

/* A socket of libcurl. */
struct watch {
    struct list node;
    struct fetcher *fetcher;
    uv_poll_t poll;
};

struct fetcher {
    uv_loop_t *loop;
    uv_timer_t deadline; /* of the whole fetch */
    uv_timer_t timer;    /* libcurl's */
    unsigned timers_open;
    struct fetch_request request; /* done NULL: no fetch is under way */
    char *url;
    char host[HOST_BYTES_MAX]; /* as in the URL */
    unsigned port;
    struct lookup *lookup;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers, *addresses;
    struct list watches;
    struct buf body;
    size_t head_bytes;
    const char *problem; /* static, says more than libcurl's; NULL: none */
    char error[CURL_ERROR_SIZE];
};

/* ---- the end of a fetch ---- */

static void on_watch_closed(uv_handle_t *handle) {
    mem_free(CONTAINER_OF(handle, struct watch, poll));
}

static void watch_close(struct watch *w) {
    list_remove(&w->node);
    uv_close((uv_handle_t *)&w->poll, on_watch_closed);
}

void fetcher_cancel(struct fetcher *f) {
    lookup_cancel(&f->lookup);
    if (f->multi != NULL && f->easy != NULL) {
        curl_multi_remove_handle(f->multi, f->easy);
    }
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    LIST_FOREACH_ENTRY(struct watch, w, node, &f->watches) {
        watch_close(w);
    }
    curl_slist_free_all(f->headers);
    curl_slist_free_all(f->addresses);
    f->easy = NULL;
    f->multi = NULL;
    f->headers = f->addresses = NULL;
    uv_timer_stop(&f->timer);
    uv_timer_stop(&f->deadline);
    buf_fini(&f->body);
    buf_init(&f->body);
    mem_free(f->url);
    f->url = NULL;
    f->request.done = NULL;
}

/* Not from libcurl's callbacks. problem NULL: the body is whole. */
static void finish(struct fetcher *f, const char *problem) {
    const struct fetch_request request = f->request;
    struct buf body = f->body;
    char text[CURL_ERROR_SIZE];
    snprintf(text, sizeof text, "%s", problem != NULL ? problem : "");
    buf_init(&f->body);
    fetcher_cancel(f);
    request.done(request.ctx, problem != NULL ? text : NULL,
                 problem != NULL ? str_of("") : (struct str){body.data, body.len});
    buf_fini(&body);
}

/* NULL: the answer has status 200. */
static const char *problem_of(struct fetcher *f, CURLcode result) {
    long status = 0;
    if (f->problem != NULL) {
        return f->problem;
    }
    if (result != CURLE_OK) {
        return f->error[0] != '\0' ? f->error : curl_easy_strerror(result);
    }
    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (status == 200) {
        return NULL;
    }
    snprintf(f->error, sizeof f->error, "the answer has the HTTP status %ld%s", status,
             status / 100 == 3 ? ", and redirects are not followed" : "");
    return f->error;
}

static void check_done(struct fetcher *f) {
    int left;
    const CURLMsg *message = curl_multi_info_read(f->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        finish(f, problem_of(f, message->data.result));
    }
}

static void on_deadline(uv_timer_t *timer) {
    finish(timer->data, "there was no whole answer in time");
}

static void on_no_start(uv_timer_t *timer) {
    struct fetcher *f = timer->data;
    finish(f, f->problem);
}

static void fail_later(struct fetcher *f, const char *problem) {
    f->problem = problem;
    uv_timer_start(&f->deadline, on_no_start, 0, 0);
}

/* ---- sockets and timers for libcurl ---- */

static void on_poll(uv_poll_t *poll, int status, int events) {
    struct fetcher *f = CONTAINER_OF(poll, struct watch, poll)->fetcher;
    uv_os_fd_t fd;
    int running, what = status != 0 ? CURL_CSELECT_ERR : 0;
    what |= events & UV_READABLE ? CURL_CSELECT_IN : 0;
    what |= events & UV_WRITABLE ? CURL_CSELECT_OUT : 0;
    if (uv_fileno((uv_handle_t *)poll, &fd) == 0) {
        curl_multi_socket_action(f->multi, fd, what, &running);
        check_done(f);
    }
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned) {
    struct fetcher *f = ctx;
    struct watch *w = assigned;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w != NULL) {
            watch_close(w);
        }
        return 0;
    }
    if (w == NULL) {
        w = mem_zalloc(sizeof *w);
        w->fetcher = f;
        if (uv_poll_init(f->loop, &w->poll, fd) != 0) {
            mem_free(w);
            return -1;
        }
        list_push_back(&f->watches, &w->node);
        curl_multi_assign(f->multi, fd, w);
    }
    int events = what & CURL_POLL_IN ? UV_READABLE : 0;
    events |= what & CURL_POLL_OUT ? UV_WRITABLE : 0;
    return uv_poll_start(&w->poll, events, on_poll) == 0 ? 0 : -1;
}

static void on_timer(uv_timer_t *timer) {
    struct fetcher *f = timer->data;
    int running;
    curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    check_done(f);
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *ctx) {
    struct fetcher *f = ctx;
    (void)multi;
    if (delay_ms < 0) {
        uv_timer_stop(&f->timer);
    } else {
        uv_timer_start(&f->timer, on_timer, (uint64_t)delay_ms, 0);
    }
    return 0;
}

/* ---- the answer ---- */

static size_t on_head(char *data, size_t size, size_t count, void *ctx) {
    struct fetcher *f = ctx;
    (void)data;
    f->head_bytes += size * count;
    if (f->head_bytes > HEAD_BYTES_MAX) {
        f->problem = "the headers of the answer are longer than 64 KiB";
        return 0;
    }
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *ctx) {
    struct fetcher *f = ctx;
    if (size * count > f->request.max_bytes - f->body.len) {
        f->problem = "the answer is too long";
        return 0;
    }
    buf_append(&f->body, data, size * count);
    return size * count;
}

/* ---- the start ---- */

static CURLcode on_tls_context(CURL *easy, void *context, void *ctx) {
    (void)easy;
    (void)ctx;
    return SSL_CTX_set_default_verify_paths(context) == 1 ? CURLE_OK : CURLE_SSL_CACERT_BADFILE;
}

/* False: this libcurl does not use OpenSSL. */
static bool set_options(struct fetcher *f) {
    CURL *e = f->easy;
    curl_easy_setopt(e, CURLOPT_URL, f->url);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "wslockd/" WSLOCK_VERSION);
    curl_easy_setopt(e, CURLOPT_HTTPHEADER, f->headers);
    curl_easy_setopt(e, CURLOPT_RESOLVE, f->addresses);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)f->request.timeout_ms);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, f);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, f);
    curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
    return curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, on_tls_context) == CURLE_OK;
}

/* Ends in check_done, or at the deadline. */
static void begin_transfer(struct fetcher *f) {
    f->multi = curl_multi_init();
    f->easy = curl_easy_init();
    if (f->multi == NULL || f->easy == NULL) {
        mem_exhausted();
    }
    if (!set_options(f)) {
        fail_later(f, "libcurl was built without OpenSSL");
        return;
    }
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
    curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
    curl_multi_add_handle(f->multi, f->easy);
}

static void on_looked_up(void *ctx, const char *problem, const char *addresses) {
    struct fetcher *f = ctx;
    struct in_addr ignored;
    f->lookup = NULL;
    if (problem != NULL) {
        finish(f, problem);
        return;
    }
    if (f->host[0] != '[' && inet_pton(AF_INET, f->host, &ignored) != 1) {
        char *entry = mem_printf("%s:%u:%s", f->host, f->port, addresses);
        f->addresses = curl_slist_append(NULL, entry);
        mem_free(entry);
    }
    begin_transfer(f);
}

static bool read_url(struct fetcher *f, const char *url, bool *plain) {
    CURLU *parts = curl_url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool ok = parts != NULL && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
              curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
              strlen(host) < sizeof f->host;
    if (ok) {
        snprintf(f->host, sizeof f->host, "%s", host);
        f->port = (unsigned)strtoul(port, NULL, 10);
        *plain = strcmp(scheme, "https") != 0;
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_url_cleanup(parts);
    return ok;
}

void fetcher_start(struct fetcher *f, const struct fetch_request *request) {
    char bare[HOST_BYTES_MAX], *accept;
    const char *problem = NULL;
    bool plain = false;
    assert(f->request.done == NULL);
    f->request = *request;
    f->request.url = f->url = mem_strdup(request->url);
    f->problem = NULL;
    f->error[0] = '\0';
    f->head_bytes = 0;
    accept = mem_printf("Accept: %s", request->accept);
    f->headers = curl_slist_append(NULL, accept);
    mem_free(accept);
    uv_update_time(f->loop);
    uv_timer_start(&f->deadline, on_deadline, request->timeout_ms, 0);
    if (!read_url(f, f->url, &plain)) {
        fail_later(f, "the URL cannot be used");
        return;
    }
    const char *host = f->host[0] == '[' ? f->host + 1 : f->host;
    snprintf(bare, sizeof bare, "%.*s", (int)strcspn(host, "]"), host);
    f->lookup = lookup_start(f->loop, bare, plain, on_looked_up, f, &problem);
    if (f->lookup == NULL) {
        fail_later(f, problem);
    }
}

/* ---- its life ---- */

struct fetcher *fetcher_create(uv_loop_t *loop) {
    struct fetcher *f = mem_zalloc(sizeof *f);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        mem_exhausted();
    }
    f->loop = loop;
    uv_timer_init(loop, &f->deadline);
    uv_timer_init(loop, &f->timer);
    f->deadline.data = f->timer.data = f;
    f->timers_open = 2;
    list_init(&f->watches);
    buf_init(&f->body);
    return f;
}

static void on_timer_closed(uv_handle_t *handle) {
    struct fetcher *f = handle->data;
    if (--f->timers_open == 0) {
        mem_free(f);
        curl_global_cleanup();
    }
}

void fetcher_destroy(struct fetcher **fetcher) {
    struct fetcher *f = *fetcher;
    *fetcher = NULL;
    if (f == NULL) {
        return;
    }
    fetcher_cancel(f);
    uv_close((uv_handle_t *)&f->deadline, on_timer_closed);
    uv_close((uv_handle_t *)&f->timer, on_timer_closed);
}
