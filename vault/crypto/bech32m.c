/* bech32m.c: the codec of BIP-350.
 *
 * The checksum is linear: each symbol adds its own share to the remainder, which
 * depends on the symbol and on its distance from the end alone. Shares come from
 * a table, so a text's symbols do not wait for one another; walking the
 * polynomial symbol by symbol took most of the time of making a token. */
#include "crypto/bech32m_int.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CONSTANT 0x2bc830a3u
#define CHECKSUM 6

static const char letters[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

#define WIDTH 6 /* symbols that a remainder holds */

static uint32_t folds[32]; /* what the five bits that leave the remainder add to it */
static uint32_t shares[BECH32M_TEXT_MAX + WIDTH][32]; /* by distance from the end, and symbol */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* One step of the polynomial of BIP-173. */
static uint32_t step(uint32_t sum, uint32_t symbol)
{
	return (sum & 0x1ffffff) << 5 ^ symbol ^ folds[sum >> 25];
}

static void fill_tables(void)
{
	static const uint32_t generators[5] = {0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3};

	for (uint32_t v = 0; v < 32; v++)
		for (unsigned i = 0; i < 5; i++)
			if (v >> i & 1)
				folds[v] ^= generators[i];
	for (uint32_t v = 0; v < 32; v++) {
		uint32_t sum = v;

		for (size_t d = 0; d < sizeof shares / sizeof *shares; d++) {
			shares[d][v] = sum;
			sum = step(sum, 0);
		}
	}
}

/* The share of the prefix in a text with n symbols behind the "1". */
static uint32_t share_of_prefix(const char *prefix, size_t len, size_t n)
{
	uint32_t state = 1, sum = 0;

	for (size_t i = 0; i < len; i++)
		state = step(state, (uint32_t)((unsigned char)prefix[i] >> 5));
	state = step(state, 0);
	for (size_t i = 0; i < len; i++)
		state = step(state, (uint32_t)((unsigned char)prefix[i] & 31));
	for (size_t i = 0; i < WIDTH; i++)
		sum ^= shares[n + i][state >> (5 * i) & 31];
	return sum;
}

size_t bech32m_encode(const char *prefix, size_t prefix_len, const uint8_t *symbols, size_t n, char *out)
{
	const size_t all = n + CHECKSUM;
	uint32_t sum;
	char *at = out;

	if (prefix_len + 1 + all > BECH32M_TEXT_MAX || pthread_once(&once, fill_tables) != 0)
		abort();
	memcpy(at, prefix, prefix_len);
	at += prefix_len;
	*at++ = '1';
	sum = share_of_prefix(prefix, prefix_len, all) ^ CONSTANT;
	for (size_t i = 0; i < n; i++) {
		sum ^= shares[all - 1 - i][symbols[i] & 31];
		*at++ = letters[symbols[i] & 31];
	}
	for (unsigned i = CHECKSUM; i-- > 0;)
		*at++ = letters[sum >> (5 * i) & 31];
	*at = 0;
	return (size_t)(at - out);
}

/* 0xff: not a letter of the alphabet. Both cases are in it. */
static uint8_t symbol_of(char c)
{
	static const uint8_t values[128] = {
#define BOTH(lower, upper, v) [lower] = (v) + 1, [upper] = (v) + 1
	    ['0'] = 15 + 1, ['2'] = 10 + 1, ['3'] = 17 + 1, ['4'] = 21 + 1, ['5'] = 20 + 1, ['6'] = 26 + 1, ['7'] = 30 + 1,
	    ['8'] = 7 + 1, ['9'] = 5 + 1,
	    BOTH('q', 'Q', 0), BOTH('p', 'P', 1), BOTH('z', 'Z', 2), BOTH('r', 'R', 3), BOTH('y', 'Y', 4),
	    BOTH('x', 'X', 6), BOTH('g', 'G', 8), BOTH('f', 'F', 9), BOTH('t', 'T', 11), BOTH('v', 'V', 12),
	    BOTH('d', 'D', 13), BOTH('w', 'W', 14), BOTH('s', 'S', 16), BOTH('j', 'J', 18), BOTH('n', 'N', 19),
	    BOTH('k', 'K', 22), BOTH('h', 'H', 23), BOTH('c', 'C', 24), BOTH('e', 'E', 25), BOTH('m', 'M', 27),
	    BOTH('u', 'U', 28), BOTH('a', 'A', 29), BOTH('l', 'L', 31),
#undef BOTH
	};
	const unsigned char u = (unsigned char)c;

	return u < 128 ? (uint8_t)(values[u] - 1) : 0xff;
}

/* Printable ASCII in one case only. */
static bool characters_fit(const char *text, size_t len)
{
	bool lower = false, upper = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < 33 || text[i] > 126)
			return false;
		lower |= text[i] >= 'a' && text[i] <= 'z';
		upper |= text[i] >= 'A' && text[i] <= 'Z';
	}
	return !(lower && upper);
}

