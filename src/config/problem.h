/* Problems found while a configuration is loaded: gathered, then told in the order of their lines.
 */
#ifndef WSLOCK_CONFIG_PROBLEM_H
#define WSLOCK_CONFIG_PROBLEM_H

#include "wslock/config/config.h"

#define CONFIG_MAX_PROBLEMS 1000

struct config_problem;

struct config_problems {
    struct config_problem *items;
    size_t count;
};

/* Adds one; `file` must outlive the collection, the rest is copied. Nothing happens when `problems`
 * is NULL (a pass whose problems another pass tells). */
void config_problems_add(struct config_problems *problems, const char *file, int line,
                         const char *key, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Tells all of them, those of one file by line, and empties the collection. */
void config_problems_report(struct config_problems *problems, config_problem_cb on_problem,
                            void *ctx);

#define CONFIG_QUOTE_BYTES 72
/* A value as it may stand in a problem: shortened, without control characters. Returns `out`. */
const char *config_quote(const char *text, char out[CONFIG_QUOTE_BYTES]);

#endif
