/* rights_jobs.c: carries approved requests out, on one node at a time. A job that a crash has cut
 * off is found RUNNING and run again. */
#include "vault/app/rights_jobs.h"

#include "base/log.h"
#include "base/metrics.h"
#include "vault/app/consent_state.h"
#include "vault/app/internal.h"
#include "vault/app/rights.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u

/* ---- a change of state, in a batch of its own ---- */

struct turn {
	int64_t request;
	int32_t to;
	const char *reason;
};

static enum step turn_decide(struct req *r, struct batch *b)
{
	const struct turn *t = r->plan;
	struct db_result *rows = NULL;
	struct rights_row row;

	r->err = rights_get(b->db, t->request, true, &rows);
	if (!r->err && db_rows(rows) == 0)
		r->err = ERR_NOT_FOUND;
	if (!r->err) {
		rights_row_read(rows, 0, &row);
		if (row.state != t->to && !rights_may_move(row.state, t->to))
			r->err = ERR_REQUEST_STATE;
	}
	if (!r->err) {
		row.state = t->to;
		row.reason = t->reason;
		row.ended_at_us = rights_ended(t->to) ? b->now_us : 0;
		r->err = rights_update(b->db, &row);
	}
	if (!r->err)
		r->err = rights_audit(r, b, rights_state_name(t->to), row.kind, NULL);
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route turn_route = {.method = "", .pattern = "", .operation = "rights.job", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .decide = turn_decide};

static enum err turn(struct app *app, int64_t request, int32_t to, const char *reason)
{
	struct turn t = {request, to, reason};

	return internal_run(app, &turn_route, &t, "rights");
}

enum err rights_progress(struct db *db, int64_t request, int64_t done, int64_t total)
{
	return rights_progress_set(db, request, done, total);
}

/* ---- restrict and object: states of the customer ---- */

struct apply {
	const struct rights_job *job;
};

static enum step apply_want(struct req *r, struct batch *b)
{
	const struct apply *a = r->plan;

	if (!batch_claim(b, r, CLAIM_CUSTOMER, a->job->customer))
		return STEP_AGAIN;
	reads_customer_locked(b->reads, a->job->customer);
	return STEP_MORE;
}

/* One event a purpose; a restriction without purposes is one of all. */
static size_t events_for(const struct snapshot *s, const struct rights_scope *scope, enum consent_kind kind, const char *detail,
                         struct consent_event events[static POLICY_PURPOSES_MAX])
{
	size_t n = 0;

	if (!scope->purposes && kind == RESTRICTION_SET) {
		events[n++] = (struct consent_event){.kind = kind, .valid_until_us = INT64_MAX, .detail = detail};
		return n;
	}
	for (size_t i = 0; i < s->n_purposes; i++)
		if (!scope->purposes || scope->purposes >> (s->purposes[i].number - 1) & 1)
			events[n++] = (struct consent_event){.kind = kind, .purpose = s->purposes[i].number, .valid_until_us = INT64_MAX, .detail = detail};
	return n;
}

static enum step apply_decide(struct req *r, struct batch *b)
{
	const struct apply *a = r->plan;
	const struct target t = {.id = a->job->customer, .lock = true};
	const enum consent_kind kind = a->job->kind == RIGHTS_RESTRICT ? RESTRICTION_SET : OBJECTION_MADE;
	struct audit_entry entry = {.activity = "consent", .object = consent_kind_name((int)kind), .state = -1};
	struct consent_event events[POLICY_PURPOSES_MAX];
	struct rights_scope scope;
	struct customer_row *row;
	struct customer *c = NULL;
	struct written w;

	if (!target_locked(b, &t))
		return STEP_MORE;
	row = reads_get(b->reads, a->job->customer);
	r->err = row && row->locked ? customer_open(b, row, &c) : ERR_NOT_FOUND;
	if (!r->err)
		r->err = scope_load(r->snapshot, a->job->scope, &scope);
	if (!r->err) {
		const size_t n = events_for(r->snapshot, &scope, kind, "{\"channel\":\"rights_request\"}", events);

		r->err = consent_record(b, r->snapshot, c, events, n, &w);
	}
	if (!r->err) {
		entry.customer = c;
		entry.row_version = w.version;
		entry.row_sha256 = w.row_sha256;
		r->err = audit_add(r, b, &entry);
	}
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route apply_route = {.method = "", .pattern = "", .operation = "rights.apply", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                         .want = apply_want, .decide = apply_decide};

static enum err apply_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end)
{
	struct apply a = {job};

	(void)w;
	(void)db;
	*end = RIGHTS_COMPLETED;
	return internal_run(app, &apply_route, &a, "rights");
}

/* ---- the worker's task ---- */

/* Rectification has no job: an officer completes it when a caller with the right has corrected the fields. */
static enum err (*const runs[RIGHTS_KINDS])(struct app *, struct worker *, struct db *, const struct rights_job *, enum rights_end *) = {
    [RIGHTS_EXPORT] = export_run,
    [RIGHTS_ERASE] = erase_run,
    [RIGHTS_RESTRICT] = apply_run,
    [RIGHTS_OBJECT] = apply_run,
};

static enum err run_job(struct app *app, struct worker *w, struct db *db, const struct rights_row *row)
{
	struct rights_job job = {.request = row->request, .customer = row->customer, .kind = (enum rights_kind)row->kind, .scope = row->scope,
	                         .recipient = row->recipient, .requester = row->requester, .jurisdiction = row->jurisdiction, .approved_at_us = row->approved_at_us};
	enum rights_end end = RIGHTS_COMPLETED;
	enum err e = turn(app, row->request, RIGHTS_RUNNING, "");

	if (row->sref_len == sizeof job.sref)
		memcpy(job.sref, row->sref, sizeof job.sref);
	if (!e)
		e = runs[row->kind](app, w, db, &job, &end);
	if (e == ERR_STOPPING || e == ERR_UNAVAILABLE || e == ERR_BUSY || e == ERR_UNKNOWN_OUTCOME || worker_stopping(w))
		return e; /* stays RUNNING: the next leader goes on */
	if (e) {
		log_event(LOG_WARN, "rights_job_failed", "request=%lld kind=%s code=%s", (long long)row->request, rights_kind_name(row->kind), err_code(e));
		return turn(app, row->request, RIGHTS_FAILED, err_code(e));
	}
	return turn(app, row->request, end == RIGHTS_ON_HOLD ? RIGHTS_HELD : RIGHTS_DONE, "");
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

enum err rights_run_due(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct db_result *rows = NULL;
	enum err e = rights_due_jobs(db, RIGHTS_APPROVED, RIGHTS_RUNNING, RIGHTS_HELD, &rows);

	*more = false;
	for (size_t i = 0; !e && i < db_rows(rows) && !worker_stopping(w); i++) {
		struct rights_row row;

		rights_row_read(rows, i, &row);
		if (row.kind >= 0 && row.kind < RIGHTS_KINDS && runs[row.kind])
			e = run_job(app, w, db, &row);
	}
	db_result_free(rows);
	return e ? e : count_open(db);
}
