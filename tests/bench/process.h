/* Child processes and what they use of the machine. */
#ifndef WSLOCK_BENCH_PROCESS_H
#define WSLOCK_BENCH_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t monotonic_ns(void);

/* CPU time of a process, all its threads, user and system; 0 if there is none of that id. */
uint64_t process_cpu_ns(pid_t pid);
/* Resident memory. */
uint64_t process_rss_bytes(pid_t pid);

/* Starts argv (searched in PATH) with its output in the file `log`. -1 on failure. */
pid_t process_spawn(const char *const argv[], const char *log);
bool process_alive(pid_t pid);
/* Waits until it listens on a port of 127.0.0.1; shows its log where it does not. */
bool process_wait_port(pid_t pid, uint16_t port, const char *log);
/* On standard error. */
void process_show_log(const char *path);
/* SIGTERM, after 20 s SIGKILL; waits. Takes 0 and -1. */
void process_stop(pid_t *pid);

/* Leaves the process a third of its time: a child of this one stops it for 20 ms of each 30 ms. -1
 * on failure. */
pid_t process_throttle(pid_t pid);
/* Takes 0 and -1. */
void process_unthrottle(pid_t *throttle, pid_t pid);

/* A blocking connection to a port of 127.0.0.1; -1 on failure. */
int process_connect(uint16_t port);
/* A port of 127.0.0.1 that nobody listens on now. */
uint16_t process_free_port(void);
/* The same for a node of a Redis Cluster, whose bus has the port 10,000 above; 0 if there is none.
 */
uint16_t process_free_cluster_port(void);
/* Raises this process' limit of descriptors, which children inherit; what it is then. */
unsigned process_raise_descriptors(void);
/* One line about this machine. Static. */
const char *process_machine(void);

#endif
