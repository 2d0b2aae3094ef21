/*
 * The floor: a bare epoll WebSocket server that reads what the daemon would read and writes what it
 * would write, prebuilt, with no logic between. It runs as a child, so that its CPU time can be
 * taken.
 */
#ifndef WSLOCK_BENCH_FLOOR_H
#define WSLOCK_BENCH_FLOOR_H

#include <stdint.h>
#include <sys/types.h>

enum floor_kind {
    FLOOR_ECHO,    /* a request gets one frame, as long as the daemon's reply */
    FLOOR_SAME_IO, /* and the frames of the events that it causes, as one more write */
    FLOOR_FAN_OUT, /* a request gets its reply, and every connection each event, prebuilt */
};

/* Starts it, on *port of 127.0.0.1; its process id, to be given to process_stop. -1 on failure. */
pid_t floor_start(enum floor_kind kind, uint16_t *port);

#endif
