/* The command line of wslockctl. */
#ifndef CTL_OPTIONS_H
#define CTL_OPTIONS_H

#include "ctl.h"

struct ctl_parsed {
    struct ctl_options options; /* words: all that are no options */
    bool help, version, wrong;  /* wrong: a message has been printed */
};

/* Call ctl_options_forget in any case. */
void ctl_options_parse(int argc, char **argv, struct ctl_parsed *out);
void ctl_options_forget(struct ctl_parsed *parsed);
/* Whether options has all CTL_BITs of `needed`, and no others than these and those of `allowed`,
 * else a message. */
bool ctl_check_options(const struct ctl_options *options, const char *command, unsigned allowed,
                       unsigned needed) MUST_CHECK;

#endif
