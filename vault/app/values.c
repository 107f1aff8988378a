/* values.c: fields from bodies, decisions, and values into replies. */
#include "vault/app/values.h"

#include "base/json.h"
#include "codec/value.h"

#include <stdlib.h>
#include <string.h>

enum err asked_parse(struct req *r, const char *text, const char *fallback, struct asked *out)
{
	static const struct asked forms[] = {
	    {"token", FORM_TOKEN}, {"masked", FORM_MASK(0)}, {"plain", FORM_PLAIN}, {"best", FORM_PLAIN}};

	if (!text)
		text = fallback;
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (!strcmp(forms[i].name, text)) {
			*out = forms[i];
			return ERR_OK;
		}
	return req_fail(r, ERR_BAD_PARAMETER, "form");
}

static enum err add_change(struct req *r, struct field_changes *c, uint16_t subject, const struct node *value, bool removal,
                           const char *at)
{
	const struct field *f = &r->snapshot->fields[subject];
	struct change *ch = &c->list[c->n];
	size_t element = 0, i = c->n;
	struct buf text;
	enum err e = ERR_OK;

	*ch = (struct change){.number = f->number};
	c->subjects[c->n] = subject;
	buf_init(&text, 0);
	if (node_type(value) != NODE_NULL || !removal) {
		e = value_store(f, r->app->config->default_country, value, &text, &element);
		if (!e && !(ch->text = arena_copy(&r->arena, text.data, text.len)))
			e = ERR_MEMORY;
		ch->len = text.len;
	}
	buf_fini(&text);
	if (e)
		return req_fail(r, e, f->list ? "%s/%s/%zu" : "%s/%s", at, f->name, element);
	for (; i > 0 && c->list[i - 1].number > c->list[i].number; i--) { /* ascending */
		const struct change moved = c->list[i];
		const uint16_t moved_subject = c->subjects[i];

		c->list[i] = c->list[i - 1];
		c->subjects[i] = c->subjects[i - 1];
		c->list[i - 1] = moved;
		c->subjects[i - 1] = moved_subject;
	}
	c->n++;
	return ERR_OK;
}

enum err changes_parse(struct req *r, const struct node *fields, bool removal, const char *at, struct field_changes *out)
{
	const size_t n = node_count(fields);
	struct node_iter it;
	const struct node *value;

	*out = (struct field_changes){0};
	if (fields && node_type(fields) != NODE_OBJECT)
		return req_fail(r, ERR_MALFORMED, "%s", at);
	if (n > FIELDS_MAX)
		return req_fail(r, ERR_LIMIT, "%s", at);
	out->list = arena_array(&r->arena, n + 1, sizeof *out->list);
	out->subjects = arena_array(&r->arena, n + 1, sizeof *out->subjects);
	if (!out->list || !out->subjects)
		return req_fail(r, ERR_MEMORY, NULL);
	it = node_members(fields);
	while ((value = node_next(&it))) {
		const int subject = snapshot_field(r->snapshot, it.key, it.key_len);
		enum err e;

		if (subject < 0 || r->snapshot->fields[subject].record || r->snapshot->fields[subject].retired)
			return req_fail(r, ERR_UNKNOWN_FIELD, "%s/%.40s", at, it.key);
		e = add_change(r, out, (uint16_t)subject, value, removal, at);
		if (e)
			return e;
	}
	return ERR_OK;
}

#define REF_MAX 128

enum err changes_add_ref(struct req *r, struct field_changes *c, const char *ref, size_t len)
{
	struct buf text;
	struct json j;
	struct change *ch = &c->list[c->n];

	if (len == 0 || len > REF_MAX)
		return req_fail(r, ERR_INVALID_VALUE, "/external_ref");
	if (!r->audience)
		return ERR_OK; /* a stranger: refused, and recorded, by the batch */
	buf_init(&text, 0);
	json_init(&j, &text);
	json_string_len(&j, ref, len);
	ch->number = (uint16_t)(EXTERNAL_REF + r->audience->number);
	ch->text = arena_copy(&r->arena, text.data, text.len);
	ch->len = text.len;
	c->n++;
	buf_fini(&text);
	return ch->text ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
}

bool changes_want_old(const struct field_changes *c, struct batch *b, const struct customer *customer)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct unit *u = customer_unit(customer, c->list[i].number);

		if (u)
			customer_want_value(b, customer, u);
	}
	return reads_pending(b->reads);
}

bool may_write_some_field(const struct req *r, unsigned state)
{
	struct policy_verdict v;

	for (size_t i = 0; i < r->snapshot->n_fields; i++) {
		if (r->snapshot->fields[i].record)
			continue;
		policy_decide(r->snapshot->policy, &r->who, VERB_WRITE, i, (size_t)r->purpose, state, &v);
		if (v.form != FORM_DENY)
			return true;
	}
	return false;
}

enum err changes_allowed(struct req *r, const struct field_changes *c, unsigned state)
{
	struct policy_verdict v;
	bool fields = false;

