/* Configuration, paths and messages for the commands of wslockctl. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wslock/base/mem.h"

#include "ctl.h"
#include "text.h"

#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 3600 * SECOND_MS)

void ctl_complain(const char *fmt, ...) {
    struct buf line;
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0) {
        mem_exhausted();
    }
    va_end(args);
    buf_init(&line);
    buf_append_str(&line, "wslockctl: ");
    ctl_append_printable(&line, str_of(text));
    buf_append_char(&line, '\n');
    fwrite(line.data, 1, line.len, stderr);
    buf_fini(&line);
    free(text);
}

/* directory and rest, concatenated (heap). */
static char *join(const char *directory, const char *rest) {
    struct buf b;

    buf_init(&b);
    buf_append_str(&b, directory);
    buf_append_str(&b, rest);
    buf_cstr(&b);
    return b.data;
}

static void print_problem(void *ctx, const char *file, int line, const char *key,
                          const char *text) {
    (void)ctx;
    if (line > 0) {
        fprintf(stderr, "%s:%d: ", file, line);
    } else {
        fprintf(stderr, "%s: ", file);
    }
    fprintf(stderr, "%s%s%s\n", key, *key ? ": " : "", text);
}

static struct config *load_dev(const struct ctl_options *options) {
    char *state_dir = config_state_dir(options->state_dir);
    char *key = join(state_dir, "/dev-key");
    struct config *config = NULL;

    if (access(key, R_OK) == 0) {
        config = config_load_dev(state_dir, options->config_file, print_problem, NULL);
    } else {
        ctl_complain("no development key in %s: start `wslockd --dev` first, or name its "
                     "--state-dir, or a configuration with --config",
                     state_dir);
    }
    mem_free(key);
    mem_free(state_dir);
    return config;
}

/* Where systemd keeps the credentials of the running service; root can read them. */
#define SERVICE_CREDENTIALS "/run/credentials/wslockd.service"

struct config *ctl_load_config(const struct ctl_options *options) {
    (void)setenv("CREDENTIALS_DIRECTORY", SERVICE_CREDENTIALS, 0);
    if (options->config_file != NULL && options->state_dir == NULL) {
        return config_load_file(options->config_file, print_problem, NULL);
    }
    return load_dev(options);
}

bool ctl_parse_ttl(const char *text, int64_t *out_ms) {
    static const struct {
        const char *suffix;
        int64_t ms;
    } UNITS[] = {
        {"ms", 1}, {"s", SECOND_MS}, {"m", 60 * SECOND_MS}, {"h", 3600 * SECOND_MS}, {"d", DAY_MS}};
    size_t digits = strspn(text, "0123456789");
    long long number;

    if (digits == 0 || digits > 12) {
        return false;
    }
    number = strtoll(text, NULL, 10);
    for (size_t i = 0; i < ARRAY_LEN(UNITS); i++) {
        if (strcmp(text + digits, UNITS[i].suffix) != 0) {
            continue;
        }
        if (number > 365 * DAY_MS / UNITS[i].ms || number * UNITS[i].ms < SECOND_MS) {
            return false;
        }
        *out_ms = number * UNITS[i].ms;
        return true;
    }
    return false;
}
