/* The queue: bounded, in order, cut into batches, safe between threads. */
#include "base/clock.h"
#include "base/metrics.h"
#include "vault/db/queue_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define JOBS 6

struct world {
	struct queue *q;
	struct executor_job jobs[JOBS], *taken[JOBS];
	bool closed;
};

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);

	*state = w;
	for (int i = 0; w && i < JOBS; i++)
		w->jobs[i].weight = 1;
	return !w || queue_new(JOBS, &w->q) ? -1 : 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;

	queue_free(w->q);
	free(w);
	return 0;
}

static void publish(struct world *w, int from, int to)
{
	for (int i = from; i < to; i++) {
		assert_true(queue_reserve(w->q));
		queue_publish(w->q, &w->jobs[i]);
	}
}

static size_t take(struct world *w, uint32_t weight_max)
{
	return queue_take(w->q, weight_max, clock_mono_us() + 10000, w->taken, JOBS, &w->closed);
}

static void jobs_leave_in_the_order_they_came(void **state)
{
	struct world *w = *state;

	publish(w, 0, 4);
	assert_int_equal(queue_depth(w->q), 4);
	assert_int_equal(take(w, 256), 4);
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(w->taken[i], &w->jobs[i]);
	assert_int_equal(queue_depth(w->q), 0);
	publish(w, 4, 5); /* the tail was reset */
	assert_int_equal(take(w, 256), 1);
	assert_ptr_equal(w->taken[0], &w->jobs[4]);
}

static void a_batch_is_cut_at_its_weight(void **state)
{
	struct world *w = *state;

	w->jobs[1].weight = 3;
	publish(w, 0, 3);
	assert_int_equal(take(w, 4), 2);
	assert_int_equal(take(w, 4), 1);
}

static void a_job_heavier_than_a_batch_runs_alone(void **state)
{
	struct world *w = *state;

	w->jobs[1].weight = 1000;
	publish(w, 0, 3);
	assert_int_equal(take(w, 4), 1);
	assert_int_equal(take(w, 4), 1);
	assert_ptr_equal(w->taken[0], &w->jobs[1]);
	assert_int_equal(take(w, 4), 1);
}

static void a_solo_job_shares_with_none(void **state)
{
	struct world *w = *state;

	w->jobs[1].solo = true;
	publish(w, 0, 3);
	assert_int_equal(take(w, 256), 1);
	assert_int_equal(take(w, 256), 1);
	assert_ptr_equal(w->taken[0], &w->jobs[1]);
	assert_int_equal(take(w, 256), 1);
}

static void a_full_queue_refuses_until_a_slot_is_given_back(void **state)
{
	struct world *w = *state;
	const int64_t refused = metric_get(METRIC_QUEUE_REFUSED);

	for (int i = 0; i < JOBS; i++)
		assert_true(queue_reserve(w->q));
	assert_false(queue_reserve(w->q));
	assert_int_equal(metric_get(METRIC_QUEUE_REFUSED), refused + 1);
	queue_unreserve(w->q);
	assert_true(queue_reserve(w->q));
}

static void jobs_put_back_go_before_all_others(void **state)
{
	struct world *w = *state;
	const int64_t depth = metric_get(METRIC_QUEUE_DEPTH);

	publish(w, 0, 2);
	assert_int_equal(take(w, 256), 2);
	publish(w, 2, 3);
	w->jobs[0].next = &w->jobs[1];
	queue_push_front(w->q, &w->jobs[0], &w->jobs[1], 2);
	assert_int_equal(queue_depth(w->q), 3);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), depth + 3);
	assert_int_equal(take(w, 256), 3);
	for (int i = 0; i < 3; i++)
		assert_ptr_equal(w->taken[i], &w->jobs[i]);
	assert_int_equal(metric_get(METRIC_QUEUE_DEPTH), depth);
}

static void jobs_put_back_into_an_empty_queue_keep_its_tail(void **state)
{
	struct world *w = *state;

	publish(w, 0, 1);
	assert_int_equal(take(w, 256), 1);
	queue_push_front(w->q, &w->jobs[0], &w->jobs[0], 1);
	publish(w, 1, 2);
	assert_int_equal(take(w, 256), 2);
	assert_ptr_equal(w->taken[1], &w->jobs[1]);
}

