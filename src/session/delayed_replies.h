/* Answers to takeovers, sent when the audit has the takeover on disk. */
#ifndef WSLOCK_SESSION_DELAYED_REPLIES_H
#define WSLOCK_SESSION_DELAYED_REPLIES_H

#include "membership.h"

/* Takes over the frame. The events of the room wait for it. token: of the lock that was granted, or
 * 0. */
void delayed_reply_send(struct session *s, struct membership *m, int64_t token,
                        struct wire_message *message);
/* None is sent any more. */
void delayed_replies_forget(struct gateway *g);

#endif
