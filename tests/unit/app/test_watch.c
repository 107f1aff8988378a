/* test_watch.c: the parts of the watcher that need no database: members of records, the budget's estimate, slices
 * and their sums, and the state as bytes. */
#include "crypto/secret.h"
#include "vault/app/watch_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t key[32] = "a key of tests";
static const char record[] = "{\"activity\":\"read\",\"object\":\"\\\",\\\"sref\\\":\\\"00\",\"row_version\":12,\"sref\":\"0f1e\",\"x\":\"\"}";
static struct watch *watch;
static uint64_t state_of_random = 88172645463325252u;

static uint64_t next_random(void)
{
	state_of_random ^= state_of_random << 13;
	state_of_random ^= state_of_random >> 7;
	state_of_random ^= state_of_random << 17;
	return state_of_random;
}

static void random_sref(uint8_t sref[SREF_LEN])
{
	for (size_t i = 0; i < SREF_LEN; i++)
		sref[i] = (uint8_t)(next_random() >> 32);
}

static int set_up(void **state)
{
	(void)state;
	watch = calloc(1, sizeof *watch);
	assert_non_null(watch);
	assert_int_equal(mac_new(key, &watch->mac), ERR_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	watch_forget(watch);
	mac_free(watch->mac);
	free(watch);
	return 0;
}

static void a_member_is_found_and_a_string_that_looks_like_one_is_not(void **state)
{
	uint8_t bytes[2];
	size_t len;

	(void)state;
	assert_true(record_hex(record, sizeof record - 1, "sref", bytes, 2));
	assert_memory_equal(bytes, "\x0f\x1e", 2);
	assert_false(record_hex(record, sizeof record - 1, "sref", bytes, 1));
	assert_int_equal(record_int(record, sizeof record - 1, "row_version"), 12);
	assert_int_equal(record_int(record, sizeof record - 1, "version"), -1);
	assert_true(record_is(record, sizeof record - 1, "activity", "read"));
	assert_false(record_is(record, sizeof record - 1, "activity", "rea"));
	assert_non_null(record_text(record, sizeof record - 1, "x", &len));
	assert_int_equal(len, 0);
	for (size_t n = 0; n < sizeof record - 1; n++) { /* cut off anywhere */
		record_text(record, n, "object", &len);
		record_int(record, n, "row_version");
	}
}

static void an_estimate_is_near_the_truth(void **state)
{
	static const int64_t sizes[] = {1, 20, 100, 1000, 5000, 10000, 50000, 200000};
	struct budget *b;
	uint8_t sref[SREF_LEN];
	bool over;
	int64_t n = 0;

	(void)state;
	assert_int_equal(budget_new(&b), ERR_OK);
	budget_hour(b, 1);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		const int64_t error = sizes[i] <= 100 ? 2 : sizes[i] * 6 / 100;

		for (; n < sizes[i]; n++) {
			random_sref(sref);
			for (int twice = 0; twice < 2; twice++)
				assert_int_equal(budget_add(b, "a", 1, sref, INT64_MAX, &over), ERR_OK);
		}
		assert_in_range(budget_customers(b, "a", 1), sizes[i] - (error < sizes[i] ? error : 0), sizes[i] + error);
	}
	budget_hour(b, 2);
	assert_int_equal(budget_customers(b, "a", 1), 0);
	budget_free(b);
}

static void a_budget_that_is_passed_is_told_once(void **state)
{
	struct budget *b;
	uint8_t sref[SREF_LEN];
	bool over;
	int told = 0;

	(void)state;
	assert_int_equal(budget_new(&b), ERR_OK);
	assert_int_equal(budget_told(b, "thawed", 6), ERR_OK);
	for (int i = 0; i < 50; i++) {
		random_sref(sref);
		assert_int_equal(budget_add(b, "one", 3, sref, 20, &over), ERR_OK);
		told += over;
		assert_int_equal(budget_add(b, "thawed", 6, sref, 20, &over), ERR_OK);
		assert_false(over);
	}
	assert_int_equal(told, 1);
	budget_free(b);
}

