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

bool redis_cluster_moved(const char *error, const struct redis_address *from,
                         struct redis_address *out) {
    struct str rest = str_of(error), word;

    if (!str_cut(&rest, ' ', &word) || !str_eqz(word, "MOVED") || !str_cut(&rest, ' ', &word)) {
        return false;
    }
    if (rest.len > 0 && memrchr(rest.p, ':', rest.len) == rest.p) { /* the same host */
        char text[REDIS_HOST_LEN + 8];
        int len = snprintf(text, sizeof text, "%s%.*s", from->host, (int)rest.len, rest.p);

        return len > 0 && (size_t)len < sizeof text &&
               redis_address_parse(out, (struct str){text, (size_t)len});
    }
    return redis_address_parse(out, rest);
}
