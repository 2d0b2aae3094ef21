/* Socket.IO 5 on Engine.IO 4 over WebSocket: what comes from a server, as little as a crowd needs.
 */
#ifndef WSLOCK_BENCH_SOCKETIO_H
#define WSLOCK_BENCH_SOCKETIO_H

#include <stdbool.h>
#include <stddef.h>

#define SOCKETIO_PATH "/socket.io/?EIO=4&transport=websocket"
#define SOCKETIO_PONG "3"

enum socketio_kind {
    SOCKETIO_OPEN,      /* to be answered by a connect packet, 40{...} */
    SOCKETIO_PING,      /* to be answered by SOCKETIO_PONG */
    SOCKETIO_CONNECTED, /* to the namespace */
    SOCKETIO_MESSAGE,   /* an event, or the acknowledgement of one */
    SOCKETIO_UNKNOWN,   /* an error, an end, or what no peer sends */
};

struct socketio_message {
    const char *event; /* of an acknowledgement: its item `reply`, the first; borrowed */
    size_t event_len;
    bool is_reply;
};

/* Sets *m for SOCKETIO_MESSAGE. */
enum socketio_kind socketio_parse(const char *text, size_t len, struct socketio_message *m);

#endif
