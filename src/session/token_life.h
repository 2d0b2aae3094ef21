/* How long a session waits for a token, and how long its token lasts. */
#ifndef WSLOCK_SESSION_TOKEN_LIFE_H
#define WSLOCK_SESSION_TOKEN_LIFE_H

#include "state.h"

/* AUTH: closes the session if no token is accepted within authTimeout of that boot time. */
void session_await_token(struct session *s, uint64_t since_boot_ms);
/* READY: from here on its identity's token counts. */
void session_begin_token(struct session *s);
/* READY: from here on a newer token of the same user counts. Takes over identity. */
void session_replace_token(struct session *s, struct auth_identity *identity);

#endif
