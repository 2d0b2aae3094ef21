/* Preloaded into the daemon: a disk that takes WSLOCK_TEST_DISK_MS for each sync. */
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int fdatasync(int fildes) {
    const char *text = getenv("WSLOCK_TEST_DISK_MS");
    long ms = text != NULL ? strtol(text, NULL, 10) : 0;
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
    int (*next)(int);
    *(void **)&next = dlsym(RTLD_NEXT, "fdatasync");
    nanosleep(&pause, NULL);
    return next(fildes);
}
