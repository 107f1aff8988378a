/* rights.c: the queries of rights.h. */
#include "store/rights.h"

#define COLUMNS                                                                                                        \
	"request, customer_id, sref, kind, state, scope, jurisdiction, channel, requester, officer, assignee, reason, created_at, " \
	"due_at, extended, approved_at, ended_at, done, total, extension_reason, held_at, recipient"

void rights_row_read(const struct db_result *rows, size_t i, struct rights_row *out)
{
	*out = (struct rights_row){.request = db_int8(rows, i, 0),
	                           .customer = db_int8(rows, i, 1),
	                           .kind = db_int4(rows, i, 3),
	                           .state = db_int4(rows, i, 4),
	                           .scope = db_text(rows, i, 5),
	                           .jurisdiction = db_text(rows, i, 6),
	                           .channel = db_text(rows, i, 7),
	                           .requester = db_text(rows, i, 8),
	                           .officer = db_bool(rows, i, 9),
	                           .assignee = db_text(rows, i, 10),
	                           .reason = db_text(rows, i, 11),
	                           .created_at_us = db_time_us(rows, i, 12),
	                           .due_at_us = db_time_us(rows, i, 13),
	                           .extended = db_bool(rows, i, 14),
	                           .approved_at_us = db_null(rows, i, 15) ? 0 : db_time_us(rows, i, 15),
	                           .ended_at_us = db_null(rows, i, 16) ? 0 : db_time_us(rows, i, 16),
	                           .done = db_int8(rows, i, 17),
	                           .total = db_int8(rows, i, 18),
	                           .extension_reason = db_text(rows, i, 19),
	                           .held_at_us = db_null(rows, i, 20) ? 0 : db_time_us(rows, i, 20),
	                           .recipient = db_text(rows, i, 21)};
	out->sref = db_bytes(rows, i, 2, &out->sref_len);
}

enum err rights_insert(struct db *db, const struct rights_row *r, int64_t *request)
{
	uint8_t customer[8], kind[8], state[8], officer[8], created[8], due[8];
	const struct db_param p[] = {db_param_int8(r->customer, customer), {r->sref, r->sref_len}, db_param_int4(r->kind, kind),
	                             db_param_int4(r->state, state), db_param_text(r->scope), db_param_text(r->jurisdiction),
	                             db_param_text(r->channel), db_param_text(r->requester), db_param_bool(r->officer, officer),
	                             db_param_time(r->created_at_us, created), db_param_time(r->due_at_us, due), db_param_text(r->recipient)};
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "INSERT INTO rights_request (customer_id, sref, kind, state, scope, jurisdiction, channel, requester, officer, "
	                    "assignee, reason, created_at, due_at, extended, done, total, recipient) VALUES ($1::int8, $2::bytea, $3::int4, $4::int4, "
	                    "$5::text, $6::text, $7::text, $8::text, $9::bool, '', '', $10::timestamptz, $11::timestamptz, false, 0, 0, $12::text) "
	                    "RETURNING request",
	                    p, 12, &res);

	if (!e)
		*request = db_int8(res, 0, 0);
	db_result_free(res);
	return e;
}

enum err rights_get(struct db *db, int64_t request, bool lock, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(request, room);

	return db_run(db,
	              lock ? "SELECT " COLUMNS " FROM rights_request WHERE request = $1::int8 FOR UPDATE"
	                   : "SELECT " COLUMNS " FROM rights_request WHERE request = $1::int8",
	              &p, 1, out);
}

enum err rights_list(struct db *db, const struct rights_filter *f, struct db_result **out)
{
	uint8_t before[8], customer[8], state[8], kind[8], overdue[8], most[8];
	const struct db_param p[] = {db_param_int8(f->before, before), db_param_int8(f->customer, customer), db_param_int4(f->state, state),
	                             db_param_int4(f->kind, kind), f->requester ? db_param_text(f->requester) : (struct db_param){NULL, 0},
	                             db_param_bool(f->overdue, overdue), db_param_int4(f->most, most)};

