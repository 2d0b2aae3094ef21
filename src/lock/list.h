/* Lists of locks, for operators. */
#ifndef WSLOCK_SRC_LOCK_LIST_H
#define WSLOCK_SRC_LOCK_LIST_H

#include "state.h"

void listings_init(struct lock_store *store);
/* Those that are left end with LOCK_UNAVAILABLE. The links are gone. */
void listings_fini(struct lock_store *store);

#endif
