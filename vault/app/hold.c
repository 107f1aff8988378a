/* hold.c: holds proposed by one person, confirmed by another, released by any officer. */
#include "vault/app/hold.h"

#include "base/clock.h"
#include "vault/app/customer.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/rights.h"
#include "vault/app/values.h"

#include <string.h>

#define WORD_MAX 200
#define PAGE_DEFAULT 50
#define PAGE_MAX 200

enum hold_column { HOLD_NUMBER, HOLD_CUSTOMER, HOLD_SCOPE, HOLD_REASON, HOLD_LAW, HOLD_UNTIL, HOLD_PROPOSED_BY, HOLD_PROPOSED_AT, HOLD_CONFIRMED_BY, HOLD_RELEASED_BY, HOLD_MAY_BE_TOLD };

enum err holds_of(struct db *db, const struct snapshot *s, int64_t customer, int64_t now_us, struct rights_scope *held, bool *any)
{
	struct db_result *rows = NULL;
	enum err e = holds_in_force(db, customer, now_us, &rows);

	*held = (struct rights_scope){0};
	*any = !e && db_rows(rows) > 0;
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		struct rights_scope one;

		e = scope_load(s, db_text(rows, i, 0), &one);
		if (!e)
			scope_add(held, &one);
	}
	db_result_free(rows);
	return e;
}

enum err hold_allows(struct req *r, struct batch *b, int64_t customer, size_t subject)
{
	struct rights_scope held;
	struct policy_verdict v;
	bool any = false;
	enum err e = holds_of(b->db, r->snapshot, customer, b->now_us, &held, &any);

	if (e || !any || !scope_has(&held, subject))
		return e;
	return policy_has_right(r->snapshot->policy, &r->who, RIGHT_READ_CONSENTS, &v) || policy_has_right(r->snapshot->policy, &r->who, RIGHT_HANDLE_REQUESTS, &v)
	           ? ERR_HELD
	           : ERR_POLICY_DENIED;
}

struct hold_plan {
	struct target target;
	struct hold_entry entry;
};

enum err hold_put_plan(struct req *r)
{
	static const char *const keys[] = {"customer", "scope", "reason", "law", "until", "may_be_told", NULL};
	struct hold_plan *p = arena_alloc(&r->arena, sizeof *p);
	const struct node *root = NULL, *told;
	const char *customer, *until;
	size_t len;

	r->plan = p;
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	if (req_object(r, keys, &root))
		return r->err;
	customer = node_string(node_get(root, "customer"), &len);
	if (!customer)
		return req_fail(r, ERR_MALFORMED, "/customer");
	if (target_parse(r, customer, &p->target))
		return req_fail(r, ERR_BAD_TOKEN, "/customer");
	told = node_get(root, "may_be_told");
	if (told && node_type(told) != NODE_BOOL)
		return req_fail(r, ERR_MALFORMED, "/may_be_told");
	p->entry.may_be_told = node_bool(told); /* absent: no. An investigation must not be given away by forgetting a word */
	until = node_string(node_get(root, "until"), &len);
	if (!until || clock_parse(until, len, &p->entry.until_us) || p->entry.until_us <= clock_now_us())
		return req_fail(r, ERR_HOLD, "/until");
	p->entry.reason = manage_text(r, root, "reason", WORD_MAX);
	p->entry.law = p->entry.reason ? manage_text(r, root, "law", WORD_MAX) : NULL;
	if (!p->entry.law || !field_name_valid(p->entry.reason)) /* a code: it outlives the person's data */
		return req_fail(r, ERR_HOLD, p->entry.reason && field_name_valid(p->entry.reason) ? "/law" : "/reason");
	return scope_parse(r, node_get(root, "scope"), SCOPE_HOLD, "/scope", &p->entry.scope);
}

enum step hold_put_want(struct req *r, struct batch *b)
{
	struct hold_plan *p = r->plan;

	target_want(r, b, &p->target, true); /* an erasure under way ends first */
	return STEP_MORE;
}

