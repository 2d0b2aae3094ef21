/* The help of the commands. Lines that do not begin with a space show how a command is called; bash
 * completion reads the options of a command there. */
#ifndef CTL_HELP_H
#define CTL_HELP_H

extern const char ctl_help_status[];
extern const char ctl_help_locks[];
extern const char ctl_help_show[];
extern const char ctl_help_explain[];
extern const char ctl_help_sessions[];
extern const char ctl_help_drain[];
extern const char ctl_help_undrain[];
extern const char ctl_help_release[];
extern const char ctl_help_takeover[];
extern const char ctl_help_disconnect[];
extern const char ctl_help_reload[];
extern const char ctl_help_ref[];
extern const char ctl_help_audit[];
extern const char ctl_help_token[];
extern const char ctl_help_help[];

#endif
