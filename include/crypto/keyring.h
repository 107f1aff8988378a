/* keyring.h: the keyring file: random KEKs, one a key epoch, and the token,
 * index, audit-MAC, ledger, cursor and signing keys, sealed with AES-256-GCM
 * under the root key.
 *
 * The file is replaced atomically (temporary file, fsync, rename, fsync of the
 * folder), so kill -9 at any moment leaves the old or the new one whole.
 * Both files must be regular (no link), of mode 0400 or 0600, and belong to the
 * effective user or root; so must their folder, in which nobody else may write
 * unless it is sticky. A file system without flock() on folders is refused. A
 * keyring in memory is immutable, counted, and lives in secret memory; safe to
 * read from any thread.
 *
 * Which epoch wraps new keys is decided by the database (table key_epoch), for
 * all nodes at once; the states in the file are this machine's record of it. */
#ifndef CRYPTO_KEYRING_H
#define CRYPTO_KEYRING_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
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
struct keyring *keyring_take(struct keyring *k);
/* A copy without any KEK: the other keys, which every keyring that succeeds this one has too. Owner: caller. */
enum err keyring_keys(const struct keyring *k, struct keyring **out) MUST_CHECK;
/* Gives one reference back; the last one wipes. NULL is allowed. */
void keyring_free(struct keyring *k);

/* Borrows KEY_LEN bytes. */
const uint8_t *keyring_key(const struct keyring *k, enum keyring_key which);
/* Borrows the KEK of an epoch, also of one that is pending here (the database may have it active already); NULL
 * where there is none, or it is destroyed. */
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
/* What stands for the KEK of an epoch where it must not stand itself: 8 bytes of an HKDF of it, as a number.
 * false: there is none, or it is destroyed. */
bool keyring_check(const struct keyring *k, uint32_t epoch, uint64_t *check);
/* Can newer take the place of older in a running vault? ERR_KEYRING with a line in why: another vault's keys, or
 * it lacks an epoch that older has, or has it with another KEK, or has one back that older has destroyed. */
enum err keyring_succeeds(const struct keyring *newer, const struct keyring *older, struct buf *why) MUST_CHECK;

/* ---- changes on disk: each reads, changes and writes under the lock of the keyring's folder ---- */

/* Adds a pending epoch with a random KEK; an epoch that is pending already is given instead. */
enum err keyring_add_epoch(const char *keyring_path, const char *root_path, int64_t now_us, uint32_t *epoch, struct buf *why) MUST_CHECK;
/* Records what the database says: epoch is active, the active one before it retiring since at_us. Does nothing where it is so. */
enum err keyring_turn(const char *keyring_path, const char *root_path, uint32_t epoch, int64_t at_us, struct buf *why) MUST_CHECK;
/* Destroys the KEK of a retiring epoch: a new keyring under a new random root takes the place of both files, then
 * the old two are overwritten and removed. Whoever dies at any moment leaves a pair of files that opens, the old or
 * the new; the next call removes what is left over. Of an epoch that is destroyed: only that. Old copies of the
 * two files elsewhere open what they opened before, and not the new file. */
enum err keyring_destroy(const char *keyring_path, const char *root_path, uint32_t epoch, struct buf *why) MUST_CHECK;
/* Writes the keyring to path, mode 0600, sealed under the 32 bytes of the file key_path, which is made (mode 0400) where
 * it is missing. ERR_CONFLICT: path exists. ERR_KEYRING: the key is the vault's own root. *out (owner: caller): what it opens. */
enum err keyring_backup(const char *keyring_path, const char *root_path, const char *path, const char *key_path,
                        struct keyring **out, struct buf *why) MUST_CHECK;
/* Puts a backup in place under a new random root: where there are no files, or where it succeeds those that are there.
 * Old files go as in keyring_destroy. */
enum err keyring_restore(const char *keyring_path, const char *root_path, const char *path, const char *key_path,
                         struct buf *why) MUST_CHECK;

#endif
