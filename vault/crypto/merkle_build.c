/* merkle_build.c: proofs and ranges of merkle.h, from tiles. */
#include "crypto/merkle.h"

#include <stdbool.h>
#include <string.h>

/* The tree of a size, and the tile that was read last: neighbours on a path share it. */
struct tree {
	struct hash *h;
	const struct merkle_tiles *tiles;
	uint64_t size;
	bool held;
	unsigned level;
	uint64_t index;
	uint8_t tile[MERKLE_TILE_LEN];
};

static enum err hold_tile(struct tree *t, unsigned level, uint64_t index)
{
	const uint64_t left = (t->size >> (MERKLE_TILE_HEIGHT * level)) - index * MERKLE_TILE_WIDTH;
	const unsigned width = left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
	enum err e;

	if (t->held && t->level == level && t->index == index)
		return ERR_OK;
	e = t->tiles->read(t->tiles->arg, level, index, width, t->tile);
	t->held = !e;
	t->level = level;
	t->index = index;
	return e;
}

/* A node that is full in this tree. */
static enum err node_of(struct tree *t, unsigned level, uint64_t index, uint8_t out[static MERKLE_HASH_LEN])
{
	uint8_t row[MERKLE_TILE_WIDTH / 2][MERKLE_HASH_LEN];
	const unsigned above = level % MERKLE_TILE_HEIGHT; /* levels above those that the tile holds */
	const uint64_t first = index << above;
	const size_t n = (size_t)1 << above;
	enum err e = hold_tile(t, level / MERKLE_TILE_HEIGHT, first / MERKLE_TILE_WIDTH);

	if (e)
		return e;
	memcpy(row, t->tile + first % MERKLE_TILE_WIDTH * MERKLE_HASH_LEN, n * MERKLE_HASH_LEN);
	for (size_t left = n / 2; left && !e; left /= 2)
		for (size_t i = 0; i < left && !e; i++)
			e = merkle_node(t->h, row[2 * i], row[2 * i + 1], row[i]);
	memcpy(out, row[0], MERKLE_HASH_LEN);
	return e;
}

/* The root over entries [from, to), from a multiple of the power of two that is not below to - from. */
static enum err root_of(struct tree *t, uint64_t from, uint64_t to, uint8_t out[static MERKLE_HASH_LEN])
{
	uint8_t part[MERKLE_LEVELS][MERKLE_HASH_LEN];
	size_t n = 0;
	enum err e = ERR_OK;

	for (unsigned level = MERKLE_LEVELS; level-- > 0 && !e;) {
		if (!((to - from) >> level & 1))
			continue;
		e = node_of(t, level, from >> level, part[n++]);
		from += (uint64_t)1 << level;
	}
	for (; n > 1 && !e; n--)
		e = merkle_node(t->h, part[n - 2], part[n - 1], part[n - 2]);
	if (!e)
		memcpy(out, part[0], MERKLE_HASH_LEN);
	return e;
}

enum err merkle_range_read(struct hash *h, const struct merkle_tiles *tiles, uint64_t size, struct merkle_range *out)
{
	struct tree t = {.h = h, .tiles = tiles, .size = size};
	enum err e = size <= MERKLE_SIZE_MAX ? ERR_OK : ERR_LIMIT;

	*out = (struct merkle_range){0};
	for (unsigned level = 0; level < MERKLE_LEVELS && !e; level++)
		if (size >> level & 1)
			e = node_of(&t, level, (size >> level) - 1, out->node[level]);
	out->size = e ? 0 : size;
	return e;
}

/* The subtrees that a proof names, from the root down. */
struct steps {
	size_t n;
	struct {
		uint64_t from, to;
	} at[MERKLE_PROOF_MAX + 1];
};

static void step(struct steps *s, uint64_t from, uint64_t to)
{
	s->at[s->n].from = from;
	s->at[s->n++].to = to;
}

/* The largest power of two below n, for n > 1: where a tree of n entries is divided. */
static uint64_t divide(uint64_t n)
{
	return (uint64_t)1 << (63 - __builtin_clzll(n - 1));
}

static enum err prove(struct tree *t, const struct steps *s, struct merkle_proof *out)
{
	enum err e = s->n <= MERKLE_PROOF_MAX ? ERR_OK : ERR_LIMIT;

	for (size_t i = s->n; i-- > 0 && !e;)
		e = root_of(t, s->at[i].from, s->at[i].to, out->hash[out->n++]);
	if (e)
		out->n = 0;
	return e;
}

enum err merkle_inclusion(struct hash *h, const struct merkle_tiles *tiles, uint64_t size, uint64_t index,
                          struct merkle_proof *out)
{
	struct tree t = {.h = h, .tiles = tiles, .size = size};
	struct steps s = {0};
	uint64_t from = 0, to = size;

	out->n = 0;
	if (size > MERKLE_SIZE_MAX || index >= size)
		return ERR_LIMIT;
	while (to - from > 1) {
		const uint64_t middle = from + divide(to - from);

		if (index < middle) {
			step(&s, middle, to);
			to = middle;
		} else {
			step(&s, from, middle);
			from = middle;
		}
	}
	return prove(&t, &s, out);
}

enum err merkle_consistency(struct hash *h, const struct merkle_tiles *tiles, uint64_t old_size, uint64_t size,
                            struct merkle_proof *out)
{
	struct tree t = {.h = h, .tiles = tiles, .size = size};
	struct steps s = {0};
	uint64_t from = 0, to = size;

	out->n = 0;
	if (size > MERKLE_SIZE_MAX || old_size > size)
		return ERR_LIMIT;
	if (old_size == 0)
		return ERR_OK;
	while (old_size != to) { /* the old tree ends inside [from, to) */
		const uint64_t middle = from + divide(to - from);

		if (old_size <= middle) {
			step(&s, middle, to);
			to = middle;
		} else {
			step(&s, from, middle);
			from = middle;
		}
	}
	if (from) /* else it is the old root, which the verifier has */
		step(&s, from, to);
	return prove(&t, &s, out);
}
