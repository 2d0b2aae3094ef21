/* Commands: formatting (RESP2), queues, deadlines, and the classes of error replies. */
#include "link_private.h"

#include <assert.h>
#include <stdio.h>

#include "wslock/base/buf.h"
#include "wslock/base/log.h"
#include "wslock/base/spare.h"

#define OVERDUE_RECHECK_MS 5
#define MIN_SCAN_PAUSE_MS 10

struct redis_call {
    struct list node;
    struct redis_link *link;
    redis_cb cb;
    void *arg;
    const struct redis_script *script; /* NULL: a plain command */
    const char *why_unsent;            /* static, for the list `unsent` */
    uint64_t timeout_ms, deadline_ms;
    bool repeated; /* after its library was loaded */
    size_t len;
    char bytes[]; /* the encoded command, kept for that */
};

static uint64_t now_ms(void) {
    return uv_hrtime() / 1000000;
}

/* ---- completing ---- */

static void finish(struct redis_call *call, enum redis_status status, const redisReply *reply,
                   const char *error) {
    list_remove(&call->node);
    call->cb(call->arg, status, (const struct redis_reply *)reply, error);
    spare_free(call, sizeof *call + call->len);
}

static void decline(struct redis_call *call, const char *why) {
    call->why_unsent = why;
    list_push_back(&call->link->unsent, &call->node);
    link_wake(call->link);
}

void link_complete_unsent(struct redis_link *link) {
    struct list batch;

    /* Commands declined inside these callbacks wait for the next turn, unless the link is closed.
     */
    do {
        list_init(&batch);
        while (!list_empty(&link->unsent)) {
            struct list *node = link->unsent.next;

            list_remove(node);
            list_push_back(&batch, node);
        }
        while (!list_empty(&batch)) {
            struct redis_call *call = CONTAINER_OF(batch.next, struct redis_call, node);

            finish(call, REDIS_UNSENT, NULL, call->why_unsent);
        }
    } while (link->state == LINK_CLOSED && !list_empty(&link->unsent));
}

void link_decline_waiting(struct redis_link *link) {
    while (!list_empty(&link->waiting)) {
        struct redis_call *call = CONTAINER_OF(link->waiting.next, struct redis_call, node);

        list_remove(&call->node);
        decline(call, "connection lost before it was sent");
    }
    link->waiting_count = 0;
}

/* ---- classes of error replies ---- */

/* The error of a script that has begun ends in "… script: SHA, on @user_script:LINE." */
static bool from_running_script(const redisReply *reply) {
    return memmem(reply->str, reply->len, " script: ", 9) != NULL;
}

static bool has_code(const redisReply *reply, const char *code) {
    size_t len = strlen(code);

    return (size_t)reply->len > len && memcmp(reply->str, code, len) == 0 && reply->str[len] == ' ';
}

static bool lacks_function(const redisReply *reply) {
    return strcmp(reply->str, "ERR Function not found") == 0;
}

/* Redis, and the scripts themselves (NORIGHT, MOVING), check these before the first write, so they
 * are refusals even in a running script. */
static const char *const before_first_write[] = {"OOM",     "READONLY", "NOREPLICAS",
                                                 "MISCONF", "NORIGHT",  "MOVING"};
/* Refusals if the script has not begun. */
static const char *const before_begin[] = {
    "LOADING", "BUSY", "MASTERDOWN", "NOAUTH",    "NOPERM",
    "MOVED",   "ASK",  "TRYAGAIN",   "CROSSSLOT", "CLUSTERDOWN",
};

static enum redis_status class_of_error(const struct redis_call *call, const redisReply *reply) {
    if (call->script == NULL) {
        return REDIS_REFUSED; /* a failed plain command has no effect */
    }
    for (size_t i = 0; i < ARRAY_LEN(before_first_write); i++) {
        if (has_code(reply, before_first_write[i])) {
            return REDIS_REFUSED;
        }
    }
    if (lacks_function(reply)) {
        return REDIS_REFUSED;
    }
    for (size_t i = 0; i < ARRAY_LEN(before_begin); i++) {
        if (has_code(reply, before_begin[i]) && !from_running_script(reply)) {
            return REDIS_REFUSED;
        }
    }
    return REDIS_UNKNOWN;
}

/* ---- sending and receiving ---- */

static void launch(struct redis_call *call);

static void on_loaded(redisAsyncContext *ac, void *reply_ptr, void *library) {
    struct redis_link *link = ac->data;
    const redisReply *reply = reply_ptr;

    if (reply != NULL) { /* after an error the repeated FCALL fails too */
        snprintf(link->load_error, sizeof link->load_error, "%s",
                 reply->type == REDIS_REPLY_ERROR ? reply->str : "");
    }
    if (link->loading == library) {
        link->loading = NULL;
    }
}

