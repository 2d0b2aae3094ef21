/* Asks the terminal for its width and colours. */
#include "terminal.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

size_t ctl_terminal_width(void) {
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    long width = 0;

    if (columns != NULL && strspn(columns, "0123456789") == strlen(columns)) {
        width = strtol(columns, NULL, 10);
    }
    if (width <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
        width = size.ws_col;
    }
    return width > 0 ? (size_t)width : SIZE_MAX;
}

/* https://no-color.org: set and not empty */
static bool has_styles(void) {
    const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return (off == NULL || *off == '\0') && isatty(STDOUT_FILENO) == 1 &&
           (terminal == NULL || strcmp(terminal, "dumb") != 0);
}

const char *ctl_style_begin(enum ctl_style style) {
    static const char *const SEQUENCES[] = {"", "\033[1m", "\033[32m", "\033[33m", "\033[36m"};

    return style != CTL_PLAIN && has_styles() ? SEQUENCES[style] : "";
}

const char *ctl_style_end(enum ctl_style style) {
    return style != CTL_PLAIN && has_styles() ? "\033[0m" : "";
}
