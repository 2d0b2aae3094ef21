/* The output of connections. A function that returns false has called conn_fail: the socket has
 * failed. */
#ifndef WSLOCK_NET_OUTPUT_H
#define WSLOCK_NET_OUTPUT_H

#include "state.h"

/* Earlier output waits for the socket. */
bool conn_is_busy(const struct conn *c);
/* Sends gathered frames, then this. Keeps what the socket does not take. */
bool conn_write(struct conn *c, const void *bytes, size_t len);
/* Gathers the frame: all frames of a turn of the loop are sent in one write at its end. Not while
 * the connection is busy. */
bool conn_send_frame(struct conn *c, struct frame *frame);
bool conn_write_gathered(struct conn *c);
void conn_forget_gathered(struct conn *c);
/* Of every connection. */
void net_write_gathered(struct net *n);
/* Before its end, if the turn has lasted long. */
void net_write_if_long(struct net *n);
/* Sends what was kept. True: nothing is kept any more. False also if the socket takes no more. */
bool conn_flush(struct conn *c);
/* Ends the output: sends what is left, and gives the client time to read it and to close. */
void conn_drain(struct conn *c);

#endif
