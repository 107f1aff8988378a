/* search.c: POST /v1/customers:search: equality over blind indexes and the
 * caller's external references. Candidates are decrypted and compared. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "codec/value.h"
#include "crypto/keyring.h"
#include "vault/app/values.h"

#include <string.h>

#define TERMS_MAX 8
#define CANDIDATES_MAX 1000
#define LIMIT_MAX 200
#define WEIGHT 4 /* customers that share an index tag, on average */
#define HOUR_US ((int64_t)3600 * 1000000)

struct term {
	uint16_t number;
	int subject; /* -1: external reference */
	const char *normalised;
	size_t len;
	int64_t tag;
};

struct search_plan {
	struct term terms[TERMS_MAX];
	size_t n;
	int64_t limit;
	const char *cursor;
	int64_t after;
	size_t lookup;
	struct customer *found[LIMIT_MAX];
	size_t n_found;
	int64_t next; /* 0: no further page */
	bool large_read;
	int64_t hour_us, identity;
};

struct keep {
	struct req *r;
	struct term *t;
};

static enum err keep_normalised(void *ctx, const void *normalised, size_t len)
{
	struct keep *k = ctx;

	k->t->normalised = arena_copy(&k->r->arena, normalised, len);
	k->t->len = len;
	return k->t->normalised ? ERR_OK : ERR_MEMORY;
}

static enum err parse_term(struct req *r, struct term *t, const char *key, size_t key_len, const struct node *value)
{
	const int subject = snapshot_field(r->snapshot, key, key_len);
	const struct field *f;
	struct field scalar;
	struct keep keep = {r, t};
	struct buf stored;
	size_t element;
	enum err e;

	if (subject < 0 || r->snapshot->fields[subject].record)
		return req_fail(r, ERR_UNKNOWN_FIELD, "/where/%.40s", key);
	f = &r->snapshot->fields[subject];
	if (!f->indexed)
		return req_fail(r, ERR_NOT_INDEXED, "/where/%s", f->name);
	scalar = *f;
	scalar.list = false; /* one value is searched, also in a list */
	t->number = f->number;
	t->subject = subject;
	buf_init(&stored, 0);
	e = value_store(&scalar, r->app->config->default_country, value, &stored, &element);
	if (!e)
		e = value_index(&scalar, (const char *)stored.data, stored.len, keep_normalised, &keep);
	buf_fini(&stored);
	return e ? req_fail(r, e, "/where/%s", f->name) : ERR_OK;
}

static enum err parse_ref(struct req *r, struct term *t, const struct node *value)
{
	struct buf text;
	struct json j;
	size_t len;
	const char *ref = node_string(value, &len);

	if (!ref || !len)
		return req_fail(r, ERR_INVALID_VALUE, "/where/external_ref");
	t->subject = -1;
	t->number = (uint16_t)(EXTERNAL_REF + (r->audience ? r->audience->number : 0));
	buf_init(&text, 0);
	json_init(&j, &text);
	json_string_len(&j, ref, len);
	t->normalised = arena_copy(&r->arena, text.data, text.len);
	t->len = text.len;
	buf_fini(&text);
	return t->normalised ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
}

static enum err parse_where(struct req *r, struct search_plan *p, const struct node *where)
{
	struct node_iter it = node_members(where);
	const struct node *value;
	enum err e = ERR_OK;

	if (node_type(where) != NODE_OBJECT || node_count(where) == 0)
		return req_fail(r, ERR_MALFORMED, "/where");
	if (node_count(where) > TERMS_MAX)
		return req_fail(r, ERR_LIMIT, "/where");
	while (!e && (value = node_next(&it))) {
		struct term *t = &p->terms[p->n++];

		if (!strcmp(it.key, "external_ref"))
			e = parse_ref(r, t, value);
		else
			e = parse_term(r, t, it.key, it.key_len, value);
	}
	return e;
}

enum err search_plan(struct req *r)
{
	static const char *const keys[] = {"where", "limit", "cursor", NULL};
	struct search_plan *p = arena_alloc(&r->arena, sizeof *p);
	const struct node *root = NULL, *limit, *cursor;
	size_t len;
	enum err e = req_object(r, keys, &root);

	r->plan = p;
	r->job.weight = WEIGHT;
	if (e || !p)
		return e ? e : req_fail(r, ERR_MEMORY, NULL);
	limit = node_get(root, "limit");
	cursor = node_get(root, "cursor");
	p->limit = limit ? node_int(limit) : 50;
	if ((limit && node_type(limit) != NODE_INT) || p->limit < 1)
		return req_fail(r, ERR_MALFORMED, "/limit");
	if (p->limit > LIMIT_MAX)
		return req_fail(r, ERR_LIMIT, "/limit");
	if (node_type(cursor) == NODE_STRING)
		p->cursor = arena_copy(&r->arena, node_string(cursor, &len), strlen(node_string(cursor, &len)));
	else if (cursor && node_type(cursor) != NODE_NULL)
		return req_fail(r, ERR_MALFORMED, "/cursor");
	return parse_where(r, p, node_get(root, "where"));
}

