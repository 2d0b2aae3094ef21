/* Audit records, filled in for sessions and operators. */
#ifndef WSLOCK_SESSION_AUDIT_RECORD_H
#define WSLOCK_SESSION_AUDIT_RECORD_H

#include "wslock/audit/audit.h"
#include "wslock/lock/types.h"

struct auth_identity;
struct gateway;
struct session;

#define AUDIT_OPERATOR_DETAIL 32

struct audit_record audit_record_blank(enum audit_action action, bool failure);
void audit_record_add_identity(struct audit_record *r, const struct auth_identity *identity);
void audit_record_add_session(struct audit_record *r, const struct session *s);
/* Who the operator is and where from. detail is borrowed by the record. */
void audit_record_add_operator(const struct gateway *g, struct audit_record *r,
                               const struct lock_operation *o, char detail[AUDIT_OPERATOR_DETAIL]);
/* Words that a person typed; empty under audit.freeText: omit. */
struct str audit_record_free_text(const struct gateway *g, struct str text);

#endif
