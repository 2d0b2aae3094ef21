/* The steps that config_load_file, _text and _dev share. */
#ifndef WSLOCK_CONFIG_LOAD_H
#define WSLOCK_CONFIG_LOAD_H

#include "tree.h"

/* A file's tree with its variables expanded; NULL after a problem. */
struct config_node *config_load_tree(const char *path, struct config_problems *problems);
/* Binds and checks a tree and takes it over. NULL if `problems` holds anything afterwards. */
struct config *config_load_bound(struct config_node **root, struct config_problems *problems);

#endif
