/* rights_requests.c: opening a rights request, and looking at those that are there. */
#include "vault/app/rights.h"
#include "vault/app/rights_term.h"

#include "base/clock.h"
#include "base/log.h"
#include "crypto/envelope.h"
#include "crypto/secret.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/recipients.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <string.h>

#define PAGE_DEFAULT 50
#define PAGE_MAX 200
#define WORD_MAX 64

struct open_plan {
	struct target target;
	struct rights_row row;
};

static const char *take_word(struct req *r, const struct node *root, const char *key, const char *fallback)
{
	size_t len = 0;
	const struct node *n = node_get(root, key);
	const char *text = node_string(n, &len);

	if (!n)
		return fallback;
	if (!text || len == 0 || len > WORD_MAX || strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len) {
		(void)req_fail(r, ERR_MALFORMED, "/%s", key);
		return NULL;
	}
	return arena_copy(&r->arena, text, len);
}

/* Whom an archive is for: a certificate, named when the request is opened. So no copy in clear is ever made, approvals are bound to
 * it, and the download stays the same parts, which can be resumed. */
static enum err take_recipient(struct req *r, const struct node *n, struct rights_row *row)
{
	uint8_t sha256[32];
	size_t len = 0;
	const char *pem = node_string(n, &len);

	row->recipient = "";
	if (!n)
		return ERR_OK;
	if (row->kind != RIGHTS_EXPORT || !pem || envelope_check(pem, len, sha256))
		return req_fail(r, ERR_MALFORMED, "/recipient");
	row->recipient = arena_copy(&r->arena, pem, len);
	return row->recipient ? ERR_OK : req_fail(r, ERR_MEMORY, NULL);
}

enum err rights_open_plan(struct req *r)
{
	static const char *const keys[] = {"customer", "kind", "scope", "jurisdiction", "channel", "recipient", NULL};
	struct open_plan *p = arena_alloc(&r->arena, sizeof *p);
	const struct node *root = NULL;
	const char *customer, *kind;
	size_t len;

	r->plan = p;
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	if (req_object(r, keys, &root))
		return r->err;
	customer = node_string(node_get(root, "customer"), &len);
	kind = node_string(node_get(root, "kind"), &len);
	p->row.kind = kind ? rights_kind_of(kind) : -1;
	if (!customer || p->row.kind < 0)
		return req_fail(r, ERR_MALFORMED, customer ? "/kind" : "/customer");
	if (target_parse(r, customer, &p->target))
		return req_fail(r, ERR_BAD_TOKEN, "/customer");
	p->row.jurisdiction = take_word(r, root, "jurisdiction", "gdpr");
	p->row.channel = p->row.jurisdiction ? take_word(r, root, "channel", "other") : NULL;
	if (!p->row.channel)
		return r->err;
	if (!rights_jurisdiction_known(p->row.jurisdiction))
		return req_fail(r, ERR_MALFORMED, "/jurisdiction");
	if (take_recipient(r, node_get(root, "recipient"), &p->row))
		return r->err;
	return scope_parse(r, node_get(root, "scope"), scope_use_of((enum rights_kind)p->row.kind), "/scope", &p->row.scope);
}

enum step rights_open_want(struct req *r, struct batch *b)
{
	struct open_plan *p = r->plan;

	target_want(r, b, &p->target, true); /* locked: two that open the same see one another */
	return STEP_MORE;
}

static enum err write_opened(struct req *r, struct batch *b, struct open_plan *p, const struct customer *c)
{
	struct json j;
	enum err e;

	p->row.customer = c->row->id;
	p->row.sref = c->sref;
	p->row.sref_len = SREF_LEN;
	p->row.requester = r->identity;
	p->row.assignee = p->row.reason = p->row.extension_reason = "";
	p->row.created_at_us = b->now_us;
	rights_due_at(r->app, &p->row);
	e = rights_insert(b->db, &p->row, &p->row.request);
	json_init(&j, &r->out);
	return e ? e : rights_write(r, b, &p->row, &j);
}

