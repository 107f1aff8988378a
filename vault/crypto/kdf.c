/* kdf.c: HKDF through EVP_KDF. */
#include "crypto/kdf_int.h"

#include "crypto/alg_int.h"
#include "crypto/bytes_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <string.h>

/* OSSL_PARAM takes pointers without const, though it only reads through these. */
static OSSL_PARAM octets(const char *name, const void *bytes, size_t len)
{
	union {
		const void *in;
		void *out;
	} p = {.in = bytes};

	return OSSL_PARAM_construct_octet_string(name, p.out, len);
}

enum err hkdf_sha256(const void *key, size_t key_len, const void *salt, size_t salt_len, const void *info,
                     size_t info_len, void *out, size_t out_len)
{
	const struct alg *alg = alg_get();
	EVP_KDF_CTX *ctx = alg ? EVP_KDF_CTX_new(alg->hkdf) : NULL;
	char digest[] = "SHA256";
	OSSL_PARAM params[5], *p = params;
	enum err e = ERR_CRYPTO;

	if (!ctx)
		goto out;
	*p++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
	*p++ = octets(OSSL_KDF_PARAM_KEY, key, key_len);
	if (salt_len)
		*p++ = octets(OSSL_KDF_PARAM_SALT, salt, salt_len);
	if (info_len)
		*p++ = octets(OSSL_KDF_PARAM_INFO, info, info_len);
	*p = OSSL_PARAM_construct_end();
	if (EVP_KDF_derive(ctx, out, out_len, params) == 1)
		e = ERR_OK;
out:
	EVP_KDF_CTX_free(ctx);
	if (e) {
		OPENSSL_cleanse(out, out_len);
		ERR_clear_error();
	}
	return e;
}

enum err kdf_subkey(const uint8_t master[static 32], const char *label, uint32_t a, uint32_t b, void *out,
                    size_t out_len)
{
	uint8_t info[64 + 8];
	const size_t label_len = strlen(label) + 1;

	if (label_len > 64)
		return ERR_CRYPTO;
	memcpy(info, label, label_len);
	bytes_put(bytes_put(info + label_len, a, 4), b, 4);
	return hkdf_sha256(master, 32, NULL, 0, info, label_len + 8, out, out_len);
}
