/* The tree of RFC 6962: published roots; tiles and proofs against the definition, written down naively here. */
#include "crypto/merkle.h"
#include "crypto/secret.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/tlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define LARGEST 66000 /* a third level of tiles begins at 65,536 */
#define SMALL 80

static struct hash *h;
static uint8_t leaves[LARGEST][32];
/* Tiles as a log stores them: [level][index * 256 + place]. */
static uint8_t stored[3][LARGEST + 1][32];
static size_t have[3];
static struct merkle_range whole;

static enum err store(void *arg, unsigned level, uint64_t index, const uint8_t hash[static 32])
{
	(void)arg;
	if (level % 8)
		return ERR_OK;
	assert_int_equal(index, have[level / 8]);
	memcpy(stored[level / 8][have[level / 8]++], hash, 32);
	return ERR_OK;
}

static int set_up(void **state)
{
	(void)state;
	if (secret_start() || hash_new(&h))
		return -1;
	for (uint32_t i = 0; i < LARGEST; i++) {
		if (merkle_leaf(h, &i, sizeof i, leaves[i]) || merkle_append(h, &whole, leaves[i], store, NULL))
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	hash_free(h);
	secret_stop();
	return 0;
}

/* MTH of RFC 6962, as it stands there. */
static void naive_root(size_t from, size_t to, uint8_t out[static 32])
{
	uint8_t left[32], right[32];
	size_t k = 1;

	if (to - from == 1) {
		memcpy(out, leaves[from], 32);
		return;
	}
	while (k * 2 < to - from)
		k *= 2;
	naive_root(from, from + k, left);
	naive_root(from + k, to, right);
	assert_int_equal(merkle_node(h, left, right, out), ERR_OK);
}

static unsigned reads;

static enum err read_tile(void *arg, unsigned level, uint64_t index, unsigned width, uint8_t hashes[static MERKLE_TILE_LEN])
{
	(void)arg;
	reads++;
	assert_true(level < 3 && width >= 1 && width <= 256 && index * 256 + width <= have[level]);
	memcpy(hashes, stored[level][index * 256], width * 32);
	return ERR_OK;
}
static const struct merkle_tiles tiles = {read_tile, NULL};

static void published_roots_are_reached(void **state)
{
	struct merkle_range r = {0};
	uint8_t want[32], got[32], entry[16], leaf[32];

	(void)state;
	hex_read(RFC6962_EMPTY, want);
	assert_int_equal(merkle_root(h, &r, got), ERR_OK);
	assert_memory_equal(got, want, 32);
	for (size_t i = 0; i < sizeof rfc6962_tree / sizeof *rfc6962_tree; i++) {
		const size_t len = hex_read(rfc6962_tree[i].leaf, entry);

		assert_int_equal(merkle_leaf(h, entry, len, leaf), ERR_OK);
		assert_int_equal(merkle_append(h, &r, leaf, NULL, NULL), ERR_OK);
		assert_int_equal(merkle_root(h, &r, got), ERR_OK);
		hex_read(rfc6962_tree[i].root, want);
		assert_memory_equal(got, want, 32);
	}
}

static void roots_are_those_of_the_definition(void **state)
{
	struct merkle_range r = {0}, again;
	uint8_t want[32], got[32];

	(void)state;
	for (size_t n = 1; n <= 600; n++) {
		assert_int_equal(merkle_append(h, &r, leaves[n - 1], NULL, NULL), ERR_OK);
		assert_int_equal(merkle_root(h, &r, got), ERR_OK);
		naive_root(0, n, want);
		assert_memory_equal(got, want, 32);
		assert_int_equal(merkle_range_read(h, &tiles, n, &again), ERR_OK);
		assert_int_equal(again.size, n);
		assert_int_equal(merkle_root(h, &again, got), ERR_OK);
		assert_memory_equal(got, want, 32);
	}
}

static void tiles_hold_the_roots_of_the_tiles_below(void **state)
{
	uint8_t root[32];

	(void)state;
	assert_int_equal(have[0], LARGEST);
	assert_int_equal(have[1], LARGEST / 256);
	assert_int_equal(have[2], LARGEST / 65536);
	for (size_t i = 0; i < have[1]; i++) {
		assert_int_equal(merkle_tile_root(h, (const uint8_t *)stored[0] + i * MERKLE_TILE_LEN, root), ERR_OK);
		assert_memory_equal(root, stored[1][i], 32);
	}
	assert_int_equal(merkle_tile_root(h, (const uint8_t *)stored[1], root), ERR_OK);
	assert_memory_equal(root, stored[2][0], 32);
}

static void check_inclusion(size_t size, size_t index)
{
	struct merkle_proof p;
	uint8_t root[32], other[32];

	naive_root(0, size, root);
	assert_int_equal(merkle_inclusion(h, &tiles, size, index, &p), ERR_OK);
	assert_int_equal(merkle_check_inclusion(h, &p, size, index, leaves[index], root), ERR_OK);
	memcpy(other, leaves[index], 32);
	other[31] ^= 1;
	assert_int_equal(merkle_check_inclusion(h, &p, size, index, other, root), ERR_SEAL);
	memcpy(other, root, 32);
	other[0] ^= 0x80;
	assert_int_equal(merkle_check_inclusion(h, &p, size, index, leaves[index], other), ERR_SEAL);
	assert_int_equal(merkle_check_inclusion(h, &p, size, size, leaves[index], root), ERR_SEAL);
	if (size > 1) {
		p.hash[p.n / 2][5] ^= 4;
		assert_int_equal(merkle_check_inclusion(h, &p, size, index, leaves[index], root), ERR_SEAL);
		p.hash[p.n / 2][5] ^= 4;
		p.n--;
		assert_int_equal(merkle_check_inclusion(h, &p, size, index, leaves[index], root), ERR_SEAL);
		p.n++;
	}
	memset(p.hash[p.n++], 7, 32);
	assert_int_equal(merkle_check_inclusion(h, &p, size, index, leaves[index], root), ERR_SEAL);
}

static void each_entry_of_small_trees_is_proven_and_nothing_else(void **state)
{
	(void)state;
	for (size_t size = 1; size <= SMALL; size++)
		for (size_t index = 0; index < size; index++)
			check_inclusion(size, index);
}

static void entries_of_large_trees_are_proven_with_few_tiles(void **state)
{
	static const size_t sizes[] = {255, 256, 257, 511, 512, 513, 65535, 65536, 65537, 65793, LARGEST};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const size_t last = sizes[i] - 1, at[] = {0, 1, last / 2, last / 3, last, last - 1, last - 200};

		for (size_t k = 0; k < sizeof at / sizeof *at; k++) {
			reads = 0;
			check_inclusion(sizes[i], at[k]);
			assert_true(reads <= 6);
		}
	}
}

