/* The keyring in memory and as bytes; test_keyring_file.c has its files. */
#include "crypto/aead_int.h"
#include "crypto/bytes_int.h"
#include "crypto/keyring_int.h"
#include "crypto/secret.h"
#include "crypto/secret_int.h"
#include "tests/vectors/hex.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint8_t root[KEY_LEN];
static uint8_t file[KEYRING_FILE_MAX + 1];
static size_t file_len;

static int set_up(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < sizeof root; i++)
		root[i] = i;
	return secret_start();
}

static int tear_down(void **state)
{
	(void)state;
	secret_stop();
	return 0;
}

/* Epoch 1 destroyed, 2 retiring, 3 active, 4 pending; by another implementation of the layout. */
static const char *const earlier_file =
    "4344564b4559523138df0160c45a6476000102030405060708090a0b4703c41dd5f5d20b9d51879ba1f9687d"
    "93c69724e06b4f6c2877f5950d7910a21100beecbed0038965b56efc99963929ff48719c4bc7b2cb2e863b08"
    "09f2e4ffe12dd76bc1c334730e46b87cfd9d1cfa2a98db706471417aefef8cde6ae2ab9fd9ea4bf4b752db09"
    "8d0f2da15b66326ca97471b8f0d636895eec44de91f57d1da84113d5a0c3df471cf55cb529ce58d622e0f721"
    "2105875e984bfc63eec6fdfa87838a01fcead96bb276c8efca9593ae88dbdf379ebe66a970cad5d264d0a2e6"
    "06599fef0dd9d6c93757d0e6ba41d984e17e9c763d00baf1719152c741488ffa4323d4afe62003255247b808"
    "b5117c51a893b9759d3089a5176b67738b9c408314d1f2909dda48a877df7207b72d3af0f896e8efa2a9a38d"
    "530d4f7328d698692321fc6a98e7ec35b01e187828b782f198ca5b5d4894cf1798311d165f3d45e9c9957f2a"
    "8b534bda90d348136ee02e51a029e4b7af27b63b7a904b55be827bcc6a1ccaeab65472cb24afa42397b56228"
    "85d11f79eef100c19fe5709898131d76e1c7849dc3439798e534ba3b7a0456c3a64f28ffdb64169079541eb9"
    "260117327bf6b9e8c5b1641933a0";
#define EARLIER_FINGERPRINT 0x9ed9a840052c0992u

static struct keyring *open_bytes(const uint8_t *bytes, size_t len)
{
	struct keyring *k;
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(keyring_unseal("FILE", bytes, len, root, &k, &why), ERR_OK);
	assert_int_equal(why.len, 0);
	buf_fini(&why);
	return k;
}

/* Refused, with one line that names the file and has the word in it. */
static void assert_refused(const uint8_t *bytes, size_t len, const char *word)
{
	struct keyring *k;
	struct buf why;

	buf_init(&why, 0);
	assert_int_equal(keyring_unseal("FILE", bytes, len, root, &k, &why), ERR_KEYRING);
	assert_null(k);
	assert_int_equal(strncmp(buf_string(&why), "FILE: ", 6), 0);
	assert_null(strchr(buf_string(&why), '\n'));
	assert_non_null(strstr(buf_string(&why), word));
	buf_fini(&why);
}

static void assert_key(const uint8_t *key, uint8_t byte)
{
	assert_non_null(key);
	for (size_t i = 0; i < KEY_LEN; i++)
		assert_int_equal(key[i], byte);
}

static void files_of_earlier_builds_open(void **state)
{
	const size_t len = hex_read(earlier_file, file);
	struct keyring *k = open_bytes(file, len);
	const struct keyring_epoch *epochs;
	size_t n;

	(void)state;
	for (uint8_t i = 0; i < KEYRING_KEYS; i++)
		assert_key(keyring_key(k, (enum keyring_key)i), (uint8_t)(0x10 + i));
	assert_null(keyring_key(k, KEYRING_KEYS));
	assert_int_equal(keyring_active(k), 3);
	assert_null(keyring_kek(k, 0));
	assert_null(keyring_kek(k, 1)); /* destroyed */
	assert_key(keyring_kek(k, 2), 0x22);
	assert_key(keyring_kek(k, 3), 0x33);
	assert_key(keyring_kek(k, 4), 0x44); /* pending here; the database may have it active */
	assert_null(keyring_kek(k, 5));
	assert_int_equal(keyring_index_epoch(k), 1);
	assert_int_equal(keyring_index_bits(k), 18);
	epochs = keyring_epochs(k, &n);
	assert_int_equal(n, 4);
	assert_int_equal(epochs[0].state, EPOCH_DESTROYED);
	assert_int_equal(epochs[1].created_at_us, 150);
	assert_int_equal(epochs[1].retired_at_us, 250);
	assert_true(keyring_fingerprint(k) == EARLIER_FINGERPRINT);
	keyring_free(k);
}

