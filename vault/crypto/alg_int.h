/* alg_int.h: the algorithms of OpenSSL that the vault uses, fetched once a
 * process: a fetch costs microseconds and takes a shared lock. */
#ifndef CRYPTO_ALG_INT_H
#define CRYPTO_ALG_INT_H

#include <openssl/evp.h>
#include <openssl/kdf.h>

struct alg {
	EVP_CIPHER *gcm; /* AES-256-GCM */
	EVP_CIPHER *ecb; /* AES-256-ECB: single blocks of tokens only */
	EVP_CIPHER *siv; /* AES-256-SIV, two keys of 32 bytes */
	EVP_MAC *hmac;
	EVP_MD *sha256;
	EVP_KDF *hkdf;
};

/* Borrowed for the life of the process; NULL where OpenSSL lacks one. Any thread. */
const struct alg *alg_get(void);

#endif
