/* writes.h on a real database: every table, marks and cuts, and what must not commit. */
#include "store/writes.h"
#include "tests/unit/store/database.h"

struct world {
	struct db *db;
	struct writes *w;
};

static int set_up(void **state)
{
	struct world *x = calloc(1, sizeof *x);

	*state = x;
	if (!x || writes_new(&x->w))
		return -1;
	x->db = database_open();
	return 0;
}

static int tear_down(void **state)
{
	struct world *x = *state;

	writes_free(x->w);
	db_close(x->db);
	free(x);
	return 0;
}

static struct customer_write row_of(int64_t id, uint32_t version)
{
	static const uint8_t header[] = "header", fields[] = "fields";

	return (struct customer_write){.id = id,
	                               .version = version,
	                               .dek_generation = 1,
	                               .token_generation = 1,
	                               .state_valid_until_us = INT64_MAX,
	                               .header = header,
	                               .header_len = 6,
	                               .fields = fields,
	                               .fields_len = 6};
}

/* BEGIN, the writes, COMMIT, as a batch sends them; true: committed. */
static bool send_and_commit(struct world *x, enum err *e)
{
	struct db_result *r = NULL;
	bool committed = false;

	db_send(x->db, ST_BEGIN, NULL, 0);
	assert_int_equal(writes_send(x->w, x->db, clock_now_us()), ERR_OK);
	db_send(x->db, ST_COMMIT, NULL, 0);
	assert_int_equal(db_sync(x->db), ERR_OK);
	assert_int_equal(db_next_done(x->db, NULL), ERR_OK);
	*e = writes_receive(x->w, x->db);
	if (!*e && !db_next(x->db, &r))
		committed = db_result_tag(r, "COMMIT");
	db_result_free(r);
	if (*e)
		assert_int_equal(db_rollback(x->db), ERR_OK);
	else
		assert_int_equal(db_synced(x->db), ERR_OK);
	return committed;
}

static int64_t count(struct world *x, const char *table, int64_t id)
{
	char sql[160];

	snprintf(sql, sizeof sql, "SELECT count(*) FROM %s WHERE customer_id = %lld", table, (long long)id);
	return database_int8(x->db, sql);
}

static void put_all(struct world *x, int64_t id)
{
	const struct customer_write row = row_of(id, 1);
	const uint8_t mac[32] = {(uint8_t)id, (uint8_t)(id >> 8), (uint8_t)(id >> 16), (uint8_t)(id >> 24), (uint8_t)(id >> 32)};

	writes_insert_customer(x->w, &row);
	writes_key(x->w, id, 1, 1, (const uint8_t *)"wrapped", 7);
	writes_large(x->w, id, 4, 1, (const uint8_t *)"large", 5);
	writes_index(x->w, id, 1, 1, 99);
	writes_record(x->w, id, 17, id, 1, (const uint8_t *)"record", 6);
	writes_idempotency(x->w, mac, mac, 201, "ids", 3);
	writes_search_spent(x->w, id, 5, 3600000000);
}

static const char *const tables[] = {"customer", "customer_key", "customer_large", "blind_index", "record"};

static void every_table_gets_its_rows(void **state)
{
	struct world *x = *state;
	const int64_t a = database_new_id(), b = database_new_id();
	enum err e;

	put_all(x, a);
	put_all(x, b);
	assert_true(send_and_commit(x, &e));
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		assert_int_equal(count(x, tables[i], a), 1);
		assert_int_equal(count(x, tables[i], b), 1);
	}
}

static void what_is_cut_is_not_written_and_what_was_before_is(void **state)
{
	struct world *x = *state;
	const int64_t a = database_new_id(), b = database_new_id(), c = database_new_id();
	struct writes_mark mark;
	enum err e;

	put_all(x, a);
	writes_mark(x->w, &mark);
	put_all(x, b);
	writes_delete_large(x->w, a, 4);
	writes_delete_index(x->w, a, 1, 1, 99);
	writes_delete_record(x->w, a, 17, a);
	writes_cut(x->w, &mark);
	put_all(x, c);
	assert_true(send_and_commit(x, &e));
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
		assert_int_equal(count(x, tables[i], a), 1);
		assert_int_equal(count(x, tables[i], b), 0);
		assert_int_equal(count(x, tables[i], c), 1);
	}
}

