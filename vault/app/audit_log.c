/* audit_log.c: reading the audit log: pages newest first, one record, and the
 * start of a stream. Records are printed as they are stored, byte for byte.
 *
 * A page's cursor is the place of the last record looked at, so whatever was
 * committed when the first page was read is shown once. A record that another
 * node commits a moment later under an earlier time may fall into what was shown
 * already: whoever must miss none follows the log, which goes by stream. */
#include "vault/app/operations.h"

#include "base/clock.h"
#include "codec/value.h"
#include "store/audit.h"
#include "store/audit_query.h"
#include "vault/app/audit_filter.h"
#include "vault/app/audit_id.h"
#include "vault/app/customer.h"
#include "vault/app/follow.h"
#include "vault/app/manage.h"
#include "vault/app/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 500
#define PAGE_BYTES_MAX ((size_t)8 << 20)
#define SEGMENTS_A_TIME 8 /* at first; more where they hold few records that match */
#define SEGMENTS_MOST 128
#define SEARCH_US 4000000 /* past it a page is cut short; its cursor goes on */

struct audit_plan {
	struct audit_filter filter;
	struct target customer;
	bool by_customer, follow;
	size_t n_terms; /* of the filter, without that of a customer's token */
	const char *cursor;
	int64_t limit;
	/* of one decision */
	struct audit_place at; /* the last record looked at */
	int64_t n;
	bool more;
};

static enum err read_time(struct req *r, const char *name, int64_t fallback, int64_t *out)
{
	const char *text = req_query(r, name);

	*out = fallback;
	if (!text)
		return ERR_OK;
	return clock_parse(text, strlen(text), out) ? req_fail(r, ERR_BAD_PARAMETER, "%s", name) : ERR_OK;
}

static enum err read_terms(struct req *r, struct audit_filter *f)
{
	static const struct {
		const char *name;
		char kind;
	} terms[] = {{"actor", 'a'}, {"activity", 'o'}, {"outcome", 'u'}, {"purpose", 'p'}};
	enum err e = ERR_OK;

	for (size_t i = 0; i < sizeof terms / sizeof *terms && !e; i++) {
		const char *value = req_query(r, terms[i].name);

		if (value && !*value)
			return req_fail(r, ERR_BAD_PARAMETER, "%s", terms[i].name);
		if (value)
			e = audit_filter_member(f, &r->arena, terms[i].name, value, terms[i].kind, value, strlen(value));
	}
	return e;
}

static enum err read_follow(struct req *r, struct audit_plan *p)
{
	const char *follow = req_query(r, "follow");

	p->follow = follow && (!*follow || !strcmp(follow, "true"));
	if (follow && !p->follow && strcmp(follow, "false") != 0)
		return req_fail(r, ERR_BAD_PARAMETER, "follow");
	if (p->follow && (req_query(r, "limit") || p->cursor)) /* a stream has no pages */
		return req_fail(r, ERR_BAD_PARAMETER, p->cursor ? "cursor" : "limit");
	return ERR_OK;
}

static bool read_sref(const char *text, uint8_t out[static SREF_LEN])
{
	static const char digits[] = "0123456789abcdef";

	if (strlen(text) != 2 * SREF_LEN || strspn(text, digits) != 2 * SREF_LEN)
		return false;
	for (size_t i = 0; i < SREF_LEN; i++)
		out[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 | (strchr(digits, text[2 * i + 1]) - digits));
	return true;
}

/* A customer is named by a token of the caller's, or by the sref of a record: who supervises access has no tokens. */
static enum err read_customer(struct req *r, struct audit_plan *p)
{
	const char *customer = req_query(r, "customer");
	uint8_t sref[SREF_LEN];

	if (customer && read_sref(customer, sref)) {
		const enum err e = audit_filter_member(&p->filter, &r->arena, "sref", customer, 's', sref, sizeof sref);

		p->n_terms = p->filter.n;
		return e;
	}
	p->by_customer = customer != NULL;
	return customer ? target_parse(r, customer, &p->customer) : ERR_OK;
}

enum err audit_list_plan(struct req *r)
{
	struct audit_plan *p = arena_alloc(&r->arena, sizeof *p);
	const char *outcome = req_query(r, "outcome");
	int64_t since, until;
	enum err e;

	if (!p)
		return req_fail(r, ERR_MEMORY, NULL);
	r->plan = p;
	audit_filter_init(&p->filter);
	p->cursor = req_query(r, "cursor");
	e = read_follow(r, p);
	if (!e)
		e = req_query_number(r, "limit", 1, LIMIT_MAX, LIMIT_DEFAULT, &p->limit);
	if (!e)
		e = read_time(r, "since", 0, &since);
	if (!e)
		e = read_time(r, "until", INT64_MAX, &until);
	if (!e && outcome && strcmp(outcome, "success") != 0 && strcmp(outcome, "failure") != 0)
		e = req_fail(r, ERR_BAD_PARAMETER, "outcome");
	if (!e)
		e = read_terms(r, &p->filter);
	if (e)
		return e;
	audit_filter_times(&p->filter, since, until);
	p->n_terms = p->filter.n;
	return read_customer(r, p);
}

