/* consent_read.c: what a customer has decided: what counts now, and the history. */
#include "vault/app/consent_read.h"

#include "crypto/keyring.h"
#include "store/consents.h"
#include "vault/app/manage.h"
#include "vault/app/operations.h"
#include "vault/app/rights.h"

#include <string.h>

#define PAGE_DEFAULT 50
#define PAGE_MAX 200

struct consent_plan {
	struct target target;
	int64_t limit;
	int purpose; /* index; -1: all */
};

enum err consents_list_plan(struct req *r)
{
	struct consent_plan *p = arena_alloc(&r->arena, sizeof *p);
	enum err e;

	r->plan = p;
	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	p->purpose = -1;
	e = target_parse(r, r->params[0], &p->target);
	if (!e)
		e = req_query_number(r, "limit", 1, PAGE_MAX, PAGE_DEFAULT, &p->limit);
	if (e || !r->params[1])
		return e;
	p->purpose = snapshot_purpose(r->snapshot, r->params[1]);
	return p->purpose < 0 ? req_fail(r, ERR_UNKNOWN_PURPOSE, "purpose") : ERR_OK;
}

enum step consents_list_want(struct req *r, struct batch *b)
{
	struct consent_plan *p = r->plan;

	target_want(r, b, &p->target, false);
	return STEP_MORE;
}

void consent_event_read(const struct db_result *rows, size_t i, struct consent_event *out)
{
	*out = (struct consent_event){.kind = (enum consent_kind)db_int4(rows, i, CONSENT_KIND),
	                              .purpose = (uint16_t)db_int4(rows, i, CONSENT_PURPOSE),
	                              .valid_until_us = db_time_us(rows, i, CONSENT_VALID_UNTIL),
	                              .notice_version = (uint32_t)db_int4(rows, i, CONSENT_NOTICE_VERSION),
	                              .detail = db_text(rows, i, CONSENT_DETAIL)};
}

enum err consent_event_write(struct batch *b, struct customer *c, const struct db_result *rows, size_t i, struct json *j)
{
	struct consent_event e;
	const uint8_t *sealed;
	size_t len = 0;
	enum err err = ERR_OK;

	consent_event_read(rows, i, &e);
	json_object(j);
	json_key_string(j, "event", consent_kind_name((int)e.kind) ? consent_kind_name((int)e.kind) : "unknown");
	json_key(j, "at");
	json_time(j, db_time_us(rows, i, CONSENT_AT));
	if (e.valid_until_us != INT64_MAX) {
		json_key(j, "valid_until");
		json_time(j, e.valid_until_us);
	}
	if (e.notice_version)
		json_key_int(j, "notice_version", e.notice_version);
	json_key(j, "detail");
	json_raw(j, e.detail, strlen(e.detail));
	sealed = db_bytes(rows, i, CONSENT_SEALED, &len);
	if (len) {
		json_key(j, "personal");
		buf_reset(&b->scratch);
		err = customer_use(b, c);
		if (!err)
			err = consent_open_personal(b, c->row->id, (uint32_t)db_int4(rows, i, CONSENT_GENERATION), &e, sealed, len, &b->scratch);
		json_raw(j, (const char *)b->scratch.data, err ? 0 : b->scratch.len);
		buf_reset(&b->scratch);
	}
	json_object_end(j);
	return err;
}

static void put_state(struct json *j, unsigned bits)
{
	json_key_bool(j, "consented", (bits & STATE_CONSENTED) != 0);
	json_key_bool(j, "basis", (bits & STATE_BASIS) != 0);
	json_key_bool(j, "objected", (bits & STATE_OBJECTED) != 0);
	json_key_bool(j, "restricted", (bits & STATE_RESTRICTED) != 0);
}

static enum err begin_reply(struct req *r, struct batch *b, const struct customer *c)
{
	buf_text(&r->out, "{\"customer\":");
	return batch_write_customer_token(b, r->audience, c->row->id, c->row->token_generation, &r->out);
}

/* The newest event of each purpose beside what counts now. */
static enum err write_all(struct req *r, struct batch *b, struct customer *c)
{
	const struct snapshot *s = r->snapshot;
	struct db_result *rows = NULL;
	struct json j;
	enum err e = consent_events(b->db, c->row->id, &rows);

