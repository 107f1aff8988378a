/* The executor's promises to jobs: done once, in time, with the truth about the
 * commit. No database: connection.h is played by this file, and a batch by a script. */
#include "base/clock.h"
#include "db/executor.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MS 1000
#define JOBS 8
#define RUNS_MAX 64

struct job {
	struct executor_job job;
	int id;
	_Atomic int done;
	_Atomic int code; /* enum err */
	_Atomic int order; /* in which it was done */
};

/* One test at a time; written before the executor starts, or under the lock. */
static struct world {
	pthread_mutex_t lock;
	_Atomic bool away, start_fails;
	bool committed; /* what connected() says of the batch in doubt */
	_Atomic int connects, finished;
	enum batch_end (*script)(struct executor_job **jobs, size_t n, enum err *e);
	size_t n_runs, sizes[RUNS_MAX];
	struct job jobs[JOBS];
	struct queue *queue;
	struct executor *executor;
} w;

/* ---- connection.h, played ---- */

struct db {
	enum db_cause cause;
};

enum err db_open(const char *conninfo, const struct db_statement *list, struct db **out, struct buf *why)
{
	(void)conninfo;
	(void)list;
	*out = NULL;
	if (atomic_load(&w.away)) {
		buf_text(why, "no route to host");
		return ERR_UNAVAILABLE;
	}
	*out = calloc(1, sizeof **out);
	return *out ? ERR_OK : ERR_MEMORY;
}

void db_close(struct db *db)
{
	free(db);
}

bool db_alive(struct db *db)
{
	return db->cause != DB_LOST;
}

enum db_cause db_cause(const struct db *db)
{
	return db->cause;
}

const char *db_error(const struct db *db)
{
	return db->cause == DB_FINE ? "" : "played";
}

void db_set_deadline(struct db *db, int64_t mono_us)
{
	(void)db;
	(void)mono_us;
}

enum err db_rollback(struct db *db)
{
	if (db->cause == DB_LOST)
		return ERR_UNAVAILABLE;
	db->cause = DB_FINE;
	return ERR_OK;
}

/* ---- what a batch does ---- */

static struct db *now; /* the executor's thread's */

static enum err start(void *ctx, unsigned index, void **state)
{
	(void)index;
	*state = ctx;
	return atomic_load(&w.start_fails) ? ERR_MEMORY : ERR_OK;
}

static void stop(void *state)
{
	(void)state;
}

static enum err connected(void *state, struct db *db, bool *committed, struct buf *why)
{
	(void)state;
	(void)db;
	(void)why;
	atomic_fetch_add(&w.connects, 1);
	*committed = w.committed;
	return ERR_OK;
}

static enum batch_end run(void *state, struct db *db, struct executor_job **jobs, size_t n, enum err *e)
{
	(void)state;
	now = db;
	pthread_mutex_lock(&w.lock);
	if (w.n_runs < RUNS_MAX)
		w.sizes[w.n_runs] = n;
	w.n_runs++;
	pthread_mutex_unlock(&w.lock);
	for (size_t i = 0; i < n; i++)
		jobs[i]->again = false;
	return w.script(jobs, n, e);
}

static const struct executor_ops ops = {.start = start, .stop = stop, .connected = connected, .run = run};

static enum batch_end fail_with(enum db_cause cause, enum err code, enum err *e)
{
	now->cause = cause;
	*e = code;
	return BATCH_FAILED;
}

static bool holds(struct executor_job **jobs, size_t n, int id)
{
	for (size_t i = 0; i < n; i++)
		if (((struct job *)jobs[i])->id == id)
			return true;
	return false;
}

static enum batch_end commits(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)jobs;
	(void)n;
	(void)e;
	return BATCH_COMMITTED;
}

static void done(struct executor_job *job, enum err e)
{
	struct job *j = (struct job *)job;

	atomic_store(&j->code, (int)e);
	atomic_store(&j->order, atomic_fetch_add(&w.finished, 1));
	atomic_fetch_add(&j->done, 1);
}

/* ---- the test's side ---- */

static int set_up(void **state)
{
	(void)state;
	memset(&w, 0, sizeof w);
	pthread_mutex_init(&w.lock, NULL);
	w.script = commits;
	for (int i = 0; i < JOBS; i++)
		w.jobs[i] = (struct job){.job = {.weight = 1, .done = done}, .id = i};
	return queue_new(JOBS, &w.queue) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	queue_close(w.queue);
	executor_join(w.executor);
	queue_free(w.queue);
	pthread_mutex_destroy(&w.lock);
	return 0;
}

static void launch(int64_t job_timeout_us)
{
	const struct executor_options o = {.conninfo = "",
	                                   .queue = w.queue,
	                                   .ops = &ops,
	                                   .ctx = &w,
	                                   .weight_max = 256,
	                                   .job_timeout_us = job_timeout_us,
	                                   .batch_timeout_us = 1000 * MS};

	assert_int_equal(executor_start(&o, &w.executor), ERR_OK);
}

