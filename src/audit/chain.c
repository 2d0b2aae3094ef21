/* The hash chain over records. */
#include "chain.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

#include "wslock/base/file.h"
#include "wslock/base/log.h"
#include "wslock/base/mem.h"

#define KEY_MIN_BYTES 16
#define KEY_MAX_BYTES 4096
#define DIGEST_BYTES 32
#define MARK_SEQ ",\"seq\":"
#define MARK_PREV ",\"prev\":\""
#define MARK_HASH ",\"hash\":\""
#define LITERAL_LEN(text) (sizeof(text) - 1)
#define SEQ_DIGITS_MAX 18

struct chain {
    EVP_MD_CTX *md; /* for the chain without a key */
    EVP_MD *sha256;
    EVP_MAC_CTX *mac; /* NULL without a key */
};

static void must(int ok) {
    if (ok != 1) {
        log_error("audit_hash_failed");
        abort();
    }
}

static void to_hex(const unsigned char *digest, char out[CHAIN_HASH_LEN + 1]) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        out[2 * i] = digits[digest[i] >> 4];
        out[2 * i + 1] = digits[digest[i] & 15];
    }
    out[CHAIN_HASH_LEN] = '\0';
}

/* The key into key[], its length or 0 with *problem. */
static size_t read_key(const char *path, unsigned char key[KEY_MAX_BYTES], char **problem) {
    struct buf raw;
    const char *why = NULL;
    size_t len = 0;
    buf_init(&raw);
    if (!file_read(path, KEY_MAX_BYTES + 2, &raw, &why)) {
        *problem = mem_printf("audit.hmacKeyFile: %s: %s", path, why);
        goto done;
    }
    while (raw.len > 0 && (raw.data[raw.len - 1] == '\n' || raw.data[raw.len - 1] == '\r')) {
        raw.len--;
    }
    if (raw.len < KEY_MIN_BYTES || raw.len > KEY_MAX_BYTES) {
        *problem = mem_printf("audit.hmacKeyFile: %s: must hold %d to %d bytes", path,
                              KEY_MIN_BYTES, KEY_MAX_BYTES);
        goto done;
    }
    len = raw.len;
    memcpy(key, raw.data, len);
done:
    buf_fini_secret(&raw);
    return len;
}

