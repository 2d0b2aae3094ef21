/* The head of an HTTP/1.1 request (RFC 9112): finds its end and parses it. Pure. */
#ifndef WSLOCK_NET_HTTP_HEAD_H
#define WSLOCK_NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/macros.h"
#include "wslock/base/str.h"

/* Finds the end of a head that is received in pieces; all zero at first. */
struct http_head_scan {
    size_t at;   /* bytes scanned; after HTTP_HEAD_WHOLE the length of the head */
    size_t line; /* bytes of the current line */
    bool begun;  /* a line that is not empty was found */
    bool cr;     /* the last byte was CR */
};

enum http_head_state {
    HTTP_HEAD_MORE, /* the end was not received yet */
    HTTP_HEAD_WHOLE,
    HTTP_HEAD_BAD, /* this is not HTTP */
};

/* bytes: all that was received, which may be more than the head. */
enum http_head_state http_head_scan(struct http_head_scan *scan, struct str bytes) MUST_CHECK;

/* Points into the text that was parsed. */
struct http_head {
    struct str method, version;
    struct str path, query; /* not decoded; the query without its question mark */
    struct str fields;      /* the lines */
};

/* text: a whole head. False: it violates the syntax of RFC 9112. */
bool http_head_parse(struct str text, struct http_head *out) MUST_CHECK;

/* The next value of the field, without spaces around it. rest: head->fields at first. Names are
 * compared as ASCII without case. */
bool http_head_next(struct str *rest, const char *name, struct str *value);
size_t http_head_count(const struct http_head *head, const char *name);
/* The first value; empty if there is none. */
struct str http_head_first(const struct http_head *head, const char *name);
/* Whether a list field has this item in any of its lines, compared without case. */
bool http_head_lists(const struct http_head *head, const char *name, const char *item);

/* Whether it has Transfer-Encoding, or a Content-Length other than zero. */
bool http_head_has_body(const struct http_head *head);
/* Whether the connection may stay open (RFC 9112 §9.3). HTTP/1.0: never. */
bool http_head_persists(const struct http_head *head);
/* HTTP/1.1 with exactly one Host, or HTTP/1.0 with at most one (RFC 9112 §3.2). */
bool http_head_is_addressed(const struct http_head *head);

/* The next part of a list, without spaces around it; false at its end. */
bool http_list_next(struct str *rest, char separator, struct str *part);
/* A token of RFC 9110 §5.6.2, the syntax of methods, field names and subprotocols. */
bool http_is_token(struct str s);
/* Percent-decodes; plus: '+' is a space. False: an invalid escape, a NUL, or longer than out takes.
 */
bool http_url_decode(struct str s, bool plus, char *out, size_t size) MUST_CHECK;

#endif