	return db_run(db,
	              "SELECT " COLUMNS " FROM rights_request WHERE request < $1::int8 AND ($2::int8 = 0 OR customer_id = $2::int8) "
	              "AND ($3::int4 < 0 OR state = $3::int4) AND ($4::int4 < 0 OR kind = $4::int4) "
	              "AND ($5::text IS NULL OR requester = $5::text) AND (NOT $6::bool OR (ended_at IS NULL AND due_at < now())) "
	              "ORDER BY request DESC LIMIT $7::int4",
	              p, 7, out);
}

enum err rights_open_like(struct db *db, int64_t customer, int32_t kind, const char *scope, bool *found)
{
	uint8_t id[8], k[8];
	const struct db_param p[] = {db_param_int8(customer, id), db_param_int4(kind, k), db_param_text(scope)};
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "SELECT 1 FROM rights_request WHERE customer_id = $1::int8 AND kind = $2::int4 AND scope = $3::text "
	                    "AND ended_at IS NULL LIMIT 1",
	                    p, 3, &res);

	*found = !e && db_rows(res) > 0;
	db_result_free(res);
	return e;
}

static struct db_param maybe_time(int64_t at_us, uint8_t room[static 8])
{
	return at_us ? db_param_time(at_us, room) : (struct db_param){NULL, 0};
}

enum err rights_update(struct db *db, const struct rights_row *r)
{
	uint8_t request[8], state[8], due[8], extended[8], approved[8], ended[8], held[8];
	const struct db_param p[] = {db_param_int8(r->request, request), db_param_int4(r->state, state), db_param_text(r->reason),
	                             db_param_text(r->assignee), db_param_text(r->scope), db_param_time(r->due_at_us, due),
	                             db_param_bool(r->extended, extended), maybe_time(r->approved_at_us, approved),
	                             maybe_time(r->ended_at_us, ended), db_param_text(r->extension_reason), maybe_time(r->held_at_us, held)};

	return db_run(db,
	              "UPDATE rights_request SET state = $2::int4, reason = $3::text, assignee = $4::text, scope = $5::text, "
	              "due_at = $6::timestamptz, extended = $7::bool, approved_at = $8::timestamptz, ended_at = $9::timestamptz, "
	              "extension_reason = $10::text, held_at = $11::timestamptz WHERE request = $1::int8",
	              p, 11, NULL);
}

enum err rights_progress_set(struct db *db, int64_t request, int64_t done, int64_t total)
{
	uint8_t a[8], b[8], c[8];
	const struct db_param p[] = {db_param_int8(request, a), db_param_int8(done, b), db_param_int8(total, c)};

	return db_run(db, "UPDATE rights_request SET done = $2::int8, total = $3::int8 WHERE request = $1::int8", p, 3, NULL);
}

enum err rights_due_jobs(struct db *db, const struct rights_due *d, struct db_result **out)
{
	uint8_t a[8], b[8], c[8], k[8];
	const struct db_param p[] = {db_param_int4(d->approved, a), db_param_int4(d->running, b), db_param_int4(d->held, c), db_param_int4(d->by_people, k)};

	return db_run(db,
	              "SELECT " COLUMNS " FROM rights_request r WHERE ended_at IS NULL AND (state = $2::int4 OR (state = $1::int4 AND kind <> $4::int4) "
	              "OR (state = $3::int4 AND (NOT EXISTS (SELECT FROM hold h WHERE h.customer_id = r.customer_id AND confirmed_at IS NOT NULL "
	              "AND released_at IS NULL AND until > now()) OR EXISTS (SELECT FROM hold h WHERE h.customer_id = r.customer_id "
	              "AND confirmed_at IS NOT NULL AND (released_at > r.held_at OR (until > r.held_at AND until <= now())))))) "
	              "ORDER BY request LIMIT 16",
	              p, 4, out);
}

