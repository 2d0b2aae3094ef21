/* The parameters of requests that read or choose: ?type=&user=&search=&after=&limit=&follow=&actor=
 */
#ifndef WSLOCK_NET_OPS_QUERY_H
#define WSLOCK_NET_OPS_QUERY_H

#include "http.h"
#include "wslock/lock/types.h"

enum ops_parameter {
    OPS_TYPE,
    OPS_USER,
    OPS_SEARCH,
    OPS_AFTER,
    OPS_LIMIT,
    OPS_FOLLOW,
    OPS_ACTOR,
    OPS_PARAMETERS,
};
#define OPS_TAKES(parameter) (1u << (parameter))

#define OPS_VALUE_MAX 256 /* bytes, of each */
#define OPS_LIMIT_MAX 1000
#define OPS_LIMIT_DEFAULT 100

struct ops_query {
    char value[OPS_PARAMETERS][OPS_VALUE_MAX + 8]; /* empty: not given. `after` may be longer */
    int64_t limit;                                 /* entries of a page */
};

/* takes: a set of OPS_TAKES. False: response says what is wrong. */
bool ops_read_query(const struct http_request *request, unsigned takes, struct ops_query *out,
                    struct http_response *response);
static inline struct str ops_value(const struct ops_query *q, enum ops_parameter p) {
    return str_of(q->value[p]);
}
/* Records ADMIN_QUERY: who reads what, `what` and the parameters. resource: or empty. False:
 * response says that the audit forbids it. */
bool ops_record_query(const struct http_request *request, const struct ops_query *q,
                      struct str resource, const char *what, struct http_response *response);

#endif
