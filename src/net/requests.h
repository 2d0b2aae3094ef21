/* The heads of a connection's requests, which are answered one after another. */
#ifndef WSLOCK_NET_REQUESTS_H
#define WSLOCK_NET_REQUESTS_H

#include "state.h"

/* Takes bytes of requests: of their heads and bodies. */
void requests_receive(struct conn *c, const char *data, size_t len);
/* The socket has taken the last response: continues with what came after that request. */
void requests_resume(struct conn *c);

#endif
