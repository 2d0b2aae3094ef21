/* Connections kept open for another request. New connections may evict them. */
#ifndef WSLOCK_NET_IDLE_H
#define WSLOCK_NET_IDLE_H

#include "state.h"

bool idle_may_begin(const struct conn *c);
void idle_begin(struct conn *c);
/* Evicts one if the listener's limit is more than half used up, so that descriptors are left. */
void idle_make_room(struct listener *l);
/* As admit_enter, but evicts idle connections until there is a place. */
enum admit_result idle_admit(struct listener *l, const struct address *from,
                             struct admit_place *place) MUST_CHECK;
void idle_close_all(struct net *n);

#endif
