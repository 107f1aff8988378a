/* siv_int.h: AES-SIV (RFC 5297) without associated data, for record tokens.
 * A context has one key and one direction and belongs to one thread. */
#ifndef CRYPTO_SIV_INT_H
#define CRYPTO_SIV_INT_H

#include "base/err.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIV_KEY_LEN 64
#define SIV_TAG_LEN 16

/* NULL: no memory, or OpenSSL refuses. Free with EVP_CIPHER_CTX_free, which wipes. */
EVP_CIPHER_CTX *siv_new(const uint8_t key[static SIV_KEY_LEN], bool encrypt);
/* Writes the tag, then len bytes. */
enum err siv_seal(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out) MUST_CHECK;
/* in is the tag, then len bytes. ERR_SEAL: does not verify; out is then wiped. */
enum err siv_open(EVP_CIPHER_CTX *ctx, const uint8_t *in, size_t len, uint8_t *out) MUST_CHECK;

#endif
