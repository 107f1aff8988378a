/* hex.h: hex strings of the vectors to bytes. */
#ifndef VECTORS_HEX_H
#define VECTORS_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

static inline unsigned hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'f')
		return (unsigned)(c - 'a' + 10);
	abort(); /* a vector is mistyped */
}

/* Writes the bytes to out, which has room for them; gives their number. */
static inline size_t hex_read(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex += 2)
		out[n++] = (uint8_t)(hex_digit(hex[0]) << 4 | hex_digit(hex[1]));
	return n;
}

#endif
