/* Listening sockets. */
#ifndef WSLOCK_NET_LISTENER_H
#define WSLOCK_NET_LISTENER_H

#include "state.h"

/* Binds the addresses of the configuration. False: *problem is heap, the caller frees it. */
bool listeners_open(struct net *n, char **problem);
/* Whether ops.socket can be created at this path. A socket that exists there is no problem. */
bool listener_check_path(const char *path, char **problem);
void listener_start(struct listener *l);
/* Closes the socket. The memory belongs to net and must outlive the loop's next turn. */
void listener_stop(struct listener *l);
void listener_log(const struct listener *l);

#endif
