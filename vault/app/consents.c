/* consents.c: what a customer decides, one decision a request: consents, lawful
 * bases, objections, restriction. Each is an event and a new purpose state in one
 * transaction, and binds every batch that begins after it (G2). */
#include "vault/app/consent_input.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u

struct decision {
	struct target target;
	struct consent_input input;
	struct written written;
};

/* purpose_at: which path parameter names the purpose; -1: all, or the query's "purpose". */
static enum err plan_decision(struct req *r, int purpose_at, struct decision **out, uint16_t *purpose, size_t *index)
{
	struct decision *d = arena_alloc(&r->arena, sizeof *d);
	const char *name = purpose_at < 0 ? req_query(r, "purpose") : r->params[purpose_at];
	const int at = name ? snapshot_purpose(r->snapshot, name) : -1;
	enum err e;

	r->plan = *out = d;
	*purpose = 0;
	*index = 0;
	if (!d)
		return req_fail(r, ERR_MEMORY, NULL);
	e = target_parse(r, r->params[0], &d->target);
	if (e || !name)
		return e;
	if (at < 0)
		return req_fail(r, ERR_UNKNOWN_PURPOSE, "purpose");
	*index = (size_t)at;
	*purpose = r->snapshot->purposes[at].number;
	return ERR_OK;
}

enum err consent_put_plan(struct req *r)
{
	struct decision *d;
	uint16_t purpose;
	size_t index;
	enum err e = plan_decision(r, 1, &d, &purpose, &index);

	return e ? e : consent_parse(r, doc_root(r->doc), index, "", &d->input);
}

static enum err plan_plain(struct req *r, enum consent_kind kind, int purpose_at)
{
	struct decision *d;
	uint16_t purpose;
	size_t index;
	enum err e = plan_decision(r, purpose_at, &d, &purpose, &index);

	return e ? e : consent_plain_event(r, kind, purpose, NULL, &d->input.event);
}

enum err consent_withdraw_plan(struct req *r)
{
	return plan_plain(r, CONSENT_WITHDRAWN, 1);
}

enum err objection_put_plan(struct req *r)
{
	return plan_plain(r, OBJECTION_MADE, 1);
}

enum err objection_delete_plan(struct req *r)
{
	return plan_plain(r, OBJECTION_LIFTED, 1);
}

enum err restriction_put_plan(struct req *r)
{
	return plan_plain(r, RESTRICTION_SET, -1);
}

enum err restriction_delete_plan(struct req *r)
{
	return plan_plain(r, RESTRICTION_LIFTED, -1);
}

enum err basis_delete_plan(struct req *r)
{
	return plan_plain(r, BASIS_ENDED, 1);
}

enum err basis_put_plan(struct req *r)
{
	static const char *const bases[] = {"contract", "legal_obligation", "vital_interest", "public_task", "legitimate_interest", NULL};
	static const char *const keys[] = {"basis", NULL};
	const struct node *root = NULL;
	const char *basis;
	struct decision *d;
	uint16_t purpose;
	size_t index;
	enum err e = plan_decision(r, 1, &d, &purpose, &index);

	if (!e)
		e = req_object(r, keys, &root);
	if (e)
		return e;
	basis = manage_text(r, root, "basis", FIELD_NAME_MAX - 1);
	if (!basis)
		return r->err;
	for (const char *const *at = bases; *at; at++)
		if (!strcmp(*at, basis))
			return consent_plain_event(r, BASIS_RECORDED, purpose, *at, &d->input.event);
	return req_fail(r, ERR_CONSENT, "/basis");
}

enum step consent_put_want(struct req *r, struct batch *b)
{
	struct decision *d = r->plan;

	target_want(r, b, &d->target, true);
	return d->target.id && !batch_claim(b, r, CLAIM_CUSTOMER, d->target.id) ? STEP_AGAIN : STEP_MORE;
}

static const char *purpose_name(const struct req *r, uint16_t number)
{
	for (size_t i = 0; i < r->snapshot->n_purposes; i++)
		if (r->snapshot->purposes[i].number == number)
			return r->snapshot->purposes[i].name;
	return "*";
}

static enum err guardian_named(struct req *r, struct batch *b, const struct decision *d, struct customer *c)
{
	bool minor = false;
	enum err e;

	if (d->input.event.kind != CONSENT_GIVEN || d->input.guardian)
		return ERR_OK;
	e = consent_customer_minor(b, r->snapshot, c, &minor);
	return !e && minor ? req_fail(r, ERR_CONSENT, "/guardian") : e;
}

static enum err audit_decision(struct req *r, struct batch *b, const struct decision *d, const struct customer *c)
{
	char object[128];
	const struct audit_entry entry = {.activity = "consent",
	                                  .customer = c,
	                                  .object = object,
	                                  .row_version = d->written.version,
	                                  .row_sha256 = d->written.row_sha256,
	                                  .state = (int)value_state(r, b, c)};

	snprintf(object, sizeof object, "%s:%s", consent_kind_name((int)d->input.event.kind), purpose_name(r, d->input.event.purpose));
	return audit_add(r, b, &entry);
}

enum step consent_put_decide(struct req *r, struct batch *b)
{
	struct decision *d = r->plan;
	struct customer *c;

	if (!target_locked(b, &d->target))
		return STEP_MORE;
	if (manage_right(r, RIGHT_RECORD_CONSENTS))
		return STEP_FAIL;
	r->err = target_open(b, &d->target, &c);
	r->about = c;
	if (!r->err)
		r->err = guardian_named(r, b, d, c);
	if (!r->err)
		r->err = consent_record(b, r->snapshot, c, &d->input.event, 1, &d->written);
	if (!r->err)
		r->err = audit_decision(r, b, d, c);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err consent_put_reply(struct req *r, struct batch *b)
{
	const struct decision *d = r->plan;
	const struct written *w = &d->written;
	enum err e;

	buf_text(&r->out, "{\"customer\":");
	e = batch_write_customer_token(b, r->audience, w->id, w->token_generation, &r->out);
	buf_printf(&r->out, ",\"version\":%u,\"purpose\":", w->version);
	if (d->input.event.purpose)
		buf_printf(&r->out, "\"%s\"", purpose_name(r, d->input.event.purpose));
	else
		buf_text(&r->out, "null");
	buf_printf(&r->out, ",\"decision\":\"%s\"}", consent_kind_name((int)d->input.event.kind));
	return e ? e : batch_etag(b, r->audience, w->id, w->version, r->etag);
}
