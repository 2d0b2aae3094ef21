/* Listening sockets that systemd passes (`listen[].systemdSocket`). */
#ifndef WSLOCK_NET_PASSED_SOCKETS_H
#define WSLOCK_NET_PASSED_SOCKETS_H

#include "wslock/net/net.h"

/* The descriptor of the socket with this name, now the caller's. -1 if there is not exactly one, or
 * it is not a listening TCP socket: *problem is heap, the caller frees it. */
int passed_sockets_take(const struct net_parts *parts, const char *name, char **problem);
/* Closes those that nobody took, with a warning in the log. */
void passed_sockets_close(const struct net_parts *parts);

#endif
