/* Arguments and keys of a script call. */
#include "args.h"

#include <assert.h>

static char *put(char *p, struct str s) {
    if (s.len > 0) {
        memcpy(p, s.p, s.len);
    }
    return p + s.len;
}

void args_init(struct script_args *a, struct buf *packed) {
    a->key_count = 0;
    a->used = 0;
    a->packed = packed;
    buf_reset(packed);
}

struct str args_packed(const struct script_args *a) {
    return (struct str){a->packed->data, a->packed->len};
}

void args_str(struct script_args *a, struct str value) {
    msgpack_put_str(a->packed, value);
}

void args_optional(struct script_args *a, struct str value) {
    if (value.p != NULL) {
        args_str(a, value);
    } else {
        msgpack_put_false(a->packed);
    }
}

void args_int(struct script_args *a, int64_t value) {
    msgpack_put_int(a->packed, value);
}

void args_flag(struct script_args *a, bool value) {
    args_int(a, value ? 1 : 0);
}

static const char *disconnect_word(enum config_disconnect disconnect) {
    switch (disconnect) {
    case CONFIG_DISCONNECT_RELEASE:
        return "release";
    case CONFIG_DISCONNECT_GRACE:
        return "grace";
    case CONFIG_DISCONNECT_PROMPT:
        return "prompt";
    }
    return "grace";
}

static char *put_number(char *p, int64_t value) {
    uint64_t rest = value < 0 ? (uint64_t)-value : (uint64_t)value;
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *p++ = '-';
    }
    while (n > 0) {
        *p++ = digits[--n];
    }
    return p;
}

void args_policy(struct script_args *a, const struct config_policy *policy) {
    const int64_t numbers[] = {policy->lock_ttl_ms, policy->idle_release_ms,
                               policy->grace_period_ms, policy->claim_window_ms};
    struct str word = str_of(disconnect_word(policy->disconnect));
    char text[ARRAY_LEN(numbers) * 22 + 16], *p = text;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        p = put_number(p, numbers[i]);
        *p++ = ' ';
    }
    p = put(p, word);
    args_str(a, (struct str){text, (size_t)(p - text)});
}

/* resource, user and prefix are limited in length when they are read, so the space suffices. */
static char *text_room(struct script_args *a, size_t len) {
    char *p = a->text + a->used;

    assert(len <= sizeof a->text - a->used);
    a->used += len;
    return p;
}

static void add_key(struct script_args *a, struct str key) {
    assert(a->key_count < ARGS_KEYS_MAX);
    a->keys[a->key_count++] = key;
}

static void add_built(struct script_args *a, struct str tag, struct str name, struct str of) {
    char *p = text_room(a, tag.len + name.len + of.len);

    put(put(put(p, tag), name), of);
    add_key(a, (struct str){p, tag.len + name.len + of.len});
}

void args_keys_shard(struct script_args *a, const struct shard_keys *k) {
    add_key(a, k->meta);
}

#define WORD(text) ((struct str){text, sizeof(text) - 1})

struct str args_document(struct str resource) {
    size_t colon = resource.len;

    while (colon > 0 && resource.p[colon - 1] != ':') {
        colon--;
    }
    return (struct str){resource.p, colon > 0 ? colon - 1 : resource.len};
}

void args_keys_room(struct script_args *a, const struct shard_keys *k, struct str resource,
                    struct str holder) {
    struct str document = args_document(resource);
    char *p;

    add_key(a, k->meta);
    add_built(a, k->tag, WORD("lock:"), resource);
    add_built(a, k->tag, WORD("member:"), resource);
    add_built(a, k->tag, WORD("ended:"), resource);
    p = text_room(a, k->tag.len + 5 + document.len + 1 + holder.len);
    add_key(a, (struct str){p, k->tag.len + 5 + document.len + 1 + holder.len});
    put(put(put(put(put(p, k->tag), WORD("held:")), document), WORD(":")), holder);
}