static void each_flipped_bit_of_a_file_is_found(void **state)
{
	const size_t len = hex_read(earlier_file, file);

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		file[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_refused(file, len, bit < 64 ? "version" : bit < 128 ? "another root" : "damaged");
		file[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void each_cut_or_lengthened_file_is_found(void **state)
{
	const size_t len = hex_read(earlier_file, file);

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_refused(file, cut, "restore it");
	for (size_t more = 1; more < 100; more++)
		assert_refused(file, len + more, "damaged");
	assert_refused(file, KEYRING_FILE_MAX + 1, "too long");
}

static void a_file_of_another_root_says_so(void **state)
{
	const size_t len = hex_read(earlier_file, file);

	(void)state;
	root[5] ^= 1;
	assert_refused(file, len, "another root key");
	root[5] ^= 1;
}

/* Seals a body that keyring_body would not write. */
static void assert_body_refused(const uint8_t *body, size_t len)
{
	const struct mac_part aad = {file, KEYRING_HEAD_LEN};
	struct keyring *k;

	assert_int_equal(keyring_parse(body, len, &k), ERR_KEYRING);
	assert_null(k);
	hex_read(earlier_file, file);
	assert_int_equal(aead_seal_once(root, &aad, 1, body, len, file + KEYRING_HEAD_LEN), ERR_OK);
	assert_refused(file, KEYRING_HEAD_LEN + AEAD_OVERHEAD + len, "can't use");
}

#define AT_KEYS 4
#define AT_NUMBER (AT_KEYS + KEYRING_KEYS * KEY_LEN)
#define AT_ROW(i) (AT_NUMBER + 2 + (i) * KEYRING_EPOCH_LEN)

static void a_sealed_body_that_makes_no_sense_is_refused(void **state)
{
	static const struct {
		size_t at, width;
		uint64_t v;
	} changes[] = {
	    {0, 2, 0},                                /* no index epoch */
	    {2, 1, 7},        {2, 1, 57},             /* index bits */
	    {3, 1, 5},        {3, 1, 7},              /* another number of keys */
	    {AT_NUMBER, 2, 0}, {AT_NUMBER, 2, 3},     {AT_NUMBER, 2, 5}, {AT_NUMBER, 2, 65535},
	    {AT_ROW(0), 4, 0},                        /* epochs begin at 1 */
	    {AT_ROW(1), 4, 1}, {AT_ROW(1), 4, 3},     /* twice the same; out of order follows */
	    {AT_ROW(1), 4, 9},
	    {AT_ROW(0) + 4, 1, 1},                    /* active without a KEK */
	    {AT_ROW(1) + 4, 1, 1},                    /* two active */
	    {AT_ROW(2) + 4, 1, 2},                    /* none active */
	    {AT_ROW(1) + 4, 1, 3},                    /* destroyed with a KEK */
	    {AT_ROW(1) + 4, 1, 4}, {AT_ROW(1) + 4, 1, 255}, /* no such state */
	    {AT_ROW(1) + 5, 8, UINT64_MAX}, {AT_ROW(1) + 13, 8, (uint64_t)1 << 63}, /* times */
	};
	struct keyring *k = open_bytes(file, hex_read(earlier_file, file));
	uint8_t body[1024] = {0}, changed[1024];
	const size_t len = keyring_body(k, body);

	(void)state;
	assert_int_equal(len, AT_ROW(4));
	for (size_t i = 0; i < COUNT(changes); i++) {
		memcpy(changed, body, sizeof body);
		bytes_put(changed + changes[i].at, changes[i].v, changes[i].width);
		assert_body_refused(changed, len);
	}
	for (size_t i = 0; i < KEYRING_KEYS; i++) {
		memcpy(changed, body, sizeof body);
		memset(changed + AT_KEYS + i * KEY_LEN, 0, KEY_LEN);
		assert_body_refused(changed, len);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_body_refused(body, cut);
	assert_body_refused(body, len + 1);
	keyring_free(k);
}

static void a_new_keyring_has_one_active_epoch_and_fresh_keys(void **state)
{
	struct keyring *a, *b;

	(void)state;
	assert_int_equal(keyring_generate(1000000, 77, &a), ERR_OK);
	assert_int_equal(keyring_generate(1000000, 77, &b), ERR_OK);
	assert_int_equal(keyring_active(a), 1);
	assert_int_equal(keyring_index_bits(a), 18);
	assert_int_equal(keyring_index_epoch(a), 1);
	assert_memory_not_equal(keyring_kek(a, 1), keyring_kek(b, 1), KEY_LEN);
	for (size_t i = 0; i < KEYRING_KEYS; i++) {
		assert_memory_not_equal(keyring_key(a, (enum keyring_key)i), keyring_key(b, (enum keyring_key)i), KEY_LEN);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(keyring_key(a, (enum keyring_key)i), keyring_key(a, (enum keyring_key)j), KEY_LEN);
	}
	assert_true(keyring_fingerprint(a) != keyring_fingerprint(b));
	keyring_free(a);
	keyring_free(b);
	keyring_free(NULL);
}

static void about_four_customers_share_a_tag(void **state)
{
	static const struct {
		uint64_t customers;
		uint8_t bits;
	} cases[] = {{0, 8},          {1, 8},           {1000, 8},       {4 * 362, 8},        {4 * 363, 9},
	             {1000000, 18},   {10000000, 21},   {100000000, 25}, {1000000000, 28},    {(uint64_t)1 << 58, 56},
	             {UINT64_MAX, 56}};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_int_equal(keyring_bits_for(cases[i].customers), cases[i].bits);
}

static void the_most_epochs_come_back_as_they_were(void **state)
{
	struct keyring *k = keyring_alloc(KEYRING_EPOCHS_MAX), *back, *small = open_bytes(file, hex_read(earlier_file, file));

	(void)state;
	assert_non_null(k);
	memcpy(k->keys, small->keys, sizeof k->keys);
	k->index_epoch = 65535;
	k->index_bits = 56;
	for (size_t i = 0; i < k->n; i++) {
		k->epochs[i].epoch = (uint32_t)(UINT32_MAX - KEYRING_EPOCHS_MAX + 1 + i);
		k->epochs[i].state = i + 1 == k->n ? EPOCH_ACTIVE : EPOCH_RETIRING;
		k->epochs[i].created_at_us = INT64_MAX;
		assert_int_equal(secret_random(k->keks[i], KEY_LEN), ERR_OK);
	}
	assert_int_equal(keyring_seal(k, root, file, &file_len), ERR_OK);
	assert_int_equal(file_len, KEYRING_FILE_MAX);
	back = open_bytes(file, file_len);
	assert_int_equal(keyring_active(back), UINT32_MAX);
	assert_memory_equal(back->keys, k->keys, sizeof k->keys);
	assert_memory_equal(back->epochs, k->epochs, k->n * sizeof *k->epochs);
	assert_memory_equal(back->keks, k->keks, k->n * KEY_LEN);
	assert_memory_equal(keyring_kek(back, UINT32_MAX - 500), k->keks[k->n - 501], KEY_LEN);
	keyring_free(k);
	keyring_free(back);
	keyring_free(small);
	assert_null(keyring_alloc(0));
	assert_null(keyring_alloc(KEYRING_EPOCHS_MAX + 1));
}

static void a_file_shows_no_key_and_is_never_the_same(void **state)
{
	static uint8_t again[KEYRING_FILE_MAX];
	struct keyring *k;
	size_t len;

	(void)state;
	assert_int_equal(keyring_generate(1000, 1, &k), ERR_OK);
	assert_int_equal(keyring_seal(k, root, file, &file_len), ERR_OK);
	assert_int_equal(keyring_seal(k, root, again, &len), ERR_OK);
	assert_memory_not_equal(file + KEYRING_HEAD_LEN, again + KEYRING_HEAD_LEN, 12);
	for (size_t i = 0; i + 8 <= file_len; i++) {
		assert_memory_not_equal(file + i, root, 8);
		for (size_t at = 0; at < KEYRING_KEYS; at++)
			assert_memory_not_equal(file + i, k->keys[at], 8);
		assert_memory_not_equal(file + i, k->keks[0], 8);
	}
	keyring_free(k);
}

static void the_fingerprint_tells_each_difference(void **state)
{
	const size_t len = hex_read(earlier_file, file);
	struct keyring *k = open_bytes(file, len), *other;
	static const size_t at[] = {1,             2,           AT_KEYS,       AT_KEYS + 5 * KEY_LEN, AT_ROW(0) + 12,
	                            AT_ROW(1) + 12, AT_ROW(1) + 20, AT_ROW(1) + 21, AT_ROW(3) + 4};
	uint8_t body[1024];
	const size_t body_len = keyring_body(k, body);

	(void)state;
	for (size_t i = 0; i < COUNT(at); i++) {
		body[at[i]] ^= 2;
		assert_int_equal(keyring_parse(body, body_len, &other), ERR_OK);
		assert_true(keyring_fingerprint(other) != keyring_fingerprint(k));
		keyring_free(other);
		body[at[i]] ^= 2;
	}
	keyring_free(k);
}

static void no_secret_memory_is_kept(void **state)
{
	(void)state;
	assert_int_equal(secret_in_use(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_of_earlier_builds_open),
	    cmocka_unit_test(each_flipped_bit_of_a_file_is_found),
	    cmocka_unit_test(each_cut_or_lengthened_file_is_found),
	    cmocka_unit_test(a_file_of_another_root_says_so),
	    cmocka_unit_test(a_sealed_body_that_makes_no_sense_is_refused),
	    cmocka_unit_test(a_new_keyring_has_one_active_epoch_and_fresh_keys),
	    cmocka_unit_test(about_four_customers_share_a_tag),
	    cmocka_unit_test(the_most_epochs_come_back_as_they_were),
	    cmocka_unit_test(a_file_shows_no_key_and_is_never_the_same),
	    cmocka_unit_test(the_fingerprint_tells_each_difference),
	    cmocka_unit_test(no_secret_memory_is_kept),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
