/* tokens.c: POST /v1/tokens:detokenize and :translate: many tokens, mixed
 * customers, one result each in the order given, one audit record a customer. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "vault/app/values.h"

#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX 1000

struct token_item {
	struct token_text text;
	struct token_target target;
	struct customer *customer;
	enum err err;
	struct given given;
};

struct tokens_plan {
	struct token_item *items;
	uint32_t *order; /* items by customer */
	size_t n;
	struct asked asked;
	const struct audience *to; /* translate */
	bool large_read;
};

static enum err plan_tokens(struct req *r, const struct node *root, struct tokens_plan **out)
{
	const struct node *list = node_get(root, "tokens");
	struct tokens_plan *p = arena_alloc(&r->arena, sizeof *p);

	if (node_type(list) != NODE_ARRAY)
		return req_fail(r, ERR_MALFORMED, "/tokens");
	if (node_count(list) > TOKENS_MAX)
		return req_fail(r, ERR_LIMIT, "/tokens");
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	r->plan = p;
	*out = p;
	p->n = node_count(list);
	p->items = arena_array(&r->arena, p->n + 1, sizeof *p->items);
	p->order = arena_array(&r->arena, p->n + 1, sizeof *p->order);
	if (!p->items || !p->order)
		return req_fail(r, ERR_MEMORY, NULL);
	for (size_t i = 0; i < p->n; i++) {
		size_t len;
		const char *text = node_string(node_at(list, i), &len);

		if (!text)
			return req_fail(r, ERR_MALFORMED, "/tokens/%zu", i);
		p->items[i].err = token_decode(text, len, &p->items[i].text);
	}
	r->job.weight = p->n ? (uint32_t)p->n : 1;
	return ERR_OK;
}

enum err detokenize_plan(struct req *r)
{
	static const char *const keys[] = {"tokens", "form", NULL};
	const struct node *root = NULL, *form;
	struct tokens_plan *p;
	const char *text = NULL;
	size_t len;
	enum err e = req_object(r, keys, &root);

	if (!e)
		e = plan_tokens(r, root, &p);
	if (e)
		return e;
	form = node_get(root, "form");
	if (form && !(text = node_string(form, &len)))
		return req_fail(r, ERR_MALFORMED, "/form");
	return asked_parse(r, text, "best", &p->asked);
}

enum err translate_plan(struct req *r)
{
	static const char *const keys[] = {"tokens", "audience", NULL};
	const struct node *root = NULL;
	struct tokens_plan *p;
	const char *name;
	size_t len;
	int at;
	enum err e = req_object(r, keys, &root);

	if (!e)
		e = plan_tokens(r, root, &p);
	if (e)
		return e;
	name = node_string(node_get(root, "audience"), &len);
	if (!name)
		return req_fail(r, ERR_MALFORMED, "/audience");
	at = snapshot_audience(r->snapshot, name);
	if (at < 0)
		return req_fail(r, ERR_INVALID_VALUE, "/audience");
	p->to = &r->snapshot->audiences[at];
	p->asked = (struct asked){"token", FORM_TOKEN};
	return ERR_OK;
}

enum step detokenize_want(struct req *r, struct batch *b)
{
	struct tokens_plan *p = r->plan;

	p->large_read = false;
	for (size_t i = 0; i < p->n; i++) {
		struct token_item *it = &p->items[i];

		it->customer = NULL;
		it->target = (struct token_target){0};
		if (it->err == ERR_BAD_TOKEN)
			continue;
		it->err = batch_token(b, r, &it->text, &it->target);
		reads_customer(b->reads, (int64_t)it->target.customer); /* 0 where it does not open: no such row */
	}
	return STEP_MORE;
}

enum step translate_want(struct req *r, struct batch *b)
{
	return detokenize_want(r, b);
}

static enum err open_item(struct batch *b, struct token_item *it)
{
	const struct target t = {.id = (int64_t)it->target.customer, .generation = it->target.generation};

