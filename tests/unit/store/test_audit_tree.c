/* audit_tree.h on a real database: a tree grows from its own size only, and entries come from segments. */
#include "store/audit_tree.h"
#include "store/audit.h"
#include "tests/unit/store/database.h"

#include <stdio.h>

static struct db *db;
static int32_t log_number;

static struct db *open_db(void)
{
	struct db *out = NULL;
	struct buf why;

	buf_init(&why, 0);
	if (db_open(cluster_service_url, audit_tree_statements, &out, &why))
		fail_msg("%s", buf_string(&why));
	buf_fini(&why);
	return out;
}

static int set_up(void **state)
{
	struct audit_log_row log;

	(void)state;
	db = open_db();
	assert_int_equal(audit_log_first(db, "vault.example/1"), ERR_OK);
	assert_int_equal(audit_log_get(db, 0, &log, NULL), ERR_OK);
	log_number = log.log;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	db_close(db);
	return 0;
}

static int64_t size_of(void)
{
	struct audit_log_row log;

	assert_int_equal(audit_log_get(db, log_number, &log, NULL), ERR_OK);
	return log.size;
}

/* A growth of one span, without hashes. */
static enum err grow(struct db *with, int64_t from, int64_t to, int64_t stream, int64_t seq)
{
	static const uint8_t mac[MAC_LEN];
	struct audit_growth g;
	enum err e;

	audit_growth_init(&g);
	g.log = log_number;
	g.old_size = from;
	g.new_size = to;
	db_array_int8(&g.span_index, from);
	db_array_int8(&g.span_stream, stream);
	db_array_int8(&g.span_seq, seq);
	db_array_int4(&g.span_count, (int32_t)(to - from));
	db_array_int8(&g.position_stream, stream);
	db_array_int8(&g.position_seq, seq + to - from);
	db_array_bytes(&g.position_mac, mac, sizeof mac);
	e = audit_growth_commit(&g, with);
	audit_growth_fini(&g);
	if (e)
		assert_int_equal(db_rollback(with), ERR_OK);
	return e;
}

static void of_two_writers_at_one_size_only_one_grows_the_tree(void **state)
{
	const int64_t size = size_of(), stream = database_new_id();
	struct db *other = open_db();
	char spans[96];

	(void)state;
	assert_int_equal(grow(db, size, size + 3, stream, 1), ERR_OK);
	assert_int_not_equal(grow(other, size, size + 2, stream + 2, 1), ERR_OK); /* has not seen the first */
	assert_int_equal(size_of(), size + 3);
	snprintf(spans, sizeof spans, "SELECT count(*) FROM audit_span WHERE log = %d AND first_index >= %lld", log_number, (long long)size);
	assert_int_equal(database_int8(db, spans), 1); /* all of it or nothing */
	assert_int_equal(grow(other, size + 3, size + 5, stream + 2, 1), ERR_OK);
	db_close(other);
}

static void a_record_is_in_the_tree_once(void **state)
{
	const int64_t size = size_of(), stream = database_new_id();

	(void)state;
	assert_int_equal(grow(db, size, size + 3, stream, 1), ERR_OK);
	assert_int_not_equal(grow(db, size + 3, size + 6, stream, 1), ERR_OK);
	assert_int_equal(size_of(), size + 3);
}

static void records_are_found_by_index_and_by_id(void **state)
{
	static const uint8_t key[32] = {1};
	const int64_t size = size_of();
	struct buf bodies, out;
	struct mac *mac;
	int64_t stream = 0, index;
	int32_t log;

	(void)state;
	buf_init(&bodies, 0);
	buf_init(&out, 0);
	buf_append(&bodies, "\0\3abc", 5);
	assert_int_equal(mac_new(key, &mac), ERR_OK);
	assert_int_equal(audit_stream_single(db, "node", &stream), ERR_OK);
	assert_int_equal(audit_segment_single(db, mac, stream, clock_now_us(), &bodies), ERR_OK);
	assert_int_equal(audit_tree_find(db, stream, 1, &log, &index), ERR_NOT_FOUND);
	assert_int_equal(grow(db, size, size + 1, stream, 1), ERR_OK);
	assert_int_equal(audit_tree_find(db, stream, 1, &log, &index), ERR_OK);
	assert_int_equal(log, log_number);
	assert_int_equal(index, size);
	assert_int_equal(audit_tree_find(db, stream, 2, &log, &index), ERR_NOT_FOUND);
	assert_int_equal(audit_tree_entries(db, log_number, size, 1, &out), ERR_OK);
	assert_int_equal(out.len, 5);
	assert_memory_equal(out.data, "\0\3abc", 5);
	assert_int_equal(audit_tree_entries(db, log_number, size, 2, &out), ERR_NOT_FOUND);
	mac_free(mac);
	buf_fini(&bodies);
	buf_fini(&out);
}

