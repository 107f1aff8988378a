/* aead.c: AES-256-GCM. Decryption gives EVP the tag before the first byte and
 * wipes the output unless the final call has verified it. */
#include "crypto/aead_int.h"

#include "crypto/alg_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>

EVP_CIPHER_CTX *aead_new(void)
{
	const struct alg *alg = alg_get();
	EVP_CIPHER_CTX *ctx = alg ? EVP_CIPHER_CTX_new() : NULL;

	if (!ctx)
		return NULL;
	if (EVP_EncryptInit_ex2(ctx, alg->gcm, NULL, NULL, NULL) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static enum err failed(void)
{
	ERR_clear_error();
	return ERR_CRYPTO;
}

enum err aead_key(EVP_CIPHER_CTX *ctx, const uint8_t key[static AEAD_KEY_LEN])
{
	return EVP_DecryptInit_ex2(ctx, NULL, key, NULL, NULL) == 1 ? ERR_OK : failed();
}

static bool add_aad(EVP_CIPHER_CTX *ctx, const struct mac_part *aad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int done;

		if (aad[i].len == 0)
			continue;
		if (aad[i].len > AEAD_LEN_MAX)
			return false;
		if (EVP_CipherUpdate(ctx, NULL, &done, aad[i].bytes, (int)aad[i].len) != 1)
			return false;
	}
	return true;
}

enum err aead_seal(EVP_CIPHER_CTX *ctx, const uint8_t nonce[static AEAD_NONCE_LEN], const struct mac_part *aad,
                   size_t n, const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[static AEAD_TAG_LEN])
{
	OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, AEAD_TAG_LEN),
	    OSSL_PARAM_construct_end(),
	};
	uint8_t rest[AEAD_TAG_LEN];
	int done;

	if (len > AEAD_LEN_MAX)
		return ERR_CRYPTO;
	if (EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 && add_aad(ctx, aad, n) &&
	    (len == 0 || EVP_EncryptUpdate(ctx, out, &done, in, (int)len) == 1) &&
	    EVP_EncryptFinal_ex(ctx, rest, &done) == 1 && EVP_CIPHER_CTX_get_params(ctx, params) == 1)
		return ERR_OK;
	if (len)
		OPENSSL_cleanse(out, len);
	return failed();
}

enum err aead_open(EVP_CIPHER_CTX *ctx, const uint8_t nonce[static AEAD_NONCE_LEN], const struct mac_part *aad,
                   size_t n, const uint8_t *in, size_t len, uint8_t *out, const uint8_t tag[static AEAD_TAG_LEN])
{
	uint8_t copy[AEAD_TAG_LEN], rest[AEAD_TAG_LEN];
	OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, copy, AEAD_TAG_LEN),
	    OSSL_PARAM_construct_end(),
	};
	enum err e = ERR_CRYPTO;
	int done;

	if (len > AEAD_LEN_MAX)
		return ERR_CRYPTO;
	memcpy(copy, tag, AEAD_TAG_LEN);
	if (EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, params) == 1 && add_aad(ctx, aad, n) &&
	    (len == 0 || EVP_DecryptUpdate(ctx, out, &done, in, (int)len) == 1))
		e = EVP_DecryptFinal_ex(ctx, rest, &done) == 1 ? ERR_OK : ERR_SEAL;
	if (e) {
		if (len)
			OPENSSL_cleanse(out, len);
		ERR_clear_error();
	}
	return e;
}

enum err aead_seal_once(const uint8_t key[static AEAD_KEY_LEN], const struct mac_part *aad, size_t n, const void *in,
                        size_t len, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = aead_new();
	enum err e = ctx ? ERR_OK : ERR_MEMORY;

	if (!e)
		e = aead_key(ctx, key);
	if (!e && RAND_bytes(out, AEAD_NONCE_LEN) != 1)
		e = failed();
	if (!e)
		e = aead_seal(ctx, out, aad, n, in, len, out + AEAD_NONCE_LEN, out + AEAD_NONCE_LEN + len);
	EVP_CIPHER_CTX_free(ctx);
	return e;
}

enum err aead_open_once(const uint8_t key[static AEAD_KEY_LEN], const struct mac_part *aad, size_t n,
                        const uint8_t *sealed, size_t sealed_len, void *out)
{
	EVP_CIPHER_CTX *ctx;
	enum err e;

	if (sealed_len < AEAD_OVERHEAD)
		return ERR_SEAL;
	ctx = aead_new();
	e = ctx ? aead_key(ctx, key) : ERR_MEMORY;
	if (!e)
		e = aead_open(ctx, sealed, aad, n, sealed + AEAD_NONCE_LEN, sealed_len - AEAD_OVERHEAD, out,
		              sealed + sealed_len - AEAD_TAG_LEN);
	EVP_CIPHER_CTX_free(ctx);
	return e;
}