static enum err write_hold(struct req *r, struct batch *b, const struct db_result *rows, size_t i, struct json *j)
{
	struct customer_row *known = reads_get(b->reads, db_int8(rows, i, HOLD_CUSTOMER));
	const bool released = *db_text(rows, i, HOLD_RELEASED_BY) != 0, confirmed = *db_text(rows, i, HOLD_CONFIRMED_BY) != 0;
	enum err e;

	json_object(j);
	json_key(j, "id");
	e = rights_write_id(b, db_int8(rows, i, HOLD_NUMBER), RIGHTS_SUBJECT_HOLD, j->out);
	j->comma = true;
	json_key(j, "customer");
	if (known && r->audience && !e)
		e = batch_write_customer_token(b, r->audience, known->id, known->token_generation, j->out);
	else
		buf_text(j->out, "null");
	j->comma = true;
	json_key(j, "scope");
	json_raw(j, db_text(rows, i, HOLD_SCOPE), strlen(db_text(rows, i, HOLD_SCOPE)));
	json_key_string(j, "reason", db_text(rows, i, HOLD_REASON));
	json_key_string(j, "law", db_text(rows, i, HOLD_LAW));
	json_key(j, "until");
	json_time(j, db_time_us(rows, i, HOLD_UNTIL));
	json_key_string(j, "proposed_by", db_text(rows, i, HOLD_PROPOSED_BY));
	json_key_string(j, "confirmed_by", db_text(rows, i, HOLD_CONFIRMED_BY));
	json_key_string(j, "released_by", db_text(rows, i, HOLD_RELEASED_BY));
	json_key_bool(j, "may_be_told", db_bool(rows, i, HOLD_MAY_BE_TOLD));
	json_key_bool(j, "in_force", confirmed && !released && db_time_us(rows, i, HOLD_UNTIL) > b->now_us);
	json_object_end(j);
	return e;
}

static enum err reply_hold(struct req *r, struct batch *b, int64_t hold)
{
	struct db_result *rows = NULL;
	struct json j;
	enum err e = hold_list(b->db, INT64_MAX, hold, 1, &rows);

	if (!e && db_rows(rows) == 0)
		e = req_fail(r, ERR_NOT_FOUND, "id");
	json_init(&j, &r->out);
	if (!e)
		e = write_hold(r, b, rows, 0, &j);
	db_result_free(rows);
	return e;
}

static enum err hold_audit(struct req *r, struct batch *b, const char *act, const struct customer *c)
{
	const struct audit_entry entry = {.activity = "hold", .object = act, .customer = c, .state = -1};

	return audit_add(r, b, &entry);
}

enum step hold_put_decide(struct req *r, struct batch *b)
{
	struct hold_plan *p = r->plan;
	struct customer *c;
	int64_t hold = 0;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	buf_reset(&r->out);
	if (manage_right(r, RIGHT_HANDLE_REQUESTS))
		return STEP_FAIL;
	r->err = rights_target_open(r, b, &p->target, &c);
	if (!r->err) {
		p->entry.customer = c->row->id;
		p->entry.by = r->identity;
		p->entry.at_us = b->now_us;
		r->err = hold_insert(b->db, &p->entry, &hold);
	}
	if (!r->err)
		r->err = reply_hold(r, b, hold);
	if (!r->err)
		r->err = hold_audit(r, b, "propose", c);
	r->status = 201;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- looking ---- */

#define CURSOR_CONTEXT "holds"

static enum err write_page(struct req *r, struct batch *b, const struct db_result *rows, int64_t limit)
{
	struct json j;
	size_t n = 0;
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"data\":");
	json_init(&j, &r->out);
	json_array(&j);
	for (; !e && n < db_rows(rows) && (int64_t)n < limit; n++)
		e = write_hold(r, b, rows, n, &j);
	json_array_end(&j);
	buf_text(&r->out, ",\"next\":");
	if (!e && n < db_rows(rows))
		e = rights_put_cursor(b, CURSOR_CONTEXT, sizeof CURSOR_CONTEXT, db_int8(rows, n - 1, HOLD_NUMBER), &r->out);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	return e;
}

/* Asks for the customers of the rows; false: there are none to be read. */
static bool want_customers(struct batch *b, const struct db_result *rows)
{
	bool any = false;

	for (size_t i = 0; i < db_rows(rows); i++)
		if (db_int8(rows, i, HOLD_CUSTOMER)) {
			reads_customer(b->reads, db_int8(rows, i, HOLD_CUSTOMER));
			any = true;
		}
	return any;
}

