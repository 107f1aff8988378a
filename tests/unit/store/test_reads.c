/* reads.h on a real database: rounds, handles, locks last, and failures that must not read as "no rows". */
#include "store/reads.h"
#include "store/writes.h"
#include "tests/unit/store/database.h"

struct world {
	struct db *db;
	struct reads *r;
	int64_t a, b, gone; /* gone: a customer whose key is away */
};

static void begin(struct db *db)
{
	db_send(db, ST_BEGIN, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_synced(db), ERR_OK);
}

static void round_trip(struct world *x)
{
	reads_send(x->r, x->db);
	assert_int_equal(db_sync(x->db), ERR_OK);
	assert_int_equal(reads_receive(x->r, x->db), ERR_OK);
	assert_int_equal(db_synced(x->db), ERR_OK);
}

static void put_customer(struct writes *w, int64_t id, int64_t tag, bool key)
{
	const struct customer_write row = {.id = id,
	                                   .version = 1,
	                                   .dek_generation = 1,
	                                   .token_generation = 1,
	                                   .state_valid_until_us = INT64_MAX,
	                                   .header = (const uint8_t *)"h",
	                                   .header_len = 1,
	                                   .fields = (const uint8_t *)"f",
	                                   .fields_len = 1};

	writes_insert_customer(w, &row);
	if (key)
		writes_key(w, id, 1, 1, (const uint8_t *)"wrapped", 7);
	writes_index(w, id, 1, 1, tag);
	writes_large(w, id, 4, 7, (const uint8_t *)"large", 5);
	for (int64_t item = 1; item <= 5; item++)
		writes_record(w, id, 17, item, 1, (const uint8_t *)"record", 6);
}

static int set_up(void **state)
{
	struct world *x = calloc(1, sizeof *x);
	struct writes *w;

	*state = x;
	if (!x || reads_new(&x->r) || writes_new(&w))
		return -1;
	x->db = database_open();
	x->a = database_new_id();
	x->b = x->a + 2;
	x->gone = x->a + 4;
	put_customer(w, x->a, x->a, true);
	put_customer(w, x->b, x->a, true);
	put_customer(w, x->gone, x->a, false);
	assert_int_equal(writes_send(w, x->db, 1700000000000000), ERR_OK);
	assert_int_equal(db_sync(x->db), ERR_OK);
	assert_int_equal(writes_receive(w, x->db), ERR_OK);
	assert_int_equal(db_synced(x->db), ERR_OK);
	writes_free(w);
	begin(x->db);
	return 0;
}

static int tear_down(void **state)
{
	struct world *x = *state;

	reads_free(x->r);
	db_close(x->db);
	free(x);
	return 0;
}

static void a_customer_is_found_by_id_and_an_erased_one_is_not(void **state)
{
	struct world *x = *state;
	struct customer_row *row;

	assert_null(reads_get(x->r, x->a));
	reads_customer(x->r, x->a);
	reads_customer(x->r, x->a);
	reads_customer(x->r, x->gone);
	reads_customer(x->r, 0);
	assert_true(reads_pending(x->r));
	round_trip(x);
	assert_false(reads_pending(x->r));
	row = reads_get(x->r, x->a);
	assert_non_null(row);
	assert_true(row->id == x->a);
	assert_int_equal(row->wrapped_len, 7);
	assert_false(row->locked);
	assert_true(row->state_valid_until_us == INT64_MAX);
	assert_null(reads_get(x->r, x->gone));
	assert_null(reads_get(x->r, 0));
}

static void each_lookup_gets_its_own_rows_in_order_and_no_more_than_asked(void **state)
{
	struct world *x = *state;
	const size_t none = reads_lookup(x->r, 1, 1, x->a + 1, 0, 10), all = reads_lookup(x->r, 1, 1, x->a, 0, 10),
	             rest = reads_lookup(x->r, 1, 1, x->a, x->a, 10), one = reads_lookup(x->r, 1, 1, x->a, 0, 1);

	round_trip(x);
	assert_int_equal(reads_lookup_rows(x->r, none), 0);
	assert_int_equal(reads_lookup_rows(x->r, all), 2); /* not the one without a key */
	assert_true(reads_lookup_row(x->r, all, 0)->id == x->a);
	assert_true(reads_lookup_row(x->r, all, 1)->id == x->b);
	assert_int_equal(reads_lookup_rows(x->r, rest), 1);
	assert_true(reads_lookup_row(x->r, rest, 0)->id == x->b);
	assert_int_equal(reads_lookup_rows(x->r, one), 1);
	assert_ptr_equal(reads_lookup_row(x->r, one, 0), reads_get(x->r, x->a)); /* one row, however it was found */
}

