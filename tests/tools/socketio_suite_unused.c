/* What the operations endpoint asks of a gateway. The suite server has none, so nobody calls it. */
#include <stdlib.h>

#define UNUSED(name)                                                                               \
    void name(void);                                                                               \
    void name(void) {                                                                              \
        abort();                                                                                   \
    }

UNUSED(gateway_collect_metrics)
UNUSED(gateway_end_session)
UNUSED(gateway_end_user)
UNUSED(gateway_forbids_admin)
UNUSED(gateway_has_tickets)
UNUSED(gateway_inspect_lock)
UNUSED(gateway_knows_resource)
UNUSED(gateway_list_locks)
UNUSED(gateway_list_sessions)
UNUSED(gateway_not_ready)
UNUSED(gateway_operate_lock)
UNUSED(gateway_policy_of)
UNUSED(gateway_read_ticket)
UNUSED(gateway_record_query)
UNUSED(gateway_session_count)
UNUSED(gateway_ticket_jwks)
UNUSED(gateway_verify_lock)
UNUSED(gateway_when_audited)
