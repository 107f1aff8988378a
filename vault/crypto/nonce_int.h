/* nonce_int.h: random 96-bit nonces, drawn from the DRBG in bulk.
 *
 * A pool belongs to one thread. It is dropped in the child of a fork: parent
 * and child would otherwise hand out the same nonces under the same key. The
 * drop hangs on pthread_atfork, so a raw clone() or _Fork() must not be
 * followed by sealing. */
#ifndef CRYPTO_NONCE_INT_H
#define CRYPTO_NONCE_INT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define NONCE_LEN 12
#define NONCE_POOL 64

struct nonce_pool {
	uint8_t bytes[NONCE_POOL][NONCE_LEN];
	size_t left;   /* unused ones, at the front; 0 at first */
	unsigned fork; /* process generation in which it was filled */
};

/* ERR_CRYPTO: no randomness, or no handler for forks could be set. */
enum err nonce_draw(struct nonce_pool *p, uint8_t out[static NONCE_LEN]) MUST_CHECK;

#endif