enum err bech32m_decode(const char *text, size_t len, struct bech32m *out)
{
	const char *separator;
	size_t n;
	uint32_t sum;

	if (pthread_once(&once, fill_tables) != 0)
		abort();
	if (len > BECH32M_TEXT_MAX || !characters_fit(text, len))
		return ERR_BAD_TOKEN;
	separator = memrchr(text, '1', len);
	if (!separator || separator == text)
		return ERR_BAD_TOKEN;
	out->prefix_len = (size_t)(separator - text);
	n = len - out->prefix_len - 1;
	if (n < CHECKSUM)
		return ERR_BAD_TOKEN;
	for (size_t i = 0; i < out->prefix_len; i++)
		out->prefix[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 32 : text[i]);
	out->prefix[out->prefix_len] = 0;
	out->n = n - CHECKSUM;
	sum = share_of_prefix(out->prefix, out->prefix_len, n);
	for (size_t i = 0; i < n; i++) {
		const uint8_t v = symbol_of(separator[1 + i]);

		if (v > 31)
			return ERR_BAD_TOKEN;
		if (i < out->n)
			out->symbols[i] = v;
		sum ^= shares[n - 1 - i][v];
	}
	return sum == CONSTANT ? ERR_OK : ERR_BAD_TOKEN;
}

/* Five bytes are eight symbols. */
static void split_group(const uint8_t in[static 5], uint8_t out[static 8])
{
	const uint64_t bits = (uint64_t)in[0] << 32 | (uint64_t)in[1] << 24 | (uint64_t)in[2] << 16 | (uint64_t)in[3] << 8 | in[4];

	for (unsigned i = 0; i < 8; i++)
		out[i] = bits >> (35 - 5 * i) & 31;
}

/* The last group is filled up with zero bits. */
void bech32m_split(const uint8_t *bytes, size_t len, uint8_t *symbols)
{
	uint8_t rest[5] = {0}, last[8];

	for (; len >= 5; len -= 5, bytes += 5, symbols += 8)
		split_group(bytes, symbols);
	memcpy(rest, bytes, len);
	split_group(rest, last);
	memcpy(symbols, last, BECH32M_SYMBOLS(len));
}

enum err bech32m_join(const uint8_t *symbols, size_t len, uint8_t *bytes)
{
	uint64_t bits = 0;

	for (size_t left = BECH32M_SYMBOLS(len); left > 0;) {
		const size_t n = left < 8 ? left : 8;
		const size_t bytes_n = len < 5 ? len : 5;

		bits = 0;
		for (size_t i = 0; i < 8; i++)
			bits = bits << 5 | (i < n ? *symbols++ : 0);
		for (size_t i = 0; i < bytes_n; i++, bits <<= 8)
			*bytes++ = (uint8_t)(bits >> 32);
		bits &= (uint64_t)0xffffffffff;
		len -= bytes_n;
		left -= n;
	}
	return bits == 0 ? ERR_OK : ERR_BAD_TOKEN;
}
