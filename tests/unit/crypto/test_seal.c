/* Sealed units, wrapped DEKs, nonces. */
#include "crypto/nonce_int.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "tests/vectors/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define UNTOUCHED 0xaa

static struct sealer *sealer;
static uint8_t dek[SEAL_KEY_LEN];

static int set_up(void **state)
{
	(void)state;
	return secret_start() || sealer_new(&sealer) || seal_dek_new(sealer, dek) || seal_use(sealer, dek);
}

static int tear_down(void **state)
{
	(void)state;
	sealer_free(sealer);
	secret_stop();
	return 0;
}

static const struct seal_place here = {
    .type = SEAL_FIELD, .customer = 42, .subject = 7, .version = 3, .dek_generation = 1};

/* The output of a failed call: nothing was written, or it was wiped. */
static void assert_no_output(const uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		assert_true(out[i] == out[0]);
	assert_true(len == 0 || out[0] == 0 || out[0] == UNTOUCHED);
}

static void assert_refused(const struct seal_place *place, const uint8_t *unit, size_t len)
{
	uint8_t out[4096];
	size_t plain_len = 1;

	memset(out, UNTOUCHED, sizeof out);
	assert_int_equal(seal_open(sealer, place, unit, len, out, &plain_len), ERR_SEAL);
	assert_int_equal(plain_len, 0);
	assert_no_output(out, len > SEAL_OVERHEAD ? len - SEAL_OVERHEAD : 0);
}

static void every_length_comes_back_as_it_was(void **state)
{
	static uint8_t plain[3000], unit[4200], out[4200];
	size_t plain_len;

	(void)state;
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (uint8_t)(i % 3 ? i : 0); /* with zeros at many ends */
	for (size_t len = 0; len <= sizeof plain; len++) {
		const size_t size = seal_size(len);

		memset(unit, UNTOUCHED, sizeof unit);
		assert_int_equal(seal_unit(sealer, &here, plain, len, unit), ERR_OK);
		assert_int_equal(unit[size], UNTOUCHED);
		assert_int_equal(seal_open(sealer, &here, unit, size, out, &plain_len), ERR_OK);
		assert_int_equal(plain_len, len);
		assert_memory_equal(out, plain, len);
	}
}

static void a_size_tells_a_step_and_no_more(void **state)
{
	static const struct {
		size_t len, room;
	} steps[] = {{0, 16},	   {15, 16},	 {16, 32},     {31, 32},     {32, 64},	   {500, 512},
	             {1023, 1024}, {1024, 2048}, {2047, 2048}, {2048, 3072}, {65536, 66560}};

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++)
		assert_int_equal(seal_size(steps[i].len), SEAL_OVERHEAD + steps[i].room);
}

/* 864 places; a unit sealed at one opens at that one and at no other. */
static void a_unit_opens_only_where_it_was_sealed(void **state)
{
	static const uint64_t customers[] = {1, (uint64_t)1 << 56}, items[] = {0, 1, (uint64_t)1 << 32};
	static const uint16_t subjects[] = {0, 1, 256};
	static const uint32_t numbers[] = {1, 256};
	static const char *const extras[] = {NULL, "x"};
	static struct seal_place places[864];
	static uint8_t units[864][SEAL_OVERHEAD + 16];
	uint8_t out[16];
	size_t n = 0, plain_len;

	(void)state;
	for (int type = SEAL_FIELD; type <= SEAL_NOTE; type++)
		for (size_t i = 0; i < 2 * 3 * 3 * 2 * 2 * 2; i++)
			places[n++] = (struct seal_place){.type = (enum seal_type)type,
			                                  .customer = customers[i % 2],
			                                  .subject = subjects[i / 2 % 3],
			                                  .item = items[i / 6 % 3],
			                                  .version = numbers[i / 18 % 2],
			                                  .dek_generation = numbers[i / 36 % 2],
			                                  .extra = extras[i / 72],
			                                  .extra_len = i / 72};
	assert_int_equal(n, COUNT(places));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(seal_unit(sealer, &places[i], "value", 5, units[i]), ERR_OK);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			assert_int_equal(seal_open(sealer, &places[k], units[i], sizeof units[i], out, &plain_len),
			                 i == k ? ERR_OK : ERR_SEAL);
}

