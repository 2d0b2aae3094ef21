/* What an operator reads. */
#include "wslock/session/inspect.h"

#include "audit.h"
#include "audit_events.h"
#include "audit_record.h"
#include "registry.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define MEMBERS_LISTED 200

bool gateway_record_query(struct gateway *g, const struct lock_operation *by, struct str resource,
                          const char *what) {
    struct audit_record r = audit_record_blank(AUDIT_ADMIN_QUERY, false);
    char origin[AUDIT_OPERATOR_DETAIL];
    struct buf detail;
    if (session_audit_forbids_admin(g)) {
        return false;
    }
    audit_record_add_operator(g, &r, by, origin);
    buf_init(&detail);
    if (r.detail.len > 0) {
        buf_printf(&detail, "%s; ", origin);
    }
    buf_append_str(&detail, what);
    r.detail = (struct str){detail.data, detail.len};
    r.resource_id = resource;
    audit_write(g->parts.audit, &r);
    buf_fini(&detail);
    return true;
}

bool gateway_list_locks(struct gateway *g, const struct lock_filter *filter, lock_list_cb cb,
                        void *arg) {
    return lock_list(g->store, filter, cb, arg);
}

const struct config_policy *gateway_policy_of(const struct gateway *g,
                                              const struct wire_resource *resource) {
    return gateway_type_of(g, resource)->policy;
}

struct inspection {
    struct gateway *gateway;
    lock_inspect_cb cb;
    void *arg;
};

static void on_inspected(void *arg, const struct lock_inspect_result *result) {
    static struct log_limit limit;
    struct inspection *i = arg;
    session_audit_events(i->gateway, NULL, &result->common);
    if (result->common.status != LOCK_OK && log_limit_pass(&limit, 60)) {
        log_warn("store_call_failed", LF("request", "inspect"), LF("error", result->common.error));
    }
    i->cb(i->arg, result);
    mem_free(i);
}

void gateway_inspect_lock(struct gateway *g, const struct wire_resource *resource,
                          struct str user_id, lock_inspect_cb cb, void *arg) {
    struct inspection *i = mem_alloc(sizeof *i);
    *i = (struct inspection){g, cb, arg};
    lock_inspect(g->store, wire_resource_str(resource), gateway_policy_of(g, resource), user_id,
                 MEMBERS_LISTED, on_inspected, i);
}