/* The customer's sref: the log knows it by no other name. */
static enum step find_customer(struct req *r, struct batch *b, struct audit_plan *p, struct customer **out)
{
	char hex[2 * sizeof (*out)->sref + 1];

	if (r->rounds == 0) {
		target_want(r, b, &p->customer, false);
		return STEP_MORE;
	}
	r->err = target_open(b, &p->customer, out);
	if (r->err)
		return STEP_FAIL;
	for (size_t i = 0; i < sizeof (*out)->sref; i++)
		snprintf(hex + 2 * i, 3, "%02x", (*out)->sref[i]);
	p->filter.n = p->n_terms; /* a batch may be run again */
	r->err = audit_filter_member(&p->filter, &r->arena, "sref", hex, 's', (*out)->sref, sizeof (*out)->sref);
	return r->err ? STEP_FAIL : STEP_DONE;
}

/* ---- cursor: bound to who asks, and for what ---- */

static enum err cursor_context(const struct req *r, const struct audit_plan *p, struct buf *out)
{
	buf_text(out, "audit ");
	buf_text(out, r->identity);
	buf_u64(out, (uint64_t)p->filter.since_us);
	buf_u64(out, (uint64_t)p->filter.until_us);
	for (size_t i = 0; i < p->filter.n; i++) {
		buf_byte(out, 0);
		buf_append(out, p->filter.terms[i].text, p->filter.terms[i].len);
	}
	return buf_err(out);
}

static enum err open_cursor(struct req *r, struct batch *b, struct audit_plan *p)
{
	uint8_t bytes[64];
	size_t len = sizeof bytes;
	struct reader in;
	struct buf context;
	enum err e;

	p->at = (struct audit_place){INT64_MAX, INT64_MAX, INT64_MAX};
	if (!p->cursor)
		return ERR_OK;
	buf_init(&context, 0);
	e = cursor_context(r, p, &context);
	if (!e)
		e = cursor_read(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, p->cursor, strlen(p->cursor), bytes, &len);
	buf_fini(&context);
	in = reader_of(bytes, e ? 0 : len);
	p->at.at_us = (int64_t)reader_u64(&in);
	p->at.stream = (int64_t)reader_u64(&in);
	p->at.seq = (int64_t)reader_u64(&in);
	return e == ERR_OK && !in.failed ? ERR_OK : req_fail(r, ERR_BAD_CURSOR, "cursor");
}

static enum err put_cursor(struct req *r, struct batch *b, const struct audit_plan *p)
{
	char text[CURSOR_TEXT_MAX];
	struct buf context, bytes;
	enum err e;

	buf_init(&context, 0);
	buf_init(&bytes, 0);
	buf_u64(&bytes, (uint64_t)p->at.at_us);
	buf_u64(&bytes, (uint64_t)p->at.stream);
	buf_u64(&bytes, (uint64_t)p->at.seq);
	e = cursor_context(r, p, &context);
	if (!e)
		e = buf_err(&bytes);
	if (!e)
		e = cursor_write(keyring_key(b->keyring, KEYRING_CURSOR), context.data, context.len, bytes.data, bytes.len, text);
	if (!e)
		buf_printf(&r->out, "\"%s\"", text);
	buf_fini(&context);
	buf_fini(&bytes);
	return e;
}

/* ---- a page ---- */

struct found {
	const char *record;
	size_t len;
	int64_t seq;
};

/* One segment, its newest record first. p->at: where the page has got to. */
static enum err take_segment(struct req *r, struct audit_plan *p, const struct db_result *rows, size_t row)
{
	const struct audit_place start = p->at;
	const int64_t stream = db_int8(rows, row, 0), at_us = db_time_us(rows, row, 3);
	struct audit_walk w = audit_walk_of(rows, row);
	const size_t room = (size_t)db_int4(rows, row, 2);
	struct found *found = calloc(room ? room : 1, sizeof *found);
	size_t n = 0;

	if (!found)
		return ERR_MEMORY;
	for (struct found f; n < room && audit_walk_next(&w, &f.record, &f.len, &f.seq);)
		if ((at_us != start.at_us || stream != start.stream || f.seq < start.seq) && audit_filter_matches(&p->filter, f.record, f.len))
			found[n++] = f;
	p->at = (struct audit_place){at_us, stream, db_int8(rows, row, 1)};
	while (n > 0) {
		const struct found *f = &found[--n];

		if (p->n == p->limit || r->out.len > PAGE_BYTES_MAX) {
			p->more = true;
			p->at.seq = f->seq + 1;
			break;
		}
		if (p->n++)
			buf_byte(&r->out, ',');
		buf_append(&r->out, f->record, f->len);
	}
	free(found);
	return buf_err(&r->out);
}

