/* executor.c: the loop of an executor: connect, take, run, resolve, release. */
#include "db/executor.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "vault/db/queue_int.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_JOBS_MAX 256
#define ATTEMPTS_MAX 4
#define DEFERRALS_MAX 3 /* a job that gave way so often runs alone: nothing can be in its way then */
#define BACKOFF_FIRST_US 50000
#define BACKOFF_MAX_US 2000000
#define IDLE_LOOK_US 1000000     /* an idle executor looks this often whether its connection still lives */
#define AWAY_PATIENCE_US 1000000 /* while the database is away, a job waits this long before its 503 */

struct executor {
	struct executor_options o;
	pthread_t thread;
	void *state;
	struct db *db;
	bool ever_connected;
	_Atomic bool ready;
	pthread_mutex_t trouble_lock;
	char trouble[256];
	struct executor_job *jobs[BATCH_JOBS_MAX];
	size_t n;
};

bool executor_ready(const struct executor *x)
{
	return atomic_load(&x->ready);
}

void executor_trouble(struct executor *x, char *room, size_t len)
{
	pthread_mutex_lock(&x->trouble_lock);
	snprintf(room, len, "%s", x->trouble);
	pthread_mutex_unlock(&x->trouble_lock);
}

static void set_trouble(struct executor *x, const char *text)
{
	pthread_mutex_lock(&x->trouble_lock);
	snprintf(x->trouble, sizeof x->trouble, "%s", text);
	pthread_mutex_unlock(&x->trouble_lock);
}

static void finish(struct executor *x, struct executor_job *job, enum err e)
{
	queue_unreserve(x->o.queue);
	job->done(job, e);
}

static void finish_all(struct executor *x, enum err e)
{
	for (size_t i = 0; i < x->n; i++)
		finish(x, x->jobs[i], e);
	x->n = 0;
}

static void finish_chain(struct executor *x, struct executor_job *job, enum err e)
{
	while (job) {
		struct executor_job *next = job->next;

		finish(x, job, e);
		job = next;
	}
}

/* After a commit: those that run() has set aside go back to the front, in order. */
static void release(struct executor *x)
{
	struct executor_job *first = NULL, *last = NULL;
	size_t aside = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct executor_job *job = x->jobs[i];

		if (!job || !job->again)
			continue;
		job->again = false;
		job->attempts = 0;
		job->next = NULL;
		if (++job->deferrals >= DEFERRALS_MAX)
			job->solo = true;
		if (last)
			last->next = job;
		else
			first = job;
		last = job;
		aside++;
		x->jobs[i] = NULL;
	}
	if (first)
		queue_push_front(x->o.queue, first, last, aside);
	for (size_t i = 0; i < x->n; i++)
		if (x->jobs[i])
			finish(x, x->jobs[i], ERR_OK);
	metric_add(METRIC_BATCHES, 1);
	metric_add(METRIC_BATCH_JOBS, (int64_t)(x->n - aside));
	metric_batch_size(x->n - aside);
	x->n = 0;
}

static void disconnect(struct executor *x, const char *reason)
{
	if (atomic_exchange(&x->ready, false)) {
		metric_add(METRIC_DB_CONNECTED, -1);
		log_event(LOG_WARN, "database_lost", "executor=%u reason=\"%s\"", x->o.index, reason);
	}
	set_trouble(x, reason);
	db_close(x->db);
	x->db = NULL;
}

/* One attempt. *committed: of the batch in doubt. */
static enum err connect_once(struct executor *x, bool *committed)
{
	struct buf why;
	enum err e;

	buf_init(&why, 4096);
	e = db_open(x->o.conninfo, x->o.ops->statements, &x->db, &why);
	if (!e) {
		db_set_deadline(x->db, clock_mono_us() + x->o.batch_timeout_us);
		e = x->o.ops->connected(x->state, x->db, committed, &why);
	}
	if (e) {
		set_trouble(x, buf_string(&why));
		db_close(x->db);
		x->db = NULL;
	} else {
		if (x->ever_connected)
			metric_add(METRIC_DB_RECONNECTS, 1);
		x->ever_connected = true;
		set_trouble(x, "");
		atomic_store(&x->ready, true);
		metric_add(METRIC_DB_CONNECTED, 1);
		log_event(LOG_INFO, "database_connected", "executor=%u", x->o.index);
	}
	buf_fini(&why);
	return e;
}

/* Jobs that have waited too long while the database is away. Those in hand have
 * an unknown outcome where in_doubt, and else nothing was done. */
