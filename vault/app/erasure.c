/* erasure.c: the ledger against the database, and the certificate of an erasure. */
#include "vault/app/erasure.h"

#include "base/clock.h"
#include "crypto/ledger.h"
#include "vault/app/operations.h"
#include "vault/app/rights.h"
#include "vault/app/signed.h"

#include <string.h>

#define DAY_US ((int64_t)86400 * 1000000)
#define EPOCH_DAYS 28 /* a key epoch lasts 21 days and overlaps 7: then nothing under it opens any more */

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

static enum err put_document(struct req *r, struct batch *b, const struct rights_row *row, const struct db_result *erased, struct json *j)
{
	size_t n_epochs, len;
	const struct keyring_epoch *epochs = keyring_epochs(r->app->keyring, &n_epochs);
	const uint8_t *hash = db_bytes(erased, 0, 2, &len);
	enum err e;

	json_object(j);
	json_key_string(j, "@type", "ErasureCertificate");
	json_key(j, "erased_at");
	json_time(j, db_time_us(erased, 0, 1));
	json_key(j, "final_in_backups");
	json_object(j);
	json_key_int(j, "key_epoch", keyring_active(r->app->keyring));
	json_key(j, "planned_at");
	json_time(j, epochs[n_epochs - 1].created_at_us + EPOCH_DAYS * DAY_US > b->now_us ? epochs[n_epochs - 1].created_at_us + EPOCH_DAYS * DAY_US
	                                                                                  : b->now_us + EPOCH_DAYS * DAY_US);
	json_key_string(j, "when", "the key epoch is destroyed: until then a backup of the keys made before the erasure opens backups made before it");
	json_object_end(j);
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