enum step rights_open_decide(struct req *r, struct batch *b)
{
	struct open_plan *p = r->plan;
	struct customer *c;
	bool found = false;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	buf_reset(&r->out);
	if (rights_caller(r, &p->row.officer))
		return STEP_FAIL;
	r->err = rights_target_open(r, b, &p->target, &c);
	if (!r->err)
		r->err = rights_open_like(b->db, c->row->id, p->row.kind, p->row.scope, &found);
	if (!r->err && found)
		r->err = ERR_REQUEST_EXISTS;
	if (!r->err)
		r->err = write_opened(r, b, p, c);
	if (!r->err)
		r->err = rights_audit(r, b, "open", p->row.kind, c);
	r->status = 201;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- looking ---- */

#define CURSOR_CONTEXT "rights requests"

static enum err read_filter(struct req *r, struct batch *b, bool officer, struct rights_filter *f)
{
	const char *state = req_query(r, "state"), *kind = req_query(r, "kind"), *overdue = req_query(r, "overdue");
	int64_t limit;
	enum err e = req_query_number(r, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit);

	*f = (struct rights_filter){.state = state ? rights_state_of(state) : -1, .kind = kind ? rights_kind_of(kind) : -1,
	                            .requester = officer ? NULL : r->identity, .overdue = overdue != NULL};
	if (!e)
		e = rights_read_cursor(r, b, CURSOR_CONTEXT, sizeof CURSOR_CONTEXT, &f->before);
	if (e)
		return e;
	f->most = (int32_t)limit + 1;
	if (state && f->state < 0)
		return req_fail(r, ERR_BAD_PARAMETER, "state");
	if (kind && f->kind < 0)
		return req_fail(r, ERR_BAD_PARAMETER, "kind");
	if (overdue && strcmp(overdue, "true") != 0)
		return req_fail(r, ERR_BAD_PARAMETER, "overdue");
	return ERR_OK;
}

static enum err write_page(struct req *r, struct batch *b, const struct db_result *rows, int32_t most, size_t *n)
{
	struct rights_row row = {0};
	struct json j;
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"data\":");
	json_init(&j, &r->out);
	json_array(&j);
	for (*n = 0; !e && *n < db_rows(rows) && (int32_t)*n < most; (*n)++) {
		rights_row_read(rows, *n, &row);
		e = rights_write(r, b, &row, &j);
	}
	json_array_end(&j);
	buf_text(&r->out, ",\"next\":");
	if (!e && *n < db_rows(rows))
		e = rights_put_cursor(b, CURSOR_CONTEXT, sizeof CURSOR_CONTEXT, row.request, &r->out);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	return e;
}

/* Two rounds: the requests, then their customers, to name them by the caller's tokens. */
enum step rights_list_decide(struct req *r, struct batch *b)
{
	struct audit_entry entry = {.activity = "rights", .object = "list", .state = -1};
	struct rights_filter f;
	struct db_result *rows = NULL;
	bool officer, more = false;
	size_t n = 0;

	buf_reset(&r->out);
	if (rights_caller(r, &officer) || read_filter(r, b, officer, &f))
		return STEP_FAIL;
	r->err = rights_list(b->db, &f, &rows);
	for (size_t i = 0; !r->err && !r->rounds && i < db_rows(rows); i++) {
		struct rights_row row;

		rights_row_read(rows, i, &row);
		if (row.customer)
			reads_customer(b->reads, row.customer);
		more = more || row.customer;
	}
	if (!r->err && !more)
		r->err = write_page(r, b, rows, f.most - 1, &n);
	entry.count = (uint32_t)n;
	if (!r->err && !more)
		r->err = audit_add(r, b, &entry);
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}

static enum err write_approvals(struct batch *b, const struct rights_row *row, struct json *j)
{
	struct db_result *rows = NULL;
	enum err e = rights_approvals(b->db, row->request, 0, &rows);

