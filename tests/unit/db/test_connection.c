/* connection.h against a real PostgreSQL: errors stick, rollback heals, a
 * deadline is a loss, and an aborted transaction's COMMIT is seen for what it is. */
#include "base/clock.h"
#include "db/connection.h"
#include "tests/unit/db/cluster.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>

#include <cmocka.h>

enum { S_BEGIN, S_COMMIT, S_ONE, S_ADD, S_DIVIDE, S_SLEEP, S_BYTES, S_ARRAY };

static const struct db_statement statements[] = {
    [S_BEGIN] = {"begin", "BEGIN"},
    [S_COMMIT] = {"commit", "COMMIT"},
    [S_ONE] = {"one", "SELECT 1::int4"},
    [S_ADD] = {"add", "INSERT INTO connection_test.t VALUES ($1::int8)"},
    [S_DIVIDE] = {"divide", "SELECT 1 / $1::int4"},
    [S_SLEEP] = {"sleep", "SELECT pg_sleep(5)"},
    [S_BYTES] = {"bytes", "SELECT $1::bytea, $2::text, $3::bool, $4::timestamptz, $5::int8"},
    [S_ARRAY] = {"array", "SELECT count(*), sum(length(v)) FROM unnest($1::bytea[]) AS q (v)"},
    {NULL, NULL},
};

static struct db *open_with(const struct db_statement *list)
{
	struct db *db = NULL;
	struct buf why;

	buf_init(&why, 0);
	if (db_open(cluster_owner_url, list, &db, &why))
		fail_msg("%s", buf_string(&why));
	buf_fini(&why);
	return db;
}

/* A connection whose statements are prepared and which has an empty table t. */
static struct db *fresh(void)
{
	struct db *db = open_with(NULL);

	assert_int_equal(db_script(db, "CREATE SCHEMA IF NOT EXISTS connection_test; DROP TABLE IF EXISTS connection_test.t; CREATE TABLE connection_test.t (v int8 PRIMARY KEY)"), ERR_OK);
	db_close(db);
	return open_with(statements);
}

static void send_add(struct db *db, int64_t v, uint8_t room[static 8])
{
	const struct db_param p = db_param_int8(v, room);

	db_send(db, S_ADD, &p, 1);
}

static void send_divide(struct db *db, int32_t by, uint8_t room[static 8])
{
	const struct db_param p = db_param_int4(by, room);

	db_send(db, S_DIVIDE, &p, 1);
}

static int64_t rows_in_t(struct db *db)
{
	struct db_result *r = NULL;
	int64_t n;

	assert_int_equal(db_run(db, "SELECT count(*) FROM connection_test.t", NULL, 0, &r), ERR_OK);
	n = db_int8(r, 0, 0);
	db_result_free(r);
	return n;
}

static void results_come_in_the_order_of_sending(void **state)
{
	struct db *db = fresh();
	struct db_result *r;
	uint8_t room[8];

	(void)state;
	db_send(db, S_ONE, NULL, 0);
	send_divide(db, 1, room);
	assert_int_equal(db_sync(db), ERR_OK);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(db_next(db, &r), ERR_OK);
		assert_int_equal(db_int4(r, 0, 0), 1);
		db_result_free(r);
	}
	assert_int_equal(db_synced(db), ERR_OK);
	db_close(db);
}

static void an_error_sticks_until_the_rollback(void **state)
{
	struct db *db = fresh();
	struct db_result *r;
	uint8_t room[8];

	(void)state;
	db_send(db, S_BEGIN, NULL, 0);
	send_divide(db, 0, room);
	db_send(db, S_ONE, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_next(db, &r), ERR_DATABASE);
	assert_null(r);
	assert_int_equal(db_cause(db), DB_REFUSED);
	assert_non_null(strstr(db_error(db), "division by zero"));
	assert_int_equal(db_next(db, &r), ERR_DATABASE);
	assert_int_equal(db_synced(db), ERR_DATABASE);
	assert_int_equal(db_run(db, "SELECT 1", NULL, 0, NULL), ERR_DATABASE);
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(db_cause(db), DB_FINE);
	assert_int_equal(db_run(db, "SELECT 1", NULL, 0, NULL), ERR_OK);
	db_close(db);
}

