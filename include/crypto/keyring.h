/* keyring.h: the keyring file: random KEKs, one a key epoch, and the token,
 * index, audit-MAC, ledger, cursor and signing keys, sealed with AES-256-GCM
 * under the root key.
 *
 * The file is replaced atomically (temporary file, fsync, rename, fsync of the
 * folder), so kill -9 at any moment leaves the old or the new one whole.
 * Both files must be regular (no link), of mode 0400 or 0600, and belong to the
 * effective user or root; so must their folder, in which nobody else may write
 * unless it is sticky. A file system without flock() on folders is refused. A
 * keyring in memory is immutable and lives in secret memory; safe to read
 * from any thread. */
#ifndef CRYPTO_KEYRING_H
#define CRYPTO_KEYRING_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

#define KEY_LEN 32

enum keyring_key {
	KEYRING_TOKEN,      /* master of the audiences' token keys (HKDF-SHA-256) */
	KEYRING_INDEX,      /* master of the blind index keys */
	KEYRING_AUDIT_MAC,  /* HMAC of audit segments */
	KEYRING_LEDGER,     /* HMAC of the erasure ledger */
	KEYRING_CURSOR,     /* seals cursors, MACs ETags and Idempotency-Key bodies */
	KEYRING_SIGN,       /* Ed25519 seed */
	KEYRING_KEYS
};

enum keyring_state { EPOCH_PENDING, EPOCH_ACTIVE, EPOCH_RETIRING, EPOCH_DESTROYED };

struct keyring_epoch {
	uint32_t epoch; /* from 1 */
	enum keyring_state state;
	int64_t created_at_us;
	int64_t retired_at_us; /* 0: not yet */
};

struct keyring;

/* Makes a new root key file (mode 0400) and keyring file (mode 0600) with
 * epoch 1 active and index bits for expected_customers. Refuses to touch a
 * file that exists: ERR_CONFLICT. why gets one line (without a newline) on any
 * error. Does not make folders. Death between the two files leaves a root key
 * alone, which is to be removed by hand. */
enum err keyring_init(const char *keyring_path, const char *root_path, uint64_t expected_customers,
                      struct buf *why) MUST_CHECK;
/* Opens; ERR_IO, ERR_KEYRING (mode, owner, damaged, wrong root) with one line in why. Owner: caller. */
enum err keyring_open(const char *keyring_path, const char *root_path, struct keyring **out, struct buf *why) MUST_CHECK;
/* Wipes; NULL is allowed. */
void keyring_free(struct keyring *k);

/* Borrows KEY_LEN bytes. */
const uint8_t *keyring_key(const struct keyring *k, enum keyring_key which);
/* Borrows the KEK of an epoch that is active or retiring, else NULL. */
const uint8_t *keyring_kek(const struct keyring *k, uint32_t epoch);
uint32_t keyring_active(const struct keyring *k);
/* Borrows the epochs, oldest first; writes their number to n. */
const struct keyring_epoch *keyring_epochs(const struct keyring *k, size_t *n);
/* Index epoch in force, and the bits of its tags. */
uint16_t keyring_index_epoch(const struct keyring *k);
unsigned keyring_index_bits(const struct keyring *k);
/* First 8 bytes of SHA-256 over all public facts (epochs, states, times, a
 * check value of each key): two nodes compare them. No secret. */
uint64_t keyring_fingerprint(const struct keyring *k);

#endif
