/*
 * The room's copy of the truth takes an event, or what the store says after a gap. Nobody is told
 * from here: what changed is given back, for tell.h.
 */
#ifndef WSLOCK_ROOM_APPLY_H
#define WSLOCK_ROOM_APPLY_H

#include "holder.h"
#include "state.h"

enum room_takeover_fate { ROOM_TAKEOVER_STANDS, ROOM_TAKEOVER_MOVED, ROOM_TAKEOVER_CLOSED };

/* What changed. The room is as it is after that. */
struct room_change {
    const struct lock_event *event;       /* NULL: events were missed … */
    const struct lock_snapshot *snapshot; /* … and this is what the store has of places, or NULL */
    bool lock_changed;                    /* the lock was taken over, for … */
    enum lock_cause cause;
    enum lock_cause lost_reason;      /* RECOVERED: for whom the lock is gone */
    struct lock_view before;          /* lock_changed: the lock until then */
    struct room_belief had[2];        /* lock_changed: who here believed in a lock */
    enum room_takeover_fate takeover; /* RECOVERED: of what was pending before */
    bool place_over;                  /* PLACE: its place in the queue, or its turn, is over */
    bool settled;                     /* turns are those of the lock: */
    const struct room_waiter *turn;   /* whose has come, or NULL */
    struct list over;                 /* room_waiter: who waits no more, by the lock's change */
    struct list gone, replaced;       /* snapshot: what was missed */
    char *old[5];                     /* what `before` points into */
};

/* False: it was known already. room_change_fini in both cases. */
bool room_apply_event(struct room *room, const struct lock_event *event, struct room_change *out);
/* The room's first snapshot, which the subscriber is told by itself. */
void room_apply_snapshot(struct room *room, const struct lock_snapshot *snapshot);
/* Events were missed, and the lock is this. */
void room_apply_recovered(struct room *room, const struct lock_view *lock,
                          enum lock_cause lost_reason, struct room_change *out);
enum room_report_kind {
    ROOM_REPORT_WHOLE,   /* the room is as the snapshot says */
    ROOM_REPORT_EVENT,   /* the event of the lock has been applied, or was told */
    ROOM_REPORT_PENDING, /* the event of the lock comes, or its holder may yet report it */
};
/* The same after a report: also of the members and of those who wait. */
void room_apply_report(struct room *room, const struct lock_snapshot *snapshot,
                       enum room_report_kind kind, enum lock_cause lost_reason,
                       struct room_change *out);
void room_change_fini(struct room_change *change);

#endif
