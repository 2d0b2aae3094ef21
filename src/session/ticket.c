/* The signed ticket that goes with a lock. */
#include "private.h"

#include "wslock/base/log.h"

struct str session_ticket(const struct session *s, struct str resource,
                          const struct lock_view *lock, int64_t now_ms) {
    static struct buf text; /* kept from call to call */
    static struct log_limit limit;
    const struct ticket ticket = {
        .user_id = str_of(s->identity->user_id),
        .resource = resource,
        .fence = lock->token,
        .issued_unix_ms = now_ms,
        .expires_unix_ms = lock->expires_ms,
    };
    if (!s->gateway->parts.tickets)
        return (struct str){NULL, 0};
    buf_reset(&text);
    if (!ticket_sign(s->gateway->parts.tickets, &ticket, &text) && log_limit_pass(&limit, 10))
        log_error("ticket_not_signed", LF("session", s->id), LFS("resource", resource));
    return (struct str){text.data, text.len};
}
