/* sign.h: Ed25519 signatures (RFC 8032), for checkpoints of the audit log.
 * Any thread; a key is made ready in each call. */
#ifndef CRYPTO_SIGN_H
#define CRYPTO_SIGN_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SIGN_SEED_LEN 32
#define SIGN_PUBLIC_LEN 32
#define SIGN_LEN 64

/* The public key of a seed (KEYRING_SIGN). ERR_CRYPTO. */
enum err sign_public(const uint8_t seed[static SIGN_SEED_LEN], uint8_t out[static SIGN_PUBLIC_LEN]) MUST_CHECK;
enum err sign_bytes(const uint8_t seed[static SIGN_SEED_LEN], const void *bytes, size_t len,
                    uint8_t out[static SIGN_LEN]) MUST_CHECK;
/* The same in base64 (RFC 4648 section 4), NUL behind it. */
#define SIGN_BASE64_LEN 88
enum err sign_base64(const uint8_t seed[static SIGN_SEED_LEN], const void *bytes, size_t len,
                     char out[static SIGN_BASE64_LEN + 1]) MUST_CHECK;
/* ERR_SEAL: the signature is not by this key over these bytes. */
enum err sign_verify(const uint8_t public_key[static SIGN_PUBLIC_LEN], const void *bytes, size_t len,
                     const uint8_t signature[static SIGN_LEN]) MUST_CHECK;

#endif
