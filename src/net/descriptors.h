/* The limit on open files. */
#ifndef WSLOCK_NET_DESCRIPTORS_H
#define WSLOCK_NET_DESCRIPTORS_H

#include "state.h"

/* Raises RLIMIT_NOFILE as far as the limits and the listeners need it. Sets public_max and
 * descriptor_max. */
void descriptors_prepare(struct net *n);
/* How many public connections the limit allows. */
size_t descriptors_possible(const struct net *n);
/* Sets public_max again, for other limits. */
void descriptors_divide(struct net *n);

#endif
