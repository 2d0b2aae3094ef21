/*
 * What every message has in common: its beginning and its end, and the pieces that several messages
 * share. Private to the module. One message at a time, in a buffer that is reused.
 */
#ifndef WSLOCK_WIRE_WRITER_H
#define WSLOCK_WIRE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wslock/base/jsonw.h"
#include "wslock/base/str.h"
#include "wslock/wire/message.h"

/* Begins the message's data; its fields follow, then writer_close. event: a static text that needs
 * no escape. Borrows `to` until writer_close. The result belongs to the writer. */
struct jsonw *writer_open(const struct wire_to *to, const char *event);
/* The message with what was written since; the caller has its one reference. */
struct wire_message *writer_close(struct jsonw *w);

/* resourceId and rev. */
void writer_put_at(struct jsonw *w, const struct wire_at *at);
/* userId and username as fields of the open object; minimal: no username. */
void writer_put_person(struct jsonw *w, const struct wire_person *person, bool minimal);
/* The username, or the user id if minimal or without a username. */
struct str writer_display_name(const struct wire_person *person, bool minimal);
/* The object `lock`. */
void writer_put_lock(struct jsonw *w, const struct wire_lock *lock, bool minimal);
/* The object `pending`, unless it would be empty. */
void writer_put_pending(struct jsonw *w, const struct wire_pending *pending, bool minimal);
/* The object `policy`. */
void writer_put_policy(struct jsonw *w, const struct config_policy *policy);

#endif
