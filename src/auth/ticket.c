/* Loads the keys of lock tickets, signs tickets and reads them. */
#include "wslock/auth/ticket.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "wslock/base/file.h"
#include "wslock/base/jsonr.h"
#include "wslock/base/jsonw.h"
#include "wslock/base/mem.h"

#include "b64.h"
#include "compact.h"
#include "key.h"
#include "keyfiles.h"

#define CONFIG_KEY "tickets.signingKeyFile"
#define MAX_FILE_BYTES 65536
#define MAX_DER_BYTES 80 /* an ECDSA signature on P-256 has 72 at most */
#define COORDINATE_BYTES 32
#define HASH_BYTES 32
#define SECONDS_MAX ((int64_t)253402300799) /* the end of the year 9999 */

struct ticket_key {
    struct auth_key *key;
    struct buf header; /* of its tickets, encoded, with a final dot */
};

struct ticket_keys {
    struct ticket_key items[TICKET_KEYS_MAX];
    size_t count;
    struct buf jwks;
};

/* ---- loading ---- */

static bool read_coordinate(const EVP_PKEY *pkey, const char *name, struct buf *out) {
    unsigned char bytes[COORDINATE_BYTES];
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
              BN_bn2binpad(number, bytes, sizeof bytes) == sizeof bytes;

    if (ok) {
        auth_b64_encode((struct str){(char *)bytes, sizeof bytes}, out);
    }
    BN_free(number);
    return ok;
}

/* RFC 7638: the hash of the required members in alphabetical order, without white space. */
static bool make_thumbprint(const char *x, const char *y, struct buf *out) {
    unsigned char hash[HASH_BYTES];
    struct buf text;
    bool ok;

    buf_init(&text);
    buf_printf(&text, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}", x, y);
    ok = EVP_Digest(text.data, text.len, hash, NULL, EVP_sha256(), NULL) == 1;
    if (ok) {
        auth_b64_encode((struct str){(char *)hash, sizeof hash}, out);
    }
    buf_fini(&text);
    return ok;
}

static void put_jwk(struct jsonw *w, const char *kid, const char *x, const char *y) {
    jsonw_object_open(w);
    jsonw_kcstr(w, "kty", "EC");
    jsonw_kcstr(w, "crv", "P-256");
    jsonw_kcstr(w, "x", x);
    jsonw_kcstr(w, "y", y);
    jsonw_kcstr(w, "kid", kid);
    jsonw_kcstr(w, "use", "sig");
    jsonw_kcstr(w, "alg", "ES256");
    jsonw_object_close(w);
}

static void make_header(struct ticket_key *key) {
    struct buf text;
    struct jsonw w;

    buf_init(&text);
    jsonw_init(&w, &text);
    jsonw_object_open(&w);
    jsonw_kcstr(&w, "alg", "ES256");
    jsonw_kcstr(&w, "typ", "JWT");
    jsonw_kcstr(&w, "kid", key->key->kid);
    jsonw_object_close(&w);
    auth_b64_encode((struct str){text.data, text.len}, &key->header);
    buf_append_char(&key->header, '.');
    buf_fini(&text);
}

static bool pair_matches(EVP_PKEY *pkey) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok = ctx != NULL && EVP_PKEY_pairwise_check(ctx) == 1;

    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static bool has_key(const struct ticket_keys *keys, const char *kid) {
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->items[i].key->kid, kid) == 0) {
            return true;
        }
    }
    return false;
}

static const char *add_key(struct ticket_keys *keys, EVP_PKEY *pkey, struct jsonw *jwks) {
    struct ticket_key *slot = &keys->items[keys->count];
    struct buf x, y, kid;
    const char *why = NULL;

    buf_init(&x);
    buf_init(&y);
    buf_init(&kid);
    if (keys->count == TICKET_KEYS_MAX) {
        why = "holds more than 8 keys";
    } else if (!EVP_PKEY_is_a(pkey, "EC")) {
        why = "holds a key that is not an elliptic curve key: tickets are signed with ES256";
    } else if (!read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_X, &x) ||
               !read_coordinate(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, &y) ||
               !make_thumbprint(buf_cstr(&x), buf_cstr(&y), &kid) || !pair_matches(pkey)) {
        why = "holds a key that is not on the curve P-256, or not valid";
    } else if (has_key(keys, buf_cstr(&kid))) {
        why = "holds a key twice";
    } else {
        slot->key = auth_key_create_public(AUTH_ALG_ES256, buf_cstr(&kid), pkey, NULL, &why);
    }
    if (why == NULL) {
        keys->count++;
        buf_init(&slot->header);
        make_header(slot);
        put_jwk(jwks, slot->key->kid, buf_cstr(&x), buf_cstr(&y));
    }
    buf_fini(&x);
    buf_fini(&y);
    buf_fini(&kid);
    return why;
}

