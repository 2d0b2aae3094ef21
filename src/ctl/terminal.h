/* What standard output can show. */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include <stddef.h>

enum ctl_style { CTL_PLAIN, CTL_BOLD, CTL_GREEN, CTL_YELLOW, CTL_CYAN };

/* Columns of a line: of the environment's COLUMNS, or of the terminal. SIZE_MAX: no limit. */
size_t ctl_terminal_width(void);
/* What begins and ends the style; empty without a terminal, and with NO_COLOR. */
const char *ctl_style_begin(enum ctl_style style);
const char *ctl_style_end(enum ctl_style style);

#endif
