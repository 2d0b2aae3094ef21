/* nchan (an nginx module): fan-out from one publisher by HTTP to subscribers over WebSocket. */
#ifndef WSLOCK_BENCH_NCHAN_H
#define WSLOCK_BENCH_NCHAN_H

#include "fanout.h"

/* Starts nginx with it, files in `folder`, on *port of 127.0.0.1. 0, which was told, where it is
 * not installed or does not start. */
pid_t nchan_start(const char *folder, uint16_t *port);
void nchan_stop(pid_t *nginx);

/* As fanout_round, with the same rhythm of one event and two. */
bool nchan_round(unsigned subscribers, uint16_t port, unsigned run_ms, pid_t nginx,
                 struct fanout_cost *cost) MUST_CHECK;

#endif
