/*
 * What administrators did, until it is on disk. What is late there goes to the operator's log,
 * once, so that who, what and why stand somewhere whatever becomes of the disk.
 */
#ifndef WSLOCK_AUDIT_ADMIN_H
#define WSLOCK_AUDIT_ADMIN_H

#include "wslock/audit/audit.h"
#include "wslock/base/list.h"

#include "record.h"
#include "writer.h"

/* Whether records of this action are kept in sight. */
bool admin_is_action(enum audit_action action);

/* Tells the record. */
void admin_tell(const struct audit_record *r, const struct record_stamp *stamp);
/* Adds it to a list that admin_look empties: what is committed is forgotten, what is late is
 * reported. state: as it was at that time. */
void admin_watch(struct list *watched, const struct audit_record *r,
                 const struct record_stamp *stamp, const struct writer_state *state);
void admin_look(struct list *watched, const struct writer_state *state, bool all_late);

#endif
