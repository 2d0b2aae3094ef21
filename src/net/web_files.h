/* The demo page, the JavaScript client and the dashboard, embedded by src/web.cmake. */
#ifndef WSLOCK_NET_WEB_FILES_H
#define WSLOCK_NET_WEB_FILES_H

#include <stddef.h>

struct web_file {
    const char *path; /* "/" for index.html; NULL: the end of the table */
    const char *type, *etag;
    const unsigned char *data;
    size_t len;
};

extern const struct web_file WEB_FILES[];
extern const struct web_file DASHBOARD_FILES[];

#endif
