/* The line that `systemctl status` shows. */
#ifndef WSLOCK_APP_STATUS_LINE_H
#define WSLOCK_APP_STATUS_LINE_H

#include <stdint.h>

struct gateway;

/* Looks every second and sends the line when locks can be granted, or no longer; otherwise every
 * ten seconds, if it has changed. To be called often, while the daemon starts and while it serves.
 */
void status_line_update(struct gateway *g, uint64_t now_ms);

#endif
