/*
 * Changes the room's copy by an event, or by a reply of the store after a gap. Sends nothing: the
 * change is returned, for tell.h.
 */
#ifndef WSLOCK_ROOM_APPLY_H
#define WSLOCK_ROOM_APPLY_H

#include "holder.h"
#include "state.h"

enum room_takeover_fate { ROOM_TAKEOVER_STANDS, ROOM_TAKEOVER_MOVED, ROOM_TAKEOVER_CLOSED };

/* What changed. The room has the new state already. */
struct room_change {
    const struct lock_event *event;       /* NULL: events were missed */
    const struct lock_snapshot *snapshot; /* after a gap: the room in the store, or NULL */
    bool lock_changed;                    /* the room took the lock of the event or reply */
    enum lock_cause cause;
    enum lock_cause lost_reason;      /* RECOVERED: the reason for those who have lost the lock */
    struct lock_view before;          /* lock_changed: the previous lock */
    struct room_candidate had[2];     /* lock_changed: the candidates before the change */
    enum room_takeover_fate takeover; /* RECOVERED: of the previous takeover */
    bool place_over;                  /* WAITER: the place in the queue, or the turn, is over */
    bool settled;                     /* turns have been updated from the lock */
    const struct room_waiter *turn;   /* settled: whose turn has begun, or NULL */
    struct list over;                 /* settled: room_waiter, ended by the lock's change */
    struct list gone, replaced;       /* snapshot: room_waiter, ended during the gap */
    char *old[2];                     /* memory that `before` points into */
};

/* False: the room has it already. Call room_change_fini in both cases. */
bool room_apply_event(struct room *room, const struct lock_event *event, struct room_change *out);
/* The room's first snapshot. Clients get its content in resource:joined. */
void room_apply_snapshot(struct room *room, const struct lock_snapshot *snapshot);
/* After a gap: the lock alone. */
void room_apply_recovered(struct room *room, const struct lock_view *lock,
                          enum lock_cause lost_reason, struct room_change *out);
enum room_report_kind {
    ROOM_REPORT_WHOLE,   /* the room takes all of the snapshot */
    ROOM_REPORT_EVENT,   /* the event of the lock has been applied */
    ROOM_REPORT_PENDING, /* the event of the lock comes, or another instance may report the lock */
};
/* After the reply to a report: also the members and the waiters. */
void room_apply_report(struct room *room, const struct lock_snapshot *snapshot,
                       enum room_report_kind kind, enum lock_cause lost_reason,
                       struct room_change *out);
void room_change_fini(struct room_change *change);

#endif
