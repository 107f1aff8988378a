/* recipients.c: the list with the request, the messages, and what became of them. */
#include "vault/app/recipients.h"

#include "base/clock.h"
#include "crypto/token.h"
#include "store/outbox.h"
#include "store/rights.h"
#include "vault/app/audit_record.h"
#include "vault/app/disclosure.h"
#include "vault/app/internal.h"
#include "vault/app/rights_state.h"
#include "vault/app/values.h"

#include <string.h>

#define DAY_US ((int64_t)86400 * 1000000)

/* ---- the list ---- */

static enum err list_them(struct app *app, struct db *db, const uint8_t *sref, const struct snapshot *s, const struct rights_scope *scope, struct buf *out)
{
	const struct disclosure_filter f = {.snapshot = s, .scope = scope, .since_us = clock_now_us() - app->config->recipient_days * DAY_US};

	return disclosure_recipients(db, sref, &f, out);
}

enum err recipients_keep(struct app *app, struct db *db, const struct rights_job *job, const struct snapshot *s, const struct rights_scope *scope)
{
	struct buf list;
	enum err e;

	buf_init(&list, 0);
	e = list_them(app, db, job->sref, s, scope, &list);
	if (!e)
		e = rights_recipients_set(db, job->request, &list);
	buf_fini(&list);
	return e;
}

/* The kept list, parsed; *out NULL: there is none. Owner: caller. */
static enum err load_list(struct db *db, int64_t request, struct doc **out)
{
	struct db_result *rows = NULL;
	enum err e = rights_recipients(db, request, &rows);
	size_t len = 0;
	const uint8_t *text = !e && db_rows(rows) ? db_bytes(rows, 0, 0, &len) : NULL;

	*out = NULL;
	if (!e && len)
		e = doc_parse(text, len, out);
	db_result_free(rows);
	return e;
}

static const char *text_of(const struct node *n, const char *key)
{
	size_t len;
	const char *text = node_string(node_get(n, key), &len);

	return text ? text : "";
}

/* ---- the messages ---- */

/* What goes to one recipient. */
struct letter {
	struct req *r;
	struct batch *b;
	const struct node *recipient;
	const struct customer_row *row;  /* NULL: gone */
	const struct audience *audience; /* NULL: it has none any more */
	const bool *subjects;            /* what is erased or corrected; NULL: all */
};

/* Did it receive this, and is this what the message is about? */
static bool is_told(const struct letter *l, size_t subject)
{
	const struct node *names = node_get(l->recipient, "fields");
	const char *name = l->r->snapshot->fields[subject].name;
	size_t len;

	if (l->subjects && !l->subjects[subject])
		return false;
	if (l->subjects && node_bool(node_get(l->recipient, "everything")))
		return true;
	for (size_t i = 0; i < node_count(names); i++)
		if (!strcmp(node_string(node_at(names, i), &len), name))
			return true;
	return false;
}

/* A token of the recipient's own audience, by which it may know the customer or the field; else null. */
static enum err put_token(const struct letter *l, enum token_type type, uint16_t field, struct json *j)
{
	const struct token_target t = {.type = type, .customer = l->row ? (uint64_t)l->row->id : 0, .subject = field,
	                               .generation = l->row ? (uint16_t)l->row->token_generation : 0};
	enum err e = ERR_OK;

	if (!l->row || !l->audience) {
		json_null(j);
		return ERR_OK;
	}
	e = type == TOKEN_CUSTOMER ? batch_write_customer_token(l->b, l->audience, l->row->id, l->row->token_generation, j->out)
	                           : batch_write_token(l->b, l->audience, &t, j->out);
	j->comma = true;
	return e;
}

static enum err put_subjects(const struct letter *l, struct json *j)
{
	const struct snapshot *s = l->r->snapshot;
	enum err e = ERR_OK;

	json_key(j, "fields");
	json_object(j);
	for (size_t i = 0; i < s->n_fields && !e; i++) {
		if (s->fields[i].record || !is_told(l, i))
			continue;
		json_key(j, s->fields[i].name);
		e = put_token(l, TOKEN_FIELD, s->fields[i].number, j);
	}
	json_object_end(j);
	json_key_string(j, "last", text_of(l->recipient, "last"));
	json_key(j, "records");
	json_array(j);
	for (size_t i = 0; i < s->n_fields; i++)
		if (s->fields[i].record && is_told(l, i))
			json_string(j, s->fields[i].name);
	json_array_end(j);
	return e;
}

/* Nothing personal: tokens of the recipient's own, ids of its own audit records, and names of what it received. */
static enum err write_message(const struct letter *l, struct buf *out)
{
	struct json j;
	enum err e;

	json_init(&j, out);
	json_object(&j);
	json_key(&j, "audit_records");
	e = node_print(node_get(l->recipient, "audit_records"), out);
	j.comma = true;
	json_key(&j, "customer");
	if (!e)
		e = put_token(l, TOKEN_CUSTOMER, 0, &j);
	json_key_int(&j, "disclosures", node_int(node_get(l->recipient, "disclosures")));
	json_key_bool(&j, "everything", !l->subjects);
	if (!e)
		e = put_subjects(l, &j);
	json_object_end(&j);
	return e ? e : buf_err(out);
}

