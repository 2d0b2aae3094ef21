/* docs/protocol.md §9 says of every end what the daemon's table says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "wslock/base/mem.h"
#include "wslock/wire/message.h"

#define PAGE_MAX 262144

/* The section's rows, as they are written. */
static char *read_section(void) {
    FILE *file = fopen(SOURCE_DIR "/docs/protocol.md", "re");
    char *page = mem_zalloc(PAGE_MAX);

    assert_non_null(file);
    size_t len = fread(page, 1, PAGE_MAX - 1, file);
    fclose(file);
    assert_in_range(len, 1, PAGE_MAX - 2);
    char *from = strstr(page, "\n## 9. Closes\n");
    assert_non_null(from);
    char *to = strstr(from + 1, "\n## ");
    assert_non_null(to);
    *to = '\0';
    memmove(page, from, strlen(from) + 1);
    return page;
}

/* As the page puts it. */
static const char *words(const char *lock) {
    if (strcmp(lock, "LEFT") == 0) {
        return "end, `DISCONNECT`";
    }
    if (strcmp(lock, "LOST") == 0) {
        return "by `policy.disconnect`";
    }
    if (strcmp(lock, "TERMINATED") == 0) {
        return "end, `SESSION_TERMINATED`";
    }
    assert_string_equal(lock, "SERVER");
    return "grace";
}

/* The row that begins with the cells `first` and has `reason` in its second: has it `lock` in the
 * third, and `reconnects` or not in the fourth? */
static void check_row(const char *section, const char *first, const char *reason, const char *lock,
                      int reconnect) {
    char row[512], begin[64];
    size_t found = 0;

    snprintf(begin, sizeof begin, "| %s |", first);
    for (const char *line = section; line != NULL; line = strchr(line + 1, '\n')) {
        const char *text = line + (*line == '\n');
        size_t len = strcspn(text, "\n");
        if (strncmp(text, begin, strlen(begin)) != 0 || len >= sizeof row) {
            continue;
        }
        memcpy(row, text, len);
        row[len] = '\0';
        char *second = row + strlen(begin), *third = strchr(second, '|');
        assert_non_null(third);
        *third++ = '\0';
        if (strstr(second, reason) == NULL) {
            continue;
        }
        char *fourth = strchr(third, '|');
        assert_non_null(fourth);
        *fourth++ = '\0';
        found++;
        bool told = strstr(fourth, "reconnects") != NULL;
        if (strstr(third, words(lock)) == NULL || (reconnect >= 0 && told != (reconnect > 0))) {
            fail_msg("%s %s: %s |%s", first, reason, third, fourth);
        }
    }
    if (found != 1) {
        fail_msg("%s %s stands there %zu times", first, reason, found);
    }
}

static void test_page_and_table(void **state) {
    (void)state;
    char *section = read_section(), code[16], reason[64];

#define WIRE_CLOSE(id, number, name, reconnect, lock)                                              \
    snprintf(code, sizeof code, "%d", number);                                                     \
    snprintf(reason, sizeof reason, "`%s`", name);                                                 \
    check_row(section, code, reason, #lock, reconnect);
#include "wslock/wire/tables.def"
#undef WIRE_CLOSE
    static const char *const ends[] = {
        "1000 from you", "another code from you, or none", "no close frame", "1002", "1007",
    };
    size_t row = 0;
#define WIRE_END(id, name, lock)                                                                   \
    assert_true(row < ARRAY_LEN(ends));                                                            \
    check_row(section, ends[row++], "(not announced)", #lock, -1);
#include "wslock/wire/tables.def"
#undef WIRE_END
    assert_int_equal(row, ARRAY_LEN(ends));
    mem_free(section);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_page_and_table)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