/* Sends FUNCTION LOAD unless one for this library is in flight. */
static void load(struct redis_link *link, const struct redis_library *library) {
    const char *argv[] = {"FUNCTION", "LOAD", library->source};
    const size_t lens[] = {8, 4, library->source_len};

    if (link->loading != library &&
        redisAsyncCommandArgv(link->ac, on_loaded, (void *)(uintptr_t)library, 3, argv, lens) ==
            REDIS_OK) {
        link->loading = library;
    }
}

static void on_reply(redisAsyncContext *ac, void *reply_ptr, void *call_ptr) {
    struct redis_call *call = call_ptr;
    struct redis_link *link = call->link;
    const redisReply *reply = reply_ptr;

    link->in_flight_count--;
    if (reply == NULL) { /* hiredis is freeing the context; the owner is called last */
        link->gone = true;
        link_wake(link);
        finish(call, REDIS_UNKNOWN, NULL, ac->err ? ac->errstr : link->reason);
        return;
    }
    if (reply->type != REDIS_REPLY_ERROR) {
        finish(call, REDIS_OK, reply, NULL);
    } else if (call->script != NULL && !call->repeated && lacks_function(reply) &&
               redis_link_is_up(link)) {
        call->repeated = true;
        list_remove(&call->node);
        load(link, call->script->library);
        launch(call);
    } else {
        bool unloaded = call->repeated && lacks_function(reply) && link->load_error[0];

        finish(call, class_of_error(call, reply), NULL, unloaded ? link->load_error : reply->str);
    }
    link_pump(link);
}

/* The command that follows is refused too, but with MOVED. */
static void on_asking(redisAsyncContext *ac, void *reply_ptr, void *ignored) {
    static struct log_limit limit;
    const redisReply *reply = reply_ptr;

    (void)ignored;
    if (reply != NULL && reply->type == REDIS_REPLY_ERROR && log_limit_pass(&limit, 10)) {
        log_warn("asking_refused", LF("node", redis_link_target(ac->data)),
                 LF("problem", reply->str));
    }
}

/* It counts for the next command only. */
static void send_asking(struct redis_link *link) {
    static const char command[] = "*1\r\n$6\r\nASKING\r\n";

    (void)redisAsyncFormattedCommand(link->ac, on_asking, NULL, command, sizeof command - 1);
}

static void launch(struct redis_call *call) {
    struct redis_link *link = call->link;

    if (link->address.asking) {
        send_asking(link);
    }
    if (redisAsyncFormattedCommand(link->ac, on_reply, call, call->bytes, call->len) != REDIS_OK) {
        decline(call, "connection lost before it was sent");
        return;
    }
    list_push_back(&link->in_flight, &call->node);
    link->in_flight_count++;
}

/* A command that has waited for half of its time is not sent: in flight it would soon be overdue,
 * and an overdue command closes the connection for all commands in flight. */
void link_pump(struct redis_link *link) {
    uint64_t now = link->waiting_count > 0 ? now_ms() : 0;

    while (link->in_flight_count < LINK_MAX_IN_FLIGHT && link->waiting_count > 0 &&
           redis_link_is_up(link)) {
        struct redis_call *call = CONTAINER_OF(link->waiting.next, struct redis_call, node);

        list_remove(&call->node);
        link->waiting_count--;
        if (now + call->timeout_ms / 2 > call->deadline_ms) {
            decline(call, "waited too long to be sent");
        } else {
            launch(call);
        }
    }
}

bool redis_link_is_busy(const struct redis_link *link) {
    if (link->waiting_count == 0) {
        return false;
    }
    const struct redis_call *oldest = CONTAINER_OF(link->waiting.next, struct redis_call, node);
    return now_ms() + oldest->timeout_ms * 3 / 4 >= oldest->deadline_ms;
}

static void arm_deadline(struct redis_link *link, uint64_t deadline_ms, uint64_t now) {
    link->next_deadline_ms = deadline_ms;
    uv_timer_start(&link->deadline, link_on_deadline, deadline_ms > now ? deadline_ms - now : 0, 0);
}

static void submit(struct redis_call *call, uint64_t timeout_ms) {
    struct redis_link *link = call->link;
    uint64_t now = now_ms();

    if (!redis_link_is_up(link)) {
        decline(call, "not connected");
        return;
    }
    if (link->waiting_count >= LINK_MAX_WAITING) {
        decline(call, "too many commands are waiting");
        return;
    }
    call->timeout_ms = timeout_ms;
    call->deadline_ms = now + timeout_ms;
    if (call->deadline_ms < link->next_deadline_ms) {
        arm_deadline(link, call->deadline_ms, now);
    }
    if (link->in_flight_count < LINK_MAX_IN_FLIGHT && link->waiting_count == 0) {
        launch(call);
        return;
    }
    list_push_back(&link->waiting, &call->node);
    link->waiting_count++;
}

/* ---- deadlines ---- */