	return target_open(b, &t, &it->customer);
}

/* What policy says to one token of a field. */
static void decide_value(struct req *r, struct batch *b, const struct tokens_plan *p, struct token_item *it, struct policy_verdict *v)
{
	const int subject = snapshot_subject(r->snapshot, it->target.subject);

	if (it->target.type != TOKEN_FIELD || subject < 0 || !customer_unit(it->customer, it->target.subject)) {
		it->err = ERR_NOT_FOUND;
		return;
	}
	value_decide(r, (uint16_t)subject, &p->asked, value_state(r, b, it->customer), &it->given, v);
	it->err = it->given.code;
}

/* A customer's token may be translated by whoever may translate some field of it. */
static void decide_translation(struct req *r, struct batch *b, struct token_item *it, struct policy_verdict *v)
{
	const unsigned state = value_state(r, b, it->customer);
	const int of_field = snapshot_subject(r->snapshot, it->target.subject);
	const bool any = it->target.type == TOKEN_CUSTOMER;
	const size_t first = any ? 0 : (size_t)of_field;
	const size_t last = any ? r->snapshot->n_fields : first + 1;

	it->err = ERR_NOT_FOUND;
	if (!any && (it->target.type == TOKEN_RECORD || of_field < 0))
		return;
	for (size_t i = first; i < last && it->err; i++) {
		policy_decide(r->snapshot->policy, &r->who, VERB_TRANSLATE, i, (size_t)r->purpose, state, v);
		it->err = v->form != FORM_DENY ? ERR_OK : v->consent_missing ? ERR_NO_CONSENT : ERR_POLICY_DENIED;
	}
	it->given = (struct given){.subject = (uint16_t)(of_field < 0 ? 0 : of_field), .form = it->err ? FORM_DENY : FORM_TOKEN};
}

static bool want_large(struct batch *b, struct tokens_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		struct token_item *it = &p->items[i];
		const struct unit *u = it->err || p->to ? NULL : customer_unit(it->customer, it->target.subject);

		if (u && u->len == 0 && it->given.form > FORM_TOKEN)
			customer_want_value(b, it->customer, u);
	}
	return reads_pending(b->reads);
}

static bool all_fit(const struct req *r, struct batch *b, const struct tokens_plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct token_item *it = &p->items[i];
		const struct unit *u =
		    it->err || p->to || it->given.form <= FORM_TOKEN ? NULL : customer_unit(it->customer, it->target.subject);

		if (u && !value_fits(r, b, it->customer, u))
			return false;
	}
	return true;
}

static int by_customer(const void *a, const void *b, void *ctx)
{
	const struct token_item *items = ctx;
	uint32_t i, k;
	uint64_t x, y;

	memcpy(&i, a, sizeof i);
	memcpy(&k, b, sizeof k);
	x = items[i].customer ? items[i].target.customer : 0;
	y = items[k].customer ? items[k].target.customer : 0;
	return x != y ? (x > y) - (x < y) : (i > k) - (i < k);
}

/* A row that did not open weighs more than a token that opened nothing. */
static enum err why_nowhere(const struct tokens_plan *p, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const enum err e = p->items[p->order[i]].err;

		if (e != ERR_NOT_FOUND && e != ERR_BAD_TOKEN)
			return e;
	}
	return ERR_NOT_FOUND;
}

