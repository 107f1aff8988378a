/* customer_read.c: GET /v1/customers/{customer}. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "vault/app/values.h"

#include <string.h>

struct read_plan {
	struct target target;
	struct asked asked;
	uint16_t *subjects; /* asked for by name; n 0: all tokens */
	size_t n;
	struct given *given;
	size_t n_given;
	struct customer *customer;
	bool large_read;
};

static enum err parse_names(struct req *r, struct read_plan *p, const char *list)
{
	size_t most = 1;

	for (const char *at = list; *at; at++)
		most += *at == ',';
	if (most > FIELDS_MAX)
		return req_fail(r, ERR_LIMIT, "fields");
	p->subjects = arena_array(&r->arena, most, sizeof *p->subjects);
	if (!p->subjects)
		return req_fail(r, ERR_MEMORY, NULL);
	while (*list) {
		const size_t len = strcspn(list, ",");
		const int subject = snapshot_field(r->snapshot, list, len);

		if (subject < 0 || r->snapshot->fields[subject].record)
			return req_fail(r, ERR_UNKNOWN_FIELD, "fields");
		for (size_t i = 0; i < p->n; i++)
			if (p->subjects[i] == subject)
				return req_fail(r, ERR_BAD_PARAMETER, "fields");
		p->subjects[p->n++] = (uint16_t)subject;
		list += len + (list[len] == ',');
	}
	return p->n ? ERR_OK : req_fail(r, ERR_BAD_PARAMETER, "fields");
}

enum err read_customer_plan(struct req *r)
{
	struct read_plan *p = arena_alloc(&r->arena, sizeof *p);
	const char *fields = req_query(r, "fields"), *form = req_query(r, "form");
	enum err e;

	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	r->plan = p;
	e = target_parse(r, r->params[0], &p->target);
	if (!e)
		e = asked_parse(r, form, fields ? "best" : "token", &p->asked);
	if (!e && fields)
		e = parse_names(r, p, fields);
	if (!e && !fields && p->asked.cap != FORM_TOKEN)
		e = req_fail(r, ERR_BAD_PARAMETER, "fields"); /* values are asked for by name */
	return e;
}

enum step read_customer_want(struct req *r, struct batch *b)
{
	struct read_plan *p = r->plan;

	p->large_read = false;
	target_want(r, b, &p->target, false);
	return STEP_MORE;
}

/* Without names: every field that the customer has and of which policy gives at least the token. */
static enum err decide_fields(struct req *r, struct batch *b, struct read_plan *p, struct audit_entry *entry, uint16_t rules[POLICY_VERDICT_RULES])
{
	const size_t n = p->n ? p->n : p->customer->n_units;
	const unsigned state = value_state(r, b, p->customer);
	struct policy_verdict v;

	p->given = arena_array(&r->arena, n + 1, sizeof *p->given);
	p->n_given = 0;
	entry->state = (int)state;
	if (!p->given)
		return ERR_MEMORY;
	for (size_t i = 0; i < n; i++) {
		uint16_t subject = p->n ? p->subjects[i] : 0;

		if (!p->n) {
			const int found = snapshot_subject(r->snapshot, p->customer->units[i].number);

			if (found < 0) /* an external reference */
				continue;
			subject = (uint16_t)found;
		}
		value_decide(r, subject, &p->asked, state, &p->given[p->n_given], &v);
		if (!p->n && p->given[p->n_given].form < FORM_TOKEN)
			continue;
		p->n_given++;
		for (size_t k = 0; k < v.n_rules; k++) {
			size_t at = 0;

			while (at < entry->n_rules && rules[at] != v.rules[k])
				at++;
			if (at == entry->n_rules && at < POLICY_VERDICT_RULES)
				rules[entry->n_rules++] = v.rules[k];
		}
	}
	return ERR_OK;
}