	if (!e)
		e = begin_reply(r, b, c);
	json_init(&j, &r->out);
	buf_text(&r->out, ",\"purposes\":");
	json_object(&j);
	for (size_t p = 0; p < s->n_purposes && !e; p++) {
		const unsigned bits = customer_state(b, c, s->purposes[p].number);
		size_t last = db_rows(rows);

		for (size_t i = 0; i < db_rows(rows); i++)
			if (db_int4(rows, i, CONSENT_PURPOSE) == s->purposes[p].number)
				last = i;
		if (last == db_rows(rows) && !bits)
			continue;
		json_key(&j, s->purposes[p].name);
		json_object(&j);
		put_state(&j, bits);
		if (last < db_rows(rows)) {
			json_key(&j, "last");
			e = consent_event_write(b, c, rows, last, &j);
		}
		json_object_end(&j);
	}
	json_object_end(&j);
	buf_byte(&r->out, '}');
	db_result_free(rows);
	return e;
}

#define CURSOR_CONTEXT "consents"

static enum err cursor_position(struct req *r, const struct batch *b, int64_t customer, int64_t *before)
{
	const char *text = req_query(r, "cursor");
	uint8_t bytes[CURSOR_BYTES_MAX], context[16 + 8] = CURSOR_CONTEXT;
	size_t len = sizeof bytes;
	struct reader in;

	*before = INT64_MAX;
	if (!text)
		return ERR_OK;
	memcpy(context + 16, &customer, sizeof customer);
	if (cursor_read(keyring_key(b->keyring, KEYRING_CURSOR), context, sizeof context, text, strlen(text), bytes, &len) || len != 8)
		return req_fail(r, ERR_BAD_CURSOR, "cursor");
	in = reader_of(bytes, len);
	*before = (int64_t)reader_u64(&in);
	return ERR_OK;
}

static enum err put_cursor(struct req *r, const struct batch *b, int64_t customer, int64_t item)
{
	uint8_t bytes[8], context[16 + 8] = CURSOR_CONTEXT;
	char text[CURSOR_TEXT_MAX];
	enum err e;

	memcpy(context + 16, &customer, sizeof customer);
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)item >> (56 - 8 * i));
	e = cursor_write(keyring_key(b->keyring, KEYRING_CURSOR), context, sizeof context, bytes, sizeof bytes, text);
	if (!e)
		buf_printf(&r->out, "\"%s\"", text);
	return e;
}

static enum err write_one(struct req *r, struct batch *b, const struct consent_plan *p, struct customer *c)
{
	const struct purpose *purpose = &r->snapshot->purposes[p->purpose];
	struct db_result *rows = NULL;
	int64_t before;
	struct json j;
	size_t n = 0;
	enum err e = cursor_position(r, b, c->row->id, &before);

	if (!e)
		e = consent_history(b->db, c->row->id, purpose->number, before, (int32_t)p->limit + 1, &rows);
	if (!e)
		e = begin_reply(r, b, c);
	buf_printf(&r->out, ",\"purpose\":\"%s\",\"state\":", purpose->name);
	json_init(&j, &r->out);
	json_object(&j);
	put_state(&j, customer_state(b, c, purpose->number));
	json_object_end(&j);
	buf_text(&r->out, ",\"history\":");
	json_init(&j, &r->out);
	json_array(&j);
	for (; !e && n < db_rows(rows) && (int64_t)n < p->limit; n++)
		e = consent_event_write(b, c, rows, n, &j);
	json_array_end(&j);
	buf_text(&r->out, ",\"next\":");
	if (!e && n < db_rows(rows))
		e = put_cursor(r, b, c->row->id, db_int8(rows, n - 1, CONSENT_ITEM));
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	db_result_free(rows);
	return e;
}

enum step consents_list_decide(struct req *r, struct batch *b)
{
	const struct consent_plan *p = r->plan;
	struct audit_entry entry = {.activity = "consent_read", .state = -1};
	struct customer *c;

	buf_reset(&r->out);
	if (manage_right(r, RIGHT_READ_CONSENTS))
		return STEP_FAIL;
	r->err = rights_target_open(r, b, &p->target, &c);
	if (!r->err)
		r->err = p->purpose < 0 ? write_all(r, b, c) : write_one(r, b, p, c);
	entry.customer = c;
	if (!r->err) {
		entry.row_version = c->row->version;
		r->err = audit_add(r, b, &entry);
	}
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err consent_read_target(struct req *r, struct batch *b, struct customer **c, const struct purpose **purpose)
{
	const struct consent_plan *p = r->plan;

	*purpose = &r->snapshot->purposes[p->purpose];
	return rights_target_open(r, b, &p->target, c);
}
