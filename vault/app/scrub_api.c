/* scrub_api.c: asking for a comparison of rows and log, and what it has found; canaries. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "store/watch.h"
#include "vault/app/manage.h"
#include "vault/app/slice.h"

#include <stdlib.h>
#include <string.h>

#define FINDINGS_SHOWN 1000

static enum err note(struct req *r, struct batch *b)
{
	const struct audit_entry entry = {.activity = "audit_read", .object = "scrub", .state = -1};

	return audit_add(r, b, &entry);
}

static void put_state(struct json *j, const struct scrub_row *row)
{
	json_key_int(j, "cycle", row->cycle);
	json_key_bool(j, "running", row->next_slice < (int32_t)SLICES);
	json_key_int(j, "slices_done", row->next_slice);
	json_key_int(j, "slices", SLICES);
	json_key_int(j, "customers", row->customers);
	json_key(j, "started_at");
	if (row->cycle)
		json_time(j, row->started_at_us);
	else
		json_null(j);
	json_key(j, "ended_at");
	if (row->ended_at_us)
		json_time(j, row->ended_at_us);
	else
		json_null(j);
}

static void put_findings(struct json *j, const struct db_result *rows)
{
	json_key(j, "findings");
	json_array(j);
	for (size_t i = 0; i < db_rows(rows) && i < FINDINGS_SHOWN; i++) {
		size_t len;
		const uint8_t *sref = db_bytes(rows, i, 1, &len);

		json_object(j);
		json_key(j, "sref");
		if (len)
			json_hex(j, sref, len);
		else
			json_null(j);
		json_key_string(j, "what", db_text(rows, i, 2));
		json_key(j, "found_at");
		json_time(j, db_time_us(rows, i, 3));
		json_object_end(j);
	}
	json_array_end(j);
	json_key_bool(j, "more", db_rows(rows) > FINDINGS_SHOWN);
}

static enum err show(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct scrub_row row;
	struct json j;
	enum err e = scrub_read(b->db, &row);

	if (!e)
		e = scrub_findings(b->db, -1, FINDINGS_SHOWN + 1, &rows);
	if (!e) {
		json_init(&j, &r->out);
		json_object(&j);
		put_state(&j, &row);
		put_findings(&j, rows);
		json_object_end(&j);
	}
	db_result_free(rows);
	return e;
}

enum step scrub_status_decide(struct req *r, struct batch *b)
{
	if (manage_right(r, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	r->err = show(r, b);
	if (!r->err)
		r->err = note(r, b);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step scrub_decide(struct req *r, struct batch *b)
{
	if (manage_right(r, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	r->err = scrub_start(b->db, true);
	if (!r->err)
		r->err = scrub_ask(b->db);
	if (!r->err)
		r->err = show(r, b);
	if (!r->err)
		r->err = note(r, b);
	r->status = 202;
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- canaries ---- */

static bool read_sref(const char *text, uint8_t sref[static SREF_LEN])
{
	if (strlen(text) != 2 * SREF_LEN || strspn(text, "0123456789abcdef") != 2 * SREF_LEN)
		return false;
	for (size_t i = 0; i < SREF_LEN; i++) {
		const char byte[] = {text[2 * i], text[2 * i + 1], 0};

		sref[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
	return true;
}

static enum step change(struct req *r, struct batch *b, bool set)
{
	uint8_t sref[SREF_LEN];
	int64_t rows = 1;
	enum step step;
	struct json j;

	if (manage_right(r, RIGHT_MANAGE_CALLERS))
		return STEP_FAIL;
	if (!read_sref(r->params[0], sref))
		return req_fail(r, ERR_BAD_PARAMETER, "sref"), STEP_FAIL;
	step = manage_claim(r, b);
	if (step != STEP_DONE)
		return step;
	r->err = set ? canary_set(b->db, sref, b->now_us, r->identity) : canary_clear(b->db, sref, &rows);
	if (!r->err && !rows)
		r->err = req_fail(r, ERR_NOT_FOUND, "sref");
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key_string(&j, "sref", r->params[0]);
	json_key_bool(&j, "canary", set);
	json_object_end(&j);
	return manage_done(r, b, "canary", r->params[0]);
}

enum step canary_put_decide(struct req *r, struct batch *b)
{
	return change(r, b, true);
}

enum step canary_delete_decide(struct req *r, struct batch *b)
{
	return change(r, b, false);
}

enum step canaries_decide(struct req *r, struct batch *b)
{
	struct db_result *rows = NULL;
	struct json j;

	if (manage_right(r, RIGHT_MANAGE_CALLERS))
		return STEP_FAIL;
	r->err = canaries(b->db, &rows);
	if (r->err)
		return STEP_FAIL;
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "canaries");
	json_array(&j);
	for (size_t i = 0; i < db_rows(rows); i++) {
		size_t len;
		const uint8_t *sref = db_bytes(rows, i, 0, &len);

		json_object(&j);
		json_key(&j, "sref");
		json_hex(&j, sref, len);
		json_key(&j, "set_at");
		json_time(&j, db_time_us(rows, i, 1));
		json_key_string(&j, "set_by", db_text(rows, i, 2));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_object_end(&j);
	db_result_free(rows);
	return manage_note(r, b, "canary", "list");
}
