/* The line that `systemctl status` shows. */
#ifndef WSLOCK_APP_STATUS_LINE_H
#define WSLOCK_APP_STATUS_LINE_H

#include <stdint.h>

struct gateway;

/* Sends the line if it has changed, at most every ten seconds once the store has been reached. To
 * be called often, while the daemon starts and while it serves. */
void status_line_update(struct gateway *g, uint64_t now_ms);

#endif
