/* kdf_int.h: HKDF-SHA-256 (RFC 5869). Any thread. */
#ifndef CRYPTO_KDF_INT_H
#define CRYPTO_KDF_INT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* salt_len 0 means the salt of zeros. ERR_CRYPTO; out is then wiped. */
enum err hkdf_sha256(const void *key, size_t key_len, const void *salt, size_t salt_len, const void *info,
                     size_t info_len, void *out, size_t out_len) MUST_CHECK;

/* A subkey of a 32-byte master for one use. label is a constant of the program
 * that no other use shares; its NUL separates it from the two numbers, which
 * are encoded with fixed width, so no two uses have the same info. */
enum err kdf_subkey(const uint8_t master[static 32], const char *label, uint32_t a, uint32_t b, void *out,
                    size_t out_len) MUST_CHECK;

#endif