/* What a cursor is bound to: who asks, and for what. */
static enum err cursor_context(struct req *r, const struct search_plan *p, struct buf *out)
{
	buf_text(out, "search ");
	buf_text(out, r->identity);
	for (size_t i = 0; i < p->n; i++) {
		buf_u16(out, p->terms[i].number);
		buf_u64(out, (uint64_t)p->terms[i].tag);
	}
	return buf_err(out);
}

static enum err open_cursor(struct req *r, struct batch *b, struct search_plan *p)
{
	uint8_t bytes[64];
	size_t len = sizeof bytes;
	struct reader in;
	struct buf context;
	enum err e;

	p->after = 0;
	if (!p->cursor)
		return ERR_OK;
	buf_init(&context, 0);
	e = cursor_context(r, p, &context);
	if (!e)
		e = cursor_read(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, p->cursor, strlen(p->cursor),
		                bytes, &len);
	buf_fini(&context);
	in = reader_of(bytes, e ? 0 : len);
	p->after = (int64_t)reader_u64(&in);
	return e || in.failed ? ERR_BAD_CURSOR : ERR_OK;
}

/* Is it allowed in some state at all? Else the whole search is refused. */
static enum err may_search(struct req *r, const struct search_plan *p)
{
	struct policy_verdict v;

	for (size_t i = 0; i < p->n; i++) {
		if (p->terms[i].subject < 0)
			continue;
		policy_decide(r->snapshot->policy, &r->who, VERB_SEARCH, (size_t)p->terms[i].subject, (size_t)r->purpose,
		              STATE_CONSENTED | STATE_BASIS, &v);
		if (v.form == FORM_DENY)
			return req_fail(r, ERR_POLICY_DENIED, "/where/%s", r->snapshot->fields[p->terms[i].subject].name);
	}
	return ERR_OK;
}

enum step search_want(struct req *r, struct batch *b)
{
	struct search_plan *p = r->plan;
	const uint32_t epoch = keyring_index_epoch(b->keyring);

	p->large_read = false;
	if (may_search(r, p))
		return STEP_FAIL;
	for (size_t i = 0; i < p->n; i++) {
		const struct term *t = &p->terms[i];
		const uint16_t transform = t->subject < 0 ? 0 : r->snapshot->fields[t->subject].normaliser_version;

		r->err = blind_tag(b->blind, customer_space(t->number), transform, t->normalised, t->len, &p->terms[i].tag);
		if (r->err)
			return STEP_FAIL;
	}
	r->err = open_cursor(r, b, p);
	if (r->err)
		return STEP_FAIL;
	p->identity = audit_key('a', r->identity, strlen(r->identity));
	p->hour_us = b->now_us / HOUR_US * HOUR_US;
	reads_search_spent(b->reads, p->identity, p->hour_us);
	p->lookup = reads_lookup(b->reads, customer_space(p->terms[0].number), epoch, p->terms[0].tag, p->after, CANDIDATES_MAX + 1);
	return STEP_MORE;
}

struct match {
	const struct term *t;
	bool hit;
};

static enum err match_one(void *ctx, const void *normalised, size_t len)
{
	struct match *m = ctx;

	if (len == m->t->len && !memcmp(normalised, m->t->normalised, len))
		m->hit = true;
	return ERR_OK;
}

/* Does the customer hold the value, and may the caller find it by it, as its state is? */
static enum err test_term(struct req *r, struct batch *b, struct customer *c, const struct term *t, bool *hit)
{
	const struct unit *u = customer_unit(c, t->number);
	struct match m = {t, false};
	struct policy_verdict v;
	enum err e;

	*hit = false;
	if (!u)
		return ERR_OK;
	if (t->subject >= 0) {
		policy_decide(r->snapshot->policy, &r->who, VERB_SEARCH, (size_t)t->subject, (size_t)r->purpose, value_state(r, b, c), &v);
		if (v.form == FORM_DENY)
			return ERR_OK;
	}
	buf_reset(&b->scratch);
	e = customer_value(b, c, u, &b->scratch);
	if (!e && t->subject < 0)
		e = match_one(&m, b->scratch.data, b->scratch.len);
	else if (!e)
		e = value_index(&r->snapshot->fields[t->subject], (const char *)b->scratch.data, b->scratch.len, match_one, &m);
	buf_reset(&b->scratch);
	*hit = m.hit;
	return e;
}

static enum err test_candidate(struct req *r, struct batch *b, struct search_plan *p, struct customer_row *row)
{
	struct customer *c;
	bool hit = true;
	enum err e = customer_open(b, row, &c);

