/* block.c: one AES block through EVP: ECB without padding. */
#include "crypto/block_int.h"

#include "crypto/alg_int.h"

#include <openssl/err.h>

EVP_CIPHER_CTX *block_new(const uint8_t key[static BLOCK_KEY_LEN], bool encrypt)
{
	const struct alg *alg = alg_get();
	EVP_CIPHER_CTX *ctx = alg ? EVP_CIPHER_CTX_new() : NULL;

	if (ctx && EVP_CipherInit_ex2(ctx, alg->ecb, key, NULL, encrypt, NULL) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	ERR_clear_error();
	return NULL;
}

enum err block_of(EVP_CIPHER_CTX *ctx, const uint8_t in[static BLOCK_LEN], uint8_t out[static BLOCK_LEN])
{
	int done;

	if (EVP_CipherUpdate(ctx, out, &done, in, BLOCK_LEN) == 1 && done == BLOCK_LEN)
		return ERR_OK;
	ERR_clear_error();
	return ERR_CRYPTO;
}
