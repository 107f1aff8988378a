/* aead_int.h: AES-256-GCM (NIST SP 800-38D), the one place that drives it.
 *
 * A context belongs to one thread. Callers choose nonces; see nonce_int.h. */
#ifndef CRYPTO_AEAD_INT_H
#define CRYPTO_AEAD_INT_H

#include "base/err.h"
#include "crypto/mac.h"

#include <openssl/evp.h>

#define AEAD_KEY_LEN 32
#define AEAD_NONCE_LEN 12
#define AEAD_TAG_LEN 16
#define AEAD_OVERHEAD (AEAD_NONCE_LEN + AEAD_TAG_LEN)
#define AEAD_LEN_MAX ((size_t)1 << 30) /* EVP counts in int */

/* A context with the cipher set and no key; NULL: no memory. Free with EVP_CIPHER_CTX_free, which wipes. */
EVP_CIPHER_CTX *aead_new(void);
/* Sets the key alone: no fetch, no new cipher. */
enum err aead_key(EVP_CIPHER_CTX *ctx, const uint8_t key[static AEAD_KEY_LEN]) MUST_CHECK;
/* Encrypts len bytes from in to out, which may be the same; the AAD is the parts in a row. */
enum err aead_seal(EVP_CIPHER_CTX *ctx, const uint8_t nonce[static AEAD_NONCE_LEN], const struct mac_part *aad, size_t n,
                   const uint8_t *in, size_t len, uint8_t *out, uint8_t tag[static AEAD_TAG_LEN]) MUST_CHECK;
/* ERR_SEAL: the tag does not verify; out is then wiped. */
enum err aead_open(EVP_CIPHER_CTX *ctx, const uint8_t nonce[static AEAD_NONCE_LEN], const struct mac_part *aad, size_t n,
                   const uint8_t *in, size_t len, uint8_t *out, const uint8_t tag[static AEAD_TAG_LEN]) MUST_CHECK;

/* For a caller without a context, once in a while: nonce | ciphertext | tag,
 * len + AEAD_OVERHEAD bytes, under a fresh random nonce. Any thread. */
enum err aead_seal_once(const uint8_t key[static AEAD_KEY_LEN], const struct mac_part *aad, size_t n, const void *in,
                        size_t len, uint8_t *out) MUST_CHECK;
/* out needs room for sealed_len - AEAD_OVERHEAD bytes. */
enum err aead_open_once(const uint8_t key[static AEAD_KEY_LEN], const struct mac_part *aad, size_t n,
                        const uint8_t *sealed, size_t sealed_len, void *out) MUST_CHECK;

#endif
