/* Takes the listening sockets that systemd passes. */
#include "passed_sockets.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wslock/base/log.h"
#include "wslock/base/mem.h"

static int option(int fd, int name) {
    int value = -1;
    socklen_t len = sizeof value;
    return getsockopt(fd, SOL_SOCKET, name, &value, &len) == 0 ? value : -1;
}

static bool is_tcp_listener(int fd) {
    int domain = option(fd, SO_DOMAIN);
    return (domain == AF_INET || domain == AF_INET6) && option(fd, SO_TYPE) == SOCK_STREAM &&
           option(fd, SO_ACCEPTCONN) == 1;
}

static struct net_socket *find(const struct net_parts *parts, const char *name, size_t *count) {
    struct net_socket *found = NULL;
    *count = 0;
    for (size_t i = 0; i < parts->socket_count; i++) {
        if (strcmp(parts->sockets[i].name, name) == 0) {
            found = &parts->sockets[i];
            (*count)++;
        }
    }
    return found;
}

int passed_sockets_take(const struct net_parts *parts, const char *name, char **problem) {
    size_t count;
    struct net_socket *s = find(parts, name, &count);
    if (count != 1) {
        *problem = mem_printf("systemdSocket %s: systemd has passed %s of this name", name,
                              count == 0 ? "no socket" : "several sockets");
        return -1;
    }
    if (!is_tcp_listener(s->fd)) {
        *problem = mem_printf("systemdSocket %s: not a listening TCP socket", name);
        return -1;
    }
    int fd = s->fd, flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        *problem = mem_printf("systemdSocket %s: %m", name);
        return -1;
    }
    s->fd = -1;
    return fd;
}

void passed_sockets_close(const struct net_parts *parts) {
    for (size_t i = 0; i < parts->socket_count; i++) {
        struct net_socket *s = &parts->sockets[i];
        if (s->fd >= 0) {
            log_warn("systemd_socket_unused", LF("name", s->name),
                     LF("effect", "no listener has this systemdSocket: it is closed"));
            close(s->fd);
            s->fd = -1;
        }
    }
}
