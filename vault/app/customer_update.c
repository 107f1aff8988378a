/* customer_update.c: PATCH of a customer, and the revocation of all tokens to one. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "vault/app/hold.h"
#include "vault/app/values.h"

#include <string.h>

#define CLAIM_CUSTOMER 0xc5000000000000u

struct update_plan {
	struct target target;
	struct field_changes changes;
	bool revoke, large_read;
	struct written written;
};

static enum err plan_target(struct req *r, struct update_plan **out)
{
	struct update_plan *p = arena_alloc(&r->arena, sizeof *p);

	*out = p;
	r->plan = p;
	return p ? target_parse(r, r->params[0], &p->target) : req_fail(r, ERR_MEMORY, NULL);
}

enum err patch_plan(struct req *r)
{
	static const char *const keys[] = {"fields", NULL};
	const struct node *root = NULL;
	struct update_plan *p;
	enum err e = plan_target(r, &p);

	if (!e)
		e = req_object(r, keys, &root);
	if (!e)
		e = changes_parse(r, node_get(root, "fields"), true, "/fields", &p->changes);
	if (!e && p->changes.n == 0)
		e = req_fail(r, ERR_MALFORMED, "/fields");
	for (size_t i = 0; !e && i < p->changes.n; i++)
		r->job.solo = r->job.solo || !p->changes.list[i].text; /* a removal asks for holds */
	if (!e && !r->if_match)
		e = req_fail(r, ERR_VERSION_REQUIRED, "If-Match");
	return e;
}

enum err revoke_tokens_plan(struct req *r)
{
	struct update_plan *p;
	enum err e = plan_target(r, &p);

	if (!e)
		p->revoke = true;
	return e;
}

enum step patch_want(struct req *r, struct batch *b)
{
	struct update_plan *p = r->plan;

	p->large_read = false;
	target_want(r, b, &p->target, true);
	return p->target.id && !batch_claim(b, r, CLAIM_CUSTOMER, p->target.id) ? STEP_AGAIN : STEP_MORE;
}

enum step revoke_tokens_want(struct req *r, struct batch *b)
{
	return patch_want(r, b);
}

static enum err check_version(struct req *r, struct batch *b, const struct customer_row *row)
{
	char etag[40];
	enum err e = batch_etag(b, r->audience, row->id, row->version, etag);

	if (e || !strcmp(r->if_match, "*"))
		return e;
	return strcmp(r->if_match, etag) ? req_fail(r, ERR_VERSION, "If-Match") : ERR_OK;
}

static enum err audit_update(struct req *r, struct batch *b, const struct update_plan *p, const struct customer *c)
{
	struct audit_field fields[FIELDS_MAX + 1];
	struct audit_entry entry = {.activity = p->revoke ? "revoke" : "update",
	                            .customer = c,
	                            .fields = fields,
	                            .row_version = p->written.version,
	                            .row_sha256 = p->written.row_sha256,
	                            .state = (int)value_state(r, b, c)};

	for (size_t i = 0; i < p->changes.n; i++)
		fields[entry.n_fields++] = (struct audit_field){p->changes.subjects[i], p->changes.list[i].text ? FORM_PLAIN : FORM_DENY};
	return audit_add(r, b, &entry);
}

/* A held field may be corrected, not removed. */
static enum err removals_allowed(struct req *r, struct batch *b, const struct update_plan *p, const struct customer *c)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < p->changes.n && !e; i++)
		if (!p->changes.list[i].text) {
			e = hold_allows(r, b, c->row->id, p->changes.subjects[i]);
			if (e)
				e = req_fail(r, e, "/fields/%s", r->snapshot->fields[p->changes.subjects[i]].name);
		}
	return e;
}

enum step patch_decide(struct req *r, struct batch *b)
{
	struct update_plan *p = r->plan;
	struct customer_state state;
	struct customer *c;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	r->err = target_open(b, &p->target, &c);
	r->about = c;
	if (!r->err)
		r->err = check_version(r, b, c->row);
	if (!r->err)
		r->err = changes_allowed(r, &p->changes, value_state(r, b, c));
	if (!r->err)
		r->err = removals_allowed(r, b, p, c);
	if (r->err)
		return STEP_FAIL;
	if (!p->large_read) {
		p->large_read = true;
		if (changes_want_old(&p->changes, b, c))
			return STEP_MORE;
	}
	state = customer_state_of(c);
	r->err = customer_update(b, r->snapshot, c, p->changes.list, p->changes.n, &state, &p->written);
	if (!r->err)
		r->err = audit_update(r, b, p, c);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step revoke_tokens_decide(struct req *r, struct batch *b)
{
	struct update_plan *p = r->plan;
	struct customer_state state;
	struct customer *c;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	r->err = target_open(b, &p->target, &c);
	r->about = c;
	if (!r->err && !may_write_some_field(r, value_state(r, b, c))) /* whoever may write some may cut all tokens */
		r->err = ERR_POLICY_DENIED;
	if (!r->err) {
		state = customer_state_of(c);
		state.token_generation++;
		r->err = customer_update(b, r->snapshot, c, NULL, 0, &state, &p->written);
	}
	if (!r->err)
		r->err = audit_update(r, b, p, c);
	b->change = b->change || !r->err;
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err patch_reply(struct req *r, struct batch *b)
{
	const struct update_plan *p = r->plan;
	static const struct asked token = {"token", FORM_TOKEN};
	const struct written *w = &p->written;
	struct token_target t = {.type = TOKEN_FIELD, .customer = (uint64_t)w->id, .generation = (uint16_t)w->token_generation};
	const unsigned state = value_state(r, b, &w->customer);
	bool comma = false;
	enum err e;

	buf_text(&r->out, "{\"customer\":");
	e = batch_write_customer_token(b, r->audience, w->id, w->token_generation, &r->out);
	buf_printf(&r->out, ",\"version\":%u,\"fields\":{", w->version);
	for (size_t i = 0; i < p->changes.n && !e; i++) {
		struct policy_verdict v;
		struct given g;

		value_decide(r, p->changes.subjects[i], &token, state, &g, &v);
		if (g.form < FORM_TOKEN && p->changes.list[i].text)
			continue;
		t.subject = p->changes.list[i].number;
		buf_printf(&r->out, "%s\"%s\":", comma ? "," : "", r->snapshot->fields[p->changes.subjects[i]].name);
		comma = true;
		buf_text(&r->out, p->changes.list[i].text ? "{\"token\":" : "null");
		if (p->changes.list[i].text) {
			e = batch_write_token(b, r->audience, &t, &r->out);
			buf_byte(&r->out, '}');
		}
	}
	buf_text(&r->out, "}}");
	return e ? e : batch_etag(b, r->audience, w->id, w->version, r->etag);
}

enum err revoke_tokens_reply(struct req *r, struct batch *b)
{
	return patch_reply(r, b);
}
