/* Weak RSA keys. */
#ifndef AUTH_ROCA_H
#define AUTH_ROCA_H

#include <openssl/bn.h>
#include <stdbool.h>

/* Whether an RSA modulus has the fingerprint of CVE-2017-15361 (ROCA): such a key can be factored.
 */
bool auth_rsa_is_roca(const BIGNUM *modulus);

#endif
