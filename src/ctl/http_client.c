/* HTTP for the operations endpoint. Only this file uses libcurl. */
#include "http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <string.h>

#include "wslock/base/mem.h"

struct ctl_http {
    struct ctl_endpoint endpoint;
    CURL *curl;
    char problem[CURL_ERROR_SIZE];
    struct buf answer;
    bool too_long;
};

struct ctl_http *ctl_http_create(const struct ctl_endpoint *endpoint) {
    struct ctl_http *http = mem_zalloc(sizeof *http);

    http->endpoint = *endpoint;
    buf_init(&http->answer);
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
        (http->curl = curl_easy_init()) == NULL) {
        mem_exhausted();
    }
    return http;
}

void ctl_http_destroy(struct ctl_http **http) {
    if (*http != NULL) {
        curl_easy_cleanup((*http)->curl);
        curl_global_cleanup();
        buf_fini(&(*http)->answer);
        mem_free(*http);
        *http = NULL;
    }
}

static size_t on_data(char *data, size_t size, size_t count, void *ctx) {
    struct ctl_http *http = ctx;
    const size_t len = size * count;

    if (len > CTL_HTTP_MAX_BYTES - http->answer.len) {
        http->too_long = true;
        return 0;
    }
    buf_append(&http->answer, data, len);
    return len;
}

static void write_url(const struct ctl_http *http, const char *path, struct buf *url) {
    const struct ctl_endpoint *e = &http->endpoint;

    if (e->unix_path != NULL) {
        buf_printf(url, "http://localhost%s", path);
    } else if (strchr(e->address, ':') != NULL) {
        buf_printf(url, "http://[%s]:%d%s", e->address, e->port, path);
    } else {
        buf_printf(url, "http://%s:%d%s", e->address, e->port, path);
    }
}

static void set_request(struct ctl_http *http, const struct ctl_request *request, const char *url,
                        struct curl_slist *headers) {
    CURL *curl = http->curl;

    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_PROXY, ""); /* not that of the environment */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->problem);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, http);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    if (http->endpoint.unix_path != NULL) {
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, http->endpoint.unix_path);
    }
    if (request->token != NULL) {
        curl_easy_setopt(curl, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
        curl_easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, request->token);
    }
    if (request->body != NULL) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
    }
}

static enum ctl_http_result explain(struct ctl_http *http, CURLcode code, const char **why) {
    long system_error = 0;
    curl_off_t connected_us = 0;

    curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &system_error);
    curl_easy_getinfo(http->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    *why = http->problem[0] != '\0' ? http->problem : curl_easy_strerror(code);
    if (code == CURLE_COULDNT_CONNECT && system_error != 0) {
        *why = strerror((int)system_error);
        return system_error == EACCES || system_error == EPERM ? CTL_HTTP_FORBIDDEN
                                                               : CTL_HTTP_UNREACHED;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        *why = "no answer in time";
    } else if (http->too_long) {
        *why = "the answer is longer than 8 MiB";
    } else if (code == CURLE_PARTIAL_FILE) {
        *why = "the answer is incomplete";
    } else if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL) {
        *why = "the answer is not HTTP/1.1";
    }
    return connected_us == 0 ? CTL_HTTP_UNREACHED : CTL_HTTP_UNKNOWN;
}

enum ctl_http_result ctl_http_send(struct ctl_http *http, const struct ctl_request *request,
                                   int *status, struct buf *body, const char **why) {
    struct curl_slist *headers = NULL;
    enum ctl_http_result result;
    struct buf url;
    long code = 0;
    CURLcode done;

    if (request->body != NULL) {
        headers = curl_slist_append(headers, "Content-Type: application/json");
    }
    buf_init(&url);
    write_url(http, request->path, &url);
    set_request(http, request, buf_cstr(&url), headers);
    buf_reset(&http->answer);
    http->too_long = false;
    http->problem[0] = '\0';
    done = curl_easy_perform(http->curl);
    if (done == CURLE_OK) {
        curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &code);
        *status = (int)code;
        buf_append(body, http->answer.data, http->answer.len);
        result = CTL_HTTP_ANSWERED;
    } else {
        result = explain(http, done, why);
    }
    curl_slist_free_all(headers);
    buf_fini(&url);
    return result;
}

void ctl_http_escape(struct buf *out, struct str text) {
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.p[i];

        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (c != '\0' && strchr("-._~", c) != NULL)) {
            buf_append_char(out, (char)c);
        } else {
            buf_printf(out, "%%%02X", (unsigned)c);
        }
    }
}
