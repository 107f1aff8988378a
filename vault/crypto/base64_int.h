/* base64_int.h: base64url without padding (RFC 4648 section 5), and base64 with
 * padding (section 4) for C2SP's formats. One text for each byte string: unused
 * bits must be zero. */
#ifndef CRYPTO_BASE64_INT_H
#define CRYPTO_BASE64_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Letters that len bytes take. */
size_t base64_len(size_t len);
/* Writes base64_len(len) letters and a NUL. */
void base64_write(const uint8_t *bytes, size_t len, char *out);
/* *len: room in out, then bytes. false: a wrong letter, length or unused bit, or no room. */
bool base64_read(const char *text, size_t text_len, uint8_t *out, size_t *len);

/* The same with padding. */
size_t base64_padded_len(size_t len);
void base64_padded_write(const uint8_t *bytes, size_t len, char *out);
bool base64_padded_read(const char *text, size_t text_len, uint8_t *out, size_t *len);

#endif