static void results_of_earlier_rounds_stay(void **state)
{
	struct world *x = *state;
	const size_t first = reads_lookup(x->r, 1, 1, x->a, 0, 10), records = reads_records(x->r, x->a, 17, INT64_MAX, 2);
	size_t second, more;
	struct customer_row *row;

	round_trip(x);
	row = reads_lookup_row(x->r, first, 0);
	second = reads_lookup(x->r, 1, 1, x->a, x->a, 10);
	more = reads_records(x->r, x->a, 17, 4, 2);
	round_trip(x);
	assert_ptr_equal(reads_lookup_row(x->r, first, 0), row);
	assert_int_equal(reads_lookup_rows(x->r, second), 1);
	assert_int_equal(reads_record_rows(x->r, records), 2);
	assert_int_equal(reads_record_row(x->r, records, 0)->item, 5);
	assert_int_equal(reads_record_row(x->r, records, 1)->item, 4);
	assert_int_equal(reads_record_row(x->r, more, 0)->item, 3);
	assert_int_equal(reads_record_row(x->r, more, 1)->item, 2);
	assert_int_equal(reads_record_row(x->r, more, 0)->created_at_us, 1700000000000000);
}

static void locks_are_left_for_a_round_of_their_own(void **state)
{
	struct world *x = *state;

	reads_customer_locked(x->r, x->b);
	reads_large(x->r, x->a, 4);
	round_trip(x);
	assert_null(reads_get(x->r, x->b));
	assert_true(reads_pending(x->r));
	reads_customer_locked(x->r, x->a);
	round_trip(x);
	assert_false(reads_pending(x->r));
	assert_true(reads_get(x->r, x->a)->locked);
	assert_true(reads_get(x->r, x->b)->locked);
}

/* A row that was read before its lock may be out of date: the locked one takes its place. */
static void a_locked_row_takes_the_place_of_the_one_read_before(void **state)
{
	struct world *x = *state;
	struct db *other = database_open();
	char sql[128];

	reads_customer(x->r, x->a);
	round_trip(x);
	assert_int_equal(reads_get(x->r, x->a)->version, 1);
	snprintf(sql, sizeof sql, "UPDATE customer SET version = 2 WHERE customer_id = %lld", (long long)x->a);
	assert_int_equal(db_run(other, sql, NULL, 0, NULL), ERR_OK);
	db_close(other);
	reads_customer_locked(x->r, x->a);
	round_trip(x);
	assert_int_equal(reads_get(x->r, x->a)->version, 2);
	reads_customer(x->r, x->a);
	round_trip(x);
	assert_true(reads_get(x->r, x->a)->locked);
}

static void a_lock_holds_until_the_end_of_the_transaction(void **state)
{
	struct world *x = *state;
	struct db *other = database_open();
	char sql[128];

	reads_customer_locked(x->r, x->a);
	round_trip(x);
	snprintf(sql, sizeof sql, "SELECT 1 FROM customer WHERE customer_id = %lld FOR UPDATE NOWAIT", (long long)x->a);
	assert_int_equal(db_run(other, sql, NULL, 0, NULL), ERR_BUSY);
	assert_int_equal(db_rollback(other), ERR_OK);
	assert_int_equal(db_rollback(x->db), ERR_OK);
	assert_int_equal(db_run(other, sql, NULL, 0, NULL), ERR_OK);
	db_close(other);
}

static void a_bucket_is_locked_once_and_no_other(void **state)
{
	struct world *x = *state;
	struct db *other = database_open();

	for (uint32_t i = 0; i < 3; i++)
		reads_bucket(x->r, 40 - 10 * i % 20);
	round_trip(x);
	assert_int_equal(database_int8(other, "SELECT pg_try_advisory_lock(7203, 41)::int::int8"), 0);
	assert_int_equal(database_int8(other, "SELECT pg_try_advisory_lock(7203, 31)::int::int8"), 0);
	assert_int_equal(database_int8(other, "SELECT pg_try_advisory_lock(7203, 42)::int::int8"), 1);
	/* none of them is the barrier, which has number 0 */
	assert_int_equal(database_int8(other, "SELECT pg_try_advisory_lock(7203, 0)::int::int8"), 1);
	db_close(other);
}

static void a_large_value_comes_with_its_version(void **state)
{
	struct world *x = *state;
	uint32_t version = 0;
	size_t len = 0;

	reads_large(x->r, x->a, 4);
	reads_large(x->r, x->a, 5);
	round_trip(x);
	assert_memory_equal(reads_get_large(x->r, x->a, 4, &version, &len), "large", 5);
	assert_int_equal(len, 5);
	assert_int_equal(version, 7);
	assert_null(reads_get_large(x->r, x->a, 5, &version, &len));
	assert_null(reads_get_large(x->r, x->b, 4, &version, &len));
}