static EVP_MAC_CTX *mac_create(const unsigned char *key, size_t len) {
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    must(hmac != NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(hmac);
    must(ctx != NULL);
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    must(EVP_MAC_init(ctx, key, len, params));
    return ctx;
}

struct chain *chain_create(const char *hmac_key_file, char **problem) {
    unsigned char key[KEY_MAX_BYTES];
    size_t key_len = 0;
    if (hmac_key_file != NULL) {
        key_len = read_key(hmac_key_file, key, problem);
        if (key_len == 0) {
            return NULL;
        }
    }
    struct chain *c = mem_zalloc(sizeof *c);
    c->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    c->md = EVP_MD_CTX_new();
    must(c->sha256 != NULL && c->md != NULL);
    must(EVP_DigestInit_ex2(c->md, c->sha256, NULL));
    if (hmac_key_file != NULL) {
        c->mac = mac_create(key, key_len);
        OPENSSL_cleanse(key, sizeof key);
    }
    return c;
}

void chain_destroy(struct chain **c) {
    if (*c == NULL) {
        return;
    }
    EVP_MAC_CTX_free((*c)->mac);
    EVP_MD_CTX_free((*c)->md);
    EVP_MD_free((*c)->sha256);
    mem_free(*c);
    *c = NULL;
}

bool chain_is_keyed(const struct chain *c) {
    return c->mac != NULL;
}

void chain_hash(struct chain *c, const char *data, size_t len, char out[CHAIN_HASH_LEN + 1]) {
    unsigned char digest[DIGEST_BYTES];
    if (c->mac != NULL) {
        size_t digest_len = 0;
        must(EVP_MAC_init(c->mac, NULL, 0, NULL));
        must(EVP_MAC_update(c->mac, (const unsigned char *)data, len));
        must(EVP_MAC_final(c->mac, digest, &digest_len, sizeof digest));
    } else {
        must(EVP_DigestInit_ex2(c->md, NULL, NULL));
        must(EVP_DigestUpdate(c->md, data, len));
        must(EVP_DigestFinal_ex(c->md, digest, NULL));
    }
    to_hex(digest, out);
}

void chain_sha256_hex(const char *data, size_t len, char out[CHAIN_HASH_LEN + 1]) {
    unsigned char digest[DIGEST_BYTES];
    must(EVP_Digest(data, len, digest, NULL, EVP_sha256(), NULL));
    to_hex(digest, out);
}

void chain_finish_line(struct chain *c, struct buf *line, size_t start, uint64_t seq,
                       struct chain_link *head) {
    buf_reserve(line, CHAIN_TAIL_LEN);
    buf_append(line, MARK_PREV, LITERAL_LEN(MARK_PREV));
    buf_append(line, head->hash, CHAIN_HASH_LEN);
    buf_append_char(line, '"');
    memcpy(head->prev, head->hash, sizeof head->prev);
    chain_hash(c, line->data + start, line->len - start, head->hash);
    head->seq = seq;
    buf_append(line, MARK_HASH, LITERAL_LEN(MARK_HASH));
    buf_append(line, head->hash, CHAIN_HASH_LEN);
    buf_append(line, "\"}\n", 3);
}

/* Takes `mark`, a hash and `close` off the end of *line. */
static bool take_hash(struct str *line, const char *mark, const char *close_text,
                      char out[CHAIN_HASH_LEN + 1]) {
    const size_t mark_len = strlen(mark);
    const size_t close_len = strlen(close_text);
    const size_t all = mark_len + CHAIN_HASH_LEN + close_len;
    if (line->len < all) {
        return false;
    }
    const char *at = line->p + line->len - all;
    if (memcmp(at, mark, mark_len) != 0 ||
        memcmp(at + mark_len + CHAIN_HASH_LEN, close_text, close_len) != 0) {
        return false;
    }
    for (size_t i = 0; i < CHAIN_HASH_LEN; i++) {
        const char ch = at[mark_len + i];
        if (!((ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'f'))) {
            return false;
        }
    }
    memcpy(out, at + mark_len, CHAIN_HASH_LEN);
    out[CHAIN_HASH_LEN] = '\0';
    line->len -= all;
    return true;
}

/* The number after MARK_SEQ at the end of line: digits without a leading zero. */
static bool read_seq(struct str line, uint64_t *seq) {
    size_t digits = 0;
    while (digits < line.len && digits <= SEQ_DIGITS_MAX && line.p[line.len - 1 - digits] >= '0' &&
           line.p[line.len - 1 - digits] <= '9') {
        digits++;
    }
    const size_t mark_len = LITERAL_LEN(MARK_SEQ);
    if (digits == 0 || digits > SEQ_DIGITS_MAX || line.len < digits + mark_len) {
        return false;
    }
    const char *number = line.p + line.len - digits;
    if (number[0] == '0' || memcmp(number - mark_len, MARK_SEQ, mark_len) != 0) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (uint64_t)(number[i] - '0');
    }
    *seq = value;
    return true;
}

uint64_t chain_line_seq(struct str line) {
    char hash[CHAIN_HASH_LEN + 1];
    uint64_t seq = 0;
    const bool ok = take_hash(&line, MARK_HASH, "\"}", hash) &&
                    take_hash(&line, MARK_PREV, "\"", hash) && read_seq(line, &seq);
    return ok ? seq : 0;
}

enum chain_check chain_check_line(struct chain *c, struct str line, struct chain_link *link) {
    struct str rest = line;
    if (line.len == 0 || line.p[0] != '{' || !take_hash(&rest, MARK_HASH, "\"}", link->hash)) {
        return CHAIN_MALFORMED;
    }
    const size_t hashed = rest.len;
    if (!take_hash(&rest, MARK_PREV, "\"", link->prev) || !read_seq(rest, &link->seq)) {
        return CHAIN_MALFORMED;
    }
    char hash[CHAIN_HASH_LEN + 1];
    chain_hash(c, line.p, hashed, hash);
    return CRYPTO_memcmp(hash, link->hash, CHAIN_HASH_LEN) == 0 ? CHAIN_OK : CHAIN_MISMATCH;
}