	json_key(j, "approvals");
	json_array(j);
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *hash = db_bytes(rows, i, 1, &len);

		json_object(j);
		json_key_string(j, "approver", db_text(rows, i, 0));
		json_key(j, "scope_hash");
		json_hex(j, hash, len);
		json_key(j, "at");
		json_time(j, db_time_us(rows, i, 2));
		json_key_bool(j, "lapsed", db_time_us(rows, i, 2) <= b->now_us - APPROVAL_LASTS_US);
		json_object_end(j);
	}
	json_array_end(j);
	db_result_free(rows);
	return e;
}

static struct seal_place note_place(const struct rights_row *row, uint32_t generation)
{
	return (struct seal_place){.type = SEAL_NOTE, .customer = (uint64_t)row->customer, .item = (uint64_t)row->request, .version = 2,
	                           .dek_generation = generation};
}

static enum err write_notes(struct batch *b, const struct rights_row *row, struct customer *c, struct json *j)
{
	struct db_result *rows = NULL;
	enum err e = c ? rights_notes(b->db, row->customer, row->request, &rows) : ERR_OK;

	json_key(j, "notes");
	json_array(j);
	if (!e && c)
		e = customer_use(b, c);
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		const struct seal_place place = note_place(row, (uint32_t)db_int4(rows, i, 3));
		size_t len, plain = 0;
		const uint8_t *sealed = db_bytes(rows, i, 4, &len);
		uint8_t *room;

		buf_reset(&b->scratch);
		room = buf_reserve(&b->scratch, len + 1);
		e = !room ? ERR_MEMORY : customer_alarm(seal_open(b->sealer, &place, sealed, len, room, &plain), "note");
		if (e)
			break;
		json_object(j);
		json_key_string(j, "author", db_text(rows, i, 1));
		json_key(j, "at");
		json_time(j, db_time_us(rows, i, 2));
		json_key(j, "text");
		json_string_len(j, (const char *)room, plain);
		json_object_end(j);
		secret_wipe(room, len);
	}
	buf_reset(&b->scratch);
	json_array_end(j);
	db_result_free(rows);
	return e;
}

/* Two rounds: the request, then its customer. */
enum step rights_get_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct customer *c = NULL;
	struct rights_row row;
	bool officer, more = false;
	struct json j;

	buf_reset(&r->out);
	r->err = rights_find(r, b, false, &row, &rows, &officer);
	if (!r->err && row.customer && !r->rounds) {
		reads_customer(b->reads, row.customer);
		more = true;
	}
	if (!r->err && !more) {
		struct customer_row *known = row.customer ? reads_get(b->reads, row.customer) : NULL;

		if (known)
			r->err = customer_open(b, known, &c);
		json_init(&j, &r->out);
		json_object(&j);
		json_key(&j, "request");
		if (!r->err)
			r->err = rights_write(r, b, &row, &j);
		if (!r->err)
			r->err = write_approvals(b, &row, &j);
		if (!r->err)
			r->err = write_notes(b, &row, officer ? c : NULL, &j); /* notes are the officers' own */
		if (!r->err)
			r->err = recipients_write(b, row.request, &j);
		json_object_end(&j);
		if (!r->err)
			r->err = rights_audit(r, b, "read", row.kind, c);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}

enum err rights_note_write(struct req *r, struct batch *b, const struct rights_row *row, struct customer *c, const char *text, size_t len)
{
	const struct seal_place place = note_place(row, c->row->dek_generation);
	uint8_t *sealed = arena_alloc(&b->arena, seal_size(len));
	enum err e = sealed ? customer_use(b, c) : ERR_MEMORY;

	if (!e)
		e = seal_unit(b->sealer, &place, text, len, sealed);
	return e ? e : rights_note_add(b->db, row->customer, row->request, r->identity, b->now_us, c->row->dek_generation, sealed, seal_size(len));
}