enum err rights_lock_open(struct db *db, int64_t customer, int32_t kind, int32_t state, bool *found)
{
	uint8_t a[8], k[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int4(kind, k)};
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "SELECT state FROM rights_request WHERE customer_id = $1::int8 AND kind = $2::int4 AND ended_at IS NULL "
	                    "ORDER BY request FOR UPDATE",
	                    p, 2, &res);

	*found = false;
	for (size_t i = 0; !e && i < db_rows(res); i++)
		*found = *found || db_int4(res, i, 0) == state;
	db_result_free(res);
	return e;
}

enum err rights_end_others(struct db *db, int64_t customer, int64_t but, int32_t running, int32_t to, const char *reason, int64_t at_us)
{
	uint8_t a[8], b[8], c[8], d[8], at[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int8(but, b), db_param_int4(running, c), db_param_int4(to, d),
	                             db_param_text(reason), db_param_time(at_us, at)};

	return db_run(db,
	              "UPDATE rights_request SET state = $4::int4, reason = $5::text, ended_at = $6::timestamptz "
	              "WHERE customer_id = $1::int8 AND request <> $2::int8 AND ended_at IS NULL AND state <> $3::int4",
	              p, 6, NULL);
}

enum err rights_counts(struct db *db, struct db_result **out)
{
	return db_run(db,
	              "SELECT kind, count(*), count(*) FILTER (WHERE due_at < now()), "
	              "count(*) FILTER (WHERE due_at >= now() AND due_at < now() + interval '72 hours') "
	              "FROM rights_request WHERE ended_at IS NULL GROUP BY kind",
	              NULL, 0, out);
}

enum err rights_recipients(struct db *db, int64_t request, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(request, room);

	return db_run(db, "SELECT recipients FROM rights_request WHERE request = $1::int8", &p, 1, out);
}

enum err rights_recipients_set(struct db *db, int64_t request, const struct buf *list)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_int8(request, room), {list->data, list->len}};

	return db_run(db, "UPDATE rights_request SET recipients = $2::text WHERE request = $1::int8", p, 2, NULL);
}

enum err rights_recipients_first(struct db *db, int64_t request, const struct buf *list, bool *found)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_int8(request, room), {list->data, list->len}};
	struct db_result *res = NULL;
	enum err e = db_run(db, "UPDATE rights_request SET recipients = $2::text WHERE request = $1::int8 AND recipients = '' RETURNING 1", p, 2, &res);

	*found = !e && db_rows(res) > 0;
	db_result_free(res);
	return e;
}

enum err rights_untold(struct db *db, int32_t kind, int32_t state, struct db_result **out)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int4(kind, a), db_param_int4(state, b)};

	return db_run(db,
	              "SELECT " COLUMNS " FROM rights_request WHERE recipients = '' AND kind = $1::int4 AND state = $2::int4 ORDER BY request LIMIT 16",
	              p, 2, out);
}

enum err rights_approve(struct db *db, int64_t request, const char *approver, const uint8_t hash[static 32], int64_t at_us)
{
	uint8_t a[8], at[8];
	const struct db_param p[] = {db_param_int8(request, a), db_param_text(approver), {hash, 32}, db_param_time(at_us, at)};
	enum err e = db_run(db, "DELETE FROM rights_approval WHERE request = $1::int8 AND approver = $2::text", p, 2, NULL);

	if (e)
		return e;
	return db_run(db,
	              "INSERT INTO rights_approval (request, approver, scope_hash, at) VALUES ($1::int8, $2::text, $3::bytea, $4::timestamptz)",
	              p, 4, NULL);
}

enum err rights_approvals(struct db *db, int64_t request, int64_t since_us, struct db_result **out)
{
	uint8_t a[8], at[8];
	const struct db_param p[] = {db_param_int8(request, a), db_param_time(since_us, at)};

