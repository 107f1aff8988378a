/* rights_moves.c: what officers and requesters do with a rights request: POST /v1/rights-requests/{id}:verb. */
#include "vault/app/rights.h"

#include "vault/app/background.h"
#include "vault/app/customer.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"

#include <string.h>

#define NOTE_MAX 4096
#define WORD_MAX 255 /* a SPIFFE ID, or a code */

struct move {
	const struct node *body;
	struct rights_row row;
	struct customer *customer; /* NULL: erased */
};

/* One verb. Its change is to the row in hand, which is then written. */
struct verb {
	const char *operation, *act;
	bool officer;  /* only who may handle requests */
	int to;        /* state; -1: stays */
	enum err (*change)(struct req *r, struct batch *b, struct move *m);
	const char *keys[3];
};

static enum err text_member(struct req *r, const struct move *m, const char *key, size_t most, const char **out)
{
	*out = manage_text(r, m->body, key, most);
	return *out ? ERR_OK : r->err;
}

static enum err word_member(struct req *r, const struct move *m, const char *key, const char **out)
{
	enum err e = text_member(r, m, key, WORD_MAX, out);

	if (!e && strspn(*out, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:/@-") != strlen(*out))
		e = req_fail(r, ERR_MALFORMED, "/%s", key);
	return e;
}

static enum err add_note(struct req *r, struct batch *b, struct move *m, const char *key)
{
	const char *text;
	enum err e = text_member(r, m, key, NOTE_MAX, &text);

	if (!e && !m->customer)
		e = req_fail(r, ERR_REQUEST_STATE, NULL);
	return e ? e : rights_note_write(r, b, &m->row, m->customer, text, strlen(text));
}

static enum err nothing(struct req *r, struct batch *b, struct move *m)
{
	(void)r;
	(void)b;
	(void)m;
	return ERR_OK;
}

static enum err submit(struct req *r, struct batch *b, struct move *m)
{
	return add_note(r, b, m, "identity_check");
}

static enum err note(struct req *r, struct batch *b, struct move *m)
{
	return add_note(r, b, m, "text");
}

/* Codes, so that nobody's data gets into what stays after an erasure. */
static const char *const denials[] = {"identity_not_proved", "not_our_customer", "unfounded", "excessive",       "duplicate", "legal_obligation",
                                      "legal_claims",        "public_interest",  "rights_of_others", "no_such_data", "other",     NULL};
static const char *const extensions[] = {"complex", "many_requests", NULL}; /* GDPR 12(3) */

static enum err reason_member(struct req *r, const struct move *m, const char *const *known, const char **out)
{
	enum err e = word_member(r, m, "reason", out);

	for (; !e && *known; known++)
		if (!strcmp(*known, *out))
			return ERR_OK;
	return e ? e : req_fail(r, ERR_UNKNOWN_REASON, "/reason");
}

static enum err deny(struct req *r, struct batch *b, struct move *m)
{
	m->row.ended_at_us = b->now_us;
	return reason_member(r, m, denials, &m->row.reason);
}

static enum err cancel(struct req *r, struct batch *b, struct move *m)
{
	(void)r;
	m->row.ended_at_us = b->now_us;
	return ERR_OK;
}

static enum err assign(struct req *r, struct batch *b, struct move *m)
{
	(void)b;
	return word_member(r, m, "assignee", &m->row.assignee);
}

/* Once, while the first term runs: the person must hear of it within that. */
static enum err extend(struct req *r, struct batch *b, struct move *m)
{
	if (m->row.extended || rights_ended(m->row.state) || m->row.due_at_us < b->now_us)
		return req_fail(r, ERR_REQUEST_STATE, NULL);
	m->row.extended = true;
	rights_due_at(r->app, &m->row);
	return reason_member(r, m, extensions, &m->row.extension_reason);
}

/* Only the requester: he stands behind the scope that he asked for, and nobody may put another one under his name. */
static enum err amend(struct req *r, struct batch *b, struct move *m)
{
	(void)b;
	if (strcmp(m->row.requester, r->identity) != 0)
		return req_fail(r, ERR_POLICY_DENIED, NULL);
	if (m->row.state > RIGHTS_AWAITING_APPROVAL)
		return req_fail(r, ERR_REQUEST_STATE, NULL);
	return scope_parse(r, node_get(m->body, "scope"), scope_use_of((enum rights_kind)m->row.kind), "/scope", &m->row.scope);
}

static bool hash_is(const char *hex, const uint8_t hash[static 32])
{
	if (strlen(hex) != 64)
		return false;
	for (size_t i = 0; i < 32; i++)
		if (hex[2 * i] != "0123456789abcdef"[hash[i] >> 4] || hex[2 * i + 1] != "0123456789abcdef"[hash[i] & 15])
			return false;
	return true;
}

/* Bound to the scope that the approver has seen. Moves on once enough officers stand behind it. */
static enum err approve(struct req *r, struct batch *b, struct move *m)
{
	int64_t officers;
	uint8_t hash[32];
	const char *seen;
	enum err e = text_member(r, m, "scope_hash", 64, &seen);

	if (!e && m->row.state != RIGHTS_AWAITING_APPROVAL)
		e = req_fail(r, ERR_REQUEST_STATE, NULL);
	if (!e && !strcmp(m->row.requester, r->identity))
		e = req_fail(r, ERR_FOUR_EYES, NULL);
	if (!e)
		e = rights_scope_hash(&m->row, hash);
	if (!e && !hash_is(seen, hash))
		e = req_fail(r, ERR_SCOPE_CHANGED, "/scope_hash");
	if (!e)
		e = rights_approve(b->db, m->row.request, r->identity, hash, b->now_us);
	if (!e)
		e = rights_officers(b, &m->row, &officers);
	if (!e && officers >= rights_officers_needed(r->app->config, m->row.kind)) {
		m->row.state = RIGHTS_APPROVED;
		m->row.approved_at_us = b->now_us;
	}
	return e;
}

/* Rectification is done by whoever may write the fields; an officer says that it is. Who had received them is listed afterwards. */
static enum err complete(struct req *r, struct batch *b, struct move *m)
{
	if (m->row.kind != RIGHTS_RECTIFY)
		return req_fail(r, ERR_REQUEST_STATE, NULL);
	m->row.ended_at_us = b->now_us;
	return ERR_OK;
}

static enum err retry(struct req *r, struct batch *b, struct move *m)
{
	(void)b;
	(void)r;
	m->row.reason = "";
	return ERR_OK;
}

static const struct verb verbs[] = {
    {"rights.verify", "verify", true, RIGHTS_VERIFYING, nothing, {NULL}},
    {"rights.submit", "submit", true, RIGHTS_AWAITING_APPROVAL, submit, {"identity_check", NULL}},
    {"rights.approve", "approve", true, -1, approve, {"scope_hash", NULL}},
    {"rights.deny", "deny", true, RIGHTS_DENIED, deny, {"reason", NULL}},
    {"rights.cancel", "cancel", false, RIGHTS_CANCELLED, cancel, {NULL}},
    {"rights.extend", "extend", true, -1, extend, {"reason", NULL}},
    {"rights.assign", "assign", true, -1, assign, {"assignee", NULL}},
    {"rights.note", "note", true, -1, note, {"text", NULL}},
    {"rights.amend", "amend", false, -1, amend, {"scope", NULL}},
    {"rights.retry", "retry", true, RIGHTS_APPROVED, retry, {NULL}},
    {"rights.complete", "complete", true, RIGHTS_DONE, complete, {NULL}},
};

static const struct verb *verb_of(const struct req *r)
{
	size_t i = 0;

	while (strcmp(verbs[i].operation, r->route->operation) != 0)
		i++;
	return &verbs[i];
}

static enum err make_move(struct req *r, struct batch *b, const struct verb *v, struct move *m)
{
	enum err e = r->doc ? req_object(r, v->keys, &m->body) : ERR_OK;

	if (!e && v->to >= 0 && !rights_may_move(m->row.state, v->to))
		e = req_fail(r, ERR_REQUEST_STATE, NULL);
	if (!e)
		e = v->change(r, b, m);
	if (!e && v->to >= 0)
		m->row.state = v->to;
	return e ? e : rights_update(b->db, &m->row);
}

static enum err write_reply(struct req *r, struct batch *b, const struct move *m)
{
	struct json j;

	json_init(&j, &r->out);
	return rights_write(r, b, &m->row, &j);
}

/* Two rounds: the request, locked, then its customer. */
enum step rights_move_decide(struct req *r, struct batch *b)
{
	const struct verb *v = verb_of(r);
	struct db_result *rows = NULL;
	struct move m = {0};
	bool officer, more = false;

	buf_reset(&r->out);
	r->err = rights_find(r, b, true, &m.row, &rows, &officer);
	if (!r->err && v->officer && !officer)
		r->err = ERR_POLICY_DENIED;
	if (!r->err && m.row.customer && !r->rounds) {
		reads_customer(b->reads, m.row.customer);
		more = true;
	}
	if (!r->err && !more) {
		struct customer_row *known = m.row.customer ? reads_get(b->reads, m.row.customer) : NULL;

		if (known)
			r->err = customer_open(b, known, &m.customer);
		r->about = m.customer;
		if (!r->err)
			r->err = make_move(r, b, v, &m);
		if (!r->err)
			r->err = rights_audit(r, b, v->act, m.row.kind, m.customer);
		if (!r->err)
			r->err = write_reply(r, b, &m);
		if (!r->err && m.row.state == RIGHTS_APPROVED)
			worker_wake(r->app->workers[BACKGROUND_RIGHTS]);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}
