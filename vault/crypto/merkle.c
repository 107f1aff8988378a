/* merkle.c: hashes, the growing tree and the check of proofs; merkle_build.c makes proofs. */
#include "crypto/merkle.h"

#include <stdbool.h>
#include <string.h>

enum err merkle_leaf(struct hash *h, const void *entry, size_t len, uint8_t out[static MERKLE_HASH_LEN])
{
	enum err e = hash_again(h);

	if (!e)
		e = hash_add(h, "\x00", 1);
	if (!e)
		e = hash_add(h, entry, len);
	return e ? e : hash_end(h, out);
}

enum err merkle_node(struct hash *h, const uint8_t left[static MERKLE_HASH_LEN], const uint8_t right[static MERKLE_HASH_LEN],
                     uint8_t out[static MERKLE_HASH_LEN])
{
	uint8_t bytes[1 + 2 * MERKLE_HASH_LEN] = {0x01};
	enum err e = hash_again(h);

	memcpy(bytes + 1, left, MERKLE_HASH_LEN);
	memcpy(bytes + 1 + MERKLE_HASH_LEN, right, MERKLE_HASH_LEN);
	if (!e)
		e = hash_add(h, bytes, sizeof bytes);
	return e ? e : hash_end(h, out);
}

enum err merkle_tile_root(struct hash *h, const uint8_t tile[static MERKLE_TILE_LEN], uint8_t out[static MERKLE_HASH_LEN])
{
	uint8_t half[MERKLE_TILE_WIDTH / 2][MERKLE_HASH_LEN];
	enum err e = ERR_OK;

	for (size_t i = 0; i < MERKLE_TILE_WIDTH / 2 && !e; i++)
		e = merkle_node(h, tile + 64 * i, tile + 64 * i + 32, half[i]);
	for (size_t n = MERKLE_TILE_WIDTH / 4; n && !e; n /= 2)
		for (size_t i = 0; i < n && !e; i++)
			e = merkle_node(h, half[2 * i], half[2 * i + 1], half[i]);
	if (!e)
		memcpy(out, half[0], MERKLE_HASH_LEN);
	return e;
}

enum err merkle_append(struct hash *h, struct merkle_range *r, const uint8_t leaf[static MERKLE_HASH_LEN],
                       merkle_completed *completed, void *arg)
{
	uint8_t node[MERKLE_HASH_LEN];
	unsigned level = 0;
	enum err e = r->size < MERKLE_SIZE_MAX ? ERR_OK : ERR_LIMIT;

	memcpy(node, leaf, MERKLE_HASH_LEN);
	if (!e && completed)
		e = completed(arg, 0, r->size, node);
	for (; !e && r->size >> level & 1; level++) {
		e = merkle_node(h, r->node[level], node, node);
		if (!e && completed)
			e = completed(arg, level + 1, r->size >> (level + 1), node);
	}
	if (e)
		return e;
	memcpy(r->node[level], node, MERKLE_HASH_LEN);
	r->size++;
	return ERR_OK;
}

enum err merkle_root(struct hash *h, const struct merkle_range *r, uint8_t out[static MERKLE_HASH_LEN])
{
	bool begun = false;
	enum err e = ERR_OK;

	if (r->size == 0)
		return sha256_of("", 0, out);
	for (unsigned level = 0; level < MERKLE_LEVELS && !e; level++) {
		if (!(r->size >> level & 1))
			continue;
		if (begun)
			e = merkle_node(h, r->node[level], out, out);
		else
			memcpy(out, r->node[level], MERKLE_HASH_LEN);
		begun = true;
	}
	return e;
}

/* Both checks climb from a node to the root; first: its index; last: that of the last node beside it. */
struct climb {
	uint64_t first, last;
};

/* Whether the next hash of the proof is on the left. */
static bool from_left(const struct climb *c)
{
	return (c->first & 1) || c->first == c->last;
}

static void go_up(struct climb *c)
{
	if (from_left(c))
		while (!(c->first & 1) && c->first) { /* a right edge that has no sibling on these levels */
			c->first >>= 1;
			c->last >>= 1;
		}
	c->first >>= 1;
	c->last >>= 1;
}

static enum err verdict(bool proven)
{
	return proven ? ERR_OK : ERR_SEAL;
}

enum err merkle_check_inclusion(struct hash *h, const struct merkle_proof *proof, uint64_t size, uint64_t index,
                                const uint8_t leaf[static MERKLE_HASH_LEN], const uint8_t root[static MERKLE_HASH_LEN])
{
	struct climb c = {index, size - 1};
	uint8_t r[MERKLE_HASH_LEN];

	if (size > MERKLE_SIZE_MAX || index >= size || proof->n > MERKLE_PROOF_MAX)
		return ERR_SEAL;
	memcpy(r, leaf, sizeof r);
	for (size_t i = 0; i < proof->n; i++, go_up(&c)) {
		const bool left = from_left(&c);
		const enum err e = c.last == 0 ? ERR_SEAL : merkle_node(h, left ? proof->hash[i] : r, left ? r : proof->hash[i], r);

		if (e)
			return e;
	}
	return verdict(c.last == 0 && !memcmp(r, root, sizeof r));
}

static enum err check_grown(struct hash *h, const struct merkle_proof *proof, uint64_t old_size,
                            const uint8_t old_root[static MERKLE_HASH_LEN], uint64_t size,
                            const uint8_t root[static MERKLE_HASH_LEN])
{
	const bool whole = (old_size & (old_size - 1)) == 0; /* the old root itself is where the climb begins */
	struct climb c = {old_size - 1, size - 1};
	uint8_t was[MERKLE_HASH_LEN], is[MERKLE_HASH_LEN];
	enum err e = ERR_OK;

	if (proof->n == 0 || proof->n > MERKLE_PROOF_MAX)
		return ERR_SEAL;
	for (; c.first & 1; c.first >>= 1)
		c.last >>= 1;
	memcpy(was, whole ? old_root : proof->hash[0], sizeof was);
	memcpy(is, was, sizeof is);
	for (size_t i = whole ? 0 : 1; i < proof->n && !e; i++, go_up(&c)) {
		if (c.last == 0)
			return ERR_SEAL;
		if (from_left(&c)) {
			e = merkle_node(h, proof->hash[i], was, was);
			if (!e)
				e = merkle_node(h, proof->hash[i], is, is);
		} else {
			e = merkle_node(h, is, proof->hash[i], is);
		}
	}
	return e ? e : verdict(c.last == 0 && !memcmp(was, old_root, sizeof was) && !memcmp(is, root, sizeof is));
}

enum err merkle_check_consistency(struct hash *h, const struct merkle_proof *proof, uint64_t old_size,
                                  const uint8_t old_root[static MERKLE_HASH_LEN], uint64_t size,
                                  const uint8_t root[static MERKLE_HASH_LEN])
{
	uint8_t empty[MERKLE_HASH_LEN];
	enum err e;

	if (size > MERKLE_SIZE_MAX || old_size > size)
		return ERR_SEAL;
	if (old_size == 0) {
		e = sha256_of("", 0, empty);
		return e ? e : verdict(proof->n == 0 && !memcmp(empty, old_root, sizeof empty) && (size || !memcmp(empty, root, sizeof empty)));
	}
	if (old_size == size)
		return verdict(proof->n == 0 && !memcmp(old_root, root, MERKLE_HASH_LEN));
	return check_grown(h, proof, old_size, old_root, size, root);
}
