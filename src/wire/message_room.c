/* Messages about a room: joins and presence. */
#include "wslock/wire/message.h"

#include <string.h>

#include "writer.h"

static void put_user(struct jsonw *w, const struct wire_user *user, bool minimal) {
    jsonw_object_open(w);
    writer_put_person(w, &user->person, minimal);
    jsonw_kcstr(w, "mode", user->has_lock ? "editor" : "viewer");
    jsonw_kbool(w, "hasLock", user->has_lock);
    if (!minimal && user->lock_expires_ms > 0) {
        jsonw_ki64(w, "lockExpiresAt", user->lock_expires_ms);
    }
    jsonw_ki64(w, "connections", user->connections);
    jsonw_ki64(w, "since", user->since_ms);
    jsonw_object_close(w);
}

static void put_users(struct jsonw *w, const char *key, const struct wire_user *users, size_t count,
                      bool minimal) {
    jsonw_key(w, key);
    jsonw_array_open(w);
    for (size_t i = 0; i < count; i++) {
        put_user(w, &users[i], minimal);
    }
    jsonw_array_close(w);
}

static void put_lost(struct jsonw *w, const struct wire_lost *lost) {
    jsonw_key(w, "lost");
    jsonw_object_open(w);
    jsonw_ki64(w, "token", lost->token);
    jsonw_kcstr(w, "reason", lost->reason);
    if (lost->at_ms > 0) {
        jsonw_ki64(w, "at", lost->at_ms);
    }
    if (lost->by.len > 0) {
        jsonw_kstr(w, "by", lost->by);
    }
    jsonw_object_close(w);
}

struct wire_message *wire_joined(const struct wire_to *to, const struct wire_at *at, bool editor,
                                 struct str client_id, const struct wire_lock *lock,
                                 const struct wire_user *users, size_t user_count, int64_t viewers,
                                 const struct config_policy *policy, const struct wire_lost *lost,
                                 const struct wire_pending *pending) {
    struct jsonw *w = writer_open(to, "resource:joined");

    writer_put_at(w, at);
    jsonw_kcstr(w, "mode", editor ? "editor" : "viewer");
    jsonw_kstr(w, "clientId", client_id);
    writer_put_lock(w, lock, to->minimal);
    put_users(w, "users", users, user_count, to->minimal);
    jsonw_ki64(w, "viewers", viewers);
    writer_put_policy(w, policy);
    if (lost != NULL) {
        put_lost(w, lost);
    }
    writer_put_pending(w, pending, to->minimal);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_left(const struct wire_to *to, const struct wire_at *at) {
    struct jsonw *w = writer_open(to, "resource:left");

    writer_put_at(w, at);
    return writer_close(w);
}

struct wire_message *wire_policy(const struct wire_to *to, const struct wire_at *at,
                                 const struct config_policy *policy) {
    struct jsonw *w = writer_open(to, "resource:policy");

    writer_put_at(w, at);
    writer_put_policy(w, policy);
    return writer_close(w);
}

static void render_policy(const struct config_policy *policy, struct buf *out) {
    struct jsonw w;

    buf_init(out);
    jsonw_init(&w, out);
    jsonw_object_open(&w);
    writer_put_policy(&w, policy);
    jsonw_object_close(&w);
}

bool wire_policies_equal(const struct config_policy *a, const struct config_policy *b) {
    struct buf left, right;
    bool equal;

    render_policy(a, &left);
    render_policy(b, &right);
    equal = strcmp(buf_cstr(&left), buf_cstr(&right)) == 0;
    buf_fini(&left);
    buf_fini(&right);
    return equal;
}

struct wire_message *wire_presence_diff(const struct wire_to *to, const struct wire_at *at,
                                        const struct wire_user *joined, size_t joined_count,
                                        const struct str *left, size_t left_count,
                                        const struct wire_user *changed, size_t changed_count,
                                        int64_t viewers) {
    struct jsonw *w = writer_open(to, "presence:diff");

    writer_put_at(w, at);
    put_users(w, "joined", joined, joined_count, to->minimal);
    jsonw_key(w, "left");
    jsonw_array_open(w);
    for (size_t i = 0; i < left_count; i++) {
        jsonw_object_open(w);
        jsonw_kstr(w, "userId", left[i]);
        jsonw_object_close(w);
    }
    jsonw_array_close(w);
    put_users(w, "changed", changed, changed_count, to->minimal);
    jsonw_ki64(w, "viewers", viewers);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}

struct wire_message *wire_presence_update(const struct wire_to *to, const struct wire_at *at,
                                          const struct wire_user *users, size_t user_count,
                                          int64_t viewers) {
    struct jsonw *w = writer_open(to, "presence:update");

    writer_put_at(w, at);
    put_users(w, "users", users, user_count, to->minimal);
    jsonw_ki64(w, "viewers", viewers);
    jsonw_ki64(w, "serverTime", at->server_time_ms);
    return writer_close(w);
}
