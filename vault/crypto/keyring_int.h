/* keyring_int.h: the keyring in memory, its bytes at rest, and its file.
 *
 * File: "CDVKEYR1" | root id 8 | nonce 12 | sealed body | tag 16; magic and
 * root id are the AAD. Body, big endian: index epoch 2 | index bits 1 | number of
 * keys 1 | keys 32 each | number of epochs 2 | a row an epoch: epoch 4 | state 1
 * | created 8 | retired 8 | KEK 32 (zeros once destroyed). */
#ifndef CRYPTO_KEYRING_INT_H
#define CRYPTO_KEYRING_INT_H

#include "crypto/keyring.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#define KEYRING_MAGIC "CDVKEYR1" /* the digit is the format's version */
#define KEYRING_MAGIC_LEN 8
#define KEYRING_ROOT_ID_LEN 8
#define KEYRING_HEAD_LEN (KEYRING_MAGIC_LEN + KEYRING_ROOT_ID_LEN)
#define KEYRING_EPOCHS_MAX 1024
#define KEYRING_EPOCH_LEN (4 + 1 + 8 + 8 + KEY_LEN)
#define KEYRING_BODY_MAX (2 + 1 + 1 + KEYRING_KEYS * KEY_LEN + 2 + KEYRING_EPOCHS_MAX * KEYRING_EPOCH_LEN)
#define KEYRING_FILE_MAX (KEYRING_HEAD_LEN + 28 + KEYRING_BODY_MAX)

/* Lives in secret memory, in one piece; n rows of epochs and of keks follow it. */
struct keyring {
	_Atomic int references;
	uint8_t keys[KEYRING_KEYS][KEY_LEN];
	uint64_t fingerprint;
	uint16_t index_epoch;
	uint8_t index_bits;
	size_t n;
	struct keyring_epoch *epochs;
	uint8_t (*keks)[KEY_LEN];
};

/* Room for n epochs, all zero; NULL: no secret memory, or n out of range. */
struct keyring *keyring_alloc(size_t n);
/* A keyring with fresh keys and epoch 1 active. */
enum err keyring_generate(uint64_t expected_customers, int64_t now_us, struct keyring **out) MUST_CHECK;
/* Tags of log2(expected_customers / 4) bits, so that about 4 customers share one; 8 to 56. */
uint8_t keyring_bits_for(uint64_t expected_customers);

/* Sets the fingerprint anew after a change; before anybody else sees k. */
enum err keyring_seal_facts(struct keyring *k) MUST_CHECK;

/* keyring_edit.c: a changed copy each. ERR_MEMORY, ERR_CRYPTO, or what the public function of the same end says. */
enum err keyring_with_epoch(const struct keyring *k, int64_t now_us, struct keyring **out) MUST_CHECK;
enum err keyring_with_active(const struct keyring *k, uint32_t epoch, int64_t at_us, struct keyring **out) MUST_CHECK;
enum err keyring_without(const struct keyring *k, uint32_t epoch, struct keyring **out) MUST_CHECK;

/* Plain body both ways. body of keyring_body needs KEYRING_BODY_MAX bytes.
 * keyring_parse: ERR_KEYRING on anything that keyring_body would not write. */
size_t keyring_body(const struct keyring *k, uint8_t *body);
enum err keyring_parse(const uint8_t *body, size_t len, struct keyring **out) MUST_CHECK;

/* Sealed file both ways. out needs KEYRING_FILE_MAX bytes. keyring_unseal:
 * ERR_KEYRING with one line in why, which begins with path. */
enum err keyring_seal(const struct keyring *k, const uint8_t root[static KEY_LEN], uint8_t *out, size_t *len) MUST_CHECK;
enum err keyring_unseal(const char *path, const uint8_t *file, size_t len, const uint8_t root[static KEY_LEN],
                        struct keyring **out, struct buf *why) MUST_CHECK;

/* The first bytes of a keyring file that was sealed under this root. */
enum err keyring_root_id(const uint8_t root[static KEY_LEN], uint8_t out[static KEYRING_ROOT_ID_LEN]) MUST_CHECK;

/* Seals and puts the file in place in one step; with replace false an existing
 * file is ERR_CONFLICT. Writers of one folder wait for each other. */
enum err keyring_write(const struct keyring *k, const char *path, const uint8_t root[static KEY_LEN], bool replace,
                       struct buf *why) MUST_CHECK;
/* A key file or its folder belongs to self or to root. */
bool keyring_owner_fits(uid_t owner, uid_t self);
/* Reads the 32 bytes of the root key file, with its checks. */
enum err keyring_root(const char *path, uint8_t root[static KEY_LEN], struct buf *why) MUST_CHECK;

#endif