static void a_rollback_drops_what_was_queued_and_never_sent(void **state)
{
	struct db *db = fresh();
	uint8_t room[2][8];

	(void)state;
	db_send(db, S_BEGIN, NULL, 0);
	send_add(db, 1, room[0]);
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(rows_in_t(db), 0);
	db_send(db, S_BEGIN, NULL, 0);
	send_add(db, 2, room[1]);
	assert_int_equal(db_sync(db), ERR_OK); /* sent, nothing read */
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(rows_in_t(db), 0);
	assert_int_equal(db_rollback(db), ERR_OK); /* with nothing to do */
	db_close(db);
}

static void a_duplicate_is_told_from_other_refusals(void **state)
{
	struct db *db = fresh();
	uint8_t room[8];

	(void)state;
	send_add(db, 7, room);
	send_add(db, 7, room);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_CONFLICT);
	assert_int_equal(db_cause(db), DB_UNIQUE);
	assert_null(strstr(db_error(db), "(7)")); /* the value stands in DETAIL, which is not kept */
	assert_int_equal(db_rollback(db), ERR_OK);
	db_close(db);
}

/* The trap of DESIGN section 4: an aborted transaction's COMMIT is no error. */
static void the_commit_of_an_aborted_transaction_is_no_commit(void **state)
{
	struct db *db = fresh();
	struct db_result *r;
	uint8_t room[2][8];

	(void)state;
	db_send(db, S_BEGIN, NULL, 0);
	send_add(db, 1, room[0]);
	send_divide(db, 0, room[1]);
	db_send(db, S_COMMIT, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_DATABASE);
	assert_int_equal(db_next(db, &r), ERR_DATABASE);
	assert_null(r);
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(rows_in_t(db), 0);
	db_send_text(db, "ROLLBACK"); /* what COMMIT turns into */
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next(db, &r), ERR_OK);
	assert_false(db_result_tag(r, "COMMIT"));
	db_result_free(r);
	assert_int_equal(db_synced(db), ERR_OK);
	db_send(db, S_BEGIN, NULL, 0);
	db_send(db, S_COMMIT, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_next(db, &r), ERR_OK);
	assert_true(db_result_tag(r, "COMMIT"));
	db_result_free(r);
	assert_int_equal(db_synced(db), ERR_OK);
	db_close(db);
}

static void an_answer_after_the_deadline_is_a_lost_connection(void **state)
{
	struct db *db = fresh();
	const int64_t began = clock_mono_us();

	(void)state;
	db_set_deadline(db, began + 200000);
	db_send(db, S_SLEEP, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_UNAVAILABLE);
	assert_int_equal(db_cause(db), DB_LOST);
	assert_true(clock_mono_us() - began < 2000000);
	assert_int_equal(db_rollback(db), ERR_UNAVAILABLE);
	db_close(db);
}

static int64_t backend_of(struct db *db)
{
	struct db_result *r = NULL;
	int64_t pid;

	assert_int_equal(db_run(db, "SELECT pg_backend_pid()::int8", NULL, 0, &r), ERR_OK);
	pid = db_int8(r, 0, 0);
	db_result_free(r);
	return pid;
}

static void terminate(int64_t pid)
{
	struct db *other = open_with(NULL);
	uint8_t room[8];
	const struct db_param p = db_param_int8(pid, room);

	assert_int_equal(db_run(other, "SELECT pg_terminate_backend($1::int8::int4, 5000)", &p, 1, NULL), ERR_OK);
	db_close(other);
}

static void a_server_that_went_away_is_noticed_between_batches(void **state)
{
	struct db *db = fresh();

	(void)state;
	assert_true(db_alive(db));
	terminate(backend_of(db));
	usleep(50000);
	assert_false(db_alive(db));
	db_close(db);
}

static void a_server_that_went_away_in_a_batch_is_a_lost_connection(void **state)
{
	struct db *db = fresh();

	(void)state;
	db_send(db, S_BEGIN, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_synced(db), ERR_OK);
	terminate(backend_of(db));
	db_send(db, S_COMMIT, NULL, 0);
	if (!db_sync(db))
		assert_int_equal(db_next_done(db, NULL), ERR_UNAVAILABLE);
	assert_int_equal(db_cause(db), DB_LOST);
	assert_int_equal(db_rollback(db), ERR_UNAVAILABLE);
	db_close(db);
}