static void expire(struct executor *x, bool in_doubt)
{
	const int64_t now = clock_mono_us();
	size_t kept = 0;

	finish_chain(x, queue_take_older(x->o.queue, now - AWAY_PATIENCE_US), ERR_UNAVAILABLE);
	for (size_t i = 0; i < x->n; i++) {
		struct executor_job *job = x->jobs[i];
		const int64_t patience = in_doubt ? x->o.job_timeout_us : AWAY_PATIENCE_US;

		if (job->queued_us < now - patience)
			finish(x, job, in_doubt ? ERR_UNKNOWN_OUTCOME : ERR_UNAVAILABLE);
		else
			x->jobs[kept++] = job;
	}
	x->n = kept;
}

static void pause_us(int64_t us)
{
	const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

/* Connects, however long it takes; false: stopped. */
static bool reconnect(struct executor *x, bool in_doubt, bool *committed)
{
	int64_t backoff = BACKOFF_FIRST_US;
	char said[256] = "";

	while (connect_once(x, committed)) {
		if (strcmp(said, x->trouble)) {
			log_event(LOG_WARN, "database_away", "executor=%u reason=\"%s\"", x->o.index, x->trouble);
			memcpy(said, x->trouble, sizeof said);
		}
		expire(x, in_doubt);
		if (queue_closed(x->o.queue)) {
			finish_all(x, in_doubt ? ERR_UNKNOWN_OUTCOME : ERR_STOPPING);
			finish_chain(x, queue_take_older(x->o.queue, INT64_MAX), ERR_STOPPING);
			return false;
		}
		pause_us(backoff);
		backoff = backoff * 2 > BACKOFF_MAX_US ? BACKOFF_MAX_US : backoff * 2;
	}
	return true;
}

/* Those of the jobs in hand that have waited longer than a job may. */
static void drop_overdue(struct executor *x, enum err e)
{
	const int64_t oldest = clock_mono_us() - x->o.job_timeout_us;
	size_t kept = 0;

	for (size_t i = 0; i < x->n; i++) {
		if (x->jobs[i]->queued_us < oldest)
			finish(x, x->jobs[i], e);
		else
			x->jobs[kept++] = x->jobs[i];
	}
	x->n = kept;
}

/* What is to be done with the jobs in hand after one run. */
enum next_step { STEP_DONE, STEP_RERUN, STEP_ONE_BY_ONE, STEP_STOPPED };

/* After a loss that committed nothing, on a new connection. A job may itself be
 * why the connection goes (it takes too long, it crashes the server): it is not
 * run for ever, and the others of its batch are not lost with it. */
static enum next_step after_loss(struct executor *x)
{
	drop_overdue(x, ERR_UNAVAILABLE);
	if (x->n == 0 || x->jobs[0]->attempts < 2)
		return STEP_RERUN;
	if (x->n > 1)
		return STEP_ONE_BY_ONE;
	if (x->jobs[0]->attempts < ATTEMPTS_MAX)
		return STEP_RERUN;
	finish_all(x, ERR_UNAVAILABLE);
	return STEP_DONE;
}

static enum next_step resolve_doubt(struct executor *x)
{
	bool committed = false;

	metric_add(METRIC_UNKNOWN_COMMITS, 1);
	log_event(LOG_WARN, "commit_in_doubt", "executor=%u jobs=%zu", x->o.index, x->n);
	disconnect(x, "lost during a commit");
	if (!reconnect(x, true, &committed))
		return STEP_STOPPED;
	log_event(LOG_INFO, "commit_resolved", "executor=%u committed=%d", x->o.index, committed);
	if (!committed)
		return after_loss(x);
	release(x);
	return STEP_DONE;
}

static enum next_step after_failure(struct executor *x, enum err e)
{
	const enum db_cause cause = db_cause(x->db);
	char text[256];
	bool committed;

	snprintf(text, sizeof text, "%s", db_error(x->db));
	if (cause == DB_LOST || db_rollback(x->db)) {
		disconnect(x, text);
		return reconnect(x, false, &committed) ? after_loss(x) : STEP_STOPPED;
	}
	if (cause != DB_FINE)
		log_event(LOG_WARN, "batch_failed", "executor=%u jobs=%zu reason=\"%s\"", x->o.index, x->n, text);
	if (x->n > 1)
		return STEP_ONE_BY_ONE;
	if ((cause == DB_RETRY || cause == DB_UNIQUE || e == ERR_BUSY) && x->jobs[0]->attempts < ATTEMPTS_MAX)
		return STEP_RERUN;
	if (e == ERR_STREAM_LOST) { /* a new stream on a new connection */
		disconnect(x, err_text(e));
		if (!reconnect(x, false, &committed))
			return STEP_STOPPED;
		if (x->n == 1 && x->jobs[0]->attempts < ATTEMPTS_MAX)
			return STEP_RERUN;
	}
	finish_all(x, e == ERR_DATABASE ? ERR_INTERNAL : e);
	return STEP_DONE;
}

static enum next_step run_once(struct executor *x)
{
	const int64_t began = clock_mono_us();
	enum err e = ERR_OK;
	enum batch_end end;

	for (size_t i = 0; i < x->n; i++)
		x->jobs[i]->attempts++;
	db_set_deadline(x->db, began + x->o.batch_timeout_us);
	end = x->o.ops->run(x->state, x->db, x->jobs, x->n, &e);
	histogram_observe(HISTOGRAM_BATCH, clock_mono_us() - began);
	switch (end) {
	case BATCH_COMMITTED: release(x); return STEP_DONE;
	case BATCH_FAILED: return after_failure(x, e);
	case BATCH_IN_DOUBT: return resolve_doubt(x);
	}
	return STEP_DONE;
}

static bool run_until_done(struct executor *x)
{
	enum next_step step = STEP_RERUN;

	while (step == STEP_RERUN && x->n > 0)
		step = run_once(x);
	if (step == STEP_ONE_BY_ONE) {
		struct executor_job *all[BATCH_JOBS_MAX];
		const size_t n = x->n;

		metric_add(METRIC_BATCH_RERUNS, 1);
		memcpy(all, x->jobs, n * sizeof *all);
		for (size_t i = 0; i < n; i++) {
			x->jobs[0] = all[i];
			x->n = 1;
			if (step == STEP_STOPPED) {
				finish_all(x, ERR_STOPPING);
				continue;
			}
			drop_overdue(x, ERR_BUSY);
			if (!run_until_done(x))
				step = STEP_STOPPED;
		}
	}
	return step != STEP_STOPPED;
}

static void observe_waits(const struct executor *x)
{
	const int64_t at = clock_mono_us();

	for (size_t i = 0; i < x->n; i++)
		histogram_observe(HISTOGRAM_QUEUE_WAIT, at - x->jobs[i]->queued_us);
}

static void *loop(void *arg)
{
	struct executor *x = arg;
	bool closed = false, committed;

	if (!reconnect(x, false, &committed))
		return NULL;
	while (!closed) {
		x->n = queue_take(x->o.queue, x->o.weight_max, clock_mono_us() + IDLE_LOOK_US, x->jobs, BATCH_JOBS_MAX, &closed);
		observe_waits(x);
		drop_overdue(x, ERR_BUSY);
		if (!closed && !db_alive(x->db)) { /* nothing was sent yet: jobs in hand can wait */
			disconnect(x, "the server closed the connection");
			if (!reconnect(x, false, &committed))
				break;
		}
		if (x->n > 0 && !run_until_done(x))
			break;
	}
	if (atomic_exchange(&x->ready, false))
		metric_add(METRIC_DB_CONNECTED, -1);
	set_trouble(x, "stopped");
	db_close(x->db);
	x->db = NULL;
	return NULL;
}

/* An executor that could not start: its queue may have no other, and nobody may wait for ever. */
static void refuse_all(struct executor *x)
{
	while (!queue_closed(x->o.queue)) {
		finish_chain(x, queue_take_older(x->o.queue, clock_mono_us() - AWAY_PATIENCE_US), ERR_UNAVAILABLE);
		pause_us(BACKOFF_FIRST_US);
	}
	finish_chain(x, queue_take_older(x->o.queue, INT64_MAX), ERR_STOPPING);
}

static void *thread_main(void *arg)
{
	struct executor *x = arg;
	enum err e = x->o.ops->start(x->o.ctx, x->o.index, &x->state);

	if (e) {
		set_trouble(x, err_text(e));
		log_event(LOG_ERROR, "executor_start", "executor=%u code=%s", x->o.index, err_code(e));
		refuse_all(x);
		return NULL;
	}
	loop(x);
	x->o.ops->stop(x->state);
	return NULL;
}

enum err executor_start(const struct executor_options *options, struct executor **out)
{
	struct executor *x = calloc(1, sizeof *x);

	*out = NULL;
	if (!x)
		return ERR_MEMORY;
	x->o = *options;
	snprintf(x->trouble, sizeof x->trouble, "%s", "connecting");
	pthread_mutex_init(&x->trouble_lock, NULL);
	if (pthread_create(&x->thread, NULL, thread_main, x)) {
		pthread_mutex_destroy(&x->trouble_lock);
		free(x);
		return ERR_MEMORY;
	}
	*out = x;
	return ERR_OK;
}

void executor_join(struct executor *x)
{
	if (!x)
		return;
	pthread_join(x->thread, NULL);
	pthread_mutex_destroy(&x->trouble_lock);
	free(x);
}
