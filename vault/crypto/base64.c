/* base64.c: both alphabets, both ways. */
#include "crypto/base64_int.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static const char url_letters[] = LETTERS "-_", padded_letters[] = LETTERS "+/";

size_t base64_len(size_t len)
{
	return len / 3 * 4 + (len % 3 ? len % 3 + 1 : 0);
}

static char *write_letters(const char *letters, const uint8_t *bytes, size_t len, char *out)
{
	uint32_t bits = 0;
	unsigned held = 0;

	for (size_t i = 0; i < len; i++) {
		bits = bits << 8 | bytes[i];
		for (held += 8; held >= 6; held -= 6)
			*out++ = letters[bits >> (held - 6) & 63];
	}
	if (held)
		*out++ = letters[bits << (6 - held) & 63];
	*out = 0;
	return out;
}

void base64_write(const uint8_t *bytes, size_t len, char *out)
{
	write_letters(url_letters, bytes, len, out);
}

size_t base64_padded_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

void base64_padded_write(const uint8_t *bytes, size_t len, char *out)
{
	char *at = write_letters(padded_letters, bytes, len, out);

	while ((size_t)(at - out) < base64_padded_len(len))
		*at++ = '=';
	*at = 0;
}

static int value_of(const char *letters, char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == letters[62])
		return 62;
	return c == letters[63] ? 63 : -1;
}

static bool read_letters(const char *letters, const char *text, size_t text_len, uint8_t *out, size_t *len)
{
	uint32_t bits = 0;
	unsigned held = 0;
	const size_t room = *len;
	size_t n = 0;

	*len = 0;
	if (text_len % 4 == 1 || text_len / 4 * 3 + text_len % 4 * 3 / 4 > room)
		return false;
	for (size_t i = 0; i < text_len; i++) {
		const int v = value_of(letters, text[i]);

		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		held += 6;
		if (held >= 8) {
			held -= 8;
			out[n++] = (uint8_t)(bits >> held);
		}
	}
	*len = n;
	return (bits & ((1u << held) - 1)) == 0;
}

bool base64_read(const char *text, size_t text_len, uint8_t *out, size_t *len)
{
	return read_letters(url_letters, text, text_len, out, len);
}

bool base64_padded_read(const char *text, size_t text_len, uint8_t *out, size_t *len)
{
	size_t padding = 0;

	while (padding < 2 && padding < text_len && text[text_len - 1 - padding] == '=')
		padding++;
	if (text_len % 4 == 0)
		return read_letters(padded_letters, text, text_len - padding, out, len);
	*len = 0;
	return false;
}