static void check_consistency(size_t old, size_t size)
{
	struct merkle_proof p;
	uint8_t old_root[32], root[32], other[32];

	naive_root(0, old, old_root);
	naive_root(0, size, root);
	assert_int_equal(merkle_consistency(h, &tiles, old, size, &p), ERR_OK);
	assert_int_equal(merkle_check_consistency(h, &p, old, old_root, size, root), ERR_OK);
	memcpy(other, old_root, 32);
	other[9] ^= 1;
	assert_int_equal(merkle_check_consistency(h, &p, old, other, size, root), ERR_SEAL);
	memcpy(other, root, 32);
	other[9] ^= 1;
	assert_int_equal(merkle_check_consistency(h, &p, old, old_root, size, other), ERR_SEAL);
	assert_int_equal(merkle_check_consistency(h, &p, size + 1, root, size, root), ERR_SEAL);
	for (size_t i = 0; i < p.n; i++) {
		p.hash[i][0] ^= 1;
		assert_int_equal(merkle_check_consistency(h, &p, old, old_root, size, root), ERR_SEAL);
		p.hash[i][0] ^= 1;
	}
	if (old < size) {
		p.n--;
		assert_int_equal(merkle_check_consistency(h, &p, old, old_root, size, root), ERR_SEAL);
		p.n++;
	}
	memset(p.hash[p.n++], 7, 32);
	assert_int_equal(merkle_check_consistency(h, &p, old, old_root, size, root), ERR_SEAL);
}

static void each_pair_of_small_trees_is_consistent(void **state)
{
	(void)state;
	for (size_t size = 1; size <= SMALL / 2; size++)
		for (size_t old = 1; old <= size; old++)
			check_consistency(old, size);
}

static void large_trees_are_consistent(void **state)
{
	static const size_t sizes[] = {1, 200, 256, 257, 300, 65535, 65536, 65700, LARGEST};
	const size_t n = sizeof sizes / sizeof *sizes;

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k <= i; k++)
			check_consistency(sizes[k], sizes[i]);
}

/* A log that took an entry out and went on can't prove that it only grew. */
static void a_tree_that_lost_an_entry_is_not_consistent(void **state)
{
	struct merkle_range shorter = {0};
	struct merkle_proof p;
	uint8_t old_root[32], root[32];

	(void)state;
	naive_root(0, 300, old_root);
	for (size_t i = 0; i < 500; i++)
		if (i != 123)
			assert_int_equal(merkle_append(h, &shorter, leaves[i], NULL, NULL), ERR_OK);
	assert_int_equal(merkle_root(h, &shorter, root), ERR_OK);
	assert_int_equal(merkle_consistency(h, &tiles, 300, 499, &p), ERR_OK);
	assert_int_equal(merkle_check_consistency(h, &p, 300, old_root, 499, root), ERR_SEAL);
}

