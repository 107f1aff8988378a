/* records.c: repeated documents under a customer: POST, GET (newest first), DELETE of one. */
#include "vault/app/operations.h"

#include "base/json.h"
#include "crypto/keyring.h"
#include "vault/app/hold.h"
#include "vault/app/values.h"

#include <string.h>

#define LIMIT_MAX 200
#define RECORD_MAX 65536
#define CLAIM_CUSTOMER 0xc5000000000000u

struct record_plan {
	struct target target;
	uint16_t subject; /* index of the kind */
	struct buf text;
	const char *data; /* POST: stored JSON text */
	size_t data_len;
	struct token_text record; /* DELETE */
	struct token_target opened;
	bool unknown; /* the record token does not open */
	int64_t limit, before;
	size_t handle;
	bool asked;
	struct customer *customer;
	struct given given;
	int64_t item;
};

static enum err plan_kind(struct req *r, struct record_plan **out)
{
	struct record_plan *p = arena_alloc(&r->arena, sizeof *p);
	int subject;
	enum err e;

	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	r->plan = p;
	*out = p;
	e = target_parse(r, r->params[0], &p->target);
	if (e)
		return e;
	subject = snapshot_field(r->snapshot, r->params[1], strlen(r->params[1]));
	if (subject < 0 || !r->snapshot->fields[subject].record)
		return req_fail(r, ERR_UNKNOWN_KIND, "kind");
	p->subject = (uint16_t)subject;
	return ERR_OK;
}

static uint16_t kind_of(const struct req *r, const struct record_plan *p)
{
	return r->snapshot->fields[p->subject].number;
}

static struct seal_place record_place(const struct customer *c, uint16_t kind, int64_t item, uint32_t generation)
{
	return (struct seal_place){.type = SEAL_RECORD,
	                           .customer = (uint64_t)c->row->id,
	                           .subject = kind,
	                           .item = (uint64_t)item,
	                           .version = 1,
	                           .dek_generation = generation};
}

static enum err decide_verb(struct req *r, struct batch *b, const struct record_plan *p, enum policy_verb verb)
{
	struct policy_verdict v;

	policy_decide(r->snapshot->policy, &r->who, verb, p->subject, (size_t)r->purpose, value_state(r, b, p->customer), &v);
	if (v.form != FORM_DENY)
		return ERR_OK;
	return v.consent_missing ? ERR_NO_CONSENT : ERR_POLICY_DENIED;
}

static enum err audit_record(struct req *r, struct batch *b, const struct record_plan *p, const char *activity, uint32_t count, uint8_t form)
{
	const struct audit_field field = {p->subject, form};
	const struct audit_entry entry = {.activity = activity,
	                                  .customer = p->customer,
	                                  .fields = &field,
	                                  .n_fields = 1,
	                                  .kind = kind_of(r, p),
	                                  .row_version = p->customer->row->version,
	                                  .count = count,
	                                  .state = (int)value_state(r, b, p->customer)};

	return audit_add(r, b, &entry);
}

static enum err put_record_token(struct req *r, struct batch *b, const struct record_plan *p, int64_t item, struct buf *out)
{
	const struct token_target t = {.type = TOKEN_RECORD,
	                               .customer = (uint64_t)p->customer->row->id,
	                               .subject = kind_of(r, p),
	                               .generation = (uint16_t)p->customer->row->token_generation,
	                               .item = (uint64_t)item};

	return batch_write_token(b, r->audience, &t, out);
}

/* ---- POST ---- */

enum err record_add_plan(struct req *r)
{
	static const char *const keys[] = {"data", NULL};
	const struct node *root = NULL, *data;
	struct record_plan *p;
	struct buf text;
	enum err e = plan_kind(r, &p);

	if (!e)
		e = req_object(r, keys, &root);
	if (e)
		return e;
	data = node_get(root, "data");
	if (node_type(data) != NODE_OBJECT)
		return req_fail(r, ERR_INVALID_VALUE, "/data");
	buf_init(&text, 0);
	e = node_print(data, &text);
	p->data_len = text.len;
	if (!e && text.len > RECORD_MAX)
		e = req_fail(r, ERR_VALUE_TOO_LONG, "/data");
	if (!e && !(p->data = arena_copy(&r->arena, text.data, text.len)))
		e = req_fail(r, ERR_MEMORY, NULL);
	buf_fini(&text);
	return e;
}

enum step record_add_want(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;

	p->asked = false;
	if (!idempotency_want(r, b))
		return STEP_AGAIN;
	target_want(r, b, &p->target, true); /* locked: an erasure in between must not leave a record behind */
	p->handle = reads_item_numbers(b->reads, 1);
	return p->target.id && !batch_claim(b, r, CLAIM_CUSTOMER, p->target.id) ? STEP_AGAIN : STEP_MORE;
}