	return db_run(db,
	              "SELECT approver, scope_hash, at FROM rights_approval WHERE request = $1::int8 AND at > $2::timestamptz ORDER BY at",
	              p, 2, out);
}

enum err rights_note_add(struct db *db, int64_t customer, int64_t request, const char *author, int64_t at_us, uint32_t generation,
                         const uint8_t *sealed, size_t len)
{
	uint8_t a[8], b[8], at[8], g[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int8(request, b), db_param_text(author), db_param_time(at_us, at),
	                             db_param_int4((int32_t)generation, g), {sealed, len}};

	return db_run(db,
	              "INSERT INTO rights_note (customer_id, request, author, at, dek_generation, sealed) "
	              "VALUES ($1::int8, $2::int8, $3::text, $4::timestamptz, $5::int4, $6::bytea)",
	              p, 6, NULL);
}

enum err rights_notes(struct db *db, int64_t customer, int64_t request, struct db_result **out)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int8(request, b)};

	return db_run(db,
	              "SELECT item, author, at, dek_generation, sealed FROM rights_note WHERE customer_id = $1::int8 AND request = $2::int8 ORDER BY item",
	              p, 2, out);
}

enum err hold_insert(struct db *db, const struct hold_entry *h, int64_t *hold)
{
	uint8_t customer[8], until[8], at[8], told[8];
	const struct db_param p[] = {db_param_int8(h->customer, customer), db_param_text(h->scope), db_param_text(h->reason),
	                             db_param_text(h->law), db_param_time(h->until_us, until), db_param_text(h->by), db_param_time(h->at_us, at), db_param_bool(h->may_be_told, told)};
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "INSERT INTO hold (customer_id, scope, reason, law, until, proposed_by, proposed_at, may_be_told) "
	                    "VALUES ($1::int8, $2::text, $3::text, $4::text, $5::timestamptz, $6::text, $7::timestamptz, $8::bool) RETURNING hold",
	                    p, 8, &res);

	if (!e)
		*hold = db_int8(res, 0, 0);
	db_result_free(res);
	return e;
}

enum err hold_list(struct db *db, int64_t before, int64_t hold, int32_t most, struct db_result **out)
{
	uint8_t a[8], b[8], c[8];
	const struct db_param p[] = {db_param_int8(before, a), db_param_int8(hold, b), db_param_int4(most, c)};

	return db_run(db,
	              "SELECT hold, customer_id, scope, reason, law, until, proposed_by, proposed_at, coalesce(confirmed_by, ''), "
	              "coalesce(released_by, ''), may_be_told FROM hold WHERE hold < $1::int8 AND ($2::int8 = 0 OR hold = $2::int8) "
	              "ORDER BY hold DESC LIMIT $3::int4",
	              p, 3, out);
}

enum err hold_confirm(struct db *db, int64_t hold, const char *by, int64_t at_us)
{
	uint8_t a[8], at[8];
	const struct db_param p[] = {db_param_int8(hold, a), db_param_text(by), db_param_time(at_us, at)};

	return db_run(db, "UPDATE hold SET confirmed_by = $2::text, confirmed_at = $3::timestamptz WHERE hold = $1::int8", p, 3, NULL);
}

enum err hold_release(struct db *db, int64_t hold, const char *by, int64_t at_us)
{
	uint8_t a[8], at[8];
	const struct db_param p[] = {db_param_int8(hold, a), db_param_text(by), db_param_time(at_us, at)};

	return db_run(db, "UPDATE hold SET released_by = $2::text, released_at = $3::timestamptz WHERE hold = $1::int8", p, 3, NULL);
}

enum err holds_to_tell(struct db *db, int64_t customer, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(customer, room);

	return db_run(db,
	              "SELECT scope, reason, law, confirmed_at, until, released_at FROM hold WHERE customer_id = $1::int8 "
	              "AND confirmed_at IS NOT NULL AND may_be_told ORDER BY hold",
	              &p, 1, out);
}

