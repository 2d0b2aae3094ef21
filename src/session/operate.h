/* Inside of session/operate.h. */
#ifndef WSLOCK_SESSION_OPERATE_PRIVATE_H
#define WSLOCK_SESSION_OPERATE_PRIVATE_H

struct gateway;

/* Operators who wait for the end of a session get OPERATE_UNAVAILABLE. */
void operate_forget_all(struct gateway *g);

#endif
