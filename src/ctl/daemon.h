/* The daemon: where its operations endpoint is, by the options, and what it answers. */
#ifndef CTL_DAEMON_H
#define CTL_DAEMON_H

#include <jansson.h>

#include "ctl.h"
#include "http_client.h"

#define CTL_READ_MS 10000   /* for what is known at once */
#define CTL_CHANGE_MS 15000 /* for a change: longer than the daemon waits for its audit */
#define CTL_LIST_MS 25000   /* for a list: longer than the daemon may take for one */

struct ctl_daemon {
    struct config *config; /* or NULL */
    char *path;            /* or NULL */
    bool guessed;          /* by default, without an option */
    struct ctl_endpoint endpoint;
    struct ctl_http *http;
    struct buf token; /* of the operator; read when it is needed first */
};

struct ctl_answer {
    int status;
    struct buf body;
    json_t *json; /* the body as an object, or NULL */
};

/* --socket, the one of --config (or its TCP address), or ops.sock in the state directory. CTL_OK,
 * or something else after a message. Call ctl_daemon_forget in any case. */
enum ctl_exit ctl_daemon_find(const struct ctl_options *options, struct ctl_daemon *out) MUST_CHECK;
void ctl_daemon_forget(struct ctl_daemon *daemon);
/* CTL_OK: *status is set and the answer's body appended, whatever it says. Something else after a
 * message: there is no answer. /v1/ has the operator's token, over TCP. request->token is ignored.
 */
enum ctl_exit ctl_daemon_ask(struct ctl_daemon *daemon, const struct ctl_request *request,
                             int *status, struct buf *body) MUST_CHECK;

/* `/v1/locks/R` and the rest; on the heap. NULL after a message: no resource. */
char *ctl_lock_path(const char *resource, const char *rest) MUST_CHECK;
/*
 * The same for /v1/. CTL_OK: the daemon did what was asked. Otherwise the exit is that of the
 * daemon's error, and a message about `subject` has been printed, unless that is NULL: then only if
 * there is no answer (status 0). Call ctl_answer_fini in any case.
 */
enum ctl_exit ctl_daemon_request(struct ctl_daemon *daemon, const struct ctl_request *request,
                                 const char *subject, struct ctl_answer *out) MUST_CHECK;
/* The daemon's error as a message. subject may be NULL. */
void ctl_answer_complain(const struct ctl_answer *answer, const char *subject);
void ctl_answer_fini(struct ctl_answer *answer);
/* `now` of the answer, by which its other times count; this machine's clock if it has none. */
int64_t ctl_answer_now(const struct ctl_answer *answer);
/* The body on standard output as it came, with a line end. */
void ctl_answer_print(const struct ctl_answer *answer);

#endif
