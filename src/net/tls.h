/* Checks of certificates and keys. */
#ifndef WSLOCK_NET_TLS_H
#define WSLOCK_NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/config/config.h"

/* Reads a listener's certificate and key, and checks that they match and that OpenSSL accepts them.
 * *ends_unix_s: when the certificate expires. False: *problem is heap, the caller frees it. */
bool tls_check_pair(const struct config *config, size_t listener, int64_t *ends_unix_s,
                    char **problem);

#endif
