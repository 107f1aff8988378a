/* export_get.c: the download of an archive, chunk by chunk: memory stays flat on both ends, and a
 * download that broke off goes on where it was. Each request is audited before its bytes leave. */
#include "vault/app/export_int.h"
#include "vault/app/rights.h"
#include "vault/app/values.h"

#include "crypto/secret.h"
#include "vault/app/operations.h"

#define DAY_US ((int64_t)86400 * 1000000)

static enum err open_chunk(struct req *r, struct batch *b, const struct rights_row *row, struct customer *c, int32_t part)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int8(row->customer, room[0]), db_param_int8(row->request, room[1]), db_param_int4(part, room[2])};
	struct db_result *rows = NULL;
	enum err e = db_run(b->db,
	                    "SELECT last, dek_generation, sealed FROM export_chunk WHERE customer_id = $1::int8 AND request = $2::int8 AND chunk = $3::int4",
	                    p, 3, &rows);

	if (!e && db_rows(rows) == 0)
		e = part == 0 || b->now_us - row->ended_at_us > EXPORT_DAYS * DAY_US ? ERR_EXPIRED : req_fail(r, ERR_NOT_FOUND, "part");
	if (!e)
		e = customer_use(b, c);
	if (!e) {
		const struct seal_place place = export_chunk_place(row->customer, row->request, part, db_bool(rows, 0, 0), (uint32_t)db_int4(rows, 0, 1));
		size_t len, plain = 0;
		const uint8_t *sealed = db_bytes(rows, 0, 2, &len);
		uint8_t *out = buf_reserve(&r->out, len + 1);

		e = out ? customer_alarm(seal_open(b->sealer, &place, sealed, len, out, &plain), "export") : ERR_MEMORY;
		if (!e)
			r->out.len += plain;
	}
	db_result_free(rows);
	return e;
}

/* Two rounds: the request, then its customer. */
enum step export_get_decide(struct req *r, struct batch *b)
{
	struct audit_entry entry = {.activity = "export", .object = "download", .state = -1};
	struct db_result *rows = NULL;
	struct customer *c = NULL;
	struct rights_row row;
	bool officer, more = false;
	int64_t part;

	buf_reset(&r->out);
	r->err = rights_find(r, b, false, &row, &rows, &officer);
	if (!r->err)
		r->err = req_query_number(r, "part", 0, INT32_MAX, 0, &part);
	if (!r->err && (row.kind != RIGHTS_EXPORT || row.state != RIGHTS_DONE))
		r->err = req_fail(r, ERR_REQUEST_STATE, NULL);
	if (!r->err && !row.customer)
		r->err = ERR_ERASED;
	if (!r->err && !r->rounds) {
		reads_customer(b->reads, row.customer);
		more = true;
	}
	if (!r->err && !more) {
		struct customer_row *known = reads_get(b->reads, row.customer);

		r->err = known ? customer_open(b, known, &c) : ERR_ERASED;
		r->about = c;
		if (!r->err)
			r->err = open_chunk(r, b, &row, c, (int32_t)part);
		entry.customer = c;
		entry.count = (uint32_t)part + 1;
		if (!r->err)
			r->err = audit_add(r, b, &entry);
		r->content_type = "application/octet-stream";
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : more ? STEP_MORE : STEP_DONE;
}
