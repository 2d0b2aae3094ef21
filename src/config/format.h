/* Checks of single texts. Each returns NULL when the text is well formed, else what is expected. */
#ifndef WSLOCK_CONFIG_FORMAT_H
#define WSLOCK_CONFIG_FORMAT_H

#include "wslock/config/config.h"

typedef const char *config_format_check(const char *text);

config_format_check config_check_address;    /* an IP address literal */
config_format_check config_check_alg;        /* a JWS algorithm that the daemon verifies */
config_format_check config_check_cidr;       /* a network, or one address */
config_format_check config_check_claim;      /* a claim's name, or a JSON pointer (RFC 6901) */
config_format_check config_check_cookie;     /* a cookie's name (RFC 6265) */
config_format_check config_check_fd_name;    /* systemd's FileDescriptorName= */
config_format_check config_check_instance;   /* a label for logs, metrics and audit records */
config_format_check config_check_key_prefix; /* what goes into a Redis hash tag */
config_format_check config_check_node;       /* host:port */
config_format_check config_check_origin;     /* an Origin header's exact text (RFC 6454), or "*" */
config_format_check config_check_resource_type; /* the `type` of a resource id */
config_format_check config_check_socket_path;   /* fits sun_path */
config_format_check config_check_text;          /* not empty, 256 bytes at most */
config_format_check config_check_tls_version;
config_format_check config_check_url;      /* http or https, without user and password */
config_format_check config_check_url_path; /* of the daemon's own listener */

/* Splits "host:port" or "[v6]:port"; false when it is neither or the port is not 1 to 65535. `host`
 * points into `text`, without brackets. */
bool config_split_host_port(struct str text, struct str *host, int *port);
/* Whether a URL that config_check_url accepts is https, or http to a loopback address or to
 * `localhost`. */
bool config_url_is_safe(const char *url);
/* Whether an address literal is 127.0.0.0/8 or ::1. */
bool config_is_loopback(const char *address);
/* A host name or address literal, with an IPv6 address already out of its brackets. */
bool config_is_host(struct str host);

#endif