static void a_flipped_bit_anywhere_is_refused(void **state)
{
	uint8_t unit[SEAL_OVERHEAD + 64];

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "zhang.wei@example.com, and forty more", 37, unit), ERR_OK);
	for (size_t bit = 0; bit < sizeof unit * 8; bit++) {
		unit[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_refused(&here, unit, sizeof unit);
		unit[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_flipped_bit_of_the_public_state_is_refused(void **state)
{
	uint8_t row[40], unit[SEAL_OVERHEAD + 32];
	struct seal_place header = {.type = SEAL_HEADER, .customer = 42, .version = 3, .dek_generation = 1};
	uint8_t out[32];
	size_t plain_len;

	(void)state;
	for (uint8_t i = 0; i < sizeof row; i++)
		row[i] = i;
	header.extra = row;
	header.extra_len = sizeof row;
	assert_int_equal(seal_unit(sealer, &header, "sref sref sref s", 16, unit), ERR_OK);
	for (size_t bit = 0; bit < sizeof row * 8; bit++) {
		row[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_refused(&header, unit, sizeof unit);
		row[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	header.extra_len--;
	assert_refused(&header, unit, sizeof unit);
	header.extra_len++;
	assert_int_equal(seal_open(sealer, &header, unit, sizeof unit, out, &plain_len), ERR_OK);
}

static void a_unit_cut_or_lengthened_is_refused(void **state)
{
	uint8_t unit[SEAL_OVERHEAD + 64 + 16] = {0};
	const size_t size = SEAL_OVERHEAD + 64;

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "a value of more than thirty-two bytes", 37, unit), ERR_OK);
	for (size_t len = 0; len < size; len++) {
		assert_refused(&here, unit, len);
		assert_refused(&here, unit + (size - len), len);
	}
	for (size_t more = 1; more <= 16; more++)
		assert_refused(&here, unit, size + more);
}

static void no_key_in_use_seals_and_opens_nothing(void **state)
{
	uint8_t unit[SEAL_OVERHEAD + 16], again[SEAL_OVERHEAD + 16], out[16];
	size_t plain_len;

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "value", 5, unit), ERR_OK);
	seal_forget(sealer);
	assert_int_equal(seal_open(sealer, &here, unit, sizeof unit, out, &plain_len), ERR_CRYPTO);
	assert_int_equal(seal_unit(sealer, &here, "value", 5, again), ERR_CRYPTO);
	assert_int_equal(seal_use(sealer, dek), ERR_OK);
	assert_int_equal(seal_open(sealer, &here, unit, sizeof unit, out, &plain_len), ERR_OK);
}

static void another_dek_opens_nothing(void **state)
{
	uint8_t unit[SEAL_OVERHEAD + 16], other[SEAL_KEY_LEN];

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "value", 5, unit), ERR_OK);
	assert_int_equal(seal_dek_new(sealer, other), ERR_OK);
	assert_int_equal(seal_use(sealer, other), ERR_OK);
	assert_refused(&here, unit, sizeof unit);
	assert_int_equal(seal_use(sealer, dek), ERR_OK);
}

static void too_long_a_plaintext_is_refused(void **state)
{
	uint8_t unit[1];

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "", SEAL_PLAIN_MAX + 1, unit), ERR_CRYPTO);
}

/* Customer, generation, epoch and KEK: a wrapped DEK opens under the right four only. */
static void a_wrapped_dek_opens_only_in_its_place(void **state)
{
	uint8_t keks[2][SEAL_KEY_LEN], wrapped[16][SEAL_DEK_LEN], out[SEAL_KEY_LEN];

	(void)state;
	assert_int_equal(secret_random(keks, sizeof keks), ERR_OK);
	for (uint32_t i = 0; i < 16; i++)
		assert_int_equal(seal_dek_wrap(sealer, keks[i & 1], 1 + (i >> 1 & 1), 1 + (i >> 2 & 1), 1 + (i >> 3), dek,
		                               wrapped[i]),
		                 ERR_OK);
	for (uint32_t i = 0; i < 16; i++) {
		for (uint32_t k = 0; k < 16; k++) {
			memset(out, UNTOUCHED, sizeof out);
			assert_int_equal(seal_dek_unwrap(sealer, keks[k & 1], 1 + (k >> 1 & 1), 1 + (k >> 2 & 1), 1 + (k >> 3),
			                                 wrapped[i], out),
			                 i == k ? ERR_OK : ERR_SEAL);
			if (i == k)
				assert_memory_equal(out, dek, sizeof out);
			else
				assert_no_output(out, sizeof out);
		}
	}
}

