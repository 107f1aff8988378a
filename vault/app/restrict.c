/* restrict.c: carries restrictions and objections out: states of the customer, and the end of the request, in one
 * transaction, so that a job that is cut off is done or not begun. */
#include "vault/app/consent_state.h"
#include "vault/app/internal.h"
#include "vault/app/rights.h"

#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u

static enum step restrict_want(struct req *r, struct batch *b)
{
	const struct rights_job *job = r->plan;

	if (!batch_claim(b, r, CLAIM_CUSTOMER, job->customer))
		return STEP_AGAIN;
	reads_customer_locked(b->reads, job->customer);
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
		if (scope->purposes >> (s->purposes[i].number - 1) & 1)
			events[n++] = (struct consent_event){.kind = kind, .purpose = s->purposes[i].number, .valid_until_us = INT64_MAX, .detail = detail};
	return n;
}

/* Who asked for it, and by which request. */
static enum err compose_detail(struct batch *b, const struct rights_job *job, const char **out)
{
	struct buf text;
	struct json j;
	enum err e;

	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	json_key_string(&j, "actor", job->requester);
	json_key_string(&j, "channel", "rights_request");
	json_key(&j, "rights_request");
	e = rights_write_id(b, job->request, RIGHTS_SUBJECT_REQUEST, &text);
	j.comma = true;
	json_object_end(&j);
	*out = !e && buf_ok(&text) ? arena_copy(&b->arena, (const char *)text.data, text.len) : NULL;
	buf_fini(&text);
	return e ? e : *out ? ERR_OK : ERR_MEMORY;
}

static enum err record(struct req *r, struct batch *b, const struct rights_job *job, struct customer *c)
{
	const enum consent_kind kind = job->kind == RIGHTS_RESTRICT ? RESTRICTION_SET : OBJECTION_MADE;
	struct audit_entry entry = {.activity = "consent", .object = consent_kind_name((int)kind), .customer = c, .state = -1};
	struct consent_event events[POLICY_PURPOSES_MAX];
	struct rights_scope scope;
	const char *detail;
	struct written w;
	enum err e = scope_load(r->snapshot, job->scope, &scope);

	if (!e)
		e = compose_detail(b, job, &detail);
	if (!e)
		e = consent_record(b, r->snapshot, c, events, events_for(r->snapshot, &scope, kind, detail, events), &w);
	if (e)
		return e;
	entry.row_version = w.version;
	entry.row_sha256 = w.row_sha256;
	return audit_add(r, b, &entry);
}

static enum err end_request(struct req *r, struct batch *b, struct rights_row *row, const struct customer *c)
{
	enum err e;

	row->state = RIGHTS_DONE;
	row->ended_at_us = b->now_us;
	e = rights_update(b->db, row);
	if (!e)
		e = rights_progress_set(b->db, row->request, 1, 1);
	return e ? e : rights_audit(r, b, rights_state_name(RIGHTS_DONE), row->kind, c);
}

static enum step restrict_decide(struct req *r, struct batch *b)
{
	const struct rights_job *job = r->plan;
	const struct target t = {.id = job->customer, .lock = true};
	struct db_result *rows = NULL;
	struct customer_row *known;
	struct customer *c = NULL;
	struct rights_row row = {.state = -1};

	if (!target_locked(b, &t))
		return STEP_MORE;
	r->err = rights_get(b->db, job->request, true, &rows);
	if (!r->err && db_rows(rows))
		rights_row_read(rows, 0, &row);
	known = reads_get(b->reads, job->customer);
	if (!r->err && row.state == RIGHTS_RUNNING) { /* else an earlier run has done it */
		r->err = known && known->locked ? customer_open(b, known, &c) : ERR_NOT_FOUND;
		if (!r->err)
			r->err = record(r, b, job, c);
		if (!r->err)
			r->err = end_request(r, b, &row, c);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route restrict_route = {.method = "", .pattern = "", .operation = "rights.apply", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                            .want = restrict_want, .decide = restrict_decide};

enum err restrict_run(struct app *app, struct worker *w, struct db *db, const struct rights_job *job, enum rights_end *end)
{
	struct rights_job plan = *job;

	(void)w;
	(void)db;
	*end = RIGHTS_ENDED;
	return internal_run(app, &restrict_route, &plan, "rights");
}
