/* Where --dev and the embedded Redis keep their files: one rule for the daemon and for wslockctl.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/base/mem.h"
#include "wslock/config/config.h"

static char *below(const char *directory, size_t len, const char *rest) {
    return mem_printf("%.*s%s", (int)len, directory, rest);
}

/* A relative path there is a mistake (XDG Base Directory Specification). */
static const char *variable(const char *name) {
    const char *value = getenv(name);

    return value && value[0] == '/' ? value : NULL;
}

char *config_state_dir(const char *given) {
    const char *directory;
    const struct passwd *user;

    if (given)
        return mem_strdup(given);
    directory = variable("STATE_DIRECTORY");
    if (directory) /* systemd names all of a unit's, with colons between */
        return below(directory, strcspn(directory, ":"), "");
    directory = variable("XDG_STATE_HOME");
    if (directory)
        return below(directory, strlen(directory), "/wslockd");
    directory = variable("HOME");
    if (!directory) {
        user = getpwuid(getuid());
        directory = user ? user->pw_dir : "";
    }
    return below(directory, strlen(directory), "/.local/state/wslockd");
}
