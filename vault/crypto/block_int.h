/* block_int.h: single AES-256 blocks, for tokens. A context has one key and one
 * direction and belongs to one thread. Never for data: equal blocks show. */
#ifndef CRYPTO_BLOCK_INT_H
#define CRYPTO_BLOCK_INT_H

#include "base/err.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#define BLOCK_LEN 16
#define BLOCK_KEY_LEN 32

/* NULL: no memory, or OpenSSL refuses. Free with EVP_CIPHER_CTX_free, which wipes. */
EVP_CIPHER_CTX *block_new(const uint8_t key[static BLOCK_KEY_LEN], bool encrypt);
enum err block_of(EVP_CIPHER_CTX *ctx, const uint8_t in[static BLOCK_LEN], uint8_t out[static BLOCK_LEN]) MUST_CHECK;

#endif
