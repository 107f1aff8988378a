/* export_read.c: the batches of an export: values opened, chunks sealed. */
#include "vault/app/export_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "crypto/secret.h"
#include "store/consents.h"
#include "vault/app/audit_record.h"
#include "vault/app/consent_read.h"
#include "vault/app/internal.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <string.h>

void export_read_init(struct export_read *x, const struct rights_job *job, enum export_part part)
{
	*x = (struct export_read){.job = job, .part = part, .before = INT64_MAX, .most = 100};
	buf_init(&x->items, 0);
}

void export_read_fini(struct export_read *x)
{
	buf_fini(&x->items);
}

static void put_item(struct export_read *x, const char *name, size_t name_len, const void *json, size_t len)
{
	buf_u16(&x->items, (uint16_t)name_len);
	buf_append(&x->items, name, name_len);
	buf_u32(&x->items, (uint32_t)len);
	buf_append(&x->items, json, len);
	x->n++;
}

bool export_read_next(struct reader *in, const char **name, size_t *name_len, const char **json, size_t *json_len)
{
	if (!in->left || in->failed)
		return false;
	*name_len = reader_u16(in);
	*name = (const char *)reader_bytes(in, *name_len);
	*json_len = reader_u32(in);
	*json = (const char *)reader_bytes(in, *json_len);
	return !in->failed;
}

static enum step read_want(struct req *r, struct batch *b)
{
	struct export_read *x = r->plan;

	reads_customer(b->reads, x->job->customer);
	if (x->part == EXPORT_RECORDS) /* the only handle of this batch: its number is 0 */
		(void)reads_records(b->reads, x->job->customer, x->kind, x->before, x->most);
	return STEP_MORE;
}

/* What a unit is called in its part; NULL: it belongs to the other one. Nothing is left out for want of a name. */
static const char *name_of(const struct snapshot *s, uint16_t number, enum export_part part, char room[static 32])
{
	const int subject = number < EXTERNAL_REF ? snapshot_subject(s, number) : -1;

	if ((number >= EXTERNAL_REF) != (part == EXPORT_REFERENCES))
		return NULL;
	if (subject >= 0)
		return s->fields[subject].name;
	for (size_t i = 0; i < s->n_audiences; i++)
		if (number >= EXTERNAL_REF && s->audiences[i].number == number - EXTERNAL_REF)
			return s->audiences[i].name;
	snprintf(room, 32, "%s_%u", number < EXTERNAL_REF ? "field" : "audience", number < EXTERNAL_REF ? number : number - EXTERNAL_REF);
	return room;
}

