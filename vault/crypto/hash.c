/* hash.c: SHA-256 of what comes in pieces. */
#include "crypto/mac.h"

#include "crypto/alg_int.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdlib.h>

struct hash {
	EVP_MD_CTX *ctx;
};

static enum err outcome(bool good)
{
	if (!good)
		ERR_clear_error();
	return good ? ERR_OK : ERR_CRYPTO;
}

enum err hash_new(struct hash **out)
{
	const struct alg *alg = alg_get();
	struct hash *h = calloc(1, sizeof *h);

	*out = h;
	if (!h)
		return ERR_MEMORY;
	h->ctx = alg ? EVP_MD_CTX_new() : NULL;
	return outcome(h->ctx && EVP_DigestInit_ex2(h->ctx, alg->sha256, NULL) == 1);
}

enum err hash_add(struct hash *h, const void *bytes, size_t len)
{
	return outcome(len == 0 || EVP_DigestUpdate(h->ctx, bytes, len) == 1);
}

enum err hash_end(struct hash *h, uint8_t out[static 32])
{
	return outcome(EVP_DigestFinal_ex(h->ctx, out, NULL) == 1);
}

enum err hash_again(struct hash *h)
{
	return outcome(EVP_DigestInit_ex2(h->ctx, NULL, NULL) == 1);
}

void hash_free(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}
