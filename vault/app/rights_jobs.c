/* rights_jobs.c: carries approved requests out, on one node at a time. A job that a crash has cut
 * off is found RUNNING and run again. */
#include "vault/app/rights_jobs.h"

#include "base/log.h"
#include "base/metrics.h"
#include "vault/app/internal.h"
#include "vault/app/rights.h"

#include <string.h>

/* ---- a change of state, in a batch of its own ---- */

struct turn {
	int64_t request;
	int32_t to;
	const char *reason;
	bool lapsed; /* set by it: the request went back, for approvals that count */
};

/* Approvals count for a week: one that was not begun by then, or is tried again later, needs new ones. */
static enum err approvals_count(struct req *r, struct batch *b, const struct rights_row *row, bool *count)
{
	int64_t officers = 0;
	enum err e = rights_officers(b, row, &officers);

	*count = officers >= rights_officers_needed(r->app->config, row->kind);
	return e;
}

static enum err turn_row(struct req *r, struct batch *b, struct turn *t, struct rights_row *row)
{
	int32_t to = t->to;
	bool count = true;
	enum err e = ERR_OK;

	if (to == RIGHTS_RUNNING && row->state == RIGHTS_APPROVED)
		e = approvals_count(r, b, row, &count);
	if (!count)
		to = RIGHTS_AWAITING_APPROVAL;
	t->lapsed = !count;
	if (!e && row->state != to && !rights_may_move(row->state, to))
		e = ERR_REQUEST_STATE;
	if (e)
		return e;
	row->state = to;
	row->reason = count ? t->reason : "approvals_lapsed";
	row->ended_at_us = rights_ended(to) ? b->now_us : 0;
	if (to == RIGHTS_HELD)
		row->held_at_us = b->now_us;
	e = rights_update(b->db, row);
	return e ? e : rights_audit(r, b, rights_state_name(to), row->kind, NULL);
}

static enum step turn_decide(struct req *r, struct batch *b)
{
	struct turn *t = r->plan;
	struct db_result *rows = NULL;
	struct rights_row row;

	r->err = rights_get(b->db, t->request, true, &rows);
	if (!r->err && db_rows(rows) == 0)
		r->err = ERR_NOT_FOUND;
	if (!r->err) {
		rights_row_read(rows, 0, &row);
		r->err = turn_row(r, b, t, &row);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route turn_route = {.method = "", .pattern = "", .operation = "rights.job", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .decide = turn_decide};

static enum err turn(struct app *app, int64_t request, int32_t to, const char *reason, bool *lapsed)
{
	struct turn t = {.request = request, .to = to, .reason = reason};
	enum err e = internal_run(app, &turn_route, &t, "rights");

	*lapsed = t.lapsed;
	return e;
}

enum err rights_progress(struct db *db, int64_t request, int64_t done, int64_t total)
{
	return rights_progress_set(db, request, done, total);
}

/* ---- the worker's task ---- */

/* Rectification has no job: an officer completes it when a caller with the right has corrected the fields. */
static enum err (*const runs[RIGHTS_KINDS])(struct app *, struct worker *, struct db *, const struct rights_job *, enum rights_end *) = {
    [RIGHTS_EXPORT] = export_run,
    [RIGHTS_ERASE] = erase_run,
    [RIGHTS_RESTRICT] = restrict_run,
    [RIGHTS_OBJECT] = restrict_run,
};

/* Is it no fault of the job, so that it goes on where it is? */
static bool passing(enum err e)
{
	return e == ERR_STOPPING || e == ERR_UNAVAILABLE || e == ERR_BUSY || e == ERR_UNKNOWN_OUTCOME || e == ERR_TIMEOUT;
}

static enum err end_job(struct app *app, const struct rights_row *row, enum rights_end end, enum err e)
{
	bool lapsed;

	if (e) {
		log_event(LOG_WARN, "rights_job_failed", "request=%lld kind=%s code=%s", (long long)row->request, rights_kind_name(row->kind), err_code(e));
		return end == RIGHTS_UNFINISHED ? e : turn(app, row->request, RIGHTS_FAILED, err_code(e), &lapsed);
	}
	if (end == RIGHTS_ENDED)
		return ERR_OK;
	return turn(app, row->request, end == RIGHTS_ON_HOLD ? RIGHTS_HELD : RIGHTS_DONE, "", &lapsed);
}

static enum err run_job(struct app *app, struct worker *w, struct db *db, const struct rights_row *row)
{
	struct rights_job job = {.request = row->request, .customer = row->customer, .kind = (enum rights_kind)row->kind, .scope = row->scope,
	                         .recipient = row->recipient, .requester = row->requester, .jurisdiction = row->jurisdiction, .approved_at_us = row->approved_at_us};
	enum rights_end end = RIGHTS_COMPLETED;
	bool lapsed = false;
	enum err e = turn(app, row->request, RIGHTS_RUNNING, "", &lapsed);

	if (e == ERR_REQUEST_STATE || lapsed)
		return ERR_OK; /* cancelled since it was looked up, or sent back */
	if (row->sref_len == sizeof job.sref)
		memcpy(job.sref, row->sref, sizeof job.sref);
	if (!e)
		e = runs[row->kind](app, w, db, &job, &end);
	if (passing(e) || worker_stopping(w))
		return e; /* stays RUNNING: the next leader goes on */
	return end_job(app, row, end, e);
}

static enum err count_open(struct db *db)
{
	struct db_result *rows = NULL;
	enum err e = rights_counts(db, &rows);
	int64_t open = 0, overdue = 0, soon = 0;

	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		open += db_int8(rows, i, 1);
		overdue += db_int8(rows, i, 2);
		soon += db_int8(rows, i, 3);
	}
	db_result_free(rows);
	if (!e) {
		metric_set(METRIC_RIGHTS_OPEN, open);
		metric_set(METRIC_RIGHTS_OVERDUE, overdue);
		metric_set(METRIC_RIGHTS_DUE_SOON, soon);
	}
	return e;
}

/* One that can't go on does not stop the others. */
enum err rights_run_due(struct app *app, struct worker *w, struct db *db, bool *more)
{
	static const struct rights_due due = {.approved = RIGHTS_APPROVED, .running = RIGHTS_RUNNING, .held = RIGHTS_HELD, .by_people = RIGHTS_RECTIFY};
	struct db_result *rows = NULL;
	enum err e = rights_due_jobs(db, &due, &rows), first = ERR_OK;

	*more = false;
	for (size_t i = 0; !e && i < db_rows(rows) && !worker_stopping(w); i++) {
		struct rights_row row;
		enum err of_job = ERR_OK;

		rights_row_read(rows, i, &row);
		if (row.kind >= 0 && row.kind < RIGHTS_KINDS && runs[row.kind])
			of_job = run_job(app, w, db, &row);
		first = first ? first : of_job;
	}
	db_result_free(rows);
	if (!e)
		e = count_open(db);
	return e ? e : first;
}
