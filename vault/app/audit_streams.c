/* audit_streams.c: the log by stream, oldest first: where each stream ends, and its records from a number on. For those
 * who copy the log elsewhere and must miss nothing: numbers of a stream have no gap, so a number a stream is a cursor. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "store/audit_query.h"
#include "vault/app/audit_filter.h"
#include "vault/app/manage.h"

#include <stdlib.h>
#include <string.h>

#define STREAMS_MAX 1000  /* a page */
#define RECORDS_MAX 2000  /* a page, about: the last segment is given whole */
#define BYTES_MAX ((size_t)4 << 20)

enum step streams_decide(struct req *r, struct batch *b)
{
	const struct audit_entry entry = {.activity = "audit_read", .object = "streams", .state = -1};
	struct db_result *rows = NULL;
	int64_t after = 0, last = 0;
	size_t n = 0;
	struct json j;

	if (manage_right(r, RIGHT_READ_AUDIT) || req_query_number(r, "after", 0, INT64_MAX, 0, &after))
		return STEP_FAIL;
	r->err = audit_query_ends(b->db, &rows);
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "data");
	json_array(&j);
	for (size_t i = 0; !r->err && i < db_rows(rows) && n <= STREAMS_MAX; i++) {
		if (db_int8(rows, i, 0) <= after || ++n > STREAMS_MAX)
			continue;
		last = db_int8(rows, i, 0);
		json_object(&j);
		json_key_int(&j, "stream", last);
		json_key_int(&j, "next_seq", db_int8(rows, i, 1));
		json_object_end(&j);
	}
	json_array_end(&j);
	json_key(&j, "next");
	if (n > STREAMS_MAX)
		json_int(&j, last);
	else
		json_null(&j);
	json_object_end(&j);
	db_result_free(rows);
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

struct stream_page {
	int64_t next_seq;
	uint32_t n;
};

static void take_segment(struct req *r, const struct db_result *rows, size_t i, int64_t from, struct stream_page *p)
{
	struct audit_walk w = audit_walk_of(rows, i);
	const char *record;
	size_t len;
	int64_t seq;

	while (audit_walk_next(&w, &record, &len, &seq)) {
		if (seq < from)
			continue;
		if (p->n++)
			buf_byte(&r->out, ',');
		buf_append(&r->out, record, len);
	}
	p->next_seq = db_int8(rows, i, 1) + db_int4(rows, i, 2);
}

/* The segment that holds the first number, which may stand in its middle, then those behind it. */
static enum err fill(struct req *r, struct batch *b, int64_t stream, int64_t from, struct stream_page *p)
{
	struct db_result *rows = NULL;
	size_t got = AUDIT_NEWER_MOST;
	enum err e = audit_query_one(b->db, stream, from, &rows);

	if (!e && db_rows(rows))
		take_segment(r, rows, 0, from, p);
	db_result_free(rows);
	while (!e && got == AUDIT_NEWER_MOST && p->n < RECORDS_MAX && r->out.len < BYTES_MAX) {
		struct db_array streams, seqs;

		rows = NULL;
		db_array_init(&streams, DB_INT8);
		db_array_init(&seqs, DB_INT8);
		db_array_int8(&streams, stream);
		db_array_int8(&seqs, p->next_seq);
		e = audit_query_newer(b->db, &streams, &seqs, &rows);
		got = e ? 0 : db_rows(rows);
		for (size_t i = 0; i < got; i++)
			take_segment(r, rows, i, from, p);
		db_result_free(rows);
		db_array_fini(&streams);
		db_array_fini(&seqs);
	}
	return e;
}

enum step stream_decide(struct req *r, struct batch *b)
{
	struct audit_entry entry = {.activity = "audit_read", .object = "stream", .state = -1};
	const char *text = r->params[0];
	int64_t from = 1, stream;
	struct stream_page p;

	if (manage_right(r, RIGHT_READ_AUDIT) || req_query_number(r, "from", 1, INT64_MAX, 1, &from))
		return STEP_FAIL;
	if (text[0] == '0' || strlen(text) > 18 || strspn(text, "0123456789") != strlen(text))
		return req_fail(r, ERR_NOT_FOUND, "stream"), STEP_FAIL;
	stream = strtoll(text, NULL, 10);
	p = (struct stream_page){.next_seq = from};
	buf_text(&r->out, "{\"data\":[");
	r->err = fill(r, b, stream, from, &p);
	buf_printf(&r->out, "],\"next_seq\":%lld}", (long long)p.next_seq);
	entry.count = p.n;
	if (!r->err)
		r->err = buf_err(&r->out);
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}