/* The server ends the session with an error of another class than its own shutdown: just as lost. */
static void an_error_that_ends_the_session_is_a_lost_connection(void **state)
{
	struct db *db = fresh();

	(void)state;
	assert_int_equal(db_run(db, "SET idle_in_transaction_session_timeout = '50ms'", NULL, 0, NULL), ERR_OK);
	db_send(db, S_BEGIN, NULL, 0);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next_done(db, NULL), ERR_OK);
	assert_int_equal(db_synced(db), ERR_OK);
	usleep(300000);
	db_send(db, S_COMMIT, NULL, 0);
	if (!db_sync(db))
		assert_int_equal(db_next_done(db, NULL), ERR_UNAVAILABLE);
	assert_int_equal(db_cause(db), DB_LOST);
	db_close(db);
}

/* Too many locks, no memory, no disk: the same again may work, and it is nobody's fault. */
static void a_server_short_of_something_may_be_asked_again(void **state)
{
	struct db *db = fresh();

	(void)state;
	assert_int_equal(db_run(db, "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '53200', MESSAGE = 'out of shared memory'; END $$", NULL, 0, NULL),
	                 ERR_BUSY);
	assert_int_equal(db_cause(db), DB_RETRY);
	assert_int_equal(db_rollback(db), ERR_OK);
	db_close(db);
}

static void a_lock_that_is_not_given_may_be_asked_for_again(void **state)
{
	struct db *a = fresh(), *b = open_with(statements);

	(void)state;
	assert_int_equal(db_script(a, "BEGIN; LOCK TABLE connection_test.t"), ERR_OK);
	assert_int_equal(db_run(b, "SET lock_timeout = '50ms'", NULL, 0, NULL), ERR_OK);
	assert_int_equal(db_run(b, "SELECT FROM connection_test.t", NULL, 0, NULL), ERR_BUSY);
	assert_int_equal(db_cause(b), DB_RETRY);
	assert_int_equal(db_rollback(b), ERR_OK);
	db_close(a);
	db_close(b);
}

/* A server that takes connections and says nothing must not hold a thread. */
static void a_mute_server_is_given_up_when_opening(void **state)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	const int listener = socket(AF_INET, SOCK_STREAM, 0);
	const int64_t began = clock_mono_us();
	char url[128];
	struct db *db;
	struct buf why;

	(void)state;
	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	snprintf(url, sizeof url, "host=127.0.0.1 port=%d user=x dbname=x password=not-to-be-said", ntohs(at.sin_port));
	buf_init(&why, 0);
	assert_int_equal(db_open(url, NULL, &db, &why), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - began < 8000000);
	assert_null(strstr(buf_string(&why), "not-to-be-said"));
	buf_fini(&why);
	close(listener);
}

static void a_script_keeps_to_the_deadline(void **state)
{
	struct db *db = fresh();
	const int64_t began = clock_mono_us();

	(void)state;
	db_set_deadline(db, began + 200000);
	assert_int_equal(db_script(db, "SELECT 1; SELECT pg_sleep(5)"), ERR_UNAVAILABLE);
	assert_true(clock_mono_us() - began < 2000000);
	assert_int_equal(db_cause(db), DB_LOST);
	db_close(db);
}

static void a_script_says_what_failed_and_the_pipeline_goes_on(void **state)
{
	struct db *db = fresh();

	(void)state;
	assert_int_equal(db_script(db, "SELECT 1; SELECT 1 / 0; SELECT 2"), ERR_DATABASE);
	assert_non_null(strstr(db_error(db), "division by zero"));
	assert_int_equal(db_rollback(db), ERR_OK);
	assert_int_equal(db_script(db, "INSERT INTO connection_test.t VALUES (1); INSERT INTO connection_test.t VALUES (2)"), ERR_OK);
	assert_int_equal(rows_in_t(db), 2);
	db_close(db);
}

