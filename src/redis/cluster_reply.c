/* Reads and checks the reply to CLUSTER SLOTS, and redirections. */
#include "cluster_reply.h"

#include <stdio.h>
#include <string.h>

const struct redis_address *redis_cluster_master(const struct redis_cluster_map *map,
                                                 unsigned slot) {
    unsigned owner = slot < REDIS_SLOTS ? map->owner[slot] : 0;

    return owner != 0 ? &map->masters[owner - 1] : NULL;
}

/* A node: host, port, id, and more. */
static bool read_master(const struct redis_reply *node, const char *host,
                        struct redis_address *out) {
    const struct redis_reply *told = redis_reply_at(node, 0);
    struct str text = host != NULL ? str_of(host) : (struct str){NULL, 0};
    int64_t port;

    if (redis_reply_count(node) < 2 || !redis_reply_int(redis_reply_at(node, 1), &port)) {
        return false;
    }
    if (!redis_reply_is_nil(told) && !redis_reply_str(told, &text)) {
        return false;
    }
    if (text.len == 0 && host != NULL) { /* it does not know its own address */
        text = str_of(host);
    }
    return redis_address_set(out, text, port);
}

/* The number of the master from 1 on; 0: there are too many. */
static uint16_t number_of(struct redis_cluster_map *map, const struct redis_address *master) {
    for (unsigned i = 0; i < map->master_count; i++) {
        if (redis_address_eq(&map->masters[i], master)) {
            return (uint16_t)(i + 1);
        }
    }
    if (map->master_count == CLUSTER_MASTERS_MAX) {
        return 0;
    }
    map->masters[map->master_count++] = *master;
    return (uint16_t)map->master_count;
}

/* A range: first slot, last slot, the master, its replicas. */
static bool take_range(const struct redis_reply *range, const char *host,
                       struct redis_cluster_map *map) {
    struct redis_address master;
    int64_t first, last;
    uint16_t number;

    if (!redis_reply_int(redis_reply_at(range, 0), &first) ||
        !redis_reply_int(redis_reply_at(range, 1), &last) || first < 0 || last < first ||
        last >= REDIS_SLOTS || !read_master(redis_reply_at(range, 2), host, &master)) {
        return false;
    }
    number = number_of(map, &master);
    for (int64_t slot = first; slot <= last; slot++) {
        if (number == 0 || map->owner[slot] != 0) {
            return false;
        }
        map->owner[slot] = number;
    }
    return true;
}

bool cluster_reply_map(const struct redis_reply *reply, const char *host,
                       struct redis_cluster_map *map, const char **problem) {
    size_t count = redis_reply_count(reply);

    memset(map, 0, sizeof *map);
    if (count == 0) {
        *problem = "it knows no slots";
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!take_range(redis_reply_at(reply, i), host, map)) {
            *problem = "its answer does not say where the slots are";
            return false;
        }
    }
    return true;
}

static bool read_target(struct str text, const struct redis_address *from,
                        struct redis_address *out) {
    char same_host[REDIS_HOST_LEN + 8];
    int len;

    if (text.len == 0 || memrchr(text.p, ':', text.len) != text.p) {
        return redis_address_parse(out, text);
    }
    len = snprintf(same_host, sizeof same_host, "%s%.*s", from->host, (int)text.len, text.p);
    return len > 0 && (size_t)len < sizeof same_host &&
           redis_address_parse(out, (struct str){same_host, (size_t)len});
}

bool redis_cluster_redirect(const char *error, const struct redis_address *from,
                            struct redis_address *out) {
    struct str rest = str_of(error), code, slot;

    if (!str_cut(&rest, ' ', &code) || (!str_eqz(code, "MOVED") && !str_eqz(code, "ASK")) ||
        !str_cut(&rest, ' ', &slot) || !read_target(rest, from, out)) {
        return false;
    }
    out->asking = str_eqz(code, "ASK");
    return true;
}
