/* bytes_int.h: fixed-width big endian numbers, as all numbers at rest. */
#ifndef CRYPTO_BYTES_INT_H
#define CRYPTO_BYTES_INT_H

#include <stddef.h>
#include <stdint.h>

/* Writes the low width bytes of v; gives the place behind them. */
static inline uint8_t *bytes_put(uint8_t *at, uint64_t v, size_t width)
{
	for (size_t i = width; i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
	return at + width;
}

static inline uint64_t bytes_get(const uint8_t *at, size_t width)
{
	uint64_t v = 0;

	for (size_t i = 0; i < width; i++)
		v = v << 8 | at[i];
	return v;
}

#endif
