/* mac.h: SHA-256 (FIPS 180-4), HMAC-SHA-256 (RFC 2104), the truncated blind
 * index, sealed cursors. A struct mac belongs to one thread and one key. */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define MAC_LEN 32

struct mac;

enum err mac_new(const uint8_t key[static 32], struct mac **out) MUST_CHECK;
void mac_free(struct mac *m);
/* One message in up to n parts. */
struct mac_part {
	const void *bytes;
	size_t len;
};
enum err mac_parts(struct mac *m, const struct mac_part *parts, size_t n, uint8_t out[static MAC_LEN]) MUST_CHECK;
enum err mac_of(struct mac *m, const void *bytes, size_t len, uint8_t out[static MAC_LEN]) MUST_CHECK;

/* SHA-256 in pieces. One thread. */
struct hash;
enum err hash_new(struct hash **out) MUST_CHECK;
enum err hash_add(struct hash *h, const void *bytes, size_t len) MUST_CHECK;
enum err hash_end(struct hash *h, uint8_t out[static 32]) MUST_CHECK; /* once */
/* Begins another message: a context that is used again costs half of a new one. */
enum err hash_again(struct hash *h) MUST_CHECK;
void hash_free(struct hash *h); /* NULL is allowed */
enum err sha256_of(const void *bytes, size_t len, uint8_t out[static 32]) MUST_CHECK;
enum err sha256_parts(const struct mac_part *parts, size_t n, uint8_t out[static 32]) MUST_CHECK;

/* Blind index: the top bits of HMAC-SHA-256 under HKDF(master, space,
 * transform, epoch), as a non-negative 64-bit number. space is the field's
 * number, or BLIND_EXTERNAL_REF + audience. A struct blind belongs to one thread. */
#define BLIND_EXTERNAL_REF 0x10000u
struct blind;
enum err blind_new(const uint8_t master[static 32], uint16_t epoch, unsigned bits, struct blind **out) MUST_CHECK;
void blind_free(struct blind *b);
enum err blind_tag(struct blind *b, uint32_t space, uint16_t transform, const void *normalised, size_t len,
                   int64_t *tag) MUST_CHECK;

/* An opaque cursor: AES-256-GCM over bytes under a subkey of key (KEYRING_CURSOR),
 * bound to context (route, identity, query), as base64url. Any thread. */
#define CURSOR_TEXT_MAX 512
#define CURSOR_BYTES_MAX 352 /* more is ERR_INTERNAL */
enum err cursor_write(const uint8_t key[static 32], const void *context, size_t context_len, const void *bytes,
                      size_t len, char out[static CURSOR_TEXT_MAX]) MUST_CHECK;
/* ERR_BAD_CURSOR: not made under this key for this context, or more bytes than
 * there is room. *len: room in, bytes out (0 on error). */
enum err cursor_read(const uint8_t key[static 32], const void *context, size_t context_len, const char *text,
                     size_t text_len, void *out, size_t *len) MUST_CHECK;

#endif
