/* Audit records, filled in for sessions and operators. */
#include "audit_record.h"

#include <stdio.h>

#include "registry.h"
#include "state.h"

struct audit_record audit_record_blank(enum audit_action action, bool failure) {
    struct audit_record r = {
        .action = action, .failure = failure, .held_ms = -1, .previous_dirty = -1};
    return r;
}

void audit_record_add_identity(struct audit_record *r, const struct auth_identity *identity) {
    r->user = (struct audit_person){str_of(identity->user_id), str_of(identity->username)};
    r->roles = (const char *const *)identity->roles;
    r->role_count = identity->role_count;
    r->token_id = str_of(identity->token_id);
    r->issuer = str_of(identity->issuer);
}

void audit_record_add_session(struct audit_record *r, const struct session *s) {
    r->session_id = str_of(s->id);
    r->address = str_of(s->address);
    r->user_agent = str_of(s->user_agent);
    if (s->client_id[0] != '\0') {
        r->client_id = str_of(s->client_id);
    }
    if (s->identity != NULL) {
        audit_record_add_identity(r, s->identity);
    }
}

void audit_record_add_operator(const struct gateway *g, struct audit_record *r,
                               const struct lock_operation *o, char detail[AUDIT_OPERATOR_DETAIL]) {
    r->admin = (struct audit_person){o->actor, {NULL, 0}};
    r->address = o->address;
    if (o->uid >= 0) {
        snprintf(detail, AUDIT_OPERATOR_DETAIL, "uid %lld", (long long)o->uid);
        r->detail = str_of(detail);
    }
    r->reason = audit_record_free_text(g, o->reason);
}

struct str audit_record_free_text(const struct gateway *g, struct str text) {
    return g->parts.config->audit.omit_free_text ? (struct str){NULL, 0} : text;
}
