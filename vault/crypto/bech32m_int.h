/* bech32m_int.h: bech32m (BIP-350): a readable prefix, "1", data symbols of 5
 * bits and a checksum of 6 that finds any 4 wrong characters. Pure; any thread. */
#ifndef CRYPTO_BECH32M_INT_H
#define CRYPTO_BECH32M_INT_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define BECH32M_TEXT_MAX 90 /* characters, without NUL */
#define BECH32M_PREFIX_MAX 83
#define BECH32M_SYMBOLS_MAX 82 /* without the checksum */

struct bech32m {
	char prefix[BECH32M_PREFIX_MAX + 1]; /* lower case */
	size_t prefix_len;
	uint8_t symbols[BECH32M_SYMBOLS_MAX]; /* below 32 each */
	size_t n;
};

/* ERR_BAD_TOKEN: anything that BIP-350 refuses. */
enum err bech32m_decode(const char *text, size_t len, struct bech32m *out) MUST_CHECK;
/* Writes prefix, "1", the n symbols, the checksum and a NUL: prefix_len + n + 8
 * bytes, of which the NUL is not counted in the result. prefix is lower case. */
size_t bech32m_encode(const char *prefix, size_t prefix_len, const uint8_t *symbols, size_t n, char *out);

/* Symbols that len bytes take. */
#define BECH32M_SYMBOLS(len) (((len) * 8 + 4) / 5)
/* Bytes to BECH32M_SYMBOLS(len) symbols, unused bits zero. */
void bech32m_split(const uint8_t *bytes, size_t len, uint8_t *symbols);
/* BECH32M_SYMBOLS(len) symbols to len bytes. ERR_BAD_TOKEN: an unused bit is set. */
enum err bech32m_join(const uint8_t *symbols, size_t len, uint8_t *bytes) MUST_CHECK;

#endif
