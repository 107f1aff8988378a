/* rights.c: ids, rights, approvals and the JSON of a rights request. */
#include "vault/app/rights.h"

#include "base/log.h"
#include "crypto/envelope.h"
#include "crypto/keyring.h"
#include "crypto/ledger.h"
#include "crypto/mac.h"
#include "vault/app/customer.h"
#include "vault/app/manage.h"
#include "vault/app/rights_term.h"

#include <stdio.h>
#include <string.h>

#define SHARED_AUDIENCE 0 /* no caller's: ids of requests are the same for all officers */
#define SHARED_EPOCH 1

enum err rights_write_id(struct batch *b, int64_t number, uint16_t subject, struct buf *out)
{
	const struct token_target t = {.type = TOKEN_REQUEST, .customer = (uint64_t)number, .subject = subject};
	const struct audience shared = {.number = SHARED_AUDIENCE, .token_epoch = SHARED_EPOCH};

	return batch_write_token(b, &shared, &t, out);
}

enum err rights_read_id(struct req *r, struct batch *b, const char *text, uint16_t subject, int64_t *number)
{
	struct token_text decoded;
	struct token_target t;

	if (token_decode(text, strlen(text), &decoded) || decoded.type != TOKEN_REQUEST ||
	    token_open(b->tokens, SHARED_AUDIENCE, SHARED_EPOCH, &decoded, &t) || t.subject != subject)
		return req_fail(r, ERR_NOT_FOUND, "id");
	*number = (int64_t)t.customer;
	return ERR_OK;
}

enum err rights_caller(struct req *r, bool *officer)
{
	struct policy_verdict v;

	*officer = policy_has_right(r->snapshot->policy, &r->who, RIGHT_HANDLE_REQUESTS, &v);
	return *officer ? ERR_OK : manage_right(r, RIGHT_OPEN_REQUESTS);
}

void rights_due_at(const struct app *app, struct rights_row *row)
{
	struct calendar calendar;
	struct buf why;

	buf_init(&why, 0);
	if (calendar_read(app->config->holidays, &calendar, &why))
		log_event(LOG_WARN, "holidays", "%s", buf_string(&why));
	buf_fini(&why);
	(void)rights_due(row->jurisdiction, row->created_at_us, row->extended, &calendar, app->config->pipl_days, &row->due_at_us);
}

enum err rights_target_open(struct req *r, struct batch *b, const struct target *t, struct customer **out)
{
	struct db_result *rows = NULL;
	uint8_t mac[LEDGER_MAC_LEN];
	struct policy_verdict v;
	enum err e = target_open(b, t, out);

	r->about = *out;
	if (e != ERR_NOT_FOUND || !t->id || !policy_has_right(r->snapshot->policy, &r->who, RIGHT_HANDLE_REQUESTS, &v))
		return e;
	e = ledger_customer(keyring_key(b->app->keyring, KEYRING_LEDGER), t->id, mac);
	if (!e)
		e = erasure_of(b->db, mac, &rows);
	if (!e)
		e = db_rows(rows) ? ERR_ERASED : ERR_NOT_FOUND;
	db_result_free(rows);
	return e;
}

enum err rights_scope_hash(const struct rights_row *row, uint8_t out[static 32])
{
	char head[80];
	/* Without a recipient as it was before there were any; the scope is one line, so a certificate can't pass for a part of it. */
	const struct mac_part parts[] = {{head, (size_t)snprintf(head, sizeof head, "vault rights scope 1\n%d %lld\n", row->kind, (long long)row->customer)},
	                                 {row->scope, strlen(row->scope)}, {"\n", *row->recipient ? 1 : 0}, {row->recipient, strlen(row->recipient)}};

	return sha256_parts(parts, 4, out);
}

/* Is this still somebody who may handle requests? One who has left, or is frozen, stands behind nothing. */
static bool is_officer(const struct snapshot *s, const char *identity)
{
	struct policy_identity who;
	struct policy_verdict v;

	policy_identify(s->policy, identity, &who);
	return !snapshot_frozen(s, identity) && policy_has_right(s->policy, &who, RIGHT_HANDLE_REQUESTS, &v);
}

enum err rights_officers(struct batch *b, const struct rights_row *row, int64_t *n)
{
	struct db_result *rows = NULL;
	uint8_t hash[32];
	enum err e = rights_scope_hash(row, hash);

	*n = row->officer && is_officer(b->snapshot, row->requester) ? 1 : 0;
	if (!e)
		e = rights_approvals(b->db, row->request, b->now_us - APPROVAL_LASTS_US, &rows);
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *bound = db_bytes(rows, i, 1, &len);

		*n += len == 32 && !memcmp(bound, hash, 32) && strcmp(db_text(rows, i, 0), row->requester) != 0 && is_officer(b->snapshot, db_text(rows, i, 0));
	}
	db_result_free(rows);
	return e;
}

int64_t rights_officers_needed(const struct config *c, int32_t kind)
{
	return kind == RIGHTS_EXPORT ? c->officers_export : kind == RIGHTS_ERASE ? c->officers_erase : c->officers_other;
}

static void put_time(struct json *j, const char *key, int64_t at_us)
{
	json_key(j, key);
	if (at_us)
		json_time(j, at_us);
	else
		json_null(j);
}

static enum err put_customer(struct req *r, struct batch *b, const struct rights_row *row, struct json *j)
{
	struct customer_row *known = row->customer ? reads_get(b->reads, row->customer) : NULL;
	enum err e;

