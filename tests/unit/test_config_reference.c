/*
 * docs/configuration.md, docs/man/wslockd.yaml.5 and config/wslockd.yaml against the table of keys.
 * The reference part of a page, between two marks, is generated; `--write` puts it there
 * (`cmake --build build --target config-reference`).
 */
#include "test_config_util.h"

static const struct page {
    const char *path, *begin, *end;
    void (*write)(struct buf *out);
} PAGES[] = {
    {SOURCE_DIR "/docs/configuration.md", "<!-- reference: begin -->\n",
     "<!-- reference: end -->\n", config_write_reference},
    {SOURCE_DIR "/docs/man/wslockd.yaml.5", ".\\\" reference: begin\n", ".\\\" reference: end\n",
     config_write_man_reference},
};
static const char EXAMPLE[] = SOURCE_DIR "/config/wslockd.yaml";

/* The page's text with a fresh reference; `stale` is what it was. */
static void make_page(const struct page *page, struct buf *stale, struct buf *fresh) {
    const char *begin, *end;

    buf_init(stale);
    buf_init(fresh);
    read_whole(page->path, stale);
    begin = strstr(stale->data, page->begin);
    assert_non_null(begin);
    begin += strlen(page->begin);
    end = strstr(begin, page->end);
    assert_non_null(end);
    buf_append(fresh, stale->data, (size_t)(begin - stale->data));
    page->write(fresh);
    buf_append_str(fresh, end);
    buf_cstr(fresh);
}

static void test_pages_are_fresh(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        struct buf stale, fresh;

        make_page(&PAGES[i], &stale, &fresh);
        if (strcmp(stale.data, fresh.data) != 0) {
            fail_msg("%s is stale: build the target config-reference", PAGES[i].path);
        }
        buf_fini(&stale);
        buf_fini(&fresh);
    }
}

/* Every name that --print-config can write stands in the text. */
static void check_names(const char *text) {
    struct config *c = load_good("listen: [{address: 127.0.0.1, port: 1,\n"
                                 "  tls: {certificate: c, key: k}}]\n"
                                 "redis: {sentinel: {master: m, nodes: [\"a:1\"]}}\n" KEYS);
    struct buf printed;
    const char *line;

    buf_init(&printed);
    config_print(c, &printed);
    for (line = buf_cstr(&printed); *line; line = strchr(line, '\n') + 1) {
        char name[64];

        line += strspn(line, " -");
        (void)snprintf(name, sizeof name, "%.*s:", (int)strcspn(line, ":"), line);
        if (strstr(text, name) == NULL) {
            fail_msg("the example says nothing about %s", name);
        }
    }
    buf_fini(&printed);
    config_destroy(&c);
}

static void test_example_has_every_key(void **state) {
    struct buf text;

    (void)state;
    buf_init(&text);
    read_whole(EXAMPLE, &text);
    check_names(text.data);
    buf_fini(&text);
}

/* The example loads although none of its files exist, and apart from what is marked as an example
 * it says what holds without it. */
static void test_example_loads(void **state) {
    struct config *c, *defaults;
    struct buf problems;

    (void)state;
    buf_init(&problems);
    c = config_load_file(EXAMPLE, gather, &problems);
    assert_string_equal(buf_cstr(&problems), "");
    assert_non_null(c);
    assert_int_equal(c->listen_count, 1);
    assert_int_equal(c->listen[0].port, 8443);
    assert_int_equal(c->type_count, 3);
    defaults = load_good(LISTEN KEYS);
    assert_int_equal(c->default_policy.lock_ttl_ms, defaults->default_policy.lock_ttl_ms);
    assert_memory_equal(&c->limits, &defaults->limits, sizeof c->limits);
    assert_int_equal(c->auth.jwks_max_age_ms, defaults->auth.jwks_max_age_ms);
    assert_string_equal(c->redis.url, defaults->redis.url);
    assert_int_equal(c->redis.lease_ms, defaults->redis.lease_ms);
    assert_string_equal(c->audit.file, defaults->audit.file);
    config_destroy(&defaults);
    config_destroy(&c);
    buf_fini(&problems);
}

static int write_pages(void) {
    for (size_t i = 0; i < ARRAY_LEN(PAGES); i++) {
        struct buf stale, fresh;

        make_page(&PAGES[i], &stale, &fresh);
        if (strcmp(stale.data, fresh.data) != 0) {
            write_file(PAGES[i].path, fresh.data);
        }
        buf_fini(&stale);
        buf_fini(&fresh);
    }
    return 0;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages_are_fresh),
        cmocka_unit_test(test_example_has_every_key),
        cmocka_unit_test(test_example_loads),
    };

    if (argc > 1 && strcmp(argv[1], "--write") == 0) {
        return write_pages();
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
