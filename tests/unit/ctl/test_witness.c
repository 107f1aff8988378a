/* The witness's key file: one text for each key. What it answers is in tests/e2e/test_audit_witness.py. */
#include "ctl/witness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t seed[SIGN_SEED_LEN] = {0x9d, 0x61, 7, 255};

static void write_key(enum note_type type, struct note_key *key, struct buf *out)
{
	uint8_t public_key[SIGN_PUBLIC_LEN];

	buf_init(out, 0);
	assert_int_equal(sign_public(seed, public_key), ERR_OK);
	assert_int_equal(note_key_of("witness.example/w1", type, public_key, key), ERR_OK);
	assert_int_equal(witness_key_write(key, seed, out), ERR_OK);
}

static void a_key_that_was_written_is_read_again(void **state)
{
	uint8_t again[SIGN_SEED_LEN];
	struct note_key key, own;
	struct buf text;

	(void)state;
	write_key(NOTE_COSIGNATURE, &key, &text);
	assert_int_equal(witness_key_read((const char *)text.data, text.len, &own, again), ERR_OK);
	assert_memory_equal(again, seed, sizeof seed);
	assert_string_equal(own.name, "witness.example/w1");
	assert_int_equal(own.id, key.id);
	buf_fini(&text);
}

static void a_key_of_a_log_is_none_of_a_witness(void **state)
{
	uint8_t again[SIGN_SEED_LEN];
	struct note_key key, own;
	struct buf text;

	(void)state;
	write_key(NOTE_ED25519, &key, &text);
	assert_int_equal(witness_key_read((const char *)text.data, text.len, &own, again), ERR_MALFORMED);
	buf_fini(&text);
}

/* Every byte counts: a changed one is another key's name, id, public half or seed, or no form at all. */
static void no_changed_or_shortened_key_file_is_read(void **state)
{
	uint8_t again[SIGN_SEED_LEN];
	struct note_key key, own;
	struct buf text;

	(void)state;
	write_key(NOTE_COSIGNATURE, &key, &text);
	for (size_t i = 0; i < text.len; i++) {
		assert_int_equal(witness_key_read((const char *)text.data, i, &own, again), ERR_MALFORMED);
		text.data[i] ^= 1;
		if (witness_key_read((const char *)text.data, text.len, &own, again) != ERR_MALFORMED)
			fail_msg("byte %zu", i);
		text.data[i] ^= 1;
	}
	buf_byte(&text, '\n');
	assert_int_equal(witness_key_read((const char *)text.data, text.len, &own, again), ERR_MALFORMED);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_that_was_written_is_read_again),
	    cmocka_unit_test(a_key_of_a_log_is_none_of_a_witness),
	    cmocka_unit_test(no_changed_or_shortened_key_file_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