static enum err write_record(struct req *r, struct batch *b, struct record_plan *p)
{
	const uint32_t generation = p->customer->row->dek_generation;
	const struct seal_place place = record_place(p->customer, kind_of(r, p), p->item, generation);
	const size_t len = seal_size(p->data_len);
	uint8_t *sealed = arena_alloc(&b->arena, len);
	uint8_t item[8];
	enum err e;

	if (!sealed)
		return ERR_MEMORY;
	e = customer_use(b, p->customer);
	if (!e)
		e = seal_unit(b->sealer, &place, p->data, p->data_len, sealed);
	if (e)
		return e;
	writes_record(b->writes, p->customer->row->id, kind_of(r, p), p->item, generation, sealed, len);
	for (int i = 0; i < 8; i++)
		item[i] = (uint8_t)((uint64_t)p->item >> (56 - 8 * i));
	return idempotency_keep(r, b, 201, item, sizeof item);
}

enum step record_add_decide(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;
	const char *activity = "create";
	const uint8_t *kept;
	int32_t status;
	size_t len;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	r->err = target_open(b, &p->target, &p->customer);
	r->about = p->customer;
	if (!r->err)
		r->err = decide_verb(r, b, p, VERB_WRITE);
	if (r->err)
		return STEP_FAIL;
	p->item = reads_item_number(b->reads, p->handle);
	switch (idempotency_look(r, b, &status, &kept, &len)) {
	case REPLAY_REFUSED: return STEP_FAIL;
	case REPLAY_FOUND: {
		struct reader in = reader_of(kept, len);

		p->item = (int64_t)reader_u64(&in);
		activity = "read"; /* of its token, once more */
		break;
	}
	case REPLAY_NONE: r->err = write_record(r, b, p); break;
	}
	if (!r->err)
		r->err = audit_record(r, b, p, activity, 1, *activity == 'c' ? FORM_PLAIN : FORM_TOKEN);
	r->status = 201;
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err record_add_reply(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;
	enum err e;

	buf_text(&r->out, "{\"record\":");
	e = put_record_token(r, b, p, p->item, &r->out);
	buf_printf(&r->out, ",\"kind\":\"%s\"}", r->snapshot->fields[p->subject].name);
	return e;
}

/* ---- GET ---- */

enum err record_list_plan(struct req *r)
{
	struct record_plan *p;
	enum err e = plan_kind(r, &p);

	if (!e)
		e = req_query_number(r, "limit", 1, LIMIT_MAX, 50, &p->limit);
	if (!e) /* each may have 64 KiB: few such lists share a batch */
		r->job.weight = 1 + (uint32_t)p->limit / 8;
	return e;
}

static enum err list_context(struct req *r, const struct record_plan *p, struct buf *out)
{
	buf_text(out, "records ");
	buf_text(out, r->identity);
	buf_u64(out, (uint64_t)p->target.id);
	buf_u16(out, kind_of(r, p));
	return buf_err(out);
}

static enum err open_cursor(struct req *r, struct batch *b, struct record_plan *p)
{
	const char *text = req_query(r, "cursor");
	struct buf context;
	struct reader in;
	uint8_t bytes[64];
	size_t len = sizeof bytes;
	enum err e;

	p->before = INT64_MAX;
	if (!text)
		return ERR_OK;
	buf_init(&context, 0);
	e = list_context(r, p, &context);
	if (!e)
		e = cursor_read(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, text, strlen(text), bytes, &len);
	buf_fini(&context);
	in = reader_of(bytes, e ? 0 : len);
	p->before = (int64_t)reader_u64(&in);
	return e || in.failed ? ERR_BAD_CURSOR : ERR_OK;
}

enum step record_list_want(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;

	target_want(r, b, &p->target, false);
	r->err = open_cursor(r, b, p);
	if (r->err)
		return STEP_FAIL;
	p->handle = reads_records(b->reads, p->target.id, kind_of(r, p), p->before, (uint32_t)p->limit + 1);
	return STEP_MORE;
}

static uint32_t shown(struct batch *b, const struct record_plan *p)
{
	const size_t rows = reads_record_rows(b->reads, p->handle);

	return (uint32_t)(rows > (size_t)p->limit ? (size_t)p->limit : rows);
}

enum step record_list_decide(struct req *r, struct batch *b)
{
	static const struct asked best = {"best", FORM_PLAIN};
	struct record_plan *p = r->plan;
	struct policy_verdict v;

	r->err = target_open(b, &p->target, &p->customer);
	r->about = p->customer;
	if (r->err)
		return STEP_FAIL;
	value_decide(r, p->subject, &best, value_state(r, b, p->customer), &p->given, &v);
	r->err = p->given.code;
	if (!r->err)
		r->err = audit_record(r, b, p, "read", shown(b, p), p->given.form);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum err put_record(struct req *r, struct batch *b, struct record_plan *p, const struct record_row *row)
{
	const struct seal_place place = record_place(p->customer, row->kind, row->item, row->dek_generation);
	struct json j;
	uint8_t *room;
	size_t len = 0;
	enum err e;

	buf_text(&r->out, "{\"record\":");
	e = put_record_token(r, b, p, row->item, &r->out);
	buf_text(&r->out, ",\"created_at\":");
	json_init(&j, &r->out);
	json_time(&j, row->created_at_us);
	if (!e && p->given.form == FORM_PLAIN) {
		buf_text(&r->out, ",\"data\":");
		room = buf_reserve(&r->out, row->sealed_len);
		if (!room)
			return ERR_MEMORY;
		e = customer_use(b, p->customer);
		if (!e)
			e = customer_alarm(seal_open(b->sealer, &place, row->sealed, row->sealed_len, room, &len), "record");
		r->out.len += len;
	}
	buf_byte(&r->out, '}');
	return e;
}

static enum err put_next(struct req *r, struct batch *b, struct record_plan *p, int64_t last_item)
{
	char text[CURSOR_TEXT_MAX];
	uint8_t bytes[8];
	struct buf context;
	enum err e;

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)last_item >> (56 - 8 * i));
	buf_init(&context, 0);
	e = list_context(r, p, &context);
	if (!e)
		e = cursor_write(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, bytes, sizeof bytes, text);
	if (!e)
		buf_printf(&r->out, "\"%s\"", text);
	buf_fini(&context);
	return e;
}

