/* The program wslockd: options, configuration, then the daemon. */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "daemon.h"
#include "options.h"
#include "wslock/base/mem.h"

static void print_problem(void *ctx, const char *file, int line, const char *key,
                          const char *text) {
    (void)ctx;
    fputs(file, stderr);
    if (line > 0) {
        fprintf(stderr, ":%d", line);
    }
    if (key != NULL && key[0] != '\0') {
        fprintf(stderr, ": %s", key);
    }
    fprintf(stderr, ": %s\n", text);
}

static void print_config(const struct config *config) {
    struct buf out;
    buf_init(&out);
    config_print(config, &out);
    fwrite(out.data, 1, out.len, stdout);
    buf_fini(&out);
}

/* Fails if the output could not be written completely. */
static enum exit_code printed(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return EXIT_CLEAN;
    }
    fprintf(stderr, "wslockd: cannot write to standard output: %s\n", strerror(errno));
    return EXIT_RESOURCE;
}

static enum exit_code with_config(const struct options *o) {
    struct config *config = options_load_config(o, print_problem, NULL);
    if (config == NULL) {
        return EXIT_CONFIGURATION;
    }
    if (o->action == OPTIONS_RUN) {
        if (!o->dev || config_make_dev(config->state_dir, print_problem, NULL)) {
            return daemon_run(config, o);
        }
        config_destroy(&config);
        return EXIT_RESOURCE;
    }
    bool ok = true;
    if (o->action == OPTIONS_PRINT_CONFIG) {
        print_config(config);
    } else if ((ok = check_config(config, o, print_problem))) {
        puts("configuration ok");
    }
    config_destroy(&config);
    return ok ? printed() : EXIT_CONFIGURATION;
}

/* Opens descriptors 0 to 2 if they are closed. Otherwise a socket or file could get one of them,
 * and messages to standard output or error would go there. */
static void open_standard_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd) {
            _exit(EXIT_RESOURCE);
        }
    }
}

/* Settings of the process, made first. */
static void prepare_process(void) {
    umask(0027);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN); /* until the daemon handles it */
    json_object_seed(0);
    OPENSSL_init_ssl(0, NULL);
}

int main(int argc, char **argv) {
    struct options options;
    open_standard_descriptors();
    options_parse(argc, argv, &options);
    switch (options.action) {
    case OPTIONS_WRONG:
        return EXIT_USAGE;
    case OPTIONS_HELP:
        options_print_help();
        return (int)printed();
    case OPTIONS_VERSION:
        puts("wslockd " WSLOCK_VERSION);
        return (int)printed();
    case OPTIONS_RUN:
    case OPTIONS_CHECK_CONFIG:
    case OPTIONS_PRINT_CONFIG:
        break;
    }
    prepare_process();
    return (int)with_config(&options);
}
