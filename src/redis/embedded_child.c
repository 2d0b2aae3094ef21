/* Starts and ends the process of the embedded server. */
#include "embedded_child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_LOCK_FD 3

/* Runs between fork and exec: async-signal-safe calls only. */
static void run(const char *program, char *const argv[], int lock_fd, pid_t parent) {
    sigset_t none;
    int null;

    for (int sig = 1; sig < NSIG; sig++) {
        signal(sig, SIG_DFL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    null = open("/dev/null", O_RDWR);
    if (getppid() != parent || null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
        dup2(lock_fd, CHILD_LOCK_FD) < 0 || fcntl(CHILD_LOCK_FD, F_SETFD, 0) != 0) {
        _exit(126);
    }
    close_range(CHILD_LOCK_FD + 1, ~0U, 0);
    execv(program, argv);
    _exit(127);
}

pid_t embedded_child_spawn(const char *program, char *const argv[], int lock_fd) {
    sigset_t all, before;
    pid_t parent = getpid(), pid;
    int error;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before); /* no handler of ours may run in the child */
    pid = fork();
    if (pid == 0) {
        run(program, argv, lock_fd, parent);
    }
    error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

bool embedded_child_end(pid_t pid, uint64_t patience_ms) {
    const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

    kill(pid, SIGTERM);
    for (uint64_t waited_ms = 0; waited_ms < patience_ms; waited_ms += 10) {
        if (waitpid(pid, NULL, WNOHANG) != 0) {
            return true;
        }
        nanosleep(&pause, NULL);
    }
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return false;
}
