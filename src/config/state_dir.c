/* The directory of --dev and of the embedded Redis, the same for the daemon and wslockctl. */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/base/mem.h"
#include "wslock/config/config.h"

static char *below(const char *directory, size_t len, const char *rest) {
    return mem_printf("%.*s%s", (int)len, directory, rest);
}

/* The XDG Base Directory Specification forbids relative paths. */
static const char *variable(const char *name) {
    const char *value = getenv(name);

    return value != NULL && value[0] == '/' ? value : NULL;
}

char *config_state_dir(const char *given) {
    const char *directory;
    const struct passwd *user;

    if (given != NULL) {
        return mem_strdup(given);
    }
    directory = variable("STATE_DIRECTORY");
    if (directory != NULL) /* systemd separates the directories of a unit by colons */
    {
        return below(directory, strcspn(directory, ":"), "");
    }
    directory = variable("XDG_STATE_HOME");
    if (directory != NULL) {
        return below(directory, strlen(directory), "/wslockd");
    }
    directory = variable("HOME");
    if (directory == NULL) {
        user = getpwuid(getuid());
        directory = user != NULL ? user->pw_dir : "";
    }
    return below(directory, strlen(directory), "/.local/state/wslockd");
}
