/*
 * Hash map from byte strings to pointers; keys are copied, values borrowed. Keys may come from
 * outside: SipHash with a random key per process. The map may not be changed during map_each,
 * except that the callback may remove the entry it is shown.
 */
#ifndef WSLOCK_BASE_MAP_H
#define WSLOCK_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/str.h"

struct map;

struct map *map_create(void);
void map_destroy(struct map **m); /* frees no values */
void *map_get(const struct map *m, struct str key);
/* Returns the value that was there before, or NULL. */
void *map_set(struct map *m, struct str key, void *value);
/* Returns the removed value, or NULL. */
void *map_remove(struct map *m, struct str key);
size_t map_count(const struct map *m);
/* Shows some entries, and returns the cursor for the next call; from 0 until it is 0 again. An
 * entry that is there all the time is shown once, also if the map grows between two calls. visit
 * may remove the entry that it is shown. */
size_t map_scan(struct map *m, size_t cursor, void (*visit)(void *ctx, struct str key, void *value),
                void *ctx);
void map_each(struct map *m, void (*visit)(void *ctx, struct str key, void *value), void *ctx);

#endif
