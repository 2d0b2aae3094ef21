/* The hash map: SipHash, a list in each bucket. */
#include "wslock/base/map.h"

#include "wslock/base/mem.h"
#include "wslock/base/rand.h"

#define BUCKETS_MIN 16

struct entry {
    struct entry *next;
    uint64_t hash;
    void *value;
    size_t key_len;
    char key[];
};

struct map {
    struct entry **buckets;
    size_t mask; /* number of buckets - 1; the number is a power of two */
    size_t count;
};

/* SipHash-1-3 (Aumasson and Bernstein, "SipHash: a fast short-input PRF"), as most hash tables that
 * take keys from outside use it. */
struct sip {
    uint64_t v0, v1, v2, v3;
};

static uint64_t rotl(uint64_t x, unsigned by) {
    return x << by | x >> (64 - by);
}

static void sip_round(struct sip *s) {
    s->v0 += s->v1;
    s->v1 = rotl(s->v1, 13) ^ s->v0;
    s->v0 = rotl(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotl(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotl(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotl(s->v1, 17) ^ s->v2;
    s->v2 = rotl(s->v2, 32);
}

static void sip_word(struct sip *s, uint64_t word) {
    s->v3 ^= word;
    sip_round(s);
    s->v0 ^= word;
}

static uint64_t hash_key(struct str key) {
    static uint64_t secret[2];
    static bool seeded;
    if (!seeded) {
        rand_bytes(secret, sizeof secret);
        seeded = true;
    }
    struct sip s = {
        secret[0] ^ UINT64_C(0x736f6d6570736575), secret[1] ^ UINT64_C(0x646f72616e646f6d),
        secret[0] ^ UINT64_C(0x6c7967656e657261), secret[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word;
    size_t i = 0;
    for (; key.len - i >= 8; i += 8) {
        memcpy(&word, key.p + i, 8);
        sip_word(&s, word);
    }
    word = 0;
    if (i < key.len) {
        memcpy(&word, key.p + i, key.len - i);
    }
    sip_word(&s, word | (uint64_t)key.len << 56);
    s.v2 ^= 0xff;
    sip_round(&s);
    sip_round(&s);
    sip_round(&s);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

/* The link that points to the entry of key, or the NULL link at the end of its chain. */
static struct entry **find_link(const struct map *m, struct str key, uint64_t hash) {
    struct entry **link = &m->buckets[hash & m->mask];
    while (*link != NULL) {
        struct entry *e = *link;
        if (e->hash == hash && str_eq((struct str){e->key, e->key_len}, key)) {
            break;
        }
        link = &e->next;
    }
    return link;
}

static void grow(struct map *m) {
    size_t count = (m->mask + 1) * 2;
    struct entry **buckets = mem_calloc(count, sizeof *buckets);
    for (size_t i = 0; i <= m->mask; i++) {
        struct entry *next;
        for (struct entry *e = m->buckets[i]; e != NULL; e = next) {
            next = e->next;
            e->next = buckets[e->hash & (count - 1)];
            buckets[e->hash & (count - 1)] = e;
        }
    }
    mem_free(m->buckets);
    m->buckets = buckets;
    m->mask = count - 1;
}

struct map *map_create(void) {
    struct map *m = mem_zalloc(sizeof *m);
    m->buckets = mem_calloc(BUCKETS_MIN, sizeof *m->buckets);
    m->mask = BUCKETS_MIN - 1;
    return m;
}

void map_destroy(struct map **m) {
    if (*m == NULL) {
        return;
    }
    for (size_t i = 0; i <= (*m)->mask; i++) {
        struct entry *next;
        for (struct entry *e = (*m)->buckets[i]; e != NULL; e = next) {
            next = e->next;
            mem_free(e);
        }
    }
    mem_free((*m)->buckets);
    mem_free(*m);
    *m = NULL;
}

void *map_get(const struct map *m, struct str key) {
    const struct entry *e = *find_link(m, key, hash_key(key));
    return e != NULL ? e->value : NULL;
}

void *map_set(struct map *m, struct str key, void *value) {
    uint64_t hash = hash_key(key);
    struct entry *e = *find_link(m, key, hash);
    if (e != NULL) {
        void *before = e->value;
        e->value = value;
        return before;
    }
    if (m->count > m->mask) {
        grow(m);
    }
    e = mem_alloc(sizeof *e + key.len);
    *e = (struct entry){.hash = hash, .value = value, .key_len = key.len};
    if (key.len > 0) {
        memcpy(e->key, key.p, key.len);
    }
    struct entry **bucket = &m->buckets[hash & m->mask];
    e->next = *bucket;
    *bucket = e;
    m->count++;
    return NULL;
}

void *map_remove(struct map *m, struct str key) {
    struct entry **link = find_link(m, key, hash_key(key));
    struct entry *e = *link;
    if (e == NULL) {
        return NULL;
    }
    void *value = e->value;
    *link = e->next;
    m->count--;
    mem_free(e);
    return value;
}

size_t map_count(const struct map *m) {
    return m->count;
}

static void visit_bucket(struct map *m, size_t bucket,
                         void (*visit)(void *ctx, struct str key, void *value), void *ctx) {
    struct entry *next;
    for (struct entry *e = m->buckets[bucket]; e != NULL; e = next) {
        next = e->next;
        visit(ctx, (struct str){e->key, e->key_len}, e->value);
    }
}

/* Counts from the highest bit of the bucket's number down: when the map has grown, the two buckets
 * that a bucket was split into are both behind the cursor, or both before it. */
size_t map_scan(struct map *m, size_t cursor, void (*visit)(void *ctx, struct str key, void *value),
                void *ctx) {
    size_t bit = (m->mask + 1) / 2;
    visit_bucket(m, cursor, visit, ctx);
    while (bit != 0 && (cursor & bit) != 0) {
        cursor &= ~bit;
        bit /= 2;
    }
    return cursor | bit;
}

void map_each(struct map *m, void (*visit)(void *ctx, struct str key, void *value), void *ctx) {
    for (size_t i = 0; i <= m->mask; i++) {
        visit_bucket(m, i, visit, ctx);
    }
}