static void a_flipped_bit_of_a_wrapped_dek_is_refused(void **state)
{
	uint8_t kek[SEAL_KEY_LEN] = {1}, wrapped[SEAL_DEK_LEN], out[SEAL_KEY_LEN];

	(void)state;
	assert_int_equal(seal_dek_wrap(sealer, kek, 1, 1, 1, dek, wrapped), ERR_OK);
	for (size_t bit = 0; bit < sizeof wrapped * 8; bit++) {
		wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
		memset(out, UNTOUCHED, sizeof out);
		assert_int_equal(seal_dek_unwrap(sealer, kek, 1, 1, 1, wrapped, out), ERR_SEAL);
		assert_no_output(out, sizeof out);
		wrapped[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_dek_is_never_the_same(void **state)
{
	uint8_t a[SEAL_KEY_LEN], b[SEAL_KEY_LEN];

	(void)state;
	assert_int_equal(seal_dek_new(sealer, a), ERR_OK);
	assert_int_equal(seal_dek_new(sealer, b), ERR_OK);
	assert_memory_not_equal(a, b, sizeof a);
}

/* What is at rest must open for ever. Sealed by another implementation of the layout. */
static void units_of_earlier_builds_open(void **state)
{
	static const struct seal_place place = {.type = SEAL_FIELD,
	                                        .customer = 42,
	                                        .subject = 7,
	                                        .version = 3,
	                                        .dek_generation = 1,
	                                        .extra = "x",
	                                        .extra_len = 1};
	uint8_t key[SEAL_KEY_LEN], unit[SEAL_OVERHEAD + 16], wrapped[SEAL_DEK_LEN], out[SEAL_KEY_LEN];
	size_t plain_len;

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	assert_int_equal(hex_read("000102030405060708090a0b3163ba6ea065c21b8d41978bb1e9786da03e27d84646cebcab4ce493ab4e2123", unit),
	                 sizeof unit);
	assert_int_equal(hex_read("000102030405060708090a0b3075a16cb292b56cfa36e0fcc69e0f1af4a1f043870c280b4f1092f26a1e77c5"
	                          "5252546d534a1f29641eb67900a19a9e",
	                          wrapped),
	                 sizeof wrapped);
	assert_int_equal(seal_use(sealer, key), ERR_OK);
	assert_int_equal(seal_open(sealer, &place, unit, sizeof unit, out, &plain_len), ERR_OK);
	assert_int_equal(plain_len, 5);
	assert_memory_equal(out, "value", 5);
	assert_int_equal(seal_dek_unwrap(sealer, key, 42, 1, 2, wrapped, out), ERR_OK);
	for (size_t i = 0; i < sizeof out; i++)
		assert_int_equal(out[i], 0x77);
	assert_int_equal(seal_use(sealer, dek), ERR_OK);
}

static int by_bytes(const void *a, const void *b)
{
	return memcmp(a, b, NONCE_LEN);
}

static void assert_all_differ(uint8_t (*nonces)[NONCE_LEN], size_t n)
{
	qsort(nonces, n, NONCE_LEN, by_bytes);
	for (size_t i = 1; i < n; i++)
		assert_memory_not_equal(nonces[i - 1], nonces[i], NONCE_LEN);
}

static void a_million_nonces_differ(void **state)
{
	const size_t n = 1000000;
	uint8_t(*nonces)[NONCE_LEN] = calloc(n, NONCE_LEN);
	struct nonce_pool pool = {.left = 0};

	(void)state;
	assert_non_null(nonces);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(nonce_draw(&pool, nonces[i]), ERR_OK);
	assert_all_differ(nonces, n);
	free(nonces);
}

#define AFTER_FORK 300

static void draw_from_units(uint8_t (*nonces)[NONCE_LEN])
{
	uint8_t unit[SEAL_OVERHEAD + 16];

	for (size_t i = 0; i < AFTER_FORK; i++) {
		if (seal_unit(sealer, &here, "value", 5, unit) != ERR_OK)
			abort();
		memcpy(nonces[i], unit, NONCE_LEN);
	}
}

/* One sealer, its pool half full, in a parent and two children (one the other's parent). */
static void nonces_after_a_fork_differ(void **state)
{
	static uint8_t nonces[3 * AFTER_FORK][NONCE_LEN];
	uint8_t unit[SEAL_OVERHEAD + 16];
	int pipes[2], status;
	pid_t child;
	size_t got = 0;

	(void)state;
	assert_int_equal(seal_unit(sealer, &here, "value", 5, unit), ERR_OK);
	assert_int_equal(pipe(pipes), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		const pid_t grandchild = fork();

		draw_from_units(nonces);
		if (write(pipes[1], nonces, AFTER_FORK * NONCE_LEN) != AFTER_FORK * NONCE_LEN)
			_exit(1);
		if (grandchild != 0 && waitpid(grandchild, &status, 0) != grandchild)
			_exit(1);
		_exit(0);
	}
	close(pipes[1]);
	draw_from_units(nonces);
	for (ssize_t n = 1; n > 0 && got < 2 * AFTER_FORK * NONCE_LEN; got += (size_t)n) {
		n = read(pipes[0], (uint8_t *)nonces + AFTER_FORK * NONCE_LEN + got, 2 * AFTER_FORK * NONCE_LEN - got);
		assert_true(n >= 0);
	}
	close(pipes[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(got, 2 * AFTER_FORK * NONCE_LEN);
	assert_all_differ(nonces, COUNT(nonces));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_length_comes_back_as_it_was),
	    cmocka_unit_test(a_size_tells_a_step_and_no_more),
	    cmocka_unit_test(a_unit_opens_only_where_it_was_sealed),
	    cmocka_unit_test(a_flipped_bit_anywhere_is_refused),
	    cmocka_unit_test(a_flipped_bit_of_the_public_state_is_refused),
	    cmocka_unit_test(a_unit_cut_or_lengthened_is_refused),
	    cmocka_unit_test(no_key_in_use_seals_and_opens_nothing),
	    cmocka_unit_test(another_dek_opens_nothing),
	    cmocka_unit_test(too_long_a_plaintext_is_refused),
	    cmocka_unit_test(a_wrapped_dek_opens_only_in_its_place),
	    cmocka_unit_test(a_flipped_bit_of_a_wrapped_dek_is_refused),
	    cmocka_unit_test(a_dek_is_never_the_same),
	    cmocka_unit_test(units_of_earlier_builds_open),
	    cmocka_unit_test(a_million_nonces_differ),
	    cmocka_unit_test(nonces_after_a_fork_differ),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
