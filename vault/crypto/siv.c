/* siv.c: AES-256-SIV. OpenSSL allows a context one operation unless the
 * parameter "speed" is set; without associated data no state is carried from
 * one operation to the next, so a context may be used again. */
#include "crypto/siv_int.h"

#include "crypto/alg_int.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

EVP_CIPHER_CTX *siv_new(const uint8_t key[static SIV_KEY_LEN], bool encrypt)
{
	const struct alg *alg = alg_get();
	EVP_CIPHER_CTX *ctx = alg ? EVP_CIPHER_CTX_new() : NULL;
	unsigned int again = 1;
	const OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_uint(OSSL_CIPHER_PARAM_SPEED, &again),
	    OSSL_PARAM_construct_end(),
	};

	if (!ctx)
		return NULL;
	if (EVP_CipherInit_ex2(ctx, alg->siv, key, NULL, encrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_params(ctx, params) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ERR_clear_error();
		return NULL;
	}
	return ctx;
}

enum err siv_seal(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out)
{
	OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, out, SIV_TAG_LEN),
	    OSSL_PARAM_construct_end(),
	};
	int done;

	if (len <= INT_MAX && EVP_EncryptUpdate(ctx, out + SIV_TAG_LEN, &done, in, (int)len) == 1 &&
	    EVP_CIPHER_CTX_get_params(ctx, params) == 1)
		return ERR_OK;
	OPENSSL_cleanse(out, SIV_TAG_LEN + len);
	ERR_clear_error();
	return ERR_CRYPTO;
}

enum err siv_open(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t tag[SIV_TAG_LEN];
	const OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, SIV_TAG_LEN),
	    OSSL_PARAM_construct_end(),
	};
	enum err e = ERR_CRYPTO;
	int done;

	memcpy(tag, in, SIV_TAG_LEN);
	if (len <= INT_MAX && EVP_CIPHER_CTX_set_params(ctx, params) == 1)
		e = EVP_DecryptUpdate(ctx, out, &done, in + SIV_TAG_LEN, (int)len) == 1 ? ERR_OK : ERR_SEAL;
	if (e) {
		OPENSSL_cleanse(out, len);
		ERR_clear_error();
	}
	return e;
}
