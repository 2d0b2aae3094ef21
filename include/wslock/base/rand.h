/* Random bytes from the kernel (getrandom); failure ends the process. */
#ifndef WSLOCK_BASE_RAND_H
#define WSLOCK_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t len);
uint64_t rand_u64(void);
/* Uniform in [0, bound); bound > 0. */
uint64_t rand_below(uint64_t bound);

#define RAND_ID_LEN 22
/* 128 bits as 22 characters of [A-Za-z0-9_-] (base64url) and a NUL. */
void rand_id(char out[RAND_ID_LEN + 1]);

#endif