enum err record_list_reply(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;
	const uint32_t n = shown(b, p);
	enum err e = ERR_OK;

	buf_text(&r->out, "{\"data\":[");
	for (uint32_t i = 0; i < n && !e; i++) {
		if (i)
			buf_byte(&r->out, ',');
		e = put_record(r, b, p, reads_record_row(b->reads, p->handle, i));
	}
	buf_text(&r->out, "],\"next\":");
	if (!e && reads_record_rows(b->reads, p->handle) > n)
		e = put_next(r, b, p, reads_record_row(b->reads, p->handle, n - 1)->item);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	return e;
}

/* ---- DELETE ---- */

enum err record_delete_plan(struct req *r)
{
	struct record_plan *p;
	enum err e = plan_kind(r, &p);

	if (!e)
		e = token_decode(r->params[2], strlen(r->params[2]), &p->record);
	if (!e && p->record.type != TOKEN_RECORD)
		e = ERR_BAD_TOKEN;
	r->job.solo = true; /* it asks for holds */
	return e ? req_fail(r, e, "record") : ERR_OK;
}

enum step record_delete_want(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;

	target_want(r, b, &p->target, true);
	p->unknown = batch_token(b, r, &p->record, &p->opened) != ERR_OK;
	p->handle = reads_records(b->reads, p->target.id, kind_of(r, p), (int64_t)p->opened.item + 1, 1);
	return p->target.id && !batch_claim(b, r, CLAIM_CUSTOMER, p->target.id) ? STEP_AGAIN : STEP_MORE;
}

enum step record_delete_decide(struct req *r, struct batch *b)
{
	struct record_plan *p = r->plan;
	const struct record_row *row;

	if (!target_locked(b, &p->target))
		return STEP_MORE;
	r->err = target_open(b, &p->target, &p->customer);
	r->about = p->customer;
	row = reads_record_rows(b->reads, p->handle) ? reads_record_row(b->reads, p->handle, 0) : NULL;
	if (!r->err && (p->unknown || !row || row->item != (int64_t)p->opened.item || p->opened.subject != kind_of(r, p) ||
	                p->opened.customer != (uint64_t)p->customer->row->id || p->opened.generation != p->target.generation))
		r->err = ERR_NOT_FOUND;
	if (!r->err)
		r->err = decide_verb(r, b, p, VERB_DELETE);
	if (!r->err)
		r->err = hold_allows(r, b, p->customer->row->id, p->subject);
	if (r->err)
		return STEP_FAIL;
	writes_delete_record(b->writes, p->customer->row->id, kind_of(r, p), row->item);
	r->err = audit_record(r, b, p, "delete", 1, FORM_DENY);
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum err record_delete_reply(struct req *r, struct batch *b)
{
	(void)b;
	buf_text(&r->out, "{\"deleted\":true}");
	return ERR_OK;
}