static void the_empty_tree_precedes_every_tree(void **state)
{
	struct merkle_proof p;
	uint8_t empty[32], root[32];

	(void)state;
	hex_read(RFC6962_EMPTY, empty);
	naive_root(0, 5, root);
	assert_int_equal(merkle_consistency(h, &tiles, 0, 5, &p), ERR_OK);
	assert_int_equal(p.n, 0);
	assert_int_equal(merkle_check_consistency(h, &p, 0, empty, 5, root), ERR_OK);
	assert_int_equal(merkle_check_consistency(h, &p, 0, empty, 0, empty), ERR_OK);
	assert_int_equal(merkle_check_consistency(h, &p, 0, empty, 0, root), ERR_SEAL);
	assert_int_equal(merkle_check_consistency(h, &p, 0, root, 5, root), ERR_SEAL);
}

static void what_is_outside_the_tree_is_refused(void **state)
{
	struct merkle_proof p = {0};
	struct merkle_range r = {.size = MERKLE_SIZE_MAX};

	(void)state;
	assert_int_equal(merkle_inclusion(h, &tiles, 5, 5, &p), ERR_LIMIT);
	assert_int_equal(merkle_inclusion(h, &tiles, 0, 0, &p), ERR_LIMIT);
	assert_int_equal(merkle_consistency(h, &tiles, 6, 5, &p), ERR_LIMIT);
	assert_int_equal(merkle_range_read(h, &tiles, MERKLE_SIZE_MAX + 1, &r), ERR_LIMIT);
	r.size = MERKLE_SIZE_MAX;
	assert_int_equal(merkle_append(h, &r, leaves[0], NULL, NULL), ERR_LIMIT);
	assert_int_equal(merkle_check_inclusion(h, &p, UINT64_MAX, 3, leaves[0], leaves[0]), ERR_SEAL);
	p.n = MERKLE_PROOF_MAX + 1; /* a caller's slip does not read past the array */
	assert_int_equal(merkle_check_inclusion(h, &p, 5, 3, leaves[0], leaves[0]), ERR_SEAL);
	assert_int_equal(merkle_check_consistency(h, &p, 3, leaves[0], 5, leaves[0]), ERR_SEAL);
}

static enum err fail_node(void *arg, unsigned level, uint64_t index, const uint8_t hash[static 32])
{
	(void)arg;
	(void)index;
	(void)hash;
	return level == 1 ? ERR_IO : ERR_OK;
}

static enum err fail_read(void *arg, unsigned level, uint64_t index, unsigned width, uint8_t hashes[static MERKLE_TILE_LEN])
{
	(void)arg;
	(void)level;
	(void)index;
	(void)width;
	(void)hashes;
	return ERR_IO;
}

static void an_error_of_a_callback_is_handed_on(void **state)
{
	const struct merkle_tiles bad = {fail_read, NULL};
	struct merkle_range r = {0}, before;
	struct merkle_proof p;

	(void)state;
	assert_int_equal(merkle_append(h, &r, leaves[0], fail_node, NULL), ERR_OK);
	before = r;
	assert_int_equal(merkle_append(h, &r, leaves[1], fail_node, NULL), ERR_IO);
	assert_memory_equal(&r, &before, sizeof r);
	assert_int_equal(merkle_inclusion(h, &bad, 5, 3, &p), ERR_IO);
	assert_int_equal(p.n, 0);
	assert_int_equal(merkle_consistency(h, &bad, 3, 5, &p), ERR_IO);
	assert_int_equal(merkle_range_read(h, &bad, 5, &r), ERR_IO);
	assert_int_equal(r.size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(published_roots_are_reached),
	    cmocka_unit_test(roots_are_those_of_the_definition),
	    cmocka_unit_test(tiles_hold_the_roots_of_the_tiles_below),
	    cmocka_unit_test(each_entry_of_small_trees_is_proven_and_nothing_else),
	    cmocka_unit_test(entries_of_large_trees_are_proven_with_few_tiles),
	    cmocka_unit_test(each_pair_of_small_trees_is_consistent),
	    cmocka_unit_test(large_trees_are_consistent),
	    cmocka_unit_test(a_tree_that_lost_an_entry_is_not_consistent),
	    cmocka_unit_test(the_empty_tree_precedes_every_tree),
	    cmocka_unit_test(what_is_outside_the_tree_is_refused),
	    cmocka_unit_test(an_error_of_a_callback_is_handed_on),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