/* The number of private keys in the file, readable or not. */
static size_t count_begun(const struct buf *pem) {
    static const char BEGIN[] = "-----BEGIN ", END[] = "PRIVATE KEY-----";
    struct str rest = {pem->data, pem->len}, line;
    size_t count = 0;

    while (rest.len > 0) {
        if (!str_cut(&rest, '\n', &line)) {
            line = rest;
            rest.len = 0;
        }
        if (line.len >= sizeof BEGIN - 1 && memcmp(line.p, BEGIN, sizeof BEGIN - 1) == 0 &&
            memmem(line.p, line.len, END, sizeof END - 1) != NULL) {
            count++;
        }
    }
    return count;
}

static const char *read_keys(struct ticket_keys *keys, const struct buf *pem) {
    BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
    const char *why = NULL;
    EVP_PKEY *pkey;
    struct jsonw w;

    jsonw_init(&w, &keys->jwks);
    jsonw_object_open(&w);
    jsonw_key(&w, "keys");
    jsonw_array_open(&w);
    while (why == NULL && bio != NULL &&
           ((pkey = PEM_read_bio_PrivateKey(bio, NULL, auth_no_passphrase, NULL)) != NULL)) {
        why = add_key(keys, pkey, &w);
        EVP_PKEY_free(pkey);
    }
    jsonw_array_close(&w);
    jsonw_object_close(&w);
    if (why == NULL && keys->count > 0 && keys->count < count_begun(pem)) {
        why = "holds a further key that is damaged, or has a passphrase";
    }
    if (why == NULL && keys->count == 0) {
        why = "holds no private key in PEM without a passphrase (BEGIN PRIVATE KEY)";
    }
    ERR_clear_error();
    BIO_free(bio);
    return why;
}

struct ticket_keys *ticket_keys_load(const char *file, char **problem) {
    struct ticket_keys *keys = mem_zalloc(sizeof *keys);
    const char *why = NULL;
    struct buf pem;

    buf_init(&keys->jwks);
    buf_init(&pem);
    if (file_read(file, MAX_FILE_BYTES, &pem, &why)) {
        why = read_keys(keys, &pem);
    }
    buf_fini_secret(&pem);
    if (why != NULL) {
        *problem = mem_printf("%s: %s: %s", CONFIG_KEY, file, why);
        ticket_keys_destroy(&keys);
    }
    return keys;
}

void ticket_keys_destroy(struct ticket_keys **keys) {
    struct ticket_keys *k = *keys;

    if (k == NULL) {
        return;
    }
    for (size_t i = 0; i < k->count; i++) {
        auth_key_destroy(&k->items[i].key);
        buf_fini(&k->items[i].header);
    }
    buf_fini(&k->jwks);
    mem_free(k);
    *keys = NULL;
}

struct str ticket_keys_jwks(const struct ticket_keys *keys) {
    return (struct str){keys->jwks.data, keys->jwks.len};
}

/* ---- signing ---- */

/* Converts to the form of JWS: r and s side by side (RFC 7518 §3.4). */
static bool from_der(const unsigned char *der, size_t len,
                     unsigned char out[2 * COORDINATE_BYTES]) {
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)len);
    const BIGNUM *r, *s;
    bool ok = false;

    if (signature != NULL) {
        ECDSA_SIG_get0(signature, &r, &s);
        ok = BN_bn2binpad(r, out, COORDINATE_BYTES) == COORDINATE_BYTES &&
             BN_bn2binpad(s, out + COORDINATE_BYTES, COORDINATE_BYTES) == COORDINATE_BYTES;
    }
    ECDSA_SIG_free(signature);
    return ok;
}

