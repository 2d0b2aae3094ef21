/* A holder whose connection to this instance has ended. The store has not confirmed that yet. */
#ifndef WSLOCK_ROOM_DEPARTED_H
#define WSLOCK_ROOM_DEPARTED_H

#include "state.h"

/* Its report. False: there is none. */
bool room_departed_describe(const struct room *room, struct lock_report_member *out);
void room_departed_forget(struct room *room);
/* The lock has changed: forgets it if the store has confirmed the end. */
void room_departed_settle(struct room *room);
/* The tab has joined again: forgets it. */
void room_departed_return(struct room *room, struct str user_id, struct str client_id);

#endif
