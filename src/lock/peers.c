/*
 * Who else is there. A store that was emptied has forgotten the other instances, whose reports a
 * recovery window must wait for; so each remembers the others as of the last renewal outside a
 * window, and names them in report_done.
 */
#include "store_private.h"

#include "wslock/base/mem.h"

#define PEERS_MAX 500 /* what report_done takes; more instances than that wait out the window */

void peers_fini(struct lock_store *store) {
    for (size_t i = 0; i < store->peer_count; i++) {
        mem_free(store->peers[i]);
    }
    mem_free(store->peers);
    store->peers = NULL;
    store->peer_count = 0;
}

static void on_peers(void *arg, enum redis_status status, const struct redis_reply *reply,
                     const char *error) {
    struct lock_store *store = arg;
    const struct shard *s = &store->shards[0];
    size_t count = redis_reply_count(reply);

    (void)error;
    if (status != REDIS_OK || count == 0 || s->state != SHARD_SERVING || s->window != 0) {
        return; /* what is remembered is better */
    }
    peers_fini(store);
    store->peers = mem_calloc(count < PEERS_MAX ? count : PEERS_MAX, sizeof *store->peers);
    for (size_t i = 0; i < count && store->peer_count < PEERS_MAX; i++) {
        struct str name;

        if (redis_reply_str(redis_reply_at(reply, i), &name) && name.len > 0 &&
            name.len <= LOCK_INCARNATION_MAX && !str_eqz(name, store->incarnation)) {
            store->peers[store->peer_count++] = mem_strndup(name.p, name.len);
        }
    }
}

void peers_refresh(struct lock_store *store) {
    const struct str argv[] = {str_of("HKEYS"), store->shards[0].keys.instances};

    redis_link_command(store->link, 2, argv, (uint64_t)store->config->redis.command_timeout_ms,
                       on_peers, store);
}
