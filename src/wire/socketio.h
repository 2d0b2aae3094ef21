/*
 * Socket.IO 5 on Engine.IO 4, its main namespace: packets of a client, and those of a server as
 * Engine.IO messages, whose type "4" stands first. There are no attachments. Private to the module.
 */
#ifndef WSLOCK_WIRE_SOCKETIO_H
#define WSLOCK_WIRE_SOCKETIO_H

#include "framing.h"
#include "wslock/base/macros.h"
#include "wslock/wire/request.h"

#define SOCKETIO_NAMESPACE_MAX 128 /* bytes */

enum socketio_type {
    SOCKETIO_CONNECT,
    SOCKETIO_DISCONNECT,
    SOCKETIO_EVENT,
    SOCKETIO_ACK,
    SOCKETIO_CONNECT_ERROR,
};

struct socketio_packet {
    enum socketio_type type;
    struct str space;   /* the namespace; empty: the main one */
    struct str id;      /* of the acknowledgement: digits; or empty */
    struct str payload; /* JSON, not checked; or empty */
};

/* Splits a packet. False: its type is unknown or has attachments, or its parts have not the form of
 * a packet of that type. */
bool socketio_split(struct str text, struct socketio_packet *out) MUST_CHECK;

/* Packets of a message. */
void socketio_make(const struct wire_message *m, struct frame *out[WIRE_FRAMES_MAX]);
/* The message answers CONNECT. Accepted: CONNECT with this sid comes before the event. Refused:
 * CONNECT_ERROR takes its place, whose `data` is the event's. */
void socketio_accept(struct wire_message *m, struct str sid);
void socketio_refuse(struct wire_message *m, const char *message);

#endif