enum err holds_in_force(struct db *db, int64_t customer, int64_t now_us, struct db_result **out)
{
	uint8_t a[8], at[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_time(now_us, at)};

	return db_run(db,
	              "SELECT scope FROM hold WHERE customer_id = $1::int8 AND confirmed_at IS NOT NULL AND released_at IS NULL "
	              "AND until > $2::timestamptz",
	              p, 2, out);
}

enum err erase_customer(struct db *db, int64_t customer, const char *keep_requests_reason)
{
	static const char *const statements[] = {
	    "DELETE FROM customer_key WHERE customer_id = $1::int8", /* first of all */
	    "DELETE FROM customer WHERE customer_id = $1::int8",
	    "DELETE FROM customer_large WHERE customer_id = $1::int8",
	    "DELETE FROM record WHERE customer_id = $1::int8",
	    "DELETE FROM field_age WHERE customer_id = $1::int8",
	    "DELETE FROM blind_index WHERE customer_id = $1::int8",
	    "DELETE FROM export_chunk WHERE customer_id = $1::int8",
	    "DELETE FROM consent_event WHERE customer_id = $1::int8",
	    "DELETE FROM rights_note WHERE customer_id = $1::int8",
	};
	uint8_t room[8];
	const struct db_param id = db_param_int8(customer, room);
	const struct db_param both[] = {id, db_param_text(keep_requests_reason)};
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof statements / sizeof *statements && !e; i++)
		e = db_run(db, statements[i], &id, 1, NULL);
	if (e)
		return e;
	e = db_run(db,
	           "UPDATE rights_request SET customer_id = 0, sref = '', "
	           "reason = CASE WHEN ended_at IS NULL THEN $2::text ELSE reason END WHERE customer_id = $1::int8",
	           both, 2, NULL);
	return e ? e : db_run(db, "UPDATE hold SET customer_id = 0 WHERE customer_id = $1::int8", &id, 1, NULL); /* after requests, as hold_confirm locks */
}

enum err erasure_insert(struct db *db, const struct erasure_entry *e)
{
	uint8_t position[8], request[8], at[8], epoch[8];
	const struct db_param p[] = {db_param_int8(e->position, position), {e->customer_mac, 32}, db_param_int8(e->request, request),
	                             db_param_time(e->at_us, at), {e->hash, 32}, db_param_int4((int32_t)e->key_epoch, epoch)};

	return db_run(db,
	              "INSERT INTO erasure (position, customer_mac, request, at, hash, key_epoch) "
	              "VALUES ($1::int8, $2::bytea, $3::int8, $4::timestamptz, $5::bytea, $6::int4) ON CONFLICT (position) DO NOTHING",
	              p, 6, NULL);
}

enum err erasure_last(struct db *db, int64_t *position, uint8_t hash[static 32])
{
	struct db_result *res = NULL;
	enum err e = db_run(db, "SELECT position, hash FROM erasure ORDER BY position DESC LIMIT 1", NULL, 0, &res);

	*position = 0;
	memset(hash, 0, 32);
	if (!e && db_rows(res)) {
		size_t len;
		const uint8_t *bytes = db_bytes(res, 0, 1, &len);

		*position = db_int8(res, 0, 0);
		if (len == 32)
			memcpy(hash, bytes, 32);
	}
	db_result_free(res);
	return e;
}

enum err erasure_of(struct db *db, const uint8_t mac[static 32], struct db_result **out)
{
	const struct db_param p = {mac, 32};

	return db_run(db, "SELECT position, at, hash, request FROM erasure WHERE customer_mac = $1::bytea", &p, 1, out);
}

enum err erasure_by_request(struct db *db, int64_t request, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(request, room);

	return db_run(db, "SELECT position, at, hash, request, (SELECT recipients FROM rights_request WHERE request = $1::int8), key_epoch FROM erasure WHERE request = $1::int8", &p, 1, out);
}