static void publish(int from, int to)
{
	for (int i = from; i < to; i++) {
		assert_true(queue_reserve(w.queue));
		queue_publish(w.queue, &w.jobs[i].job);
	}
}

static void wait_done(int from, int to)
{
	const int64_t until = clock_mono_us() + 5000 * MS;

	for (int i = from; i < to; i++)
		while (!atomic_load(&w.jobs[i].done)) {
			if (clock_mono_us() > until)
				fail_msg("job %d is not done", i);
			usleep(500);
		}
}

/* Gives each job in [from, to) its code, once, and every slot back. */
static void assert_codes(int from, int to, enum err code)
{
	for (int i = from; i < to; i++) {
		assert_int_equal(atomic_load(&w.jobs[i].done), 1);
		assert_string_equal(err_code((enum err)atomic_load(&w.jobs[i].code)), err_code(code));
	}
}

static void assert_all_slots_free(void)
{
	for (int i = 0; i < JOBS; i++)
		assert_true(queue_reserve(w.queue));
	assert_false(queue_reserve(w.queue));
}

static void all_that_gathered_is_one_batch_and_each_is_done_once(void **state)
{
	(void)state;
	publish(0, JOBS);
	assert_false(queue_reserve(w.queue));
	launch(5000 * MS);
	wait_done(0, JOBS);
	assert_codes(0, JOBS, ERR_OK);
	assert_int_equal(w.n_runs, 1);
	assert_int_equal(w.sizes[0], JOBS);
	assert_all_slots_free();
}

static enum batch_end refuses_job_2(struct executor_job **jobs, size_t n, enum err *e)
{
	return holds(jobs, n, 2) ? fail_with(DB_REFUSED, ERR_DATABASE, e) : BATCH_COMMITTED;
}

static void one_bad_job_fails_alone(void **state)
{
	(void)state;
	w.script = refuses_job_2;
	publish(0, 4);
	launch(5000 * MS);
	wait_done(0, 4);
	assert_codes(0, 2, ERR_OK);
	assert_codes(2, 3, ERR_INTERNAL);
	assert_codes(3, 4, ERR_OK);
}

static _Atomic int doubts;

static enum batch_end doubts_once(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)jobs;
	(void)n;
	if (atomic_fetch_add(&doubts, 1))
		return BATCH_COMMITTED;
	now->cause = DB_LOST;
	*e = ERR_UNAVAILABLE;
	return BATCH_IN_DOUBT;
}

static void a_commit_in_doubt_that_happened_is_not_run_again(void **state)
{
	(void)state;
	atomic_store(&doubts, 0);
	w.script = doubts_once;
	w.committed = true;
	publish(0, 2);
	launch(5000 * MS);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_OK);
	assert_int_equal(w.n_runs, 1);
	assert_int_equal(atomic_load(&w.connects), 2);
}

static void a_commit_in_doubt_that_did_not_happen_is_run_again(void **state)
{
	(void)state;
	atomic_store(&doubts, 0);
	w.script = doubts_once;
	publish(0, 2);
	launch(5000 * MS);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_OK);
	assert_int_equal(w.n_runs, 2);
}

static enum batch_end loses_job_1(struct executor_job **jobs, size_t n, enum err *e)
{
	return holds(jobs, n, 1) ? fail_with(DB_LOST, ERR_UNAVAILABLE, e) : BATCH_COMMITTED;
}

static void a_job_that_always_costs_the_connection_is_given_up_and_the_others_are_not(void **state)
{
	(void)state;
	w.script = loses_job_1;
	publish(0, 4);
	launch(60000 * MS);
	wait_done(0, 4);
	assert_codes(0, 1, ERR_OK);
	assert_codes(1, 2, ERR_UNAVAILABLE);
	assert_codes(2, 4, ERR_OK);
	assert_true(w.n_runs < 12);
}

static enum batch_end always_doubts(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)jobs;
	(void)n;
	now->cause = DB_LOST;
	*e = ERR_UNAVAILABLE;
	return BATCH_IN_DOUBT;
}

static void a_commit_that_never_arrives_is_given_up(void **state)
{
	(void)state;
	w.script = always_doubts;
	publish(0, 1);
	launch(60000 * MS);
	wait_done(0, 1);
	assert_codes(0, 1, ERR_UNAVAILABLE); /* each time it was certain that nothing was done */
	assert_true(w.n_runs < 12);
}

static enum batch_end slow_and_refuses_many(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)jobs;
	usleep(60 * MS);
	return n > 1 ? fail_with(DB_REFUSED, ERR_DATABASE, e) : BATCH_COMMITTED;
}

static void run_one_by_one_no_job_waits_beyond_its_time(void **state)
{
	(void)state;
	w.script = slow_and_refuses_many;
	publish(0, JOBS);
	launch(150 * MS);
	wait_done(0, JOBS);
	assert_codes(0, 1, ERR_OK);
	assert_codes(4, JOBS, ERR_BUSY);
	assert_all_slots_free();
}

