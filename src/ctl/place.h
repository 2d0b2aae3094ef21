/* Where the daemon's operations endpoint is, by the options. */
#ifndef CTL_PLACE_H
#define CTL_PLACE_H

#include "ctl.h"
#include "http_client.h"

#define CTL_ANSWER_MS 5000

struct ctl_place {
    struct config *config; /* or NULL */
    char *path;            /* or NULL */
    bool guessed;          /* by default, without an option */
    struct ctl_endpoint endpoint;
};

/* --socket, the one of --config (or its TCP address), or ops.sock in the state directory. False
 * after a message. Call ctl_place_forget in any case. */
bool ctl_place_find(const struct ctl_options *options, struct ctl_place *out) MUST_CHECK;
void ctl_place_forget(struct ctl_place *place);
/* Appends the answer's body. False after a message: there is no answer. */
bool ctl_place_ask(const struct ctl_place *place, const struct ctl_request *request, int *status,
                   struct buf *body) MUST_CHECK;

#endif