static void values_come_back_as_they_went(void **state)
{
	static const uint8_t bytes[] = {0, 1, 0xff, 0};
	struct db *db = fresh();
	uint8_t room[3][8];
	const struct db_param p[] = {{bytes, sizeof bytes}, db_param_text("张伟"), db_param_bool(true, room[0]),
	                             db_param_time(INT64_MAX, room[1]), db_param_int8(INT64_MIN, room[2])};
	struct db_result *r;
	size_t len;

	(void)state;
	db_send(db, S_BYTES, p, 5);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next(db, &r), ERR_OK);
	assert_int_equal(db_rows(r), 1);
	assert_memory_equal(db_bytes(r, 0, 0, &len), bytes, sizeof bytes);
	assert_int_equal(len, sizeof bytes);
	assert_string_equal(db_text(r, 0, 1), "张伟");
	assert_true(db_bool(r, 0, 2));
	assert_true(db_time_us(r, 0, 3) == INT64_MAX);
	assert_true(db_int8(r, 0, 4) == INT64_MIN);
	db_result_free(r);
	assert_int_equal(db_synced(db), ERR_OK);
	db_close(db);
}

static void run_array(struct db *db, struct db_array *a, int64_t count, int64_t bytes)
{
	struct db_param p = db_array_param(a);
	struct db_result *r;

	db_send(db, S_ARRAY, &p, 1);
	assert_int_equal(db_sync(db), ERR_OK);
	assert_int_equal(db_next(db, &r), ERR_OK);
	assert_int_equal(db_int8(r, 0, 0), count);
	if (count)
		assert_int_equal(db_int8(r, 0, 1), bytes);
	db_result_free(r);
	assert_int_equal(db_synced(db), ERR_OK);
}

static void an_array_is_empty_or_many_and_can_be_used_again(void **state)
{
	static const uint8_t zeros[100000];
	struct db *db = fresh();
	struct db_array a;

	(void)state;
	db_array_init(&a, DB_BYTEA);
	run_array(db, &a, 0, 0);
	for (int i = 0; i < 50; i++) /* several times what a socket holds */
		db_array_bytes(&a, zeros, sizeof zeros);
	run_array(db, &a, 50, 50 * (int64_t)sizeof zeros);
	db_array_reset(&a);
	db_array_bytes(&a, "ab", 2);
	db_array_bytes(&a, NULL, 0);
	run_array(db, &a, 2, 2);
	db_array_fini(&a);
	db_close(db);
}

/* One batch that is too large must not spoil the array for all that come after. */
static void an_array_that_overflowed_works_again_after_a_reset(void **state)
{
	struct db *db = fresh();
	struct db_array a;

	(void)state;
	db_array_init(&a, DB_BYTEA);
	a.bytes.limit = 1000;
	for (int i = 0; i < 100; i++)
		db_array_bytes(&a, "0123456789abcdef", 16);
	assert_null(db_array_param(&a).bytes);
	assert_int_equal(buf_err(&a.bytes), ERR_MEMORY);
	db_array_reset(&a);
	db_array_bytes(&a, "ab", 2);
	run_array(db, &a, 1, 2);
	db_array_fini(&a);
	db_close(db);
}

static void an_array_gives_back_the_memory_of_a_large_batch(void **state)
{
	struct db_array a;

	(void)state;
	db_array_init(&a, DB_BYTEA);
	assert_non_null(db_array_room(&a, (size_t)8 << 20));
	db_array_reset(&a);
	assert_true(a.bytes.cap <= (size_t)1 << 20);
	assert_non_null(db_array_param(&a).bytes);
	db_array_fini(&a);
}

#define T(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(results_come_in_the_order_of_sending),
	    T(an_error_sticks_until_the_rollback),
	    T(a_rollback_drops_what_was_queued_and_never_sent),
	    T(a_duplicate_is_told_from_other_refusals),
	    T(the_commit_of_an_aborted_transaction_is_no_commit),
	    T(an_answer_after_the_deadline_is_a_lost_connection),
	    T(a_server_that_went_away_is_noticed_between_batches),
	    T(a_server_that_went_away_in_a_batch_is_a_lost_connection),
	    T(an_error_that_ends_the_session_is_a_lost_connection),
	    T(a_server_short_of_something_may_be_asked_again),
	    T(a_lock_that_is_not_given_may_be_asked_for_again),
	    T(a_mute_server_is_given_up_when_opening),
	    T(a_script_keeps_to_the_deadline),
	    T(a_script_says_what_failed_and_the_pipeline_goes_on),
	    T(values_come_back_as_they_went),
	    T(an_array_is_empty_or_many_and_can_be_used_again),
	    T(an_array_that_overflowed_works_again_after_a_reset),
	    T(an_array_gives_back_the_memory_of_a_large_batch),
	};

	return cmocka_run_group_tests(tests, cluster_start, cluster_stop);
}
