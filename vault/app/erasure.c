/* erasure.c: the ledger against the database, and the certificate of an erasure. */
#include "vault/app/erasure.h"

#include "base/clock.h"
#include "crypto/ledger.h"
#include "store/keys.h"
#include "vault/app/operations.h"
#include "vault/app/rights.h"
#include "vault/app/signed.h"

#include <string.h>


struct comparison {
	struct db *db;
	int64_t last;      /* position in the database */
	uint8_t hash[LEDGER_MAC_LEN];
	bool same;         /* the entry at last is the same in both */
	int64_t unknown;   /* first entry behind it whose request is not being carried out; 0: none */
};

static enum err compare_entry(void *ctx, const struct ledger_entry *entry)
{
	struct comparison *c = ctx;
	struct db_result *rows = NULL;
	enum err e = ERR_OK;

	if (entry->position == c->last)
		c->same = !memcmp(entry->hash, c->hash, LEDGER_MAC_LEN);
	if (entry->position <= c->last || c->unknown)
		return ERR_OK;
	e = rights_get(c->db, entry->request, false, &rows);
	if (!e) {
		struct rights_row row = {.state = -1};

		if (db_rows(rows))
			rights_row_read(rows, 0, &row);
		if (row.state != RIGHTS_RUNNING && row.state != RIGHTS_FAILED)
			c->unknown = entry->position;
	}
	db_result_free(rows);
	return e;
}

enum err erasure_agrees(const struct config *c, const struct keyring *k, struct db *db, struct buf *why)
{
	struct comparison x = {.db = db};
	char room[CONFIG_PATH_MAX];
	int64_t count = 0;
	enum err e = erasure_last(db, &x.last, x.hash);

	if (e)
		return e;
	e = ledger_read(config_ledger(c, room), keyring_key(k, KEYRING_LEDGER), compare_entry, &x, &count, why);
	if (e)
		return e;
	if (count < x.last || (x.last && !x.same))
		buf_printf(why, "the database knows %lld erasures and the ledger %lld: this is not the ledger of this database", (long long)x.last, (long long)count);
	else if (x.unknown)
		buf_printf(why, "the database knows %lld erasures and the ledger %lld: an older database was restored; run vaultctl erasure replay", (long long)x.last, (long long)count);
	else
		return ERR_OK;
	return ERR_LEDGER;
}

/* ---- the certificate ---- */

static const char *const not_under_key[] = {"audit records (they name a random reference, whose link to the person is gone)", "internal number, in backups",
                                            "index tags, purpose state and times, in backups until these expire"};

/* When nothing opens the customer's key any more, in old copies of the database either. */
struct finality {
	uint32_t epoch;   /* the customer's key was under this one or, in older copies, under an earlier one */
	const char *state;
	int64_t final_at_us;   /* 0: not yet */
	int64_t planned_at_us; /* by the calendar; 0: nothing is planned, or the plan has not been kept */
};

static enum err look_at_epochs(struct batch *b, int64_t erased_at_us, struct finality *f)
{
	const struct config *c = b->app->config;
	struct db_result *rows = NULL;
	bool all_gone = true;
	enum err e = keys_epochs(b->db, &rows);

	for (size_t i = 0; !e && !f->epoch && i < db_rows(rows); i++) /* not noted: the newest that there was */
		if (i + 1 == db_rows(rows) || db_time_us(rows, i + 1, 3) > erased_at_us)
			f->epoch = (uint32_t)db_int4(rows, i, 0);
	for (size_t i = 0; !e && i < db_rows(rows) && (uint32_t)db_int4(rows, i, 0) <= f->epoch; i++) {
		const bool retired = !db_null(rows, i, 4), gone = !db_null(rows, i, 6);
		const int64_t retires = retired ? db_time_us(rows, i, 4) : db_time_us(rows, i, 3) + c->key_epoch_s * 1000000;

		all_gone = all_gone && gone;
		f->state = db_text(rows, i, 1)[0] == 'a' ? "active" : db_text(rows, i, 1)[0] == 'r' ? "retiring" : "destroyed";
		if (gone && db_time_us(rows, i, 6) > f->final_at_us)
			f->final_at_us = db_time_us(rows, i, 6);
		if (!gone && retires + c->key_overlap_s * 1000000 > f->planned_at_us)
			f->planned_at_us = retires + c->key_overlap_s * 1000000;
	}
	if (!all_gone || !f->state)
		f->final_at_us = 0;
	if (f->planned_at_us <= b->now_us)
		f->planned_at_us = 0;
	db_result_free(rows);
	return e;
}