static void old_jobs_can_be_taken_out_and_the_young_stay(void **state)
{
	struct world *w = *state;
	struct executor_job *old;

	publish(w, 0, 3);
	w->jobs[0].queued_us -= 1000000;
	w->jobs[1].queued_us -= 1000000;
	old = queue_take_older(w->q, clock_mono_us() - 500000);
	assert_ptr_equal(old, &w->jobs[0]);
	assert_ptr_equal(old->next, &w->jobs[1]);
	assert_null(old->next->next);
	assert_int_equal(queue_depth(w->q), 1);
	assert_null(queue_take_older(w->q, clock_mono_us() - 500000));
	assert_ptr_equal(queue_take_older(w->q, INT64_MAX), &w->jobs[2]);
	publish(w, 3, 4);
	assert_int_equal(take(w, 256), 1);
}

static void an_empty_queue_waits_no_longer_than_told(void **state)
{
	struct world *w = *state;
	const int64_t began = clock_mono_us();

	assert_int_equal(take(w, 256), 0);
	assert_false(w->closed);
	assert_true(clock_mono_us() - began >= 9000);
}

static void a_closed_queue_gives_what_it_holds_and_then_says_so(void **state)
{
	struct world *w = *state;

	publish(w, 0, 1);
	queue_close(w->q);
	assert_true(queue_closed(w->q));
	assert_false(queue_reserve(w->q));
	assert_int_equal(take(w, 256), 1);
	assert_false(w->closed);
	assert_int_equal(take(w, 256), 0);
	assert_true(w->closed);
}

/* ---- several threads ---- */

#define WRITERS 4
#define READERS 3
#define EACH 2000

struct crowd {
	struct queue *q;
	_Atomic int taken;
};

struct counted {
	struct executor_job job;
	_Atomic int times;
};

static struct counted *counted;

static void *write_many(void *arg)
{
	static _Atomic int next;
	struct crowd *c = arg;

	for (int i = 0; i < EACH; i++) {
		struct counted *j = &counted[atomic_fetch_add(&next, 1)];

		while (!queue_reserve(c->q))
			;
		queue_publish(c->q, &j->job);
	}
	return NULL;
}

static void *read_many(void *arg)
{
	struct crowd *c = arg;
	struct executor_job *jobs[16];
	bool closed = false;

	while (!closed) {
		const size_t n = queue_take(c->q, 16, INT64_MAX, jobs, 16, &closed);

		for (size_t i = 0; i < n; i++) {
			atomic_fetch_add(&((struct counted *)jobs[i])->times, 1);
			atomic_fetch_add(&c->taken, 1);
			queue_unreserve(c->q);
		}
	}
	return NULL;
}

static void between_threads_no_job_is_lost_or_taken_twice(void **state)
{
	struct crowd c = {0};
	pthread_t writers[WRITERS], readers[READERS];

	(void)state;
	counted = calloc(WRITERS * EACH, sizeof *counted);
	assert_non_null(counted);
	for (int i = 0; i < WRITERS * EACH; i++)
		counted[i].job.weight = 1;
	assert_int_equal(queue_new(64, &c.q), ERR_OK);
	for (int i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&readers[i], NULL, read_many, &c), 0);
	for (int i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_many, &c), 0);
	for (int i = 0; i < WRITERS; i++)
		pthread_join(writers[i], NULL);
	queue_close(c.q);
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(atomic_load(&c.taken), WRITERS * EACH);
	for (int i = 0; i < WRITERS * EACH; i++)
		assert_int_equal(atomic_load(&counted[i].times), 1);
	queue_free(c.q);
	free(counted);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    T(jobs_leave_in_the_order_they_came),
	    T(a_batch_is_cut_at_its_weight),
	    T(a_job_heavier_than_a_batch_runs_alone),
	    T(a_solo_job_shares_with_none),
	    T(a_full_queue_refuses_until_a_slot_is_given_back),
	    T(jobs_put_back_go_before_all_others),
	    T(jobs_put_back_into_an_empty_queue_keep_its_tail),
	    T(old_jobs_can_be_taken_out_and_the_young_stay),
	    T(an_empty_queue_waits_no_longer_than_told),
	    T(a_closed_queue_gives_what_it_holds_and_then_says_so),
	    T(between_threads_no_job_is_lost_or_taken_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
