/* batch.c: one transaction for many requests (DESIGN: two round trips).
 *
 *   want    every request asks for its reads
 *   (a)     BEGIN, stream row and barrier, revision, reads          one round trip
 *   decide  outcomes are known, writes and audit records composed   (further reads: another round trip)
 *   (c)     writes, one segment, COMMIT                             one round trip
 *   reply   while the commit runs: values are opened, replies composed
 */
#include "vault/app/batch_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/statements.h"
#include "vault/app/alarm.h"
#include "vault/app/audit_record.h"
#include "vault/app/follow.h"

#include <string.h>

#define ROUNDS_MAX 8
#define CLOCK_BACK_US 1000000 /* less is the slew of a clock that is kept */
#define REVISIONS_MAX 4 /* attempts to meet a configuration that keeps changing */

/* A clean slate for each request; also when a batch is run again. */
static void req_restart(struct req *r)
{
	buf_reset(&r->out);
	r->job.again = false;
	r->err = ERR_OK;
	r->decided = false;
	r->rounds = 0;
	r->audit_count = 0;
	r->status = 0;
	r->content_type = NULL;
	r->cache_control = NULL;
	r->about = NULL;
	r->canaries = NULL;
	if (!r->plan_err) /* else it says where the plan failed */
		r->pointer = NULL;
	r->etag[0] = 0;
	r->location = NULL;
}

static void settle(struct req *r, struct batch *b, enum step step)
{
	switch (step) {
	case STEP_DONE: r->decided = true; break;
	case STEP_MORE: break;
	case STEP_AGAIN:
		r->decided = true;
		r->job.again = true;
		break;
	case STEP_FAIL:
		r->decided = true;
		if (!r->err)
			r->err = ERR_INTERNAL;
		audit_failure(r, b);
		break;
	}
}

static void want_one(struct req *r, struct batch *b)
{
	req_restart(r);
	if (r->plan_err) /* refused by a plan made under a newer configuration */
		r->err = r->plan_err;
	else if (r->frozen)
		r->err = ERR_FROZEN;
	else if (!r->who.roles && r->route->want && !(r->route->flags & ROUTE_INTERNAL))
		r->err = ERR_POLICY_DENIED;
	if (r->err)
		settle(r, b, STEP_FAIL);
	else if (r->route->want)
		settle(r, b, r->route->want(r, b));
}

static void decide_one(struct req *r, struct batch *b)
{
	struct writes_mark writes;
	struct audit_mark audit;
	enum step step;

	writes_mark(b->writes, &writes);
	audit_mark(r, b, &audit);
	step = r->route->decide(r, b);
	if (step == STEP_MORE && r->rounds++ >= ROUNDS_MAX)
		step = (req_fail(r, ERR_INTERNAL, NULL), STEP_FAIL);
	if (step == STEP_FAIL || step == STEP_AGAIN) {
		writes_cut(b->writes, &writes);
		audit_cut(r, b, &audit);
	}
	settle(r, b, step);
}

static enum err first_round(struct batch *b, struct db *db, int64_t *revision)
{
	struct db_result *res = NULL;
	enum err e;

	db_send(db, ST_BEGIN, NULL, 0);
	audit_send_advance(&b->stream, db);
	db_send(db, ST_REVISION, NULL, 0);
	reads_send(b->reads, db);
	e = db_sync(db);
	if (!e)
		e = db_next_done(db, NULL);
	if (!e)
		e = audit_receive_advance(db);
	if (!e)
		e = db_next(db, &res);
	if (!e)
		*revision = db_int8(res, 0, 0);
	db_result_free(res);
	if (!e)
		e = reads_receive(b->reads, db);
	return e ? e : db_synced(db);
}

static enum err further_round(struct batch *b, struct db *db)
{
	enum err e;

	reads_send(b->reads, db);
	e = db_sync(db);
	if (!e)
		e = reads_receive(b->reads, db);
	return e ? e : db_synced(db);
}

static bool undecided(struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!((struct req *)jobs[i])->decided)
			return true;
	return false;
}

static enum err decide_all(struct batch *b, struct db *db, struct executor_job **jobs, size_t n)
{
	enum err e = ERR_OK;

	while (!e && undecided(jobs, n)) {
		for (size_t i = 0; i < n; i++) {
			struct req *r = (struct req *)jobs[i];

			if (!r->decided)
				decide_one(r, b);
			if (db_cause(db) != DB_FINE) /* a solo operation's statement failed */
				return r->err ? r->err : ERR_DATABASE;
		}
		if (reads_pending(b->reads))
			e = further_round(b, db);
	}
	return e;
}

static void reply_all(struct batch *b, struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct req *r = (struct req *)jobs[i];

		if (r->job.again)
			continue;
		if (!r->err && r->route->reply) {
			enum err e = r->route->reply(r, b);

			if (e && !r->err)
				r->err = e;
		}
		req_compose(r);
	}
}

