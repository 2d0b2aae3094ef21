/* Blocking HTTP for the operations endpoint. */
#include "http_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "wslock/base/clock.h"
#include "wslock/base/str.h"

union address {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

/* 0 if the endpoint is invalid. */
static socklen_t fill_address(const struct ctl_endpoint *endpoint, union address *out) {
    memset(out, 0, sizeof *out);
    if (endpoint->unix_path != NULL) {
        size_t len = strlen(endpoint->unix_path);

        if (len >= sizeof out->un.sun_path) {
            return 0;
        }
        out->un.sun_family = AF_UNIX;
        memcpy(out->un.sun_path, endpoint->unix_path, len);
        return sizeof out->un;
    }
    if (inet_pton(AF_INET, endpoint->address, &out->in.sin_addr) == 1) {
        out->in.sin_family = AF_INET;
        out->in.sin_port = htons((uint16_t)endpoint->port);
        return sizeof out->in;
    }
    if (inet_pton(AF_INET6, endpoint->address, &out->in6.sin6_addr) == 1) {
        out->in6.sin6_family = AF_INET6;
        out->in6.sin6_port = htons((uint16_t)endpoint->port);
        return sizeof out->in6;
    }
    return 0;
}

static int open_connection(const struct ctl_endpoint *endpoint, int timeout_ms, const char **why) {
    const struct timeval timeout = {timeout_ms / 1000, 0};
    union address address;
    socklen_t len = fill_address(endpoint, &address);
    int fd;

    if (len == 0) {
        *why = "the address is not valid, or the path is too long";
        return -1;
    }
    fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0 &&
        connect(fd, &address.any, len) == 0) {
        return fd;
    }
    *why = strerror(errno);
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

static const char *io_error(void) {
    return errno == EAGAIN || errno == EINPROGRESS ? "no answer in time" : strerror(errno);
}

static bool send_all(int fd, const struct buf *request, const char **why) {
    for (size_t sent = 0; sent < request->len;) {
        ssize_t n = send(fd, request->data + sent, request->len - sent, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            *why = io_error();
            return false;
        }
        sent += (size_t)n;
    }
    return true;
}

/* Reads until the server closes the connection, as requested. */
static bool receive_all(int fd, int timeout_ms, struct buf *out, const char **why) {
    uint64_t deadline_ms = clock_boot_ms() + (uint64_t)timeout_ms;
    char block[16384];

    for (;;) {
        ssize_t n = recv(fd, block, sizeof block, 0);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            *why = io_error();
            return false;
        }
        if (n == 0) {
            return true;
        }
        if (out->len + (size_t)n > CTL_HTTP_MAX_BYTES) {
            *why = "the answer is longer than 8 MiB";
            return false;
        }
        if (clock_boot_ms() > deadline_ms) {
            *why = "no complete answer in time";
            return false;
        }
        buf_append(out, block, (size_t)n);
    }
}

/* The text after a header's name, with leading blanks; NULL if there is no such header. `head` ends
 * in CRLF. */
static const char *find_header(const char *head, const char *name) {
    size_t len = strlen(name);

    for (const char *line = head; ((line = strstr(line, "\r\n")) != NULL);) {
        line += 2;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
            return line + len + 1;
        }
    }
    return NULL;
}

static bool parse_response(struct str response, int *status, struct buf *body, const char **why) {
    const char *end = response.len > 0 ? memmem(response.p, response.len, "\r\n\r\n", 4) : NULL;
    struct buf head;
    const char *text, *length;
    size_t body_len;
    bool ok = false;

    buf_init(&head);
    *why = "the answer is not HTTP/1.1";
    if (end == NULL || memchr(response.p, '\0', (size_t)(end - response.p)) != NULL) {
        goto done;
    }
    buf_append(&head, response.p, (size_t)(end - response.p) + 2);
    text = buf_cstr(&head);
    if (strncmp(text, "HTTP/1.1 ", 9) != 0 || strspn(text + 9, "0123456789") != 3) {
        goto done;
    }
    *status = (int)strtol(text + 9, NULL, 10);
    if (find_header(text, "transfer-encoding") != NULL) {
        goto done;
    }
    body_len = response.len - (size_t)(end + 4 - response.p);
    length = find_header(text, "content-length");
    if (length != NULL && strtoull(length, NULL, 10) != body_len) {
        *why = "the answer is incomplete";
        goto done;
    }
    buf_append(body, end + 4, body_len);
    ok = true;
done:
    buf_fini(&head);
    return ok;
}

static void write_request(const struct ctl_request *request, struct buf *out) {
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n", request->method,
               request->path);
    if (request->token != NULL) {
        buf_printf(out, "Authorization: Bearer %s\r\n", request->token);
    }
    if (request->body != NULL) {
        buf_printf(out, "Content-Length: %zu\r\n", strlen(request->body));
    }
    buf_append_str(out, "\r\n");
    if (request->body != NULL) {
        buf_append_str(out, request->body);
    }
}

bool ctl_http(const struct ctl_endpoint *endpoint, const struct ctl_request *request, int *status,
              struct buf *body, const char **why) {
    int fd = open_connection(endpoint, request->timeout_ms, why);
    struct buf text, response;
    bool ok;

    if (fd < 0) {
        return false;
    }
    buf_init(&text);
    buf_init(&response);
    write_request(request, &text);
    ok = send_all(fd, &text, why) && receive_all(fd, request->timeout_ms, &response, why) &&
         parse_response((struct str){response.data, response.len}, status, body, why);
    close(fd);
    buf_fini_secret(&text);
    buf_fini(&response);
    return ok;
}
