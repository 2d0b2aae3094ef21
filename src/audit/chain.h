/*
 * The hash chain. A line ends in `,"seq":N,"prev":"…","hash":"…"}`; hash is the SHA-256, or with a
 * key the HMAC-SHA-256, of the line's bytes up to the comma before "hash", in lower-case
 * hexadecimal.
 */
#ifndef WSLOCK_AUDIT_CHAIN_H
#define WSLOCK_AUDIT_CHAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "wslock/base/buf.h"
#include "wslock/base/macros.h"
#include "wslock/base/str.h"

#define CHAIN_HASH_LEN 64
/* `,"prev":"` hash `"` and `,"hash":"` hash `"}` newline. */
#define CHAIN_TAIL_LEN ((size_t)(9 + CHAIN_HASH_LEN + 1 + 9 + CHAIN_HASH_LEN + 3))
/* The `prev` of the record with seq 1. */
#define CHAIN_GENESIS "0000000000000000000000000000000000000000000000000000000000000000"

struct chain;

/* Where a record stands in the chain; hash and prev are NUL-terminated. */
struct chain_link {
    uint64_t seq;
    char prev[CHAIN_HASH_LEN + 1];
    char hash[CHAIN_HASH_LEN + 1];
};

enum chain_check { CHAIN_OK, CHAIN_MALFORMED, CHAIN_MISMATCH };

/* hmac_key_file NULL: not keyed. The key is the file's content without line ends at its end, 16 to
 * 4096 bytes. NULL with *problem (heap). Used by one thread at a time. */
struct chain *chain_create(const char *hmac_key_file, char **problem) MUST_CHECK;
void chain_destroy(struct chain **c); /* wipes the key */
bool chain_is_keyed(const struct chain *c);

/* Hex of the chain's hash, or of plain SHA-256, with a NUL. */
void chain_hash(struct chain *c, const char *data, size_t len, char out[CHAIN_HASH_LEN + 1]);
void chain_sha256_hex(const char *data, size_t len, char out[CHAIN_HASH_LEN + 1]);

/* Adds prev, hash, brace and newline to the line that began at line->data + start. head->hash is
 * the record before; afterwards head is this record. */
void chain_finish_line(struct chain *c, struct buf *line, size_t start, uint64_t seq,
                       struct chain_link *head);

/* Of a line without its newline; 0: it has not the form of a record. Verifies nothing. */
uint64_t chain_line_seq(struct str line);
/* A line without its newline. *link is filled unless CHAIN_MALFORMED. */
enum chain_check chain_check_line(struct chain *c, struct str line, struct chain_link *link);

#endif
