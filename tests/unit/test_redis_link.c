#include "redis_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "wslock/redis/link.h"

struct seen {
    int up, down, failed;
    char reason[256];
};

struct answer {
    int count; /* how often the callback ran */
    enum redis_status status;
    char text[256];
    int64_t number;
    bool nil;
};

struct fixture {
    struct redis_server server;
    uv_loop_t loop;
    struct config config;
    struct redis_link *link;
    struct seen seen;
    bool in_call;
};

static struct fixture *current;

static void on_up(void *ctx) {
    ((struct seen *)ctx)->up++;
}

static void on_down(void *ctx, const char *reason) {
    struct seen *seen = ctx;

    seen->down++;
    snprintf(seen->reason, sizeof seen->reason, "%s", reason);
}

static void on_fail(void *ctx, const char *reason) {
    struct seen *seen = ctx;

    seen->failed++;
    snprintf(seen->reason, sizeof seen->reason, "%s", reason);
}

static void on_answer(void *arg, enum redis_status status, const struct redis_reply *reply,
                      const char *error) {
    struct answer *a = arg;
    struct str s;

    assert_false(current->in_call);
    a->count++;
    a->status = status;
    a->nil = redis_reply_is_nil(reply);
    if (redis_reply_str(reply, &s)) {
        snprintf(a->text, sizeof a->text, "%.*s", (int)s.len, s.p);
    } else if (error != NULL) {
        snprintf(a->text, sizeof a->text, "%s", error);
    }
    if (!redis_reply_int(reply, &a->number)) {
        a->number = -1;
    }
}

static void connect_link(struct fixture *f) {
    const struct redis_link_callbacks callbacks = {on_up, on_down, on_fail, &f->seen};

    f->link = redis_link_create(&f->loop, &f->config, "test link", &callbacks);
}

static void ask(struct fixture *f, struct answer *a, uint64_t timeout_ms, const char *line) {
    char copy[256], *save = NULL;
    struct str argv[16];
    int argc = 0;

    snprintf(copy, sizeof copy, "%s", line);
    for (char *word = strtok_r(copy, " ", &save); word != NULL; word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = str_of(word);
    }
    f->in_call = true;
    redis_link_command(f->link, argc, argv, timeout_ms, on_answer, a);
    f->in_call = false;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);

    redis_server_init(&f->server);
    assert_int_equal(uv_loop_init(&f->loop), 0);
    f->config.redis.unix_path = f->server.socket;
    f->config.redis.command_timeout_ms = 2000;
    current = f;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;

    redis_link_destroy(&f->link);
    redis_server_close_loop(&f->loop);
    redis_server_fini(&f->server);
    free(f);
    return 0;
}

static void commands_are_answered(void **state) {
    struct fixture *f = *state;
    struct answer set = {0}, get = {0}, missing = {0}, count = {0}, wrong = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    ask(f, &set, 2000, "SET k v");
    ask(f, &get, 2000, "GET k");
    ask(f, &missing, 2000, "GET nothing");
    ask(f, &count, 2000, "STRLEN k");
    ask(f, &wrong, 2000, "INCR k");
    RUN_UNTIL(&f->loop, wrong.count == 1);
    assert_string_equal(set.text, "OK");
    assert_string_equal(get.text, "v");
    assert_true(missing.nil && missing.status == REDIS_OK);
    assert_int_equal(count.number, 1);
    assert_int_equal(wrong.status, REDIS_REFUSED);
    assert_non_null(strstr(wrong.text, "not an integer"));
}

static void auth_select_and_name(void **state) {
    struct fixture *f = *state;
    const char *const options[] = {"--user", "app",    "on",      ">secret", "~*",
                                   "+@all",  "--user", "default", "off",     NULL};
    struct answer name = {0}, who = {0}, info = {0};

    redis_server_start(&f->server, options);
    f->config.redis.username = (char *)(uintptr_t) "app";
    f->config.redis.password = (char *)(uintptr_t) "secret";
    f->config.redis.database = 3;
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    ask(f, &name, 2000, "CLIENT GETNAME");
    ask(f, &who, 2000, "ACL WHOAMI");
    ask(f, &info, 2000, "CLIENT INFO");
    RUN_UNTIL(&f->loop, info.count == 1);
    assert_string_equal(name.text, "test-link");
    assert_string_equal(who.text, "app");
    assert_non_null(strstr(info.text, " db=3 "));
}

static void wrong_password_is_told(void **state) {
    struct fixture *f = *state;
    const char *const options[] = {"--requirepass", "right", NULL};

    redis_server_start(&f->server, options);
    f->config.redis.password = (char *)(uintptr_t) "wrong";
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.failed >= 2);
    assert_int_equal(f->seen.up, 0);
    assert_int_equal(f->seen.down, 0);
    assert_non_null(strstr(f->seen.reason, "WRONGPASS"));
}