/* Job 0 gives way to any other of its batch; the test keeps others coming. */
static enum batch_end job_0_gives_way(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)e;
	for (size_t i = 0; i < n; i++)
		jobs[i]->again = ((struct job *)jobs[i])->id == 0 && n > 1;
	return BATCH_COMMITTED;
}

static void a_job_that_gave_way_goes_first_in_the_next_batch(void **state)
{
	(void)state;
	w.script = job_0_gives_way;
	publish(0, 3);
	launch(5000 * MS);
	wait_done(0, 3);
	assert_codes(0, 3, ERR_OK);
	assert_int_equal(w.sizes[0], 3);
	assert_int_equal(w.sizes[1], 1);
	assert_int_equal(atomic_load(&w.jobs[0].order), 2);
}

/* As if another job arrived in each batch: job 1 is put back with job 0, but counts as done work. */
static enum batch_end both_give_way_while_together(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)e;
	for (size_t i = 0; i < n; i++)
		jobs[i]->again = n > 1;
	return BATCH_COMMITTED;
}

static void a_job_that_gives_way_again_and_again_gets_a_batch_of_its_own(void **state)
{
	(void)state;
	w.script = both_give_way_while_together;
	publish(0, 2);
	launch(5000 * MS);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_OK);
	assert_true(w.n_runs < 12);
}

static void while_the_database_is_away_jobs_are_told_so(void **state)
{
	char why[128];

	(void)state;
	atomic_store(&w.away, true);
	publish(0, 2);
	launch(60000 * MS);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_UNAVAILABLE);
	assert_false(executor_ready(w.executor));
	executor_trouble(w.executor, why, sizeof why);
	assert_string_equal(why, "no route to host");
	atomic_store(&w.away, false);
	publish(2, 3);
	wait_done(2, 3);
	assert_codes(2, 3, ERR_OK);
	assert_true(executor_ready(w.executor));
}

static void at_stop_what_waits_is_still_run(void **state)
{
	(void)state;
	publish(0, 3);
	queue_close(w.queue);
	launch(5000 * MS);
	executor_join(w.executor);
	w.executor = NULL;
	assert_codes(0, 3, ERR_OK);
}

static void at_stop_without_a_database_every_job_is_told(void **state)
{
	(void)state;
	atomic_store(&w.away, true);
	publish(0, 3);
	queue_close(w.queue);
	launch(60000 * MS);
	executor_join(w.executor);
	w.executor = NULL;
	assert_codes(0, 3, ERR_STOPPING);
}

static enum batch_end doubts_and_goes(struct executor_job **jobs, size_t n, enum err *e)
{
	atomic_store(&w.away, true);
	return always_doubts(jobs, n, e);
}

static void a_commit_in_doubt_for_too_long_is_called_unknown(void **state)
{
	(void)state;
	w.script = doubts_and_goes;
	publish(0, 2);
	launch(200 * MS);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_UNKNOWN_OUTCOME);
}

static void an_executor_that_could_not_start_refuses_what_comes(void **state)
{
	(void)state;
	atomic_store(&w.start_fails, true);
	launch(60000 * MS);
	publish(0, 2);
	wait_done(0, 2);
	assert_codes(0, 2, ERR_UNAVAILABLE);
	assert_false(executor_ready(w.executor));
}

static _Atomic int streams_lost;

static enum batch_end loses_its_stream_once(struct executor_job **jobs, size_t n, enum err *e)
{
	(void)jobs;
	(void)n;
	if (atomic_fetch_add(&streams_lost, 1))
		return BATCH_COMMITTED;
	*e = ERR_STREAM_LOST;
	return BATCH_FAILED;
}

static void a_lost_stream_is_followed_by_a_new_connection(void **state)
{
	(void)state;
	atomic_store(&streams_lost, 0);
	w.script = loses_its_stream_once;
	publish(0, 1);
	launch(5000 * MS);
	wait_done(0, 1);
	assert_codes(0, 1, ERR_OK);
	assert_int_equal(atomic_load(&w.connects), 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(all_that_gathered_is_one_batch_and_each_is_done_once),
	    T(one_bad_job_fails_alone),
	    T(a_commit_in_doubt_that_happened_is_not_run_again),
	    T(a_commit_in_doubt_that_did_not_happen_is_run_again),
	    T(a_job_that_always_costs_the_connection_is_given_up_and_the_others_are_not),
	    T(a_commit_that_never_arrives_is_given_up),
	    T(run_one_by_one_no_job_waits_beyond_its_time),
	    T(a_job_that_gave_way_goes_first_in_the_next_batch),
	    T(a_job_that_gives_way_again_and_again_gets_a_batch_of_its_own),
	    T(while_the_database_is_away_jobs_are_told_so),
	    T(at_stop_what_waits_is_still_run),
	    T(at_stop_without_a_database_every_job_is_told),
	    T(a_commit_in_doubt_for_too_long_is_called_unknown),
	    T(an_executor_that_could_not_start_refuses_what_comes),
	    T(a_lost_stream_is_followed_by_a_new_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