static uint64_t earliest(const struct list *calls, uint64_t bound) {
    LIST_FOREACH_ENTRY(const struct redis_call, call, node, calls) {
        bound = call->deadline_ms < bound ? call->deadline_ms : bound;
    }
    return bound;
}

static void decline_overdue_waiting(struct redis_link *link, uint64_t now) {
    LIST_FOREACH_ENTRY(struct redis_call, call, node, &link->waiting) {
        if (call->deadline_ms <= now) {
            list_remove(&call->node);
            link->waiting_count--;
            decline(call, "waited too long to be sent");
        }
    }
}

/* next_deadline_ms is a lower bound: usually no command is overdue. */
void link_on_deadline(uv_timer_t *timer) {
    struct redis_link *link = timer->data;
    uint64_t now = now_ms(), next;

    decline_overdue_waiting(link, now);
    next = earliest(&link->in_flight, UINT64_MAX);
    if (next <= now && link->overdue && link->ac != NULL) {
        link->overdue = false;
        link->next_deadline_ms = UINT64_MAX;
        link_free_context(link, "no reply in time");
        return;
    }
    /* If this process was stalled, the replies have arrived and need only be read. */
    link->overdue = next <= now;
    if (link->overdue) {
        arm_deadline(link, now + OVERDUE_RECHECK_MS, now);
        return;
    }
    next = earliest(&link->waiting, next);
    if (next == UINT64_MAX) {
        link->next_deadline_ms = UINT64_MAX;
        return;
    }
    arm_deadline(link, next < now + MIN_SCAN_PAUSE_MS ? now + MIN_SCAN_PAUSE_MS : next, now);
}

/* ---- formatting ---- */

static size_t digits(size_t n) {
    size_t count = 1;

    while (n >= 10) {
        n /= 10;
        count++;
    }
    return count;
}

static size_t bulk_size(size_t len) {
    return 1 + digits(len) + 2 + len + 2;
}

static char *put_header(char *p, char type, size_t n) {
    size_t count = digits(n);

    *p = type;
    for (size_t i = count; i > 0; i--) {
        p[i] = (char)('0' + n % 10);
        n /= 10;
    }
    p[count + 1] = '\r';
    p[count + 2] = '\n';
    return p + count + 3;
}

static char *put_bulk(char *p, struct str s) {
    p = put_header(p, '$', s.len);
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    p[s.len] = '\r';
    p[s.len + 1] = '\n';
    return p + s.len + 2;
}

/* A command's parts in several arrays, so that FCALL needs no copy of them. */
struct run {
    const struct str *parts;
    size_t count;
};

static struct redis_call *make_call(struct redis_link *link, const struct run *runs,
                                    size_t run_count, redis_cb cb, void *arg) {
    size_t count = 0, size = 0;
    struct redis_call *call;
    char *p;

    for (size_t r = 0; r < run_count; r++) {
        for (size_t i = 0; i < runs[r].count; i++) {
            size += bulk_size(runs[r].parts[i].len);
        }
        count += runs[r].count;
    }
    size += 1 + digits(count) + 2;
    call = spare_alloc(sizeof *call + size);
    list_init(&call->node);
    call->link = link;
    call->cb = cb;
    call->arg = arg;
    call->script = NULL;
    call->why_unsent = NULL;
    call->timeout_ms = 0;
    call->deadline_ms = UINT64_MAX;
    call->repeated = false;
    call->len = size;
    p = put_header(call->bytes, '*', count);
    for (size_t r = 0; r < run_count; r++) {
        for (size_t i = 0; i < runs[r].count; i++) {
            p = put_bulk(p, runs[r].parts[i]);
        }
    }
    assert(p == call->bytes + size);
    return call;
}

void redis_link_decline(struct redis_link *link, const char *why, redis_cb cb, void *arg) {
    decline(make_call(link, NULL, 0, cb, arg), why);
}

void redis_link_command(struct redis_link *link, int argc, const struct str *argv,
                        uint64_t timeout_ms, redis_cb cb, void *arg) {
    const struct run run = {argv, (size_t)argc};

    submit(make_call(link, &run, 1, cb, arg), timeout_ms);
}

void redis_link_call(struct redis_link *link, const struct redis_script *script, int key_count,
                     const struct str *keys, int arg_count, const struct str *args,
                     uint64_t timeout_ms, redis_cb cb, void *arg) {
    char number[BUF_I64_MAX];
    size_t all = (size_t)key_count, named = link->address.asking && all > 1 ? 1 : all;
    const struct str head[] = {
        {"FCALL", 5}, str_of(script->function), {number, buf_i64(number, (int64_t)named)}};
    const struct run runs[] = {{head, 3},
                               {keys, named},
                               {args, (size_t)arg_count},
                               {all > named ? keys + named : NULL, all - named}};
    struct redis_call *call = make_call(link, runs, ARRAY_LEN(runs), cb, arg);

    call->script = script;
    submit(call, timeout_ms);
}