static void reconnects_after_the_server_was_killed(void **state) {
    struct fixture *f = *state;
    struct answer blocked = {0}, refused = {0}, after = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    ask(f, &blocked, 20000, "BLPOP list 0");
    uv_run(&f->loop, UV_RUN_NOWAIT);
    redis_server_kill(&f->server, SIGKILL);
    RUN_UNTIL(&f->loop, f->seen.down == 1);
    assert_int_equal(blocked.count, 1);
    assert_int_equal(blocked.status, REDIS_UNKNOWN);
    ask(f, &refused, 2000, "PING");
    assert_int_equal(refused.count, 0);
    RUN_UNTIL(&f->loop, refused.count == 1);
    assert_int_equal(refused.status, REDIS_UNSENT);
    RUN_UNTIL(&f->loop, f->seen.failed >= 1); /* nobody listens on the socket that is left */
    redis_server_start(&f->server, NULL);
    RUN_UNTIL(&f->loop, f->seen.up == 2);
    ask(f, &after, 2000, "PING");
    RUN_UNTIL(&f->loop, after.count == 1);
    assert_string_equal(after.text, "PONG");
}

static void a_stopped_server_costs_the_deadline(void **state) {
    struct fixture *f = *state;
    struct answer first = {0}, second = {0};
    uint64_t begin;

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    kill(f->server.pid, SIGSTOP);
    begin = uv_hrtime();
    ask(f, &first, 300, "PING");
    ask(f, &second, 5000, "PING");
    RUN_UNTIL(&f->loop, f->seen.down == 1);
    assert_in_range((uv_hrtime() - begin) / 1000000, 299, 1000);
    assert_int_equal(first.status, REDIS_UNKNOWN);
    assert_int_equal(second.status, REDIS_UNKNOWN);
    assert_int_equal(first.count + second.count, 2);
    assert_non_null(strstr(f->seen.reason, "in time"));
    kill(f->server.pid, SIGCONT);
    RUN_UNTIL(&f->loop, f->seen.up == 2);
}

/* A connection that the kernel accepts and nobody answers must not hang the attempt. */
static void a_silent_server_is_given_up(void **state) {
    struct fixture *f = *state;

    redis_server_start(&f->server, NULL);
    kill(f->server.pid, SIGSTOP);
    f->config.redis.command_timeout_ms = 200;
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.failed == 1);
    assert_non_null(strstr(f->seen.reason, "timed out"));
    kill(f->server.pid, SIGCONT);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
}

/* Whoever is away is back in time for a recovery window, which may close after 3 s: between two
 * attempts there is never more than a pause, and an attempt that hangs ends, whatever commands may
 * take. */
static void a_link_that_is_away_tries_often(void **state) {
    struct fixture *f = *state;
    uint64_t begin, last, longest_ms = 0;

    redis_server_start(&f->server, NULL);
    f->config.redis.command_timeout_ms = 60000;
    kill(f->server.pid, SIGSTOP);
    begin = uv_hrtime();
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.failed == 1);
    assert_in_range((uv_hrtime() - begin) / 1000000, 0, 1500);
    assert_non_null(strstr(f->seen.reason, "timed out"));
    kill(f->server.pid, SIGCONT);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    redis_server_kill(&f->server, SIGKILL);
    RUN_UNTIL(&f->loop, f->seen.down == 1);
    last = uv_hrtime();
    for (int i = 2; i < 9; i++) {
        RUN_UNTIL(&f->loop, f->seen.failed == i);
        longest_ms = (uv_hrtime() - last) / 1000000 > longest_ms ? (uv_hrtime() - last) / 1000000
                                                                 : longest_ms;
        last = uv_hrtime();
    }
    assert_in_range(longest_ms, 0, 2000);
}

/* When it was we who stood still, the replies are there and count. */
static void a_stall_of_ours_is_no_timeout(void **state) {
    struct fixture *f = *state;
    struct answer a = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    ask(f, &a, 100, "PING");
    uv_run(&f->loop, UV_RUN_NOWAIT); /* sent */
    redis_server_nap(300);
    RUN_UNTIL(&f->loop, a.count == 1);
    assert_int_equal(a.status, REDIS_OK);
    assert_int_equal(f->seen.down, 0);
}

static void closed_port_fails_at_once(void **state) {
    struct fixture *f = *state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0); /* bound, not listening */

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    f->config.redis.unix_path = NULL;
    f->config.redis.host = (char *)(uintptr_t) "127.0.0.1";
    f->config.redis.port = ntohs(address.sin_port);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.failed == 1);
    assert_non_null(strstr(f->seen.reason, "refused"));
    redis_link_destroy(&f->link);
    f->config.redis.host =
        (char *)(uintptr_t) "localhost"; /* through the resolver, every address */
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.failed == 2);
    assert_non_null(strstr(f->seen.reason, "refused"));
    close(fd);
}