/* One record for the run of items of one customer, or of those that led nowhere. */
static enum err audit_run(struct req *r, struct batch *b, const struct tokens_plan *p, const struct policy_verdict *verdicts,
                          size_t from, size_t to)
{
	const struct token_item *first = &p->items[p->order[from]];
	struct audit_field *fields = arena_array(&b->arena, to - from, sizeof *fields);
	uint16_t rules[POLICY_VERDICT_RULES];
	struct audit_entry entry = {.activity = p->to ? "translate" : "read",
	                            .customer = first->customer,
	                            .asked = p->asked.name,
	                            .fields = fields,
	                            .count = (uint32_t)(to - from),
	                            .object = p->to ? p->to->name : NULL,
	                            .rules = rules,
	                            .state = -1};

	if (!fields)
		return ERR_MEMORY;
	entry.code = first->customer ? ERR_OK : why_nowhere(p, from, to);
	if (first->customer) {
		entry.row_version = first->customer->row->version;
		entry.state = (int)value_state(r, b, first->customer);
	}
	for (size_t i = from; i < to; i++) {
		const struct token_item *it = &p->items[p->order[i]];
		const struct policy_verdict *v = &verdicts[p->order[i]];

		if (it->customer && it->target.type == TOKEN_FIELD && it->err != ERR_NOT_FOUND)
			fields[entry.n_fields++] = (struct audit_field){it->given.subject, it->given.form};
		for (size_t k = 0; k < v->n_rules && entry.n_rules < POLICY_VERDICT_RULES; k++) {
			size_t at = 0;

			while (at < entry.n_rules && rules[at] != v->rules[k])
				at++;
			if (at == entry.n_rules)
				rules[entry.n_rules++] = v->rules[k];
		}
	}
	return audit_add(r, b, &entry);
}

enum step detokenize_decide(struct req *r, struct batch *b)
{
	struct tokens_plan *p = r->plan;
	struct policy_verdict *verdicts = arena_array(&b->arena, p->n + 1, sizeof *verdicts);

	if (!verdicts)
		return req_fail(r, ERR_MEMORY, NULL), STEP_FAIL;
	for (size_t i = 0; i < p->n; i++) {
		struct token_item *it = &p->items[i];

		p->order[i] = (uint32_t)i;
		if (it->err == ERR_BAD_TOKEN)
			continue;
		it->err = open_item(b, it);
		if (!it->err && p->to)
			decide_translation(r, b, it, &verdicts[i]);
		else if (!it->err)
			decide_value(r, b, p, it, &verdicts[i]);
	}
	if (!p->large_read) {
		p->large_read = true;
		if (want_large(b, p))
			return STEP_MORE;
	}
	if (!all_fit(r, b, p))
		return STEP_AGAIN;
	qsort_r(p->order, p->n, sizeof *p->order, by_customer, p->items);
	for (size_t from = 0, to; from < p->n; from = to) {
		for (to = from + 1; to < p->n && p->items[p->order[to]].customer == p->items[p->order[from]].customer; to++)
			;
		r->err = audit_run(r, b, p, verdicts, from, to);
		if (r->err)
			return STEP_FAIL;
	}
	return STEP_DONE;
}

enum step translate_decide(struct req *r, struct batch *b)
{
	return detokenize_decide(r, b);
}

static enum err put_translated(struct batch *b, const struct tokens_plan *p, const struct token_item *it, struct buf *out)
{
	buf_text(out, "\"token\":");
	return batch_write_token(b, p->to, &it->target, out);
}

enum err detokenize_reply(struct req *r, struct batch *b)
{
	const struct tokens_plan *p = r->plan;
	struct json j;
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"results\":[");
	for (size_t i = 0; i < p->n && !e; i++) {
		const struct token_item *it = &p->items[i];

		if (i)
			buf_byte(&r->out, ',');
		json_init(&j, &r->out);
		json_object(&j);
		json_key_int(&j, "index", (int64_t)i);
		if (it->err) {
			error_member(&j, it->err, NULL);
		} else {
			buf_byte(&r->out, ',');
			e = p->to ? put_translated(b, p, it, &r->out) : value_render(b, r, it->customer, &it->given, false, &r->out);
		}
		buf_byte(&r->out, '}');
	}
	buf_text(&r->out, "]}");
	return e;
}

enum err translate_reply(struct req *r, struct batch *b)
{
	return detokenize_reply(r, b);
}
