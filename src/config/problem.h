/* Collects the problems found while a configuration is loaded, and reports them by line. */
#ifndef WSLOCK_CONFIG_PROBLEM_H
#define WSLOCK_CONFIG_PROBLEM_H

#include "wslock/config/config.h"

#define CONFIG_MAX_PROBLEMS 1000

struct config_problem;

struct config_problems {
    struct config_problem *items;
    size_t count;
};

/* Adds one; `file` must outlive the collection, the rest is copied. Does nothing when `problems`
 * is NULL (another pass reports the same problems). */
void config_problems_add(struct config_problems *problems, const char *file, int line,
                         const char *key, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Reports all of them, those of one file by line, and empties the collection. */
void config_problems_report(struct config_problems *problems, config_problem_cb on_problem,
                            void *ctx);

#define CONFIG_QUOTE_BYTES 72
/* A value as it may stand in a problem: shortened, without control characters. Returns `out`. */
const char *config_quote(const char *text, char out[CONFIG_QUOTE_BYTES]);

#endif