/* Who was refused what: one key says both. */
static void add_failures(const struct req *r, struct db_array *keys)
{
	const char *actor = req_query(r, "actor"), *outcome = req_query(r, "outcome");

	if (actor && outcome && !strcmp(outcome, "failure"))
		db_array_int8(keys, audit_key('f', actor, strlen(actor)));
}

static enum err fill_page(struct req *r, struct batch *b, struct audit_plan *p)
{
	const int64_t until_us = clock_mono_us() + SEARCH_US;
	struct db_array keys;
	struct audit_query q = {&keys, p->filter.since_us, p->filter.until_us, {0}, SEGMENTS_A_TIME};
	enum err e = ERR_OK;
	bool end = false;

	db_array_init(&keys, DB_INT8);
	audit_filter_keys(&p->filter, &keys);
	add_failures(r, &keys);
	while (!e && !end && !p->more) {
		struct db_result *rows = NULL;

		q.before = p->at;
		e = audit_query_page(b->db, &q, &rows);
		for (size_t i = 0; !e && !p->more && i < db_rows(rows); i++)
			e = take_segment(r, p, rows, i);
		end = !e && db_rows(rows) < q.most;
		q.most = q.most < SEGMENTS_MOST ? 4 * q.most : q.most;
		db_result_free(rows);
		if (!end && clock_mono_us() > until_us)
			p->more = true;
	}
	db_array_fini(&keys);
	return e;
}

static enum step list(struct req *r, struct batch *b, struct audit_plan *p, const struct customer *c)
{
	struct audit_entry entry = {.activity = "audit_read", .customer = c, .state = -1};

	p->n = 0;
	p->more = false;
	r->err = open_cursor(r, b, p);
	if (r->err)
		return STEP_FAIL;
	buf_text(&r->out, "{\"data\":[");
	r->err = fill_page(r, b, p);
	buf_text(&r->out, "],\"next\":");
	if (!r->err && p->more)
		r->err = put_cursor(r, b, p);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	if (r->err)
		return STEP_FAIL;
	entry.count = (uint32_t)p->n;
	r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}

static enum step follow(struct req *r, struct batch *b, const struct audit_plan *p, const struct customer *c)
{
	const struct audit_entry entry = {.activity = "audit_read", .customer = c, .object = "follow", .state = -1};

	r->err = follow_begin(r, b->db, &p->filter);
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	r->content_type = "application/x-ndjson";
	return r->err ? STEP_FAIL : STEP_DONE;
}

enum step audit_list_decide(struct req *r, struct batch *b)
{
	struct audit_plan *p = r->plan;
	struct customer *c = NULL;
	enum step step = STEP_DONE;

	if (manage_right(r, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	if (p->by_customer)
		step = find_customer(r, b, p, &c);
	if (step == STEP_DONE)
		step = p->follow ? follow(r, b, p, c) : list(r, b, p, c);
	return step;
}

/* ---- one record ---- */

bool audit_id_read(const char *text, int64_t *stream, int64_t *seq)
{
	int64_t *const parts[] = {stream, seq};

	for (int i = 0; i < 2; i++) {
		const size_t digits = strspn(text, "0123456789");

		if (digits == 0 || digits > 18 || text[0] == '0')
			return false;
		*parts[i] = strtoll(text, NULL, 10);
		text += digits;
		if (*text++ != (i ? 0 : '-'))
			return false;
	}
	return true;
}

enum step audit_get_decide(struct req *r, struct batch *b)
{
	const struct audit_entry entry = {.activity = "audit_read", .object = r->params[0], .count = 1, .state = -1};
	int64_t stream = 0, seq = 0, at;
	struct db_result *rows = NULL;
	const char *record;
	size_t len;

	if (manage_right(r, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	if (!audit_id_read(r->params[0], &stream, &seq))
		return req_fail(r, ERR_NOT_FOUND, "id"), STEP_FAIL;
	r->err = audit_query_one(b->db, stream, seq, &rows);
	if (r->err)
		return STEP_FAIL;
	if (db_rows(rows)) {
		struct audit_walk w = audit_walk_of(rows, 0);

		while (audit_walk_next(&w, &record, &len, &at))
			if (at == seq)
				buf_append(&r->out, record, len);
	}
	db_result_free(rows);
	r->err = r->out.len ? audit_add(r, b, &entry) : req_fail(r, ERR_NOT_FOUND, "id");
	return r->err ? STEP_FAIL : STEP_DONE;
}
