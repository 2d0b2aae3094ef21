#include "process.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report.h"

#define START_MS 30000
#define STOP_MS 20000
#define POLL_US 5000

static uint64_t to_ns(const struct timespec *t) {
    return (uint64_t)t->tv_sec * 1000000000u + (uint64_t)t->tv_nsec;
}

uint64_t monotonic_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return to_ns(&now);
}

uint64_t process_cpu_ns(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return 0;
    }
    return to_ns(&used);
}

uint64_t process_rss_bytes(pid_t pid) {
    char path[64];
    unsigned long long total, resident = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return 0;
    }
    if (fscanf(file, "%llu %llu", &total, &resident) != 2) {
        resident = 0;
    }
    fclose(file);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

pid_t process_spawn(const char *const argv[], const char *log) {
    pid_t parent = getpid(), pid = fork();
    if (pid != 0) {
        return pid;
    }
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    /* What is measured must not outlive who measures. */
    if (out < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
        _exit(127);
    }
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execvp(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(STDERR_FILENO, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool process_alive(pid_t pid) {
    siginfo_t info = {0};
    return pid > 0 && waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int process_connect(uint16_t port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    return -1;
}

void process_show_log(const char *path) {
    char line[512];
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        fputs(line, stderr);
    }
    if (file != NULL) {
        fclose(file);
    }
}

bool process_wait_port(pid_t pid, uint16_t port, const char *log) {
    uint64_t end = monotonic_ns() + START_MS * 1000000ull;
    while (process_alive(pid) && monotonic_ns() < end) {
        int fd = process_connect(port);
        if (fd >= 0) {
            close(fd);
            return true;
        }
        usleep(POLL_US);
    }
    process_show_log(log);
    return false;
}

void process_stop(pid_t *pid) {
    if (*pid <= 0) {
        return;
    }
    uint64_t end = monotonic_ns() + STOP_MS * 1000000ull;
    kill(*pid, SIGTERM);
    while (process_alive(*pid) && monotonic_ns() < end) {
        usleep(POLL_US);
    }
    if (process_alive(*pid)) {
        complain("process %d did not stop by itself", (int)*pid);
        kill(*pid, SIGKILL);
    }
    waitpid(*pid, NULL, 0);
    *pid = 0;
}

pid_t process_throttle(pid_t pid) {
    pid_t parent = getpid(), child = fork();
    if (child != 0) {
        return child;
    }
    closefrom(STDERR_FILENO + 1); /* else connections would outlive their closing here */
    while (getppid() == parent && kill(pid, SIGSTOP) == 0) {
        usleep(20000);
        kill(pid, SIGCONT);
        usleep(10000);
    }
    _exit(0);
}

void process_unthrottle(pid_t *throttle, pid_t pid) {
    process_stop(throttle);
    kill(pid, SIGCONT);
}

/* Whether nobody listens on it; 0: any. *port is which. */
static bool port_is_free(uint16_t *port) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(*port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && bind(fd, (struct sockaddr *)&address, len) == 0 &&
              getsockname(fd, (struct sockaddr *)&address, &len) == 0;
    if (fd >= 0) {
        close(fd);
    }
    *port = ntohs(address.sin_port);
    return ok;
}

uint16_t process_free_port(void) {
    uint16_t port = 0;
    return port_is_free(&port) ? port : 0;
}

uint16_t process_free_cluster_port(void) {
    static uint16_t next;
    if (next == 0) {
        next = (uint16_t)(12000 + getpid() % 9000);
    }
    for (unsigned tries = 0; tries < 1000; tries++) {
        uint16_t port = next++, bus = (uint16_t)(port + 10000);
        next = next < 22000 ? next : 12000;
        if (port_is_free(&port) && port_is_free(&bus)) {
            return port;
        }
    }
    return 0;
}

unsigned process_raise_descriptors(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 && getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 0;
    }
    return limit.rlim_cur > 1000000 ? 1000000 : (unsigned)limit.rlim_cur;
}

static void read_value(const char *path, const char *key, char *value, size_t size) {
    char line[256];
    FILE *file = fopen(path, "re");
    snprintf(value, size, "?");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        char *colon = strpbrk(line, ":=");
        if (strncmp(line, key, strlen(key)) != 0 || colon == NULL) {
            continue;
        }
        line[strcspn(line, "\n")] = '\0';
        snprintf(value, size, "%s", colon + 1 + strspn(colon + 1, " \t\""));
        value[strcspn(value, "\"")] = '\0';
        break;
    }
    if (file != NULL) {
        fclose(file);
    }
}

const char *process_machine(void) {
    static char line[400];
    char model[128], system[64];
    struct utsname kernel;
    read_value("/proc/cpuinfo", "model name", model, sizeof model);
    read_value("/etc/os-release", "PRETTY_NAME", system, sizeof system);
    if (uname(&kernel) != 0) {
        return "?";
    }
    snprintf(line, sizeof line, "%s, %ld cores, %ld MiB, Linux %s, %s", model,
             sysconf(_SC_NPROCESSORS_ONLN),
             sysconf(_SC_PHYS_PAGES) / 1024 * (sysconf(_SC_PAGESIZE) / 1024), kernel.release,
             system);
    return line;
}