	for (size_t i = 0; i < p->n && hit && !e; i++)
		e = test_term(r, b, c, &p->terms[i], &hit);
	if (!e && hit)
		p->found[p->n_found++] = c;
	return e;
}

static bool want_large(struct batch *b, const struct search_plan *p)
{
	struct customer *c;

	for (size_t i = 0; i < reads_lookup_rows(b->reads, p->lookup); i++)
		for (size_t k = 0; k < p->n; k++) {
			const struct unit *u =
			    customer_open(b, reads_lookup_row(b->reads, p->lookup, i), &c) ? NULL : customer_unit(c, p->terms[k].number);

			if (u)
				customer_want_value(b, c, u);
		}
	return reads_pending(b->reads);
}

static bool all_fit(const struct req *r, struct batch *b, const struct search_plan *p)
{
	struct customer *c;

	for (size_t i = 0; i < reads_lookup_rows(b->reads, p->lookup); i++)
		for (size_t k = 0; k < p->n; k++) {
			const struct unit *u =
			    customer_open(b, reads_lookup_row(b->reads, p->lookup, i), &c) ? NULL : customer_unit(c, p->terms[k].number);

			if (u && !value_fits(r, b, c, u))
				return false;
		}
	return true;
}

static enum err spend(struct req *r, struct batch *b, struct search_plan *p)
{
	if (reads_get_search_spent(b->reads, p->identity) + writes_search_values(b->writes, p->identity) >= b->app->config->search_budget)
		return req_fail(r, ERR_BUDGET, NULL);
	for (size_t i = 0; i < p->n; i++)
		writes_search_spent(b->writes, p->identity, (int64_t)((uint64_t)p->terms[i].tag ^ (uint64_t)p->terms[i].number << 48), p->hour_us);
	return ERR_OK;
}

static enum err audit_found(struct req *r, struct batch *b, const struct search_plan *p, struct customer *c)
{
	struct audit_field fields[TERMS_MAX];
	struct audit_entry entry = {.activity = "search", .customer = c, .asked = "token", .fields = fields, .count = (uint32_t)p->n_found, .state = -1};

	for (size_t i = 0; i < p->n; i++)
		if (p->terms[i].subject >= 0)
			fields[entry.n_fields++] = (struct audit_field){(uint16_t)p->terms[i].subject, FORM_TOKEN};
	if (c) {
		entry.row_version = c->row->version;
		entry.state = (int)value_state(r, b, c);
	}
	return audit_add(r, b, &entry);
}

enum step search_decide(struct req *r, struct batch *b)
{
	struct search_plan *p = r->plan;
	const size_t rows = reads_lookup_rows(b->reads, p->lookup);

	if (!p->large_read) {
		p->large_read = true;
		r->err = spend(r, b, p);
		if (r->err)
			return STEP_FAIL;
		if (want_large(b, p))
			return STEP_MORE;
	}
	if (!all_fit(r, b, p)) {
		r->err = ERR_OK;
		return STEP_AGAIN;
	}
	p->n_found = 0;
	p->next = 0;
	for (size_t i = 0; i < rows && !r->err; i++) {
		struct customer_row *row = reads_lookup_row(b->reads, p->lookup, i);

		if (p->n_found == (size_t)p->limit || i == CANDIDATES_MAX) {
			p->next = reads_lookup_row(b->reads, p->lookup, i - 1)->id;
			break;
		}
		r->err = test_candidate(r, b, p, row);
	}
	for (size_t i = 0; i < p->n_found && !r->err; i++)
		r->err = audit_found(r, b, p, p->found[i]);
	if (!p->n_found && !r->err)
		r->err = audit_found(r, b, p, NULL);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum err put_cursor(struct req *r, struct batch *b, struct search_plan *p)
{
	char text[CURSOR_TEXT_MAX];
	struct buf context, bytes;
	enum err e;

	buf_init(&context, 0);
	buf_init(&bytes, 0);
	buf_u64(&bytes, (uint64_t)p->next);
	e = cursor_context(r, p, &context);
	if (!e)
		e = cursor_write(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, bytes.data, bytes.len, text);
	if (!e)
		buf_printf(&r->out, "\"%s\"", text);
	buf_fini(&context);
	buf_fini(&bytes);
	return e;
}

enum err search_reply(struct req *r, struct batch *b)
{
	struct search_plan *p = r->plan;
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"data\":[");
	for (size_t i = 0; i < p->n_found && !e; i++) {
		const struct customer_row *row = p->found[i]->row;

		buf_text(&r->out, i ? ",{\"customer\":" : "{\"customer\":");
		e = batch_write_customer_token(b, r->audience, row->id, row->token_generation, &r->out);
		buf_byte(&r->out, '}');
	}
	buf_text(&r->out, "],\"next\":");
	if (!e && p->next)
		e = put_cursor(r, b, p);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	return e;
}
