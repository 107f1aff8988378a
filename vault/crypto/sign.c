/* sign.c: Ed25519 through EVP_PKEY, one shot. */
#include "crypto/sign.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

enum err sign_public(const uint8_t seed[static SIGN_SEED_LEN], uint8_t out[static SIGN_PUBLIC_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, SIGN_SEED_LEN);
	size_t len = SIGN_PUBLIC_LEN;
	enum err e = ERR_CRYPTO;

	if (key && EVP_PKEY_get_raw_public_key(key, out, &len) == 1 && len == SIGN_PUBLIC_LEN)
		e = ERR_OK;
	else
		ERR_clear_error();
	EVP_PKEY_free(key);
	return e;
}

enum err sign_bytes(const uint8_t seed[static SIGN_SEED_LEN], const void *bytes, size_t len,
                    uint8_t out[static SIGN_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, "ED25519", NULL, seed, SIGN_SEED_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t out_len = SIGN_LEN;
	enum err e = ERR_CRYPTO;

	if (key && ctx && EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestSign(ctx, out, &out_len, bytes, len) == 1 && out_len == SIGN_LEN)
		e = ERR_OK;
	if (e) {
		OPENSSL_cleanse(out, SIGN_LEN);
		ERR_clear_error();
	}
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return e;
}

enum err sign_base64(const uint8_t seed[static SIGN_SEED_LEN], const void *bytes, size_t len,
                     char out[static SIGN_BASE64_LEN + 1])
{
	uint8_t value[SIGN_LEN];
	enum err e = sign_bytes(seed, bytes, len, value);

	if (!e && EVP_EncodeBlock((unsigned char *)out, value, SIGN_LEN) != SIGN_BASE64_LEN)
		e = ERR_CRYPTO;
	return e;
}

enum err sign_verify(const uint8_t public_key[static SIGN_PUBLIC_LEN], const void *bytes, size_t len,
                     const uint8_t signature[static SIGN_LEN])
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key, SIGN_PUBLIC_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	enum err e = ERR_CRYPTO;

	if (key && ctx && EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key, NULL) == 1)
		e = EVP_DigestVerify(ctx, signature, SIGN_LEN, bytes, len) == 1 ? ERR_OK : ERR_SEAL;
	if (e)
		ERR_clear_error();
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return e;
}
