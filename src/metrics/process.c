/* The metrics that Prometheus' own client libraries give each process. */
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "wslock/metrics/metrics.h"

#define OPEN_FDS "/proc/self/fd"

/* The first two numbers of statm are pages: virtual, resident. */
static void collect_memory(void) {
    char text[128];
    double page_bytes = (double)sysconf(_SC_PAGESIZE);
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t len = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0) {
        close(fd);
    }
    if (len <= 0) {
        return;
    }
    text[len] = '\0';
    char *end;
    metrics_set(METRIC_PROCESS_VIRTUAL, (double)strtoul(text, &end, 10) * page_bytes, NULL, NULL);
    metrics_set(METRIC_PROCESS_RSS, (double)strtoul(end, NULL, 10) * page_bytes, NULL, NULL);
}

/* Without `.`, `..` and the descriptor of the folder itself. 0: the folder cannot be read. */
static size_t list_fds(void) {
    DIR *folder = opendir(OPEN_FDS);
    size_t count = 0;
    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count > 3 ? count - 3 : 0;
}

/* Since Linux 6.2 the size of the folder is the number; listing takes a millisecond a thousand. */
static void collect_fds(void) {
    struct stat st;
    struct rlimit limit;
    size_t open_fds = stat(OPEN_FDS, &st) == 0 ? (size_t)st.st_size : 0;
    open_fds = open_fds != 0 ? open_fds : list_fds();
    if (open_fds != 0) {
        metrics_set(METRIC_PROCESS_OPEN_FDS, (double)open_fds, NULL, NULL);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        metrics_set(METRIC_PROCESS_MAX_FDS, (double)limit.rlim_cur, NULL, NULL);
    }
}

void metrics_collect_process(void) {
    struct timespec cpu;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        metrics_set(METRIC_PROCESS_CPU, (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9, NULL, NULL);
    }
    collect_memory();
    collect_fds();
}
