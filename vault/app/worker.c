/* worker.c: the life of a worker's thread: connect, take the lock, run what is due. */
#include "vault/app/worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "store/migrate.h"
#include "store/statements.h"
#include "vault/app/erasure.h"

#include <stdlib.h>
#include <string.h>

#define TASKS_MAX 12
#define LOOK_US 1000000           /* for the lock, or for a database that is away */
#define TASK_TIMEOUT_US 120000000 /* the database must answer within this time */

struct worker {
	struct app *app;
	const char *name;
	int32_t lock_number;
	const struct db_statement *statements;
	const struct worker_task *tasks;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	_Atomic bool stopping, leads;
	bool woken;
	int64_t due_us[TASKS_MAX];
	struct db *db;
	uint64_t term;
	bool told; /* that the database is away */
};

static void pause_until(struct worker *w, int64_t mono_us)
{
	const struct timespec until = {.tv_sec = mono_us / 1000000, .tv_nsec = mono_us % 1000000 * 1000};

	pthread_mutex_lock(&w->lock);
	while (!atomic_load(&w->stopping) && !w->woken && !pthread_cond_timedwait(&w->changed, &w->lock, &until))
		;
	if (w->woken)
		memset(w->due_us, 0, sizeof w->due_us);
	w->woken = false;
	pthread_mutex_unlock(&w->lock);
}

static void disconnect(struct worker *w)
{
	atomic_store(&w->leads, false);
	db_close(w->db);
	w->db = NULL;
}

static bool connect_db(struct worker *w)
{
	struct buf why;

	if (w->db && !db_alive(w->db))
		disconnect(w);
	if (w->db)
		return true;
	buf_init(&why, 4096);
	if (!db_open(w->app->config->database_url, w->statements, &w->db, &why) &&
	    (migrate_verify(w->db, &why) || erasure_agrees(w->app->config, w->app->keyring, w->db, &why)))
		disconnect(w);
	if (!w->db && !w->told)
		log_event(LOG_WARN, "worker_waits", "worker=%s reason=\"%s\"", w->name, buf_string(&why));
	w->told = !w->db;
	buf_fini(&why);
	return w->db != NULL;
}

static bool take_lead(struct worker *w)
{
	uint8_t space[8], number[8];
	const struct db_param params[] = {db_param_int4(LOCK_SPACE_WORKER, space), db_param_int4(w->lock_number, number)};
	struct db_result *res = NULL;

	if (atomic_load(&w->leads) || !w->lock_number)
		return true;
	db_set_deadline(w->db, clock_mono_us() + TASK_TIMEOUT_US);
	if (db_run(w->db, "SELECT pg_try_advisory_lock($1::int4, $2::int4)", params, 2, &res)) {
		disconnect(w);
		return false;
	}
	if (db_bool(res, 0, 0)) {
		atomic_store(&w->leads, true);
		w->term++;
		log_event(LOG_INFO, "worker_leads", "worker=%s", w->name);
	}
	db_result_free(res);
	return atomic_load(&w->leads);
}

static void run_task(struct worker *w, size_t i)
{
	const struct worker_task *t = &w->tasks[i];
	bool more = false;
	enum err e;

	do {
		db_set_deadline(w->db, clock_mono_us() + TASK_TIMEOUT_US);
		e = t->run(w->app, w, w->db, &more);
	} while (!e && more && !atomic_load(&w->stopping));
	w->due_us[i] = clock_mono_us() + t->every_us;
	if (!e || atomic_load(&w->stopping))
		return;
	log_event(LOG_WARN, "task_failed", "worker=%s task=%s code=%s reason=\"%s\"", w->name, t->name, err_code(e), db_error(w->db));
	if (db_cause(w->db) != DB_FINE && db_rollback(w->db))
		disconnect(w);
}

static int64_t run_due(struct worker *w)
{
	int64_t next = INT64_MAX;

	for (size_t i = 0; w->tasks[i].name && w->db && !atomic_load(&w->stopping); i++) {
		if (clock_mono_us() >= w->due_us[i])
			run_task(w, i);
		if (w->due_us[i] < next)
			next = w->due_us[i];
	}
	return next;
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	while (!atomic_load(&w->stopping)) {
		int64_t next = clock_mono_us() + LOOK_US;

		if (connect_db(w) && take_lead(w)) {
			const int64_t due = run_due(w);

			next = due < next ? due : next; /* looks each second whether the connection still lives */
		}
		pause_until(w, next);
	}
	disconnect(w);
	return NULL;
}

static void release(struct worker *w)
{
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

enum err worker_start(struct app *app, const char *name, int32_t lock, const struct db_statement *statements,
                      const struct worker_task *tasks, struct worker **out)
{
	struct worker *w = calloc(1, sizeof *w);
	pthread_condattr_t attr;

	*out = NULL;
	if (!w)
		return ERR_MEMORY;
	w->app = app;
	w->name = name;
	w->lock_number = lock;
	w->statements = statements;
	w->tasks = tasks;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (pthread_create(&w->thread, NULL, thread_main, w)) {
		release(w);
		return ERR_MEMORY;
	}
	*out = w;
	return ERR_OK;
}

void worker_wake(struct worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	w->woken = true;
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

bool worker_leads(const struct worker *w)
{
	return w && atomic_load(&w->leads);
}

uint64_t worker_term(const struct worker *w)
{
	return w->term;
}

bool worker_stopping(const struct worker *w)
{
	return atomic_load(&w->stopping);
}

void worker_stop(struct worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	atomic_store(&w->stopping, true);
	pthread_cond_signal(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	release(w);
}