/* Values over 1 KiB stand in rows of their own: one more round for those. */
static bool want_large(struct batch *b, struct req *r, struct read_plan *p)
{
	for (size_t i = 0; i < p->n_given; i++) {
		const struct unit *u = customer_unit(p->customer, r->snapshot->fields[p->given[i].subject].number);

		if (u && u->len == 0 && p->given[i].form > FORM_TOKEN)
			customer_want_value(b, p->customer, u);
	}
	return reads_pending(b->reads);
}

static bool all_fit(const struct req *r, struct batch *b, const struct read_plan *p)
{
	for (size_t i = 0; i < p->n_given; i++) {
		const struct unit *u =
		    p->given[i].form > FORM_TOKEN ? customer_unit(p->customer, r->snapshot->fields[p->given[i].subject].number) : NULL;

		if (u && !value_fits(r, b, p->customer, u))
			return false;
	}
	return true;
}

enum step read_customer_decide(struct req *r, struct batch *b)
{
	struct read_plan *p = r->plan;
	struct audit_field fields[FIELDS_MAX + CUSTOMER_UNITS_MAX];
	uint16_t rules[POLICY_VERDICT_RULES];
	struct audit_entry entry = {.activity = "read", .asked = p->asked.name, .fields = fields, .rules = rules};

	r->err = target_open(b, &p->target, &p->customer);
	r->about = p->customer;
	if (!r->err)
		r->err = decide_fields(r, b, p, &entry, rules);
	if (r->err)
		return STEP_FAIL;
	if (!p->large_read) {
		p->large_read = true;
		if (want_large(b, r, p))
			return STEP_MORE;
	}
	if (!all_fit(r, b, p))
		return STEP_AGAIN;
	for (size_t i = 0; i < p->n_given; i++)
		fields[entry.n_fields++] = (struct audit_field){p->given[i].subject, p->given[i].form};
	entry.customer = p->customer;
	entry.row_version = p->customer->row->version;
	r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum err put_field(struct req *r, struct batch *b, struct read_plan *p, const struct given *g, bool first)
{
	const struct field *f = &r->snapshot->fields[g->subject];
	struct buf *out = &r->out;
	enum err e = ERR_OK;

	if (!first)
		buf_byte(out, ',');
	buf_byte(out, '"');
	buf_text(out, f->name);
	buf_text(out, "\":");
	if (g->form == FORM_DENY) {
		buf_text(out, "{\"form\":\"deny\",\"code\":\"");
		buf_text(out, err_code(g->code));
		buf_text(out, "\"}");
	} else if (!customer_unit(p->customer, f->number)) {
		buf_text(out, "null");
	} else {
		buf_byte(out, '{');
		e = value_render(b, r, p->customer, g, true, out);
		buf_byte(out, '}');
	}
	return e;
}

/* The caller's own reference, shown to its audience alone. */
static enum err put_ref(struct req *r, struct batch *b, struct customer *c)
{
	const struct unit *u = customer_unit(c, (uint16_t)(EXTERNAL_REF + r->audience->number));

	if (!u)
		return ERR_OK;
	buf_text(&r->out, ",\"external_ref\":");
	return customer_value(b, c, u, &r->out);
}

enum err read_customer_reply(struct req *r, struct batch *b)
{
	struct read_plan *p = r->plan;
	const struct customer_row *row = p->customer->row;
	enum err e;

	(void)buf_reserve(&r->out, 192 + p->n_given * 160); /* what most replies take, at once */
	buf_text(&r->out, "{\"customer\":");
	e = batch_write_customer_token(b, r->audience, row->id, row->token_generation, &r->out);
	buf_printf(&r->out, ",\"version\":%u", row->version);
	if (!e)
		e = put_ref(r, b, p->customer);
	buf_text(&r->out, ",\"fields\":{");
	for (size_t i = 0; i < p->n_given && !e; i++)
		e = put_field(r, b, p, &p->given[i], i == 0);
	buf_text(&r->out, "}}");
	return e ? e : batch_etag(b, r->audience, row->id, row->version, r->etag);
}