static void a_cut_to_the_beginning_leaves_nothing_to_send(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id();
	struct writes_mark mark;
	enum err e;

	writes_mark(x->w, &mark);
	put_all(x, id);
	writes_cut(x->w, &mark);
	assert_true(send_and_commit(x, &e));
	assert_int_equal(count(x, "customer", id), 0);
}

static void a_reset_forgets_all(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id();
	enum err e;

	put_all(x, id);
	writes_reset(x->w);
	assert_true(send_and_commit(x, &e));
	assert_int_equal(count(x, "customer", id), 0);
}

static void a_value_replaced_in_one_batch_keeps_its_index_entry_and_its_row(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id();
	struct customer_write row;
	enum err e;

	put_all(x, id);
	assert_true(send_and_commit(x, &e));
	writes_reset(x->w);
	row = row_of(id, 2);
	writes_update_customer(x->w, &row);
	writes_index(x->w, id, 1, 1, 99); /* the same tag: removed and added, in whatever order it was said */
	writes_delete_index(x->w, id, 1, 1, 99);
	writes_large(x->w, id, 4, 2, (const uint8_t *)"larger", 6);
	writes_delete_large(x->w, id, 4);
	assert_true(send_and_commit(x, &e));
	assert_int_equal(count(x, "blind_index", id), 1);
	assert_int_equal(count(x, "customer_large", id), 1);
}

/* The COMMIT stands behind it in the same pipeline: nothing of the batch may come through. */
static void an_update_that_meets_another_version_commits_nothing(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id(), other = database_new_id();
	struct customer_write row;
	enum err e;

	put_all(x, id);
	assert_true(send_and_commit(x, &e));
	writes_reset(x->w);
	row = row_of(id, 3); /* there is version 1 */
	writes_update_customer(x->w, &row);
	put_all(x, other);
	assert_false(send_and_commit(x, &e));
	assert_true(e != ERR_OK);
	assert_int_equal(count(x, "customer", other), 0);
	writes_reset(x->w);
	row = row_of(id, 2);
	writes_update_customer(x->w, &row);
	assert_true(send_and_commit(x, &e));
}

/* Two executors that spend the same values must meet them in the same order, or they deadlock. */
static void searched_values_are_counted_once_each(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id();
	char sql[128];
	enum err e;

	writes_search_spent(x->w, id, 7, 3600000000);
	writes_search_spent(x->w, id, 5, 3600000000);
	writes_search_spent(x->w, id, 7, 3600000000);
	assert_int_equal(writes_search_values(x->w, id), 3);
	assert_int_equal(writes_search_values(x->w, id + 1), 0);
	assert_true(send_and_commit(x, &e));
	snprintf(sql, sizeof sql, "SELECT spent::int8 FROM search_spent WHERE identity = %lld", (long long)id);
	assert_int_equal(database_int8(x->db, sql), 2);
}

static void a_batch_too_large_for_an_array_is_refused_and_the_next_one_is_not(void **state)
{
	struct world *x = *state;
	const int64_t id = database_new_id();
	uint8_t *big = calloc(1, (size_t)60 << 20);
	enum err e;

	assert_non_null(big);
	for (int i = 0; i < 5; i++)
		writes_large(x->w, id, (uint16_t)(i + 1), 1, big, (size_t)60 << 20);
	free(big);
	assert_int_equal(writes_send(x->w, x->db, clock_now_us()), ERR_MEMORY);
	assert_int_equal(db_rollback(x->db), ERR_OK);
	writes_reset(x->w);
	put_all(x, id);
	assert_true(send_and_commit(x, &e));
	assert_int_equal(count(x, "customer_large", id), 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(every_table_gets_its_rows),
	    T(what_is_cut_is_not_written_and_what_was_before_is),
	    T(a_cut_to_the_beginning_leaves_nothing_to_send),
	    T(a_reset_forgets_all),
	    T(a_value_replaced_in_one_batch_keeps_its_index_entry_and_its_row),
	    T(an_update_that_meets_another_version_commits_nothing),
	    T(searched_values_are_counted_once_each),
	    T(a_batch_too_large_for_an_array_is_refused_and_the_next_one_is_not),
	};

	return cmocka_run_group_tests(tests, database_set_up, cluster_stop);
}