static enum err put_final(struct req *r, struct batch *b, int64_t erased_at_us, uint32_t epoch, struct json *j)
{
	struct finality f = {.epoch = epoch};
	enum err e = look_at_epochs(b, erased_at_us, &f);

	(void)r;
	if (e)
		return e;
	json_key(j, "final_in_backups");
	json_object(j);
	json_key(j, "final_at");
	if (f.final_at_us)
		json_time(j, f.final_at_us);
	else
		json_null(j);
	json_key_int(j, "key_epoch", f.epoch);
	json_key(j, "planned_at");
	if (f.planned_at_us)
		json_time(j, f.planned_at_us);
	else
		json_null(j);
	json_key_string(j, "state", f.state ? f.state : "unknown");
	json_key_string(j, "when", "every key epoch up to key_epoch is destroyed and no node holds one; copies of older keyrings with their root keys, and "
	                           "key backups, open older backups for as long as they are kept. planned_at is the calendar's date and no promise: an operator rotates and destroys");
	json_object_end(j);
	return ERR_OK;
}

static enum err put_document(struct req *r, struct batch *b, const struct rights_row *row, const struct db_result *erased, struct json *j)
{
	size_t len;
	const uint8_t *hash = db_bytes(erased, 0, 2, &len);
	enum err e;

	json_object(j);
	json_key_string(j, "@type", "ErasureCertificate");
	json_key(j, "erased_at");
	json_time(j, db_time_us(erased, 0, 1));
	e = put_final(r, b, db_time_us(erased, 0, 1), (uint32_t)db_int4(erased, 0, 5), j);
	if (e)
		return e;
	json_key(j, "issued_at");
	json_time(j, b->now_us);
	json_key_string(j, "jurisdiction", row->jurisdiction);
	json_key(j, "ledger");
	json_object(j);
	json_key(j, "hash");
	json_hex(j, hash, len);
	json_key_int(j, "position", db_int8(erased, 0, 0));
	json_object_end(j);
	json_key(j, "not_under_key");
	json_array(j);
	for (size_t i = 0; i < sizeof not_under_key / sizeof *not_under_key; i++)
		json_string(j, not_under_key[i]);
	json_array_end(j);
	json_key(j, "recipients");
	json_raw(j, *db_text(erased, 0, 4) ? db_text(erased, 0, 4) : "[]", *db_text(erased, 0, 4) ? strlen(db_text(erased, 0, 4)) : 2);
	json_key(j, "request");
	e = rights_write_id(b, row->request, RIGHTS_SUBJECT_REQUEST, j->out);
	j->comma = true;
	json_key_string(j, "requester", row->requester);
	json_key(j, "scope");
	json_raw(j, row->scope, strlen(row->scope));
	json_object_end(j);
	return e ? e : buf_err(j->out);
}

enum step certificate_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL, *erased = NULL;
	struct rights_row row;
	struct buf document;
	bool officer;
	struct json j;

	buf_reset(&r->out);
	buf_init(&document, 0);
	r->err = rights_find(r, b, false, &row, &rows, &officer);
	if (!r->err && (row.kind != RIGHTS_ERASE || row.state != RIGHTS_DONE))
		r->err = req_fail(r, ERR_REQUEST_STATE, NULL);
	if (!r->err)
		r->err = erasure_by_request(b->db, row.request, &erased);
	if (!r->err && db_rows(erased) == 0)
		r->err = req_fail(r, ERR_NOT_FOUND, NULL); /* of a part: the request itself and its audit record tell */
	json_init(&j, &document);
	if (!r->err)
		r->err = put_document(r, b, &row, erased, &j);
	if (!r->err)
		r->err = signed_write(r->app, &document, &r->out);
	if (!r->err)
		r->err = rights_audit(r, b, "certificate", row.kind, NULL);
	buf_fini(&document);
	db_result_free(erased);
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}
