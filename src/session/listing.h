/* Lists of sessions, for operators. */
#ifndef WSLOCK_SESSION_LISTING_H
#define WSLOCK_SESSION_LISTING_H

struct gateway;

/* Those that are being made end empty. */
void listings_forget(struct gateway *g);

#endif