/* The span promises two records and the segment has one: a bundle is not made of what is not there. */
static void a_missing_record_is_no_short_bundle(void **state)
{
	static const uint8_t key[32] = {1};
	const int64_t size = size_of();
	int64_t stream = 0;
	struct buf bodies, out;
	struct mac *mac;

	(void)state;
	buf_init(&bodies, 0);
	buf_init(&out, 0);
	buf_append(&bodies, "\0\3abc", 5);
	assert_int_equal(mac_new(key, &mac), ERR_OK);
	assert_int_equal(audit_stream_single(db, "node", &stream), ERR_OK);
	assert_int_equal(audit_segment_single(db, mac, stream, clock_now_us(), &bodies), ERR_OK);
	assert_int_equal(grow(db, size, size + 2, stream, 1), ERR_OK);
	assert_int_equal(audit_tree_entries(db, log_number, size, 2, &out), ERR_SEAL);
	mac_free(mac);
	buf_fini(&bodies);
	buf_fini(&out);
}

static void a_checkpoint_never_gets_smaller(void **state)
{
	struct audit_log_row log;
	struct buf note;

	(void)state;
	buf_init(&note, 0);
	assert_int_equal(audit_log_signed(db, log_number, 7, "seven", 5), ERR_OK);
	assert_int_equal(audit_log_signed(db, log_number, 6, "six", 3), ERR_OK);
	assert_int_equal(audit_log_get(db, log_number, &log, &note), ERR_OK);
	assert_int_equal(log.checkpoint_size, 7);
	assert_string_equal(buf_string(&note), "seven");
	buf_fini(&note);
}

static void a_stream_is_ended_only_where_nobody_holds_it(void **state)
{
	struct db *writer = database_open();
	struct audit_predecessor before;
	struct db_result *r = NULL;
	struct db_array streams;
	struct audit_stream s;
	bool ended = true;
	int moved = -1;

	(void)state;
	assert_int_equal(audit_stream_open(writer, "node", 1, &s, &before), ERR_OK);
	db_array_init(&streams, DB_INT8);
	db_array_int8(&streams, s.stream);
	assert_int_equal(audit_tree_unheld(db, &streams, &r), ERR_OK);
	assert_int_equal(db_rows(r), 0);
	db_result_free(r);
	assert_int_equal(audit_tree_end_streams(db, &streams, &r), ERR_OK);
	assert_int_equal(db_rows(r), 0);
	db_result_free(r);
	db_close(writer);
	writer = database_open();
	for (int i = 0; i < 500; i++) { /* until the server has seen the session's end */
		assert_int_equal(audit_tree_end_streams(db, &streams, &r), ERR_OK);
		moved = (int)db_rows(r);
		db_result_free(r);
		if (moved)
			break;
		usleep(10000);
	}
	assert_int_equal(moved, 1);
	/* The writer comes back: what it had committed is known, and the stream is not its own any more. */
	assert_int_equal(audit_stream_look(writer, &s, &moved, &ended), ERR_OK);
	assert_int_equal(moved, 0);
	assert_true(ended);
	s.next_batch--;
	assert_int_equal(audit_stream_look(writer, &s, &moved, &ended), ERR_OK);
	assert_int_equal(moved, 1);
	assert_true(ended);
	s.next_batch++;
	db_send(writer, ST_BEGIN, NULL, 0);
	audit_send_advance(&s, writer);
	assert_int_equal(db_sync(writer), ERR_OK);
	assert_int_equal(db_next_done(writer, NULL), ERR_OK);
	assert_int_equal(audit_receive_advance(writer), ERR_STREAM_LOST);
	db_array_fini(&streams);
	db_close(writer);
}

/* Last: from here on the first log has ended. */
static void a_log_that_ended_does_not_grow(void **state)
{
	const int64_t size = size_of(), stream = database_new_id();
	struct audit_log_row log;

	(void)state;
	assert_int_equal(audit_log_get(db, 0, &log, NULL), ERR_OK);
	assert_int_equal(db_run(db, "BEGIN", NULL, 0, NULL), ERR_OK);
	assert_int_not_equal(audit_log_next(db, log.origin, 0), ERR_OK);
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(audit_log_next(db, "vault.example/2", 9), ERR_OK);
	assert_int_equal(audit_log_get(db, 0, &log, NULL), ERR_OK);
	assert_int_equal(log.log, log_number + 1);
	assert_int_equal(log.first_stream, 9);
	assert_int_not_equal(grow(db, size, size + 1, stream, 1), ERR_OK);
	assert_int_equal(size_of(), size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(of_two_writers_at_one_size_only_one_grows_the_tree, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_record_is_in_the_tree_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(records_are_found_by_index_and_by_id, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_missing_record_is_no_short_bundle, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_checkpoint_never_gets_smaller, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_stream_is_ended_only_where_nobody_holds_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_log_that_ended_does_not_grow, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, database_set_up, cluster_stop);
}
