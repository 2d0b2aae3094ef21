/*
 * KEYS and ARGV of a script call. ARGV[1] is a row of MessagePack items, written into a buffer of
 * the store. The lists of keys (SHARD, ROOM) are those of src/lock/lua/README.md; `text`
 * holds the keys that are built for one call.
 */
#ifndef WSLOCK_SRC_LOCK_ARGS_H
#define WSLOCK_SRC_LOCK_ARGS_H

#include "msgpack.h"

#include "wslock/lock/lock.h"

#define ARGS_KEYS_MAX 5
#define ARGS_TEXT_BYTES 2048 /* 3 built keys of at most 49 + 8 + 258 bytes, 516 for `held:` */

struct script_args {
    struct str keys[ARGS_KEYS_MAX];
    int key_count;
    struct buf *packed; /* borrowed */
    size_t used;
    char text[ARGS_TEXT_BYTES];
};

/* The fixed keys of a shard. The strings live as long as the shard. */
struct shard_keys {
    struct str tag; /* "{prefix:N}:" */
    struct str meta, due, events, audit, instances, written, instance;
};

/* Empties packed. */
void args_init(struct script_args *a, struct buf *packed);
/* The arguments so far. Valid until the next one is added. */
struct str args_packed(const struct script_args *a);
void args_str(struct script_args *a, struct str value);
/* p == NULL is sent as false. */
void args_optional(struct script_args *a, struct str value);
void args_int(struct script_args *a, int64_t value);
void args_flag(struct script_args *a, bool value);
/* What is stored with a lock: "<ttl> <idle> <grace> <claim window> <disconnect>". */
void args_policy(struct script_args *a, const struct config_policy *policy);

void args_keys_shard(struct script_args *a, const struct shard_keys *k);
/* holder: the user of the key `held:`; may be empty. */
void args_keys_room(struct script_args *a, const struct shard_keys *k, struct str resource,
                    struct str holder);

/* "type:id", the first two of the three parts of a resource. */
struct str args_document(struct str resource);

#endif