static enum err tell(struct req *r, struct batch *b, int64_t request, const char *kind, struct letter *l)
{
	struct policy_identity who;
	struct buf data;
	enum err e;

	policy_identify(r->snapshot->policy, text_of(l->recipient, "recipient"), &who);
	l->audience = who.roles ? &r->snapshot->audiences[r->snapshot->policy_audience[who.audience]] : NULL;
	buf_init(&data, 0);
	e = write_message(l, &data);
	if (!e)
		e = outbox_add(b->db, kind, text_of(l->recipient, "recipient"), request, &data, NULL);
	buf_fini(&data);
	return e;
}

enum err recipients_tell(struct req *r, struct batch *b, int64_t request, const char *kind, const struct customer_row *row, const bool *subjects)
{
	struct doc *doc = NULL;
	enum err e = load_list(b->db, request, &doc);

	for (size_t i = 0; !e && i < node_count(doc_root(doc)); i++) {
		struct letter l = {.r = r, .b = b, .recipient = node_at(doc_root(doc), i), .row = row, .subjects = subjects};

		e = tell(r, b, request, kind, &l);
	}
	doc_free(doc);
	return e;
}

/* ---- what became of them ---- */

/* The worst of its messages: one that was given up, then one that waits. */
static const char *told_of(const struct db_result *messages, const char *recipient)
{
	bool any = false, waiting = false, dead = false;

	for (size_t i = 0; i < db_rows(messages); i++)
		if (!strcmp(db_text(messages, i, 0), recipient)) {
			any = true;
			waiting = waiting || db_int4(messages, i, 1) == OUTBOX_WAITING;
			dead = dead || db_int4(messages, i, 1) == OUTBOX_DEAD;
		}
	return dead ? "failed" : waiting ? "waiting" : any ? "told" : "no_webhook";
}

enum err recipients_write(struct batch *b, int64_t request, struct json *j)
{
	struct db_result *messages = NULL;
	struct doc *doc = NULL;
	enum err e = load_list(b->db, request, &doc);

	if (!e)
		e = outbox_of_request(b->db, request, &messages);
	json_key(j, "recipients");
	json_array(j);
	for (size_t i = 0; !e && i < node_count(doc_root(doc)); i++) {
		const struct node *recipient = node_at(doc_root(doc), i);

		json_object(j);
		json_key_string(j, "recipient", text_of(recipient, "recipient"));
		json_key(j, "purposes");
		e = node_print(node_get(recipient, "purposes"), j->out);
		j->comma = true;
		json_key_string(j, "last", text_of(recipient, "last"));
		json_key_int(j, "disclosures", node_int(node_get(recipient, "disclosures")));
		json_key_string(j, "notification", told_of(messages, text_of(recipient, "recipient")));
		json_object_end(j);
	}
	json_array_end(j);
	db_result_free(messages);
	doc_free(doc);
	return e;
}

/* ---- rectification: an officer has said that it is done ---- */

struct telling {
	int64_t request, customer;
	const char *scope;
	const struct buf *list;
};

static enum step tell_want(struct req *r, struct batch *b)
{
	const struct telling *t = r->plan;

	if (t->customer)
		reads_customer(b->reads, t->customer);
	return STEP_MORE;
}

static enum step tell_decide(struct req *r, struct batch *b)
{
	const struct telling *t = r->plan;
	const struct audit_entry entry = {.activity = "rights", .object = "recipients:rectify", .state = -1};
	struct rights_scope scope;
	bool found = false;

	if (!r->rounds)
		return STEP_MORE;
	r->err = scope_load(r->snapshot, t->scope, &scope);
	if (!r->err)
		r->err = rights_recipients_first(b->db, t->request, t->list, &found);
	if (!r->err && found)
		r->err = recipients_tell(r, b, t->request, "rectification", t->customer ? reads_get(b->reads, t->customer) : NULL, scope.all ? NULL : scope.subjects);
	if (!r->err && found)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route tell_route = {.method = "", .pattern = "", .operation = "rights.recipients", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .want = tell_want, .decide = tell_decide};

static enum err tell_one(struct app *app, struct db *db, const struct snapshot *s, const struct rights_row *row)
{
	struct telling t = {.request = row->request, .customer = row->customer, .scope = row->scope};
	struct rights_scope scope;
	struct buf list;
	enum err e = scope_load(s, row->scope, &scope);

	buf_init(&list, 0);
	t.list = &list;
	if (!e && row->customer && row->sref_len == DISCLOSURE_SREF_LEN)
		e = list_them(app, db, row->sref, s, &scope, &list);
	else if (!e)
		buf_text(&list, "[]"); /* erased meanwhile, and told of that */
	if (!e)
		e = internal_run(app, &tell_route, &t, "rights");
	buf_fini(&list);
	return e;
}

enum err recipients_rectified(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct snapshot *s = app_snapshot(app);
	struct db_result *rows = NULL;
	enum err e = s ? rights_untold(db, RIGHTS_RECTIFY, RIGHTS_DONE, &rows) : ERR_UNAVAILABLE;

	*more = false;
	for (size_t i = 0; !e && i < db_rows(rows) && !worker_stopping(w); i++) {
		struct rights_row row;

		rights_row_read(rows, i, &row);
		e = tell_one(app, db, s, &row);
	}
	db_result_free(rows);
	snapshot_drop(s);
	return e;
}
