/* nonce.c: nonces in bulk: one call of the DRBG for each 64. */
#include "crypto/nonce_int.h"

#include <openssl/err.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

static _Atomic unsigned fork_count;
static bool watched;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
	atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

static void watch_forks(void)
{
	watched = pthread_atfork(NULL, NULL, in_child) == 0;
}

static enum err refill(struct nonce_pool *p)
{
	if (pthread_once(&once, watch_forks) != 0 || !watched)
		return ERR_CRYPTO;
	p->left = 0;
	p->fork = atomic_load_explicit(&fork_count, memory_order_relaxed);
	if (RAND_bytes(&p->bytes[0][0], sizeof p->bytes) != 1) {
		ERR_clear_error();
		return ERR_CRYPTO;
	}
	p->left = NONCE_POOL;
	return ERR_OK;
}

enum err nonce_draw(struct nonce_pool *p, uint8_t out[static NONCE_LEN])
{
	if (p->left == 0 || p->fork != atomic_load_explicit(&fork_count, memory_order_relaxed)) {
		enum err e = refill(p);

		if (e)
			return e;
	}
	memcpy(out, p->bytes[--p->left], NONCE_LEN);
	return ERR_OK;
}
