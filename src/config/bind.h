/* A tree bound to a struct by the table's rows, and the struct's end. */
#ifndef WSLOCK_CONFIG_BIND_H
#define WSLOCK_CONFIG_BIND_H

#include "table.h"
#include "tree.h"

/* Fills the zeroed struct with every default, then with what the tree says. */
void config_bind(struct config *config, const struct config_node *root,
                 struct config_problems *problems);
/* Frees what the rows of a scope filled in. */
void config_scope_fini(const struct config_scope *scope, void *base);

/* Item `i` of a LIST or NAMED row's array, and its length. */
void *config_item_at(const struct config_row *row, const void *base, size_t i);
size_t config_item_count(const struct config_row *row, const void *base);

#endif