static bool sign(const struct ticket_key *key, struct str bytes,
                 unsigned char out[2 * COORDINATE_BYTES]) {
    unsigned char der[MAX_DER_BYTES];
    size_t len = sizeof der;
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md != NULL &&
              EVP_DigestSignInit_ex(md, NULL, "SHA256", NULL, NULL, key->key->pkey, NULL) == 1 &&
              EVP_DigestSign(md, der, &len, (const unsigned char *)bytes.p, bytes.len) == 1 &&
              from_der(der, len, out);

    EVP_MD_CTX_free(md);
    ERR_clear_error();
    return ok;
}

bool ticket_sign(const struct ticket_keys *keys, const struct ticket *ticket, struct buf *out) {
    static struct buf claims; /* kept from call to call */
    const struct ticket_key *key = &keys->items[0];
    unsigned char signature[2 * COORDINATE_BYTES];
    size_t before = out->len;
    struct jsonw w;

    buf_reset(&claims);
    jsonw_init(&w, &claims);
    jsonw_object_open(&w);
    jsonw_kstr(&w, "sub", ticket->user_id);
    jsonw_kstr(&w, "res", ticket->resource);
    jsonw_ki64(&w, "fence", ticket->fence);
    jsonw_ki64(&w, "iat", ticket->issued_unix_ms / 1000);
    jsonw_ki64(&w, "exp", ticket->expires_unix_ms / 1000);
    jsonw_object_close(&w);
    buf_append(out, key->header.data, key->header.len);
    auth_b64_encode((struct str){claims.data, claims.len}, out);
    if (!sign(key, (struct str){out->data + before, out->len - before}, signature)) {
        out->len = before;
        return false;
    }
    buf_append_char(out, '.');
    auth_b64_encode((struct str){(char *)signature, sizeof signature}, out);
    return true;
}

/* ---- reading ---- */

static const char *check_signature(const struct ticket_keys *keys, const struct auth_compact *c) {
    const struct str signature = {c->signature.data, c->signature.len};

    if (c->alg != AUTH_ALG_ES256) {
        return "the header's alg is not ES256";
    }
    for (size_t i = 0; i < keys->count; i++) {
        const struct auth_key *key = keys->items[i].key;

        if (!str_eqz(c->kid, key->kid)) {
            continue;
        }
        return auth_key_verify(key, c->signed_part, signature) ? NULL : "the signature is wrong";
    }
    return "the header's kid is none of the ticket keys";
}

static bool read_number(const json_t *claims, const char *name, int64_t max, int64_t *out) {
    const json_t *value = json_object_get(claims, name);

    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= 1 && *out <= max;
}

static bool read_text(const json_t *claims, const char *name, size_t size, char *out) {
    const json_t *value = json_object_get(claims, name);
    struct str text = json_is_string(value) ? jsonr_str(value) : (struct str){NULL, 0};

    if (text.len == 0 || text.len >= size || memchr(text.p, '\0', text.len) != NULL) {
        return false;
    }
    memcpy(out, text.p, text.len);
    out[text.len] = '\0';
    return true;
}

/* The signature is valid, but the key may also be used for other tokens. */
static const char *read_claims(const json_t *claims, struct ticket_claims *out) {
    int64_t expires_s;

    if (!read_text(claims, "sub", sizeof out->user_id, out->user_id) ||
        !read_text(claims, "res", sizeof out->resource, out->resource) ||
        !read_number(claims, "fence", JSON_INTEGER_MAX, &out->fence) ||
        !read_number(claims, "exp", SECONDS_MAX, &expires_s)) {
        return "the claims are not those of a ticket";
    }
    out->expires_unix_ms = expires_s * 1000;
    return NULL;
}

bool ticket_read(const struct ticket_keys *keys, struct str text, struct ticket_claims *out,
                 const char **why) {
    struct auth_compact compact;
    json_t *claims = NULL;

    *why = auth_compact_read(text, &compact);
    if (*why == NULL) {
        *why = check_signature(keys, &compact);
    }
    if (*why == NULL && (claims = auth_compact_claims(&compact, why)) != NULL) {
        *why = read_claims(claims, out);
    }
    json_decref(claims);
    auth_compact_fini(&compact);
    return *why == NULL;
}