/* Two rounds: the holds, then their customers, to name them by the caller's tokens. */
enum step hold_list_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	int64_t limit, before;
	bool more = false;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_HANDLE_REQUESTS) || req_query_number(r, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &limit) ||
	    rights_read_cursor(r, b, CURSOR_CONTEXT, sizeof CURSOR_CONTEXT, &before))
		return STEP_FAIL;
	r->err = hold_list(b->db, before, 0, (int32_t)limit + 1, &rows);
	if (!r->err && !r->rounds)
		more = want_customers(b, rows);
	if (!r->err && !more)
		r->err = write_page(r, b, rows, limit);
	if (!r->err && !more)
		r->err = hold_audit(r, b, "list", NULL);
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}

/* ---- moves ---- */

/* The hold of the path's id, which has not been released. */
static enum err find_hold(struct req *r, struct batch *b, int64_t *hold, struct db_result **rows)
{
	enum err e = manage_right(r, RIGHT_HANDLE_REQUESTS);

	*rows = NULL;
	if (!e)
		e = rights_read_id(r, b, r->params[0], RIGHTS_SUBJECT_HOLD, hold);
	if (!e)
		e = hold_list(b->db, INT64_MAX, *hold, 1, rows);
	if (!e && db_rows(*rows) == 0)
		e = req_fail(r, ERR_NOT_FOUND, "id");
	if (!e && *db_text(*rows, 0, HOLD_RELEASED_BY))
		e = req_fail(r, ERR_REQUEST_STATE, "id");
	return e;
}

/* Not while an erasure of this customer runs: it has looked at the holds already, and may be in the ledger. */
static enum err confirm(struct req *r, struct batch *b, int64_t hold, const struct db_result *rows)
{
	bool runs = false;
	enum err e;

	if (*db_text(rows, 0, HOLD_CONFIRMED_BY) || !db_int8(rows, 0, HOLD_CUSTOMER))
		return req_fail(r, ERR_REQUEST_STATE, "id");
	if (!strcmp(db_text(rows, 0, HOLD_PROPOSED_BY), r->identity))
		return req_fail(r, ERR_FOUR_EYES, NULL);
	if (db_time_us(rows, 0, HOLD_UNTIL) <= b->now_us)
		return req_fail(r, ERR_HOLD, "until");
	e = rights_lock_open(b->db, db_int8(rows, 0, HOLD_CUSTOMER), RIGHTS_ERASE, RIGHTS_RUNNING, &runs);
	if (!e && runs)
		e = req_fail(r, ERR_REQUEST_STATE, NULL);
	return e ? e : hold_confirm(b->db, hold, r->identity, b->now_us);
}

static enum err release(struct req *r, struct batch *b, int64_t hold, const struct db_result *rows)
{
	(void)rows;
	return hold_release(b->db, hold, r->identity, b->now_us);
}

/* Two rounds, as above. */
static enum step move(struct req *r, struct batch *b, const char *act, enum err (*change)(struct req *, struct batch *, int64_t, const struct db_result *))
{
	struct db_result *rows;
	struct customer *c = NULL;
	int64_t hold = 0;
	bool more = false;

	buf_reset(&r->out);
	r->err = find_hold(r, b, &hold, &rows);
	if (!r->err && !r->rounds)
		more = want_customers(b, rows);
	if (!r->err && !more) {
		struct customer_row *known = reads_get(b->reads, db_int8(rows, 0, HOLD_CUSTOMER));

		if (known)
			r->err = customer_open(b, known, &c);
		r->about = c;
		if (!r->err)
			r->err = change(r, b, hold, rows);
		if (!r->err)
			r->err = reply_hold(r, b, hold);
		if (!r->err)
			r->err = hold_audit(r, b, act, c);
		b->change = b->change || !r->err;
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}

enum step hold_confirm_decide(struct req *r, struct batch *b)
{
	return move(r, b, "confirm", confirm);
}

enum step hold_release_decide(struct req *r, struct batch *b)
{
	return move(r, b, "release", release);
}