static void a_link_without_a_node_of_the_cluster_stays_down(void **state) {
    struct fixture *f = *state;
    struct answer answer = {0};
    char *nodes[] = {(char *)(uintptr_t) "127.0.0.1:6379"};

    f->config.redis.cluster_nodes = (struct config_strings){nodes, 1, true};
    connect_link(f);
    ask(f, &answer, 1000, "PING");
    RUN_UNTIL(&f->loop, answer.count == 1);
    assert_int_equal(answer.status, REDIS_UNSENT);
    assert_string_equal(redis_link_target(f->link), "cluster 127.0.0.1:6379");
    assert_int_equal(f->seen.failed, 0);
}

#define LIBRARY(body) "#!lua name=test\nredis.register_function('run', function(KEYS) " body " end)"

/* The function `run` of a library that the server does not have yet. */
static const struct redis_script *script_of(const char *source) {
    static struct redis_library library;
    static const struct redis_script script = {"run", &library, "run"};

    library = (struct redis_library){source, strlen(source)};
    return &script;
}

static void a_missing_function_is_loaded_once(void **state) {
    struct fixture *f = *state;
    const struct redis_script *script = script_of(LIBRARY("return redis.call('INCR', KEYS[1])"));
    const struct str key = str_of("counter");
    struct answer answers[20] = {{0}};
    char stats[4096];

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    assert_true(redis_server_ask(&f->server, "CONFIG RESETSTAT", stats, sizeof stats));
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        redis_link_call(f->link, script, 1, &key, 0, NULL, 2000, on_answer, &answers[i]);
    }
    RUN_UNTIL(&f->loop, answers[19].count == 1);
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        assert_int_equal(answers[i].status, REDIS_OK);
        assert_int_equal(answers[i].number, i + 1);
    }
    assert_true(redis_server_ask(&f->server, "INFO commandstats", stats, sizeof stats));
    assert_non_null(strstr(stats, "cmdstat_function|load:calls=1,"));
}

/* The reason stands in the answer, not that it is missing. */
static void a_script_that_cannot_be_loaded_says_why(void **state) {
    struct fixture *f = *state;
    const struct redis_script *script = script_of("#!lua name=broken\nreturn return");
    struct answer a = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    redis_link_call(f->link, script, 0, NULL, 0, NULL, 2000, on_answer, &a);
    RUN_UNTIL(&f->loop, a.count == 1);
    assert_int_equal(a.status, REDIS_REFUSED);
    assert_non_null(strstr(a.text, "Error compiling function"));
}

static void a_failing_script_is_an_unknown_outcome(void **state) {
    struct fixture *f = *state;
    const struct redis_script *script = script_of(
        LIBRARY("redis.call('SET', KEYS[1], 'x') return redis.call('LPUSH', KEYS[1], 'y')"));
    const struct str key = str_of("k");
    struct answer a = {0}, full = {0}, limit = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    redis_link_call(f->link, script, 1, &key, 0, NULL, 2000, on_answer, &a);
    RUN_UNTIL(&f->loop, a.count == 1);
    assert_int_equal(a.status, REDIS_UNKNOWN);
    /* Out of memory is said before the first write. */
    ask(f, &limit, 2000, "CONFIG SET maxmemory 1");
    redis_link_call(f->link, script, 1, &key, 0, NULL, 2000, on_answer, &full);
    RUN_UNTIL(&f->loop, full.count == 1);
    assert_int_equal(full.status, REDIS_REFUSED);
    assert_memory_equal(full.text, "OOM", 3);
}

static void flight_is_bounded_and_order_kept(void **state) {
    struct fixture *f = *state;
    enum { COUNT = 3000 };
    struct answer *answers = calloc(COUNT, sizeof *answers);
    struct answer late = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    for (size_t i = 0; i < COUNT; i++) {
        ask(f, &answers[i], 5000, "INCR n");
    }
    RUN_UNTIL(&f->loop, answers[COUNT - 1].count == 1);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(answers[i].count, 1);
        assert_int_equal(answers[i].number, i + 1);
    }
    /* What waits behind a full flight and is never sent is known not to have run. */
    kill(f->server.pid, SIGSTOP);
    memset(answers, 0, COUNT * sizeof *answers);
    for (size_t i = 0; i < 256; i++) {
        ask(f, &answers[i], 5000, "INCR n");
    }
    ask(f, &late, 100, "INCR n");
    RUN_UNTIL(&f->loop, late.count == 1);
    assert_int_equal(late.status, REDIS_UNSENT);
    assert_int_equal(answers[0].count, 0);
    /* And past the bound of the queue too. */
    struct answer *flood = calloc(65537, sizeof *flood);
    for (size_t i = 0; i < 65537; i++) {
        ask(f, &flood[i], 60000, "PING");
    }
    RUN_UNTIL(&f->loop, flood[65536].count == 1);
    assert_int_equal(flood[65536].status, REDIS_UNSENT);
    assert_int_equal(flood[65535].count, 0);
    redis_link_destroy(&f->link);
    assert_int_equal(answers[0].status, REDIS_UNKNOWN);
    assert_int_equal(flood[0].status, REDIS_UNSENT);
    assert_int_equal(flood[65535].count, 1);
    kill(f->server.pid, SIGCONT);
    free(flood);
    free(answers);
}

