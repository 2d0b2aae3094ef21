/* The states of a shard (state.h). */
#ifndef WSLOCK_SRC_LOCK_SHARD_H
#define WSLOCK_SRC_LOCK_SHARD_H

#include "script.h"

/* Set once, by store.c. */
struct shard_hooks {
    /* The shard is served, from now on or again. */
    void (*on_serving)(struct shard *s);
    /* The store has another layout than this instance needs. */
    void (*on_unusable)(struct shard *s, const char *problem);
    /* The shard's server has refused a call, or to read events. */
    void (*on_refused)(struct shard *s, const char *error);
    /* The configured server is a node of a Cluster. */
    void (*on_cluster)(struct lock_store *store);
    /* The lease has lapsed, at a node that is not up. */
    void (*on_lapsed)(struct shard *s);
    /* Called again and again while a node is not up. */
    void (*on_node_away)(struct lock_node *node);
};

/* A node has to take it (node.h) before it is opened. */
void shard_init(struct shard *s, struct lock_store *store, unsigned index);
void shard_fini(struct shard *s);
void shard_open(struct shard *s);
void shard_away(struct shard *s);
/* now_ms: boot time. */
bool shard_is_leased(const struct shard *s, uint64_t now_ms);
/* Whether requests may be sent now. If the lease has lapsed, renews it. */
bool shard_serves(struct shard *s);
/* Ends the lease of this instance. */
void shard_give_up_lease(struct shard *s);
/* The store's clock was set forward, or back (< 0): the next renewal reports it. */
void shard_note_step(struct shard *s, int64_t step_ms);
/* Takes tick and window from a reply. */
void shard_note(struct shard *s, const struct script_reply *reply);
/* Resynchronises the shard if a window is open that was not reported in. Call it after the reply
 * was handled. */
void shard_check_window(struct shard *s);
/* Events up to this tick were not read. */
void shard_missed(struct shard *s, int64_t tick);
/* Reports everything (again). reason: for the log and wslock_resyncs_total. */
void shard_resync(struct shard *s, const char *reason);
/* One report of a round has its answer. True: the store refused the shard's tick, and ticks start
 * again at the store's; the caller calls on_rewound. */
bool shard_report_ended(const struct script_call *call,
                        const struct script_reply *reply) MUST_CHECK;
/* All reports of this round were answered. ok: with success. */
void shard_sync_ended(struct shard *s, unsigned round, bool ok);

#endif