	json_key(j, "customer");
	if (!known || !r->audience) {
		json_null(j);
		return ERR_OK;
	}
	e = batch_write_customer_token(b, r->audience, known->id, known->token_generation, j->out);
	j->comma = true;
	return e;
}

/* Whom an archive is for: the certificate's fingerprint, as `openssl x509 -fingerprint -sha256` has it without colons. */
static enum err put_recipient(const struct rights_row *row, struct json *j)
{
	uint8_t sha256[32];
	enum err e = *row->recipient ? envelope_fingerprint(row->recipient, strlen(row->recipient), sha256) : ERR_OK;

	if (*row->recipient && !e)
		json_hex(j, sha256, sizeof sha256);
	else
		json_null(j);
	return e;
}

enum err rights_write(struct req *r, struct batch *b, const struct rights_row *row, struct json *j)
{
	uint8_t hash[32];
	int64_t officers = 0;
	enum err e = rights_scope_hash(row, hash);

	if (!e)
		e = rights_officers(b, row, &officers);
	json_object(j);
	json_key(j, "id");
	if (!e)
		e = rights_write_id(b, row->request, RIGHTS_SUBJECT_REQUEST, j->out);
	j->comma = true;
	if (!e)
		e = put_customer(r, b, row, j);
	json_key_string(j, "kind", rights_kind_name(row->kind));
	json_key_string(j, "state", rights_state_name(row->state));
	json_key(j, "scope");
	json_raw(j, row->scope, strlen(row->scope));
	json_key(j, "scope_hash");
	json_hex(j, hash, sizeof hash);
	json_key(j, "recipient");
	if (!e)
		e = put_recipient(row, j);
	json_key_string(j, "jurisdiction", row->jurisdiction);
	json_key_string(j, "channel", row->channel);
	json_key_string(j, "requester", row->requester);
	json_key_string(j, "assignee", row->assignee);
	json_key_string(j, "reason", row->reason);
	json_key_int(j, "officers", officers);
	json_key_int(j, "officers_needed", rights_officers_needed(r->app->config, row->kind));
	put_time(j, "created_at", row->created_at_us);
	put_time(j, "due_at", row->due_at_us);
	json_key_bool(j, "overdue", !row->ended_at_us && row->due_at_us < b->now_us);
	json_key_bool(j, "extended", row->extended);
	json_key_string(j, "extension_reason", row->extension_reason);
	put_time(j, "approved_at", row->approved_at_us);
	put_time(j, "ended_at", row->ended_at_us);
	json_key_int(j, "done", row->done);
	json_key_int(j, "total", row->total);
	json_object_end(j);
	return e;
}

/* Does the caller open requests by a role that the requester has too, under the policy in force? */
static bool shares_role(const struct req *r, const struct rights_row *row)
{
	struct policy_identity requester, both = r->who;
	struct policy_verdict v;

	policy_identify(r->snapshot->policy, row->requester, &requester);
	both.roles &= requester.roles;
	return both.roles && policy_has_right(r->snapshot->policy, &both, RIGHT_OPEN_REQUESTS, &v);
}

enum err rights_find(struct req *r, struct batch *b, bool lock, struct rights_row *row, struct db_result **rows, bool *officer)
{
	int64_t number = 0;
	enum err e = rights_caller(r, officer);

	*rows = NULL;
	if (!e)
		e = rights_read_id(r, b, r->params[0], RIGHTS_SUBJECT_REQUEST, &number);
	if (!e)
		e = rights_get(b->db, number, lock, rows);
	if (!e && db_rows(*rows) == 0)
		e = req_fail(r, ERR_NOT_FOUND, "id");
	if (!e) {
		rights_row_read(*rows, 0, row);
		/* Another's: as if there were none. Colleagues of the requester look at a request and fetch its archive, but change nothing. */
		if (!*officer && strcmp(row->requester, r->identity) != 0 && (lock || !shares_role(r, row)))
			e = req_fail(r, ERR_NOT_FOUND, "id");
	}
	return e;
}

enum err rights_audit(struct req *r, struct batch *b, const char *act, int32_t kind, const struct customer *c)
{
	char object[64];
	const struct audit_entry entry = {.activity = "rights", .object = object, .customer = c, .state = -1};

	snprintf(object, sizeof object, "%s:%s", act, rights_kind_name(kind) ? rights_kind_name(kind) : "none");
	return audit_add(r, b, &entry);
}

enum err rights_read_cursor(struct req *r, struct batch *b, const char *context, size_t context_len, int64_t *before)
{
	const char *text = req_query(r, "cursor");
	uint8_t bytes[CURSOR_BYTES_MAX];
	size_t len = sizeof bytes;
	struct reader in;

	*before = INT64_MAX;
	if (!text)
		return ERR_OK;
	if (cursor_read(keyring_key(b->app->keyring, KEYRING_CURSOR), context, context_len, text, strlen(text), bytes, &len) || len != 8)
		return req_fail(r, ERR_BAD_CURSOR, "cursor");
	in = reader_of(bytes, len);
	*before = (int64_t)reader_u64(&in);
	return ERR_OK;
}

enum err rights_put_cursor(struct batch *b, const char *context, size_t context_len, int64_t number, struct buf *out)
{
	uint8_t bytes[8];
	char text[CURSOR_TEXT_MAX];
	enum err e;

	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
	e = cursor_write(keyring_key(b->app->keyring, KEYRING_CURSOR), context, context_len, bytes, sizeof bytes, text);
	if (!e)
		buf_printf(out, "\"%s\"", text);
	return e;
}