/* More than a socket's buffers hold goes out as the server takes it. */
/* A backlog costs those who waited, not the connection. */
static void what_waited_for_half_its_time_is_not_sent(void **state) {
    struct fixture *f = *state;
    enum { FLIGHT = 256 };
    static struct answer slow[FLIGHT];
    struct answer waiting = {0}, patient = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    memset(slow, 0, sizeof slow);
    ask(f, &slow[0], 5000, "BLPOP nothing 0.7");
    for (size_t i = 1; i < FLIGHT; i++) {
        ask(f, &slow[i], 5000, "PING");
    }
    ask(f, &waiting, 1200, "INCR n");
    ask(f, &patient, 5000, "INCR n");
    RUN_UNTIL(&f->loop, waiting.count == 1 && patient.count == 1);
    assert_int_equal(waiting.status, REDIS_UNSENT);
    assert_int_equal(patient.status, REDIS_OK);
    assert_int_equal(patient.number, 1);
    assert_int_equal(slow[FLIGHT - 1].status, REDIS_OK);
    assert_int_equal(f->seen.down, 0);
}

static void large_commands_go_out_in_pieces(void **state) {
    struct fixture *f = *state;
    enum { COUNT = 100, SIZE = 60000 };
    struct answer *answers = calloc(COUNT, sizeof *answers);
    struct str argv[] = {str_of("APPEND"), str_of("k"), {malloc(SIZE), SIZE}};

    memset((char *)(uintptr_t)argv[2].p, 'x', SIZE);
    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    for (size_t i = 0; i < COUNT; i++) {
        redis_link_command(f->link, 3, argv, 20000, on_answer, &answers[i]);
    }
    RUN_UNTIL(&f->loop, answers[COUNT - 1].count == 1);
    assert_int_equal(answers[COUNT - 1].number, (int64_t)COUNT * SIZE);
    assert_int_equal(f->seen.down, 0);
    free((char *)(uintptr_t)argv[2].p);
    free(answers);
}

static void reset_from_a_callback(void *arg, enum redis_status status,
                                  const struct redis_reply *reply, const char *error) {
    on_answer(arg, status, reply, error);
    redis_link_reset(current->link, "test says so");
}

static void reset_drops_and_connects_again(void **state) {
    struct fixture *f = *state;
    const struct str ping = str_of("PING");
    struct answer a = {0}, blocked = {0};

    redis_server_start(&f->server, NULL);
    connect_link(f);
    RUN_UNTIL(&f->loop, f->seen.up == 1);
    redis_link_command(f->link, 1, &ping, 2000, reset_from_a_callback, &a);
    ask(f, &blocked, 20000, "BLPOP list 0");
    RUN_UNTIL(&f->loop, f->seen.up == 2);
    assert_int_equal(f->seen.down, 1);
    assert_string_equal(f->seen.reason, "test says so");
    assert_int_equal(blocked.status, REDIS_UNKNOWN);
}

static void getters_check(void **state) {
    int64_t number = 7;
    struct str s;

    (void)state;
    assert_true(redis_reply_is_nil(NULL));
    assert_false(redis_reply_int(NULL, &number));
    assert_int_equal(number, 0);
    assert_false(redis_reply_str(NULL, &s));
    assert_int_equal(redis_reply_count(NULL), 0);
    assert_null(redis_reply_at(NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(commands_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(auth_select_and_name, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_password_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(reconnects_after_the_server_was_killed, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stopped_server_costs_the_deadline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_silent_server_is_given_up, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_that_is_away_tries_often, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stall_of_ours_is_no_timeout, setup, teardown),
        cmocka_unit_test_setup_teardown(closed_port_fails_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_link_without_a_node_of_the_cluster_stays_down, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_missing_function_is_loaded_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_script_that_cannot_be_loaded_says_why, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failing_script_is_an_unknown_outcome, setup, teardown),
        cmocka_unit_test_setup_teardown(flight_is_bounded_and_order_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(what_waited_for_half_its_time_is_not_sent, setup, teardown),
        cmocka_unit_test_setup_teardown(large_commands_go_out_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(reset_drops_and_connects_again, setup, teardown),
        cmocka_unit_test(getters_check),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
