/*
 * The fingerprint of CVE-2017-15361 (Nemec et al., "The Return of Coppersmith's Attack", 2017, §4):
 * the primes made by that library are k * M + 65537^a mod M with M a product of small primes, so
 * the modulus is a power of 65537 modulo each of them. A sound key looks like one by a chance of
 * 2^-27.
 */
#include "roca.h"

#include "wslock/base/macros.h"

/* The small primes for which 65537 does not generate everything. */
static const unsigned PRIMES[] = {11, 13, 17,  19,  37,  53,  61,  71, 73,
                                  79, 97, 103, 107, 109, 127, 151, 157};

static bool is_power(unsigned residue, unsigned prime) {
    unsigned power = 1;

    do {
        if (power == residue) {
            return true;
        }
        power = power * (65537 % prime) % prime;
    } while (power != 1);
    return false;
}

bool auth_rsa_is_roca(const BIGNUM *modulus) {
    for (size_t i = 0; i < ARRAY_LEN(PRIMES); i++) {
        if (!is_power((unsigned)BN_mod_word(modulus, PRIMES[i]), PRIMES[i])) {
            return false;
        }
    }
    return true;
}
