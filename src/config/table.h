/*
 * The one table of keys. Parsing, type and range checks, defaults, `--print-config` and the
 * reference page are all driven by its rows; a new key is a new row and a field in struct config.
 */
#ifndef WSLOCK_CONFIG_TABLE_H
#define WSLOCK_CONFIG_TABLE_H

#include "format.h"

enum config_type {
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_INT,      /* int */
    CONFIG_TYPE_COUNT,    /* int64_t */
    CONFIG_TYPE_DURATION, /* int64_t, ms */
    CONFIG_TYPE_SIZE,     /* int64_t, bytes */
    CONFIG_TYPE_TEXT,     /* char * */
    CONFIG_TYPE_FILE,     /* char *, `credential:NAME` resolved */
    CONFIG_TYPE_CHOICE,   /* an enum: the place of a word in `words` */
    CONFIG_TYPE_FLAG,     /* a bool: the place of a word in `words` */
    CONFIG_TYPE_STRINGS,  /* struct config_strings */
    CONFIG_TYPE_SECTION,  /* a mapping whose rows follow under its path */
    CONFIG_TYPE_STRUCT,   /* a mapping with rows of its own scope */
    CONFIG_TYPE_LIST,     /* a list of such mappings */
    CONFIG_TYPE_NAMED,    /* a mapping from a type's name to such mappings, each over `default` */
};

enum config_reload {
    CONFIG_RELOAD_LIVE,    /* a reload changes it */
    CONFIG_RELOAD_RESTART, /* only a restart changes it */
    CONFIG_RELOAD_NAME,    /* a file: a reload changes its name, only a restart its directory */
};

struct config_scope;

struct config_row {
    const char *path; /* within its scope */
    enum config_type type;
    const char *fallback;       /* a plain scalar or a flow list; NULL: nothing */
    int64_t min, max;           /* of BOOL to SIZE, inclusive */
    const char *const *words;   /* NULL-terminated */
    config_format_check *check; /* of TEXT, FILE and each of STRINGS; or NULL */
    const char *shape;          /* the same in words, for the reference page; or NULL */
    const char *null_means;     /* what `null` stands for; NULL: it is refused */
    enum config_reload reload;
    bool required;  /* wherever the mapping around it stands */
    bool secret;    /* never shown in a problem, masked by config_print, wiped when freed */
    bool lone;      /* STRINGS: one string may stand for a list of one */
    bool present;   /* SECTION: `offset` is a bool that tells whether the mapping stands there */
    bool droppable; /* SECTION: printed as null when nothing in it is set */
    size_t offset;
    size_t count_offset;              /* LIST, NAMED */
    const struct config_scope *scope; /* STRUCT, LIST, NAMED */
    const char *doc;                  /* one line of Markdown */
};

struct config_scope {
    const struct config_row *rows;
    size_t count;
    size_t size_bytes; /* of the struct that the rows fill */
};

extern const struct config_scope CONFIG_ROOT;
extern const struct config_scope CONFIG_POLICY;

/* Whether `row` stands directly under `prefix` ("" is the scope itself), and its name there or
 * NULL. */
const char *config_row_name(const struct config_row *row, const char *prefix);

#endif
