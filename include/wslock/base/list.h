/* Intrusive doubly linked list with a sentinel head. Nodes belong to their containers. */
#ifndef WSLOCK_BASE_LIST_H
#define WSLOCK_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "wslock/base/macros.h"

struct list {
    struct list *prev, *next;
};

static inline void list_init(struct list *l) {
    l->prev = l->next = l;
}
static inline bool list_empty(const struct list *l) {
    return l->next == l;
}
static inline void list_push_back(struct list *head, struct list *node) {
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}
static inline size_t list_count(const struct list *head) {
    size_t n = 0;
    for (const struct list *it = head->next; it != head; it = it->next) {
        n++;
    }
    return n;
}
/* Leaves node empty, so removing twice is harmless. */
static inline void list_remove(struct list *node) {
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}
#define LIST_NODE_OF(it, type, member)                                                             \
    ((struct list *)(void *)((char *)(it) + offsetof(type, member)))
/* Walk over the containers; the body may remove `it`, not its successor. At the end `it` would be
 * the container of the head, which is none: it is not accessed. */
#define LIST_FOREACH_ENTRY(type, it, member, head)                                                 \
    for (type *it = CONTAINER_OF((head)->next, type, member),                                      \
              *it##_next = CONTAINER_OF(LIST_NODE_OF(it, type, member)->next, type, member);       \
         LIST_NODE_OF(it, type, member) != (head); it = it##_next,                                 \
              it##_next = CONTAINER_OF(LIST_NODE_OF(it, type, member)->next, type, member))

#endif
