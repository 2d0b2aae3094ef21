/* Preloaded into redis-server: its wall clock is off by so many milliseconds as the file
 * WSLOCK_TEST_CLOCK_FILE says, as text, whenever it is asked. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long offset_ms(void) {
    const char *path = getenv("WSLOCK_TEST_CLOCK_FILE");
    char text[32] = "";
    int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;

    if (fd < 0) {
        return 0;
    }
    if (read(fd, text, sizeof text - 1) < 0) {
        text[0] = '\0';
    }
    close(fd);
    return strtol(text, NULL, 10);
}

int clock_gettime(clockid_t clock_id, struct timespec *tp) {
    int (*next)(clockid_t, struct timespec *);
    long ms;
    int result;

    *(void **)&next = dlsym(RTLD_NEXT, "clock_gettime");
    result = next(clock_id, tp);
    if (result == 0 && (clock_id == CLOCK_REALTIME || clock_id == CLOCK_REALTIME_COARSE)) {
        ms = offset_ms();
        tp->tv_sec += ms / 1000;
        tp->tv_nsec += ms % 1000 * 1000000;
        if (tp->tv_nsec < 0 || tp->tv_nsec >= 1000000000) {
            tp->tv_sec += tp->tv_nsec < 0 ? -1 : 1;
            tp->tv_nsec += tp->tv_nsec < 0 ? 1000000000 : -1000000000;
        }
    }
    return result;
}

int gettimeofday(struct timeval *restrict tv, void *restrict tz) {
    struct timespec now;

    (void)tz;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return -1;
    }
    tv->tv_sec = now.tv_sec;
    tv->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *timer) {
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (timer != NULL) {
        *timer = now.tv_sec;
    }
    return now.tv_sec;
}