static enum err raise_canaries(struct batch *b, struct executor_job **jobs, size_t n)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < n && !e; i++) {
		const struct req *r = (const struct req *)jobs[i];

		if (r->canaries && !r->job.again)
			e = alarm_canaries(r, b);
	}
	return e;
}

/* Everything up to and with COMMIT's answer. *sent: COMMIT has left. */
static enum err finish(struct batch *b, struct db *db, struct executor_job **jobs, size_t n, bool *sent)
{
	struct db_result *res = NULL;
	enum err e = writes_send(b->writes, db, b->now_us);

	if (!e)
		e = audit_send_segment(&b->stream, &b->segment, b->audit_mac, db);
	if (e)
		return e;
	db_send(db, ST_COMMIT, NULL, 0);
	*sent = true;
	e = db_sync(db);
	/* Also where the connection broke meanwhile: COMMIT may have arrived, and then these are the replies. */
	reply_all(b, jobs, n);
	if (!e)
		e = writes_receive(b->writes, db);
	if (!e && b->segment.count)
		e = db_next_done(db, NULL);
	if (!e)
		e = db_next(db, &res);
	if (!e && !db_result_tag(res, "COMMIT"))
		e = ERR_DATABASE; /* the transaction was aborted: COMMIT rolled it back */
	db_result_free(res);
	return e ? e : db_synced(db);
}

static enum err change_revision(struct batch *b, struct db *db, struct executor_job **jobs, size_t n)
{
	struct buf why;
	enum err e;

	if (db_rollback(db))
		return ERR_UNAVAILABLE;
	buf_init(&why, 4096);
	e = batch_adopt_snapshot(b, db, &why);
	if (e)
		log_event(LOG_ERROR, "configuration", "reason=\"%s\"", buf_string(&why));
	buf_fini(&why);
	for (size_t i = 0; i < n && !e; i++) {
		struct req *r = (struct req *)jobs[i];

		r->plan_err = req_plan(r, b->snapshot);
	}
	return e && err_status(e) < 500 ? ERR_INTERNAL : e; /* a policy that does not compile is no caller's fault */
}

/* Those whose plan was made under another snapshot than the batch's. */
static void replan_stale(struct batch *b, struct executor_job **jobs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct req *r = (struct req *)jobs[i];

		if (r->snapshot->revision != b->snapshot->revision)
			r->plan_err = req_plan(r, b->snapshot);
	}
}

static void want_all(struct batch *b, struct executor_job **jobs, size_t n)
{
	batch_clear(b);
	b->now_us = clock_now_us();
	if (b->now_us <= b->stream.last_at_us) {
		if (b->stream.last_at_us - b->now_us > CLOCK_BACK_US)
			alarm_note(b->app->alarms, ALARM_CLOCK, b->app->node);
		b->now_us = b->stream.last_at_us;
	}
	if (b->stream.next_seq == 1)
		audit_stream_opened(b);
	for (size_t i = 0; i < n; i++)
		want_one((struct req *)jobs[i], b);
}

static enum batch_end run_batch(struct batch *b, struct db *db, struct executor_job **jobs, size_t n, enum err *e)
{
	int64_t revision = 0;
	bool sent = false;

	replan_stale(b, jobs, n);
	for (int attempt = 0;; attempt++) {
		want_all(b, jobs, n);
		*e = first_round(b, db, &revision);
		if (*e || revision == b->snapshot->revision)
			break;
		*e = attempt < REVISIONS_MAX ? change_revision(b, db, jobs, n) : ERR_BUSY;
		if (*e)
			break;
	}
	if (!*e) {
		batch_count_strangers(b);
		*e = decide_all(b, db, jobs, n);
	}
	if (!*e && b->snapshot->n_canaries)
		*e = raise_canaries(b, jobs, n);
	if (!*e)
		*e = finish(b, db, jobs, n, &sent);
	if (!*e && b->change) {
		*e = store_barrier(db);
		b->barrier_due = *e != ERR_OK;
		if (*e)
			return BATCH_IN_DOUBT;
	}
	if (*e)
		return sent && db_cause(db) == DB_LOST ? BATCH_IN_DOUBT : BATCH_FAILED;
	batch_note_committed(b);
	return BATCH_COMMITTED;
}

enum batch_end batch_run(void *state, struct db *db, struct executor_job **jobs, size_t n, enum err *e)
{
	struct batch *b = state;
	enum batch_end end;

	b->db = db;
	b->in_doubt = b->resolved = false;
	b->keyring = app_keyring(b->app);
	end = run_batch(b, db, jobs, n, e);
	b->in_doubt = end == BATCH_IN_DOUBT;
	/* Keys and rows go now, not when the next batch comes; the segment may be needed to resolve a doubt. */
	reads_reset(b->reads);
	writes_reset(b->writes);
	batch_forget_customers(b);
	b->n_claims = 0;
	keyring_free(b->keyring);
	b->keyring = NULL;
	return end;
}