	for (size_t i = 0; i < c->n; i++) {
		if (c->list[i].number >= EXTERNAL_REF)
			continue; /* the caller's own */
		fields = true;
		policy_decide(r->snapshot->policy, &r->who, VERB_WRITE, c->subjects[i], (size_t)r->purpose, state, &v);
		if (v.form == FORM_DENY)
			return req_fail(r, v.restricted ? ERR_RESTRICTED : v.consent_missing ? ERR_NO_CONSENT : ERR_POLICY_DENIED, "/fields/%s",
			                r->snapshot->fields[c->subjects[i]].name);
	}
	return fields || may_write_some_field(r, state) ? ERR_OK : req_fail(r, ERR_POLICY_DENIED, NULL);
}

void value_decide(const struct req *r, uint16_t subject, const struct asked *asked, unsigned state, struct given *out,
                  struct policy_verdict *verdict)
{
	const struct field *f = &r->snapshot->fields[subject];
	uint8_t cap = asked->cap;

	policy_decide(r->snapshot->policy, &r->who, VERB_READ, subject, (size_t)r->purpose, state, verdict);
	if (cap == FORM_MASK(0)) /* the strongest mask that the field has */
		cap = f->n_masks ? (uint8_t)FORM_MASK(f->n_masks - 1) : FORM_TOKEN;
	out->subject = subject;
	out->form = verdict->form < cap ? verdict->form : cap;
	out->code = ERR_OK;
	if (out->form == FORM_DENY)
		out->code = verdict->consent_missing ? ERR_NO_CONSENT : ERR_POLICY_DENIED;
}

#define UNFIT_MAX 2

bool value_fits(const struct req *r, struct batch *b, const struct customer *c, const struct unit *u)
{
	uint32_t version = 0;
	size_t len;

	if (u->len || r->job.deferrals >= UNFIT_MAX)
		return true;
	return reads_get_large(b->reads, c->row->id, u->number, &version, &len) && version == u->version;
}

unsigned value_state(const struct req *r, const struct batch *b, const struct customer *c)
{
	return r->purpose < 0 ? 0 : customer_state(b, c, r->snapshot->purposes[r->purpose].number);
}

enum err value_render(struct batch *b, const struct req *r, struct customer *c, const struct given *g, bool with_token, struct buf *out)
{
	const struct field *f = &r->snapshot->fields[g->subject];
	const struct unit *u = customer_unit(c, f->number);
	const struct token_target t = {.type = TOKEN_FIELD,
	                               .customer = (uint64_t)c->row->id,
	                               .subject = f->number,
	                               .generation = (uint16_t)c->row->token_generation};
	enum err e = ERR_OK;

	if (with_token) {
		buf_text(out, "\"token\":");
		e = batch_write_token(b, r->audience, &t, out);
		buf_byte(out, ',');
	}
	buf_text(out, "\"form\":\"");
	buf_text(out, form_name(g->form));
	buf_byte(out, '"');
	if (e || g->form <= FORM_TOKEN)
		return e;
	buf_text(out, ",\"value\":");
	if (g->form == FORM_PLAIN) { /* stored as JSON: opened in its place */
		e = customer_value(b, c, u, out);
	} else {
		buf_reset(&b->scratch);
		e = customer_value(b, c, u, &b->scratch);
		if (!e)
			e = value_mask(f, g->form - (size_t)FORM_MASK(0), (const char *)b->scratch.data, b->scratch.len, out);
		buf_reset(&b->scratch);
	}
	return e ? e : buf_err(out);
}

void error_member(struct json *j, enum err e, const char *pointer)
{
	json_key(j, "error");
	json_object(j);
	json_key_string(j, "code", err_code(req_public(e)));
	if (pointer)
		json_key_string(j, "pointer", pointer);
	json_object_end(j);
}

enum err target_parse(struct req *r, const char *text, struct target *out)
{
	enum err e = token_decode(text, strlen(text), &out->text);

	if (e || out->text.type != TOKEN_CUSTOMER)
		return req_fail(r, ERR_BAD_TOKEN, "customer");
	return ERR_OK;
}

void target_want(struct req *r, struct batch *b, struct target *t, bool lock)
{
	struct token_target opened;

	t->id = 0;
	t->lock = lock;
	if (!batch_token(b, r, &t->text, &opened)) {
		t->id = (int64_t)opened.customer;
		t->generation = opened.generation;
	}
	if (lock)
		reads_customer_locked(b->reads, t->id);
	else
		reads_customer(b->reads, t->id);
}

enum err target_open(struct batch *b, const struct target *t, struct customer **out)
{
	struct customer_row *row = reads_get(b->reads, t->id);
	enum err e;

	*out = NULL;
	if (!row || (t->lock && !row->locked) || (uint16_t)row->token_generation != t->generation)
		return ERR_NOT_FOUND;
	e = customer_open(b, row, out);
	if (e)
		*out = NULL; /* not to be named: its sref is not known */
	return e;
}

bool target_locked(struct batch *b, const struct target *t)
{
	const struct customer_row *row = reads_get(b->reads, t->id);

	return (row && row->locked) || !reads_pending(b->reads);
}
