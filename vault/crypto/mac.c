/* mac.c: SHA-256 and HMAC-SHA-256. A context keeps its key: starting again
 * costs a fraction of a new context. */
#include "crypto/mac.h"

#include "crypto/alg_int.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/params.h>

/* struct mac is never defined: it is OpenSSL's context under another name. */
static EVP_MAC_CTX *context(struct mac *m)
{
	return (EVP_MAC_CTX *)m;
}

enum err mac_new(const uint8_t key[static 32], struct mac **out)
{
	const struct alg *alg = alg_get();
	EVP_MAC_CTX *ctx = alg ? EVP_MAC_CTX_new(alg->hmac) : NULL;
	char digest[] = "SHA256";
	const OSSL_PARAM params[2] = {
	    OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
	    OSSL_PARAM_construct_end(),
	};

	*out = NULL;
	if (!ctx)
		return ERR_MEMORY;
	if (EVP_MAC_init(ctx, key, 32, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		ERR_clear_error();
		return ERR_CRYPTO;
	}
	*out = (struct mac *)ctx;
	return ERR_OK;
}

void mac_free(struct mac *m)
{
	EVP_MAC_CTX_free(context(m));
}

enum err mac_parts(struct mac *m, const struct mac_part *parts, size_t n, uint8_t out[static MAC_LEN])
{
	EVP_MAC_CTX *ctx = context(m);
	size_t len = 0;

	if (EVP_MAC_init(ctx, NULL, 0, NULL) != 1)
		goto fail;
	for (size_t i = 0; i < n; i++)
		if (parts[i].len && EVP_MAC_update(ctx, parts[i].bytes, parts[i].len) != 1)
			goto fail;
	if (EVP_MAC_final(ctx, out, &len, MAC_LEN) == 1 && len == MAC_LEN)
		return ERR_OK;
fail:
	OPENSSL_cleanse(out, MAC_LEN);
	ERR_clear_error();
	return ERR_CRYPTO;
}

enum err mac_of(struct mac *m, const void *bytes, size_t len, uint8_t out[static MAC_LEN])
{
	const struct mac_part part = {bytes, len};

	return mac_parts(m, &part, 1, out);
}

enum err sha256_parts(const struct mac_part *parts, size_t n, uint8_t out[static 32])
{
	const struct alg *alg = alg_get();
	EVP_MD_CTX *ctx = alg ? EVP_MD_CTX_new() : NULL;
	enum err e = ERR_CRYPTO;

	if (!ctx || EVP_DigestInit_ex2(ctx, alg->sha256, NULL) != 1)
		goto out;
	for (size_t i = 0; i < n; i++)
		if (parts[i].len && EVP_DigestUpdate(ctx, parts[i].bytes, parts[i].len) != 1)
			goto out;
	if (EVP_DigestFinal_ex(ctx, out, NULL) == 1)
		e = ERR_OK;
out:
	if (e)
		ERR_clear_error();
	EVP_MD_CTX_free(ctx);
	return e;
}

enum err sha256_of(const void *bytes, size_t len, uint8_t out[static 32])
{
	const struct mac_part part = {bytes, len};

	return sha256_parts(&part, 1, out);
}
