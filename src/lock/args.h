/*
 * KEYS and the one ARGV of a script call: MessagePack items one behind the other, written into a
 * buffer that the store lends. The lists of keys (SHARD, ROOM, ROOM+) are those of
 * src/lock/lua/README.md; what is not a shard's own is written into `text`.
 */
#ifndef WSLOCK_SRC_LOCK_ARGS_H
#define WSLOCK_SRC_LOCK_ARGS_H

#include "msgpack.h"

#include "wslock/lock/lock.h"

#define ARGS_KEYS_MAX 12
#define ARGS_TEXT_BYTES 4096 /* 8 built keys of at most 49 + 8 + 258 bytes, 516 for `held:` */

struct script_args {
    struct str keys[ARGS_KEYS_MAX];
    int key_count;
    struct buf *packed; /* borrowed */
    size_t used;
    char text[ARGS_TEXT_BYTES];
};

/* The keys of a shard that do not change; strings live as long as the shard. */
struct shard_keys {
    struct str tag; /* "{prefix:N}:" */
    struct str meta, due, events, audit, instances, written, instance;
};

/* Empties packed. */
void args_init(struct script_args *a, struct buf *packed);
/* The ARGV, when all is in. */
struct str args_packed(const struct script_args *a);
void args_str(struct script_args *a, struct str value);
/* false where there is none (p == NULL). */
void args_optional(struct script_args *a, struct str value);
void args_int(struct script_args *a, int64_t value);
void args_flag(struct script_args *a, bool value);
/* What is stored with a lock: "<ttl> <idle> <grace> <claim window> <disconnect>". */
void args_policy(struct script_args *a, const struct config_policy *policy);

void args_keys_shard(struct script_args *a, const struct shard_keys *k);
/* holder: whose `held:` it is; may be empty. */
void args_keys_room(struct script_args *a, const struct shard_keys *k, struct str resource,
                    struct str holder);
/* Adds the two keys of ROOM+ behind ROOM. */
void args_keys_members(struct script_args *a, const struct shard_keys *k, struct str resource);

/* "type:id" of a resource in three parts. */
struct str args_document(struct str resource);

#endif
