/* Requests that change something at the daemon, and who makes them. */
#ifndef CTL_CHANGE_H
#define CTL_CHANGE_H

#include "daemon.h"

/* Who called sudo, or else the user of this process; on the heap. The audit also has the uid, which
 * cannot be chosen. */
char *ctl_find_actor(void) MUST_CHECK;

/* A change's body: who asks for it, why, for whom. NULL is left out. Borrowed. */
struct ctl_change {
    const char *method, *path;
    const char *reason, *user_id;
    const char *subject; /* as of ctl_daemon_request */
};

/*
 * Finds the daemon, and has it do that. With --json the answer is printed, also a refusal. CTL_OK:
 * out is the daemon's answer. Call ctl_answer_fini in any case.
 */
enum ctl_exit ctl_change(const struct ctl_options *options, const struct ctl_change *change,
                         struct ctl_answer *out) MUST_CHECK;

#endif
