/* seal.h: sealed units: AES-256-GCM (NIST SP 800-38D) with a 96-bit random
 * nonce, a 128-bit tag, bound AAD and padding.
 *
 * Layout of a sealed unit: nonce 12 | ciphertext | tag 16. Plaintext is padded
 * as ISO/IEC 7816-4 (0x80, then zeros) to 16, 32, 64, ... bytes, and above
 * 1024 to a multiple of 1024. Where a call fails, the room for its output holds
 * no plaintext: it is wiped, unless the unit was refused before decryption began.
 *
 * A struct sealer belongs to one thread. It prefetches ciphers and holds
 * random nonces in bulk; the pool is dropped after a fork (pthread_atfork, so
 * never seal after a raw clone()). Key schedules lie in contexts of OpenSSL, on
 * the ordinary heap, wiped when the key changes or goes. */
#ifndef CRYPTO_SEAL_H
#define CRYPTO_SEAL_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define SEAL_KEY_LEN 32
#define SEAL_NONCE_LEN 12
#define SEAL_TAG_LEN 16
#define SEAL_OVERHEAD (SEAL_NONCE_LEN + SEAL_TAG_LEN)
#define SEAL_PLAIN_MAX ((size_t)64 << 20) /* more is ERR_CRYPTO: seal it in chunks */
#define SEAL_DEK_LEN (SEAL_OVERHEAD + SEAL_KEY_LEN) /* a wrapped DEK: no padding */

enum seal_type { SEAL_FIELD = 1, SEAL_RECORD, SEAL_HEADER, SEAL_CHUNK, SEAL_LARGE, SEAL_NOTE };

/* What a unit is bound to. Encoded fixed-width and big endian, so no two
 * places share an encoding; extra (NULL: none) follows it. */
struct seal_place {
	enum seal_type type;
	uint64_t customer;
	uint16_t subject; /* number of the field or record kind; 0 in a header */
	uint64_t item;    /* record item or chunk counter; else 0 */
	uint32_t version; /* row version at which this unit was sealed */
	uint32_t dek_generation;
	const void *extra; /* further authenticated bytes (header: the row's public state) */
	size_t extra_len;
};

struct sealer;

enum err sealer_new(struct sealer **out) MUST_CHECK;
void sealer_free(struct sealer *s); /* wipes; NULL is allowed */

/* A fresh random DEK. */
enum err seal_dek_new(struct sealer *s, uint8_t dek[static SEAL_KEY_LEN]) MUST_CHECK;
/* Wraps under a KEK; AAD: customer, generation, epoch. */
enum err seal_dek_wrap(struct sealer *s, const uint8_t kek[static SEAL_KEY_LEN], uint64_t customer, uint32_t generation,
                       uint32_t epoch, const uint8_t dek[static SEAL_KEY_LEN], uint8_t out[static SEAL_DEK_LEN]) MUST_CHECK;
/* ERR_SEAL where it does not verify. */
enum err seal_dek_unwrap(struct sealer *s, const uint8_t kek[static SEAL_KEY_LEN], uint64_t customer,
                         uint32_t generation, uint32_t epoch, const uint8_t wrapped[static SEAL_DEK_LEN],
                         uint8_t dek[static SEAL_KEY_LEN]) MUST_CHECK;

/* Makes dek the key of the calls that follow, until the next seal_use. */
enum err seal_use(struct sealer *s, const uint8_t dek[static SEAL_KEY_LEN]) MUST_CHECK;
/* Forgets the key in use; seal_unit and seal_open then give ERR_CRYPTO. */
void seal_forget(struct sealer *s);

/* Bytes that len bytes of plaintext take when sealed. */
size_t seal_size(size_t len);
/* Writes exactly seal_size(len) bytes to out. */
enum err seal_unit(struct sealer *s, const struct seal_place *place, const void *plain, size_t len, uint8_t *out) MUST_CHECK;
/* out needs room for len - SEAL_OVERHEAD bytes (padding included); *plain_len
 * gets the length without padding. ERR_SEAL: anything does not match. */
enum err seal_open(struct sealer *s, const struct seal_place *place, const uint8_t *unit, size_t len, uint8_t *out,
                   size_t *plain_len) MUST_CHECK;

#endif
