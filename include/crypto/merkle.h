/* merkle.h: the Merkle tree of RFC 6962 section 2.1 over SHA-256: hashes, a tree
 * that only grows, tiles (C2SP tlog-tiles: 256 hashes wide, eight levels high),
 * proofs built from tiles, and the check of proofs.
 *
 * Pure: no I/O; what it reads comes through a callback. A tree's size is its
 * number of entries, at most MERKLE_SIZE_MAX; node (level, index) stands over the
 * entries [index << level, (index + 1) << level). A struct hash (crypto/mac.h) is
 * the caller's, used again for each hash, and belongs to one thread. */
#ifndef CRYPTO_MERKLE_H
#define CRYPTO_MERKLE_H

#include "base/err.h"
#include "crypto/mac.h"

#include <stddef.h>
#include <stdint.h>

#define MERKLE_HASH_LEN 32
#define MERKLE_SIZE_MAX ((uint64_t)1 << 62)
#define MERKLE_LEVELS   63 /* nodes above one another */
#define MERKLE_PROOF_MAX 63 /* hashes that a proof has at most */
#define MERKLE_TILE_HEIGHT 8
#define MERKLE_TILE_WIDTH 256
#define MERKLE_TILE_LEN (MERKLE_TILE_WIDTH * MERKLE_HASH_LEN)

/* SHA-256(0x00 || entry). */
enum err merkle_leaf(struct hash *h, const void *entry, size_t len, uint8_t out[static MERKLE_HASH_LEN]) MUST_CHECK;
/* SHA-256(0x01 || left || right); out may be either. */
enum err merkle_node(struct hash *h, const uint8_t left[static MERKLE_HASH_LEN], const uint8_t right[static MERKLE_HASH_LEN],
                     uint8_t out[static MERKLE_HASH_LEN]) MUST_CHECK;
/* The node above a full tile: the hash that stands in the tile above it. */
enum err merkle_tile_root(struct hash *h, const uint8_t tile[static MERKLE_TILE_LEN], uint8_t out[static MERKLE_HASH_LEN]) MUST_CHECK;

/* A tree that grows: of each full subtree on its right edge the root. All zero is the empty tree. */
struct merkle_range {
	uint64_t size;
	uint8_t node[MERKLE_LEVELS][MERKLE_HASH_LEN]; /* [level] counts where size has that bit */
};

/* Told of every node that is now final, leaves (level 0) included, in ascending order of level. An error ends the append. */
typedef enum err merkle_completed(void *arg, unsigned level, uint64_t index, const uint8_t hash[static MERKLE_HASH_LEN]);

/* Adds an entry by its leaf hash. completed may be NULL. On an error the range is as before.
 * ERR_LIMIT: the tree is full. */
enum err merkle_append(struct hash *h, struct merkle_range *r, const uint8_t leaf[static MERKLE_HASH_LEN],
                       merkle_completed *completed, void *arg) MUST_CHECK;
/* The root; of the empty tree SHA-256 of nothing. */
enum err merkle_root(struct hash *h, const struct merkle_range *r, uint8_t out[static MERKLE_HASH_LEN]) MUST_CHECK;

/* Where tiles come from. read gives the first width hashes (1 to 256) of a tile: width is what the
 * tile has in the tree of the size that was asked for; a longer one begins with the same bytes.
 * What it gives is believed: who doubts it compares the root. */
struct merkle_tiles {
	enum err (*read)(void *arg, unsigned tile_level, uint64_t tile_index, unsigned width,
	                 uint8_t hashes[static MERKLE_TILE_LEN]);
	void *arg;
};

/* The range of a tree of which the tiles exist. Errors: those of read, ERR_LIMIT. */
enum err merkle_range_read(struct hash *h, const struct merkle_tiles *tiles, uint64_t size, struct merkle_range *out) MUST_CHECK;

/* Hashes from the leaf's side upwards. */
struct merkle_proof {
	size_t n;
	uint8_t hash[MERKLE_PROOF_MAX][MERKLE_HASH_LEN];
};

/* That entry index is in the tree of this size (RFC 6962, 2.1.1). ERR_LIMIT: it is not; else errors of read. */
enum err merkle_inclusion(struct hash *h, const struct merkle_tiles *tiles, uint64_t size, uint64_t index,
                          struct merkle_proof *out) MUST_CHECK;
/* That the tree of size begins with the tree of old_size (RFC 6962, 2.1.2). Empty for old_size 0 or size.
 * ERR_LIMIT: old_size is above size. */
enum err merkle_consistency(struct hash *h, const struct merkle_tiles *tiles, uint64_t old_size, uint64_t size,
                            struct merkle_proof *out) MUST_CHECK;

/* Both take numbers and hashes from anywhere. ERR_SEAL: it does not prove it (RFC 9162, 2.1.3.2 and 2.1.4.2).
 * Every tree begins with the empty one: for old_size 0 old_root must be that of the empty tree and the proof empty. */
enum err merkle_check_inclusion(struct hash *h, const struct merkle_proof *proof, uint64_t size, uint64_t index,
                                const uint8_t leaf[static MERKLE_HASH_LEN], const uint8_t root[static MERKLE_HASH_LEN]) MUST_CHECK;
enum err merkle_check_consistency(struct hash *h, const struct merkle_proof *proof, uint64_t old_size,
                                  const uint8_t old_root[static MERKLE_HASH_LEN], uint64_t size,
                                  const uint8_t root[static MERKLE_HASH_LEN]) MUST_CHECK;

#endif