static void item_numbers_are_each_given_once(void **state)
{
	struct world *x = *state;
	const size_t one = reads_item_numbers(x->r, 1), three = reads_item_numbers(x->r, 3);
	int64_t last;

	round_trip(x);
	last = reads_item_number(x->r, one);
	for (size_t i = 0; i < 3; i++) {
		assert_true(reads_item_number(x->r, three + i) > last);
		last = reads_item_number(x->r, three + i);
	}
}

static void what_is_kept_under_a_key_is_found_while_it_is_young(void **state)
{
	struct world *x = *state;
	struct writes *w;
	uint8_t mac[32] = {9};
	const uint8_t *body, *result;
	int32_t status;
	size_t len;

	memcpy(mac + 1, &x->a, sizeof x->a);
	assert_int_equal(writes_new(&w), ERR_OK);
	writes_idempotency(w, mac, mac, 201, "ids", 3);
	assert_int_equal(writes_send(w, x->db, 1700000000000000), ERR_OK);
	assert_int_equal(db_sync(x->db), ERR_OK);
	assert_int_equal(writes_receive(w, x->db), ERR_OK);
	assert_int_equal(db_synced(x->db), ERR_OK);
	writes_free(w);
	reads_idempotency(x->r, mac, 1700000000000000);
	round_trip(x);
	assert_false(reads_get_idempotency(x->r, mac, &body, &status, &result, &len));
	reads_idempotency(x->r, mac, 1699999999999999);
	round_trip(x);
	assert_true(reads_get_idempotency(x->r, mac, &body, &status, &result, &len));
	assert_int_equal(status, 201);
	assert_int_equal(len, 3);
	assert_memory_equal(body, mac, 32);
}

static void a_reset_forgets_wishes_and_results(void **state)
{
	struct world *x = *state;
	size_t handle;

	reads_customer(x->r, x->a);
	round_trip(x);
	reads_customer(x->r, x->b);
	reads_customer_locked(x->r, x->b);
	reads_lookup(x->r, 1, 1, x->a, 0, 10);
	reads_reset(x->r);
	assert_false(reads_pending(x->r));
	assert_null(reads_get(x->r, x->a));
	handle = reads_lookup(x->r, 1, 1, x->a, 0, 10);
	assert_int_equal(handle, 0);
	round_trip(x);
	assert_int_equal(reads_lookup_rows(x->r, handle), 2);
}

static void thousands_of_customers_are_one_round(void **state)
{
	struct world *x = *state;

	for (int64_t i = 0; i < 5000; i++)
		reads_customer(x->r, x->a + i);
	round_trip(x);
	assert_non_null(reads_get(x->r, x->a));
	assert_non_null(reads_get(x->r, x->b));
	assert_null(reads_get(x->r, x->a + 4000));
}

/* "No rows" for a reference would let a second customer have it. */
static void wishes_beyond_memory_are_an_error_and_not_an_empty_answer(void **state)
{
	struct world *x = *state;
	uint8_t mac[32] = {0};

	for (int i = 0; i < 8 << 20; i++) /* 36 bytes each: past what an array may hold */
		reads_idempotency(x->r, mac, 0);
	reads_send(x->r, x->db);
	assert_int_equal(db_sync(x->db), ERR_OK);
	assert_int_equal(reads_receive(x->r, x->db), ERR_MEMORY);
	assert_int_equal(db_rollback(x->db), ERR_OK);
	begin(x->db);
	reads_reset(x->r);
	reads_customer(x->r, x->a);
	round_trip(x);
	assert_non_null(reads_get(x->r, x->a));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(a_customer_is_found_by_id_and_an_erased_one_is_not),
	    T(each_lookup_gets_its_own_rows_in_order_and_no_more_than_asked),
	    T(results_of_earlier_rounds_stay),
	    T(locks_are_left_for_a_round_of_their_own),
	    T(a_locked_row_takes_the_place_of_the_one_read_before),
	    T(a_lock_holds_until_the_end_of_the_transaction),
	    T(a_bucket_is_locked_once_and_no_other),
	    T(a_large_value_comes_with_its_version),
	    T(item_numbers_are_each_given_once),
	    T(what_is_kept_under_a_key_is_found_while_it_is_young),
	    T(a_reset_forgets_wishes_and_results),
	    T(thousands_of_customers_are_one_round),
	    T(wishes_beyond_memory_are_an_error_and_not_an_empty_answer),
	};

	return cmocka_run_group_tests(tests, database_set_up, cluster_stop);
}