static void identities_past_the_limit_are_left_out(void **state)
{
	static const uint8_t sref[SREF_LEN] = {1};
	struct budget *b;
	char name[24];
	bool over;

	(void)state;
	assert_int_equal(budget_new(&b), ERR_OK);
	for (int i = 0; i < BUDGET_IDENTITIES_MAX + 10; i++) {
		snprintf(name, sizeof name, "identity-%d", i);
		assert_int_equal(budget_add(b, name, strlen(name), sref, 10, &over), ERR_OK);
	}
	assert_int_equal(budget_customers(b, "identity-0", 10), 1);
	assert_int_equal(budget_customers(b, name, strlen(name)), 0);
	budget_free(b);
}

static void an_id_lies_in_the_slice_of_its_sref(void **state)
{
	uint8_t sref[SREF_LEN];
	uint32_t slice, seen = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		int64_t id;

		random_sref(sref);
		assert_int_equal(slice_of(watch->mac, sref, &slice), ERR_OK);
		id = slice_id(slice, (int64_t)next_random());
		assert_true(id >= 0);
		assert_int_equal(slice_of_id(id), slice);
		seen |= slice;
	}
	assert_int_equal(seen, SLICES - 1);
}

static void what_was_added_and_taken_away_is_nothing_and_a_change_shows(void **state)
{
	struct slice_sum sum = {0, 0}, other = {0, 0};
	uint8_t one[SREF_LEN], two[SREF_LEN], row[32] = {1}, row2[32] = {2};

	(void)state;
	random_sref(one);
	random_sref(two);
	assert_int_equal(slice_add(watch->mac, &sum, one, 1, row), ERR_OK);
	assert_int_equal(slice_add(watch->mac, &sum, two, 1, row), ERR_OK);
	assert_int_equal(slice_add(watch->mac, &sum, one, 2, row2), ERR_OK);
	assert_int_equal(slice_take(watch->mac, &sum, one, 1, row), ERR_OK);
	assert_int_equal(slice_add(watch->mac, &other, one, 2, row2), ERR_OK);
	assert_int_equal(slice_add(watch->mac, &other, two, 1, row), ERR_OK);
	assert_memory_equal(&sum, &other, sizeof sum);
	assert_int_equal(slice_take(watch->mac, &other, one, 2, row2), ERR_OK);
	assert_int_equal(slice_add(watch->mac, &other, one, 1, row2), ERR_OK); /* version and bytes both count */
	assert_memory_not_equal(&sum, &other, sizeof sum);
}

static void a_state_comes_back_and_any_changed_byte_is_refused(void **state)
{
	struct buf bytes;

	(void)state;
	watch->walk.list = calloc(2, sizeof *watch->walk.list);
	watch->walk.n = 2;
	watch->walk.list[0] = (struct log_position){3, 4, 5, {6}};
	watch->walk.list[1] = (struct log_position){7, 8, 9, {10}};
	watch->sums[17] = (struct slice_sum){11, 12};
	buf_init(&bytes, 0);
	assert_int_equal(watch_state_write(watch, &bytes), ERR_OK);
	assert_int_equal(watch_state_read(watch, bytes.data, bytes.len), ERR_OK);
	assert_int_equal(watch->walk.n, 2);
	assert_int_equal(watch->walk.list[1].next_seq, 9);
	assert_int_equal(watch->sums[17].b, 12);
	for (size_t at = 0; at < bytes.len; at += at < 200 ? 1 : 997) {
		bytes.data[at] ^= 1;
		assert_int_equal(watch_state_read(watch, bytes.data, bytes.len), ERR_SEAL);
		assert_int_equal(watch->walk.n, 0);
		bytes.data[at] ^= 1;
	}
	for (size_t len = 0; len < bytes.len; len += 499)
		assert_int_equal(watch_state_read(watch, bytes.data, len), ERR_SEAL);
	buf_fini(&bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_member_is_found_and_a_string_that_looks_like_one_is_not),
	    cmocka_unit_test(an_estimate_is_near_the_truth),
	    cmocka_unit_test(a_budget_that_is_passed_is_told_once),
	    cmocka_unit_test(identities_past_the_limit_are_left_out),
	    cmocka_unit_test_setup_teardown(an_id_lies_in_the_slice_of_its_sref, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_was_added_and_taken_away_is_nothing_and_a_change_shows, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_state_comes_back_and_any_changed_byte_is_refused, set_up, tear_down),
	};
	int failed;

	if (secret_start())
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	secret_stop();
	return failed;
}