static enum step read_fields(struct req *r, struct batch *b, struct export_read *x, struct customer *c)
{
	if (r->rounds < 2) { /* the row first, then what stands outside of it */
		for (size_t i = 0; i < c->n_units; i++)
			customer_want_value(b, c, &c->units[i]);
		if (reads_pending(b->reads))
			return STEP_MORE;
	}
	for (size_t i = 0; i < c->n_units && !r->err; i++) {
		char room[32];
		const char *name = name_of(r->snapshot, c->units[i].number, x->part, room);

		if (!name)
			continue;
		buf_reset(&b->scratch);
		r->err = customer_value(b, c, &c->units[i], &b->scratch);
		if (!r->err)
			put_item(x, name, strlen(name), b->scratch.data, b->scratch.len);
	}
	buf_reset(&b->scratch);
	if (!r->err && x->part == EXPORT_REFERENCES && c->source[0]) {
		struct json j;

		json_init(&j, &b->scratch);
		json_string(&j, c->source);
		put_item(x, "", 0, b->scratch.data, b->scratch.len);
		buf_reset(&b->scratch);
	}
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum step read_records(struct req *r, struct batch *b, struct export_read *x, struct customer *c)
{
	const size_t rows = reads_record_rows(b->reads, 0);

	r->err = customer_use(b, c);
	for (size_t i = 0; i < rows && !r->err; i++) {
		const struct record_row *row = reads_record_row(b->reads, 0, i);
		const struct seal_place place = {.type = SEAL_RECORD, .customer = (uint64_t)row->customer, .subject = row->kind,
		                                 .item = (uint64_t)row->item, .version = 1, .dek_generation = row->dek_generation};
		char time[CLOCK_TEXT_LEN];
		size_t len = 0;
		uint8_t *room;

		buf_reset(&b->scratch);
		room = buf_reserve(&b->scratch, row->sealed_len + 1);
		r->err = room ? customer_alarm(seal_open(b->sealer, &place, row->sealed, row->sealed_len, room, &len), "record") : ERR_MEMORY;
		if (r->err)
			break;
		clock_format(row->created_at_us, time);
		put_item(x, time, strlen(time), room, len);
		secret_wipe(room, row->sealed_len);
		x->last = row->item;
	}
	buf_reset(&b->scratch);
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* The notice that an event refers to: as it was recorded, else the one that its purpose has. */
static void put_notice(const struct db_result *rows, size_t i, const struct purpose *purpose, struct json *j)
{
	const char *detail = db_text(rows, i, CONSENT_DETAIL), *notice = NULL;
	struct doc *doc = NULL;
	size_t len;

	if (!db_int4(rows, i, CONSENT_NOTICE_VERSION))
		return;
	if (!doc_parse(detail, strlen(detail), &doc))
		notice = node_string(node_get(doc_root(doc), "notice"), &len);
	if (!notice && purpose && purpose->notice[0])
		notice = purpose->notice;
	if (notice)
		json_key_string(j, "notice", notice);
	doc_free(doc);
}

static enum step read_consents(struct req *r, struct batch *b, struct export_read *x, struct customer *c)
{
	struct db_result *rows = NULL;

	r->err = consent_events(b->db, c->row->id, &rows);
	for (size_t i = 0; !r->err && i < db_rows(rows); i++) {
		const struct purpose *purpose = NULL;
		struct buf text, event;
		struct json j;

		for (size_t p = 0; p < r->snapshot->n_purposes && !purpose; p++)
			if (r->snapshot->purposes[p].number == db_int4(rows, i, CONSENT_PURPOSE))
				purpose = &r->snapshot->purposes[p];
		buf_init(&text, 0);
		buf_init(&event, 0);
		json_init(&j, &event);
		r->err = consent_event_write(b, c, rows, i, &j);
		json_init(&j, &text);
		json_object(&j);
		json_key_string(&j, "purpose", purpose ? purpose->name : "*");
		put_notice(rows, i, purpose, &j);
		buf_byte(&text, ',');
		if (!r->err && event.len)
			buf_append(&text, event.data + 1, event.len - 1); /* the event's own members go on */
		if (!r->err)
			r->err = buf_err(&text);
		if (!r->err)
			put_item(x, "", 0, text.data, text.len);
		buf_fini(&event);
		buf_fini(&text);
	}
	db_result_free(rows);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum step read_decide(struct req *r, struct batch *b)
{
	static const char *const objects[] = {"prepare:fields", "prepare:references", "prepare:records", "prepare:consents"};
	struct export_read *x = r->plan;
	struct audit_entry entry = {.activity = "export", .object = objects[x->part], .kind = x->kind, .state = -1};
	struct customer_row *row = reads_get(b->reads, x->job->customer);
	struct customer *c = NULL;
	enum step step;

	buf_reset(&x->items);
	x->n = 0;
	if (!r->rounds)
		return STEP_MORE;
	r->err = row ? customer_open(b, row, &c) : ERR_NOT_FOUND;
	r->about = c;
	if (r->err)
		return STEP_FAIL;
	memcpy(x->sref, c->sref, sizeof x->sref);
	step = x->part == EXPORT_RECORDS ? read_records(r, b, x, c) : x->part == EXPORT_CONSENTS ? read_consents(r, b, x, c) : read_fields(r, b, x, c);
	if (step != STEP_DONE)
		return step;
	entry.customer = c;
	entry.count = x->n;
	r->err = buf_err(&x->items);
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route read_route = {.method = "", .pattern = "", .operation = "export.read", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                        .want = read_want, .decide = read_decide};

enum err export_read_run(struct app *app, struct export_read *x)
{
	enum err e = internal_run(app, &read_route, x, "rights");

	if (e)
		buf_reset(&x->items);
	return e;
}

/* ---- chunks ---- */

struct chunk {
	const struct rights_job *job;
	int32_t number;
	bool last;
	const void *bytes;
	size_t len;
};

static enum step chunk_want(struct req *r, struct batch *b)
{
	const struct chunk *k = r->plan;

	reads_customer_locked(b->reads, k->job->customer); /* an erasure in between must not leave a chunk behind */
	return STEP_MORE;
}

struct seal_place export_chunk_place(int64_t customer, int64_t request, int32_t chunk, bool last, uint32_t generation)
{
	/* version: is it the last? Then none can be cut off or put behind it. */
	return (struct seal_place){.type = SEAL_CHUNK, .customer = (uint64_t)customer, .item = (uint64_t)request << 24 | (uint32_t)chunk,
	                           .version = last ? 2 : 1, .dek_generation = generation};
}

static enum err insert_chunk(struct batch *b, const struct chunk *k, uint32_t generation, const uint8_t *sealed, size_t len)
{
	uint8_t room[6][8];
	const struct db_param p[] = {db_param_int8(k->job->customer, room[0]), db_param_int8(k->job->request, room[1]), db_param_int4(k->number, room[2]),
	                             db_param_bool(k->last, room[3]), db_param_int4((int32_t)generation, room[4]), db_param_time(b->now_us, room[5]),
	                             {sealed, len}};
	enum err e = ERR_OK;

	if (k->number == 0)
		e = db_run(b->db, "DELETE FROM export_chunk WHERE customer_id = $1::int8 AND request = $2::int8", p, 2, NULL);
	return e ? e
	         : db_run(b->db,
	                  "INSERT INTO export_chunk (customer_id, request, chunk, last, dek_generation, at, sealed) "
	                  "VALUES ($1::int8, $2::int8, $3::int4, $4::bool, $5::int4, $6::timestamptz, $7::bytea)",
	                  p, 7, NULL);
}

static enum step chunk_decide(struct req *r, struct batch *b)
{
	const struct chunk *k = r->plan;
	const struct target t = {.id = k->job->customer, .lock = true};
	const size_t len = seal_size(k->len);
	struct customer_row *row;
	struct customer *c = NULL;
	uint8_t *sealed;

	if (!target_locked(b, &t))
		return STEP_MORE;
	row = reads_get(b->reads, k->job->customer);
	r->err = row && row->locked ? customer_open(b, row, &c) : ERR_NOT_FOUND;
	sealed = arena_alloc(&b->arena, len);
	if (!r->err && !sealed)
		r->err = ERR_MEMORY;
	if (!r->err)
		r->err = customer_use(b, c);
	if (!r->err) {
		const struct seal_place place = export_chunk_place(row->id, k->job->request, k->number, k->last, row->dek_generation);

		r->err = seal_unit(b->sealer, &place, k->bytes, k->len, sealed);
	}
	if (!r->err)
		r->err = insert_chunk(b, k, row->dek_generation, sealed, len);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static const struct route chunk_route = {.method = "", .pattern = "", .operation = "export.chunk", .flags = ROUTE_INTERNAL | ROUTE_SOLO | ROUTE_BULK,
                                         .want = chunk_want, .decide = chunk_decide};

enum err export_chunk_put(struct app *app, const struct rights_job *job, int32_t chunk, bool last, const void *bytes, size_t len)
{
	struct chunk k = {job, chunk, last, bytes, len};

	return internal_run(app, &chunk_route, &k, "rights");
}

enum err export_drop(struct db *db, int64_t customer)
{
	uint8_t room[8];
	const struct db_param id = db_param_int8(customer, room);

	return db_run(db, "DELETE FROM export_chunk WHERE customer_id = $1::int8", &id, 1, NULL);
}

enum err export_sweep(struct app *app, struct worker *w, struct db *db, bool *more)
{
	uint8_t room[8];
	const struct db_param days = db_param_int4(EXPORT_DAYS, room);

	(void)app;
	(void)w;
	*more = false;
	return db_run(db, "DELETE FROM export_chunk WHERE at < now() - make_interval(days => $1::int4)", &days, 1, NULL);
}
