/* The table of routes. */
#ifndef WSLOCK_NET_ROUTES_H
#define WSLOCK_NET_ROUTES_H

#include "state.h"

/* Answers the request in c->head, or starts to read its body. */
void routes_answer(struct conn *c);

#endif
