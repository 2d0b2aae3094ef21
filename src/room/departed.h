/* A holder whose connection ended here, of which the store has not told yet. */
#ifndef WSLOCK_ROOM_DEPARTED_H
#define WSLOCK_ROOM_DEPARTED_H

#include "state.h"

/* What is to be reported of it. False: nobody has left, or the store has told of it. */
bool room_departed_describe(const struct room *room, struct lock_report_member *out);
void room_departed_forget(struct room *room);
/* The lock is as the store says. */
void room_departed_settle(struct room *room);
/* This tab is in the room again. */
void room_departed_return(struct room *room, struct str user_id, struct str client_id);

#endif
