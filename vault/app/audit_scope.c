/* audit_scope.c: GET /v1/audit/scope: what an identity has received between two times, for whoever must tell those whom a breach
 * concerns. A page goes through some segments, newest first, and gives for each record the customer, by sref, and the
 * fields by form; the counts are the page's own and add up. */
#include "vault/app/operations.h"

#include "base/clock.h"
#include "base/json.h"
#include "codec/doc.h"
#include "store/audit_query.h"
#include "vault/app/audit_filter.h"
#include "vault/app/log_walk.h"
#include "vault/app/manage.h"

#include <string.h>

#define SEGMENTS_A_TIME 32
#define RECORDS_MAX 2000 /* a page, about: the last segment is shown whole */
#define SEARCH_US 4000000
#define COUNTS_MAX 512

struct count {
	uint16_t subject; /* index of a field or kind; UINT16_MAX: an archive of everything */
	char form[64];
	uint32_t n;
};

struct scope {
	struct audit_filter filter;
	const char *actor;
	struct audit_place at;
	uint32_t records;
	struct count counts[COUNTS_MAX];
	size_t n_counts;
	bool more;
};

static enum err read_time(struct req *r, const char *name, int64_t *out)
{
	const char *text = req_query(r, name);

	return text && !clock_parse(text, strlen(text), out) ? ERR_OK : req_fail(r, ERR_BAD_PARAMETER, "%s", name);
}

enum err scope_plan(struct req *r)
{
	struct scope *s = arena_alloc(&r->arena, sizeof *s);
	int64_t since = 0, until = 0;
	enum err e;

	if (!s)
		return req_fail(r, ERR_MEMORY, NULL);
	r->plan = s;
	s->actor = req_query(r, "actor");
	if (!s->actor || !*s->actor)
		return req_fail(r, ERR_BAD_PARAMETER, "actor");
	e = read_time(r, "since", &since);
	if (!e)
		e = read_time(r, "until", &until);
	if (e)
		return e;
	audit_filter_init(&s->filter);
	audit_filter_times(&s->filter, since, until);
	return audit_filter_member(&s->filter, &r->arena, "actor", s->actor, 'a', s->actor, strlen(s->actor));
}

/* ---- cursor ---- */

static enum err context(const struct req *r, const struct scope *s, struct buf *out)
{
	buf_text(out, "scope ");
	buf_text(out, r->identity);
	buf_byte(out, 0);
	buf_text(out, s->actor);
	buf_u64(out, (uint64_t)s->filter.since_us);
	buf_u64(out, (uint64_t)s->filter.until_us);
	return buf_err(out);
}

static enum err open_cursor(struct req *r, struct batch *b, struct scope *s)
{
	const char *text = req_query(r, "cursor");
	uint8_t bytes[64];
	size_t len = sizeof bytes;
	struct reader in;
	struct buf bound;
	enum err e;

	s->at = (struct audit_place){INT64_MAX, INT64_MAX, INT64_MAX};
	if (!text)
		return ERR_OK;
	buf_init(&bound, 0);
	e = context(r, s, &bound);
	if (!e)
		e = cursor_read(keyring_key(b->app->keyring, KEYRING_CURSOR), bound.data, bound.len, text, strlen(text), bytes, &len);
	buf_fini(&bound);
	in = reader_of(bytes, e ? 0 : len);
	s->at.at_us = (int64_t)reader_u64(&in);
	s->at.stream = (int64_t)reader_u64(&in);
	s->at.seq = (int64_t)reader_u64(&in);
	return e || in.failed ? req_fail(r, ERR_BAD_CURSOR, "cursor") : ERR_OK;
}

static enum err put_cursor(struct req *r, struct batch *b, const struct scope *s)
{
	char text[CURSOR_TEXT_MAX];
	struct buf bound, bytes;
	enum err e;

	buf_init(&bound, 0);
	buf_init(&bytes, 0);
	buf_u64(&bytes, (uint64_t)s->at.at_us);
	buf_u64(&bytes, (uint64_t)s->at.stream);
	buf_u64(&bytes, (uint64_t)s->at.seq);
	e = context(r, s, &bound);
	if (!e)
		e = buf_err(&bytes);
	if (!e)
		e = cursor_write(keyring_key(b->app->keyring, KEYRING_CURSOR), bound.data, bound.len, bytes.data, bytes.len, text);
	if (!e)
		buf_printf(&r->out, "\"%s\"", text);
	buf_fini(&bound);
	buf_fini(&bytes);
	return e;
}

/* ---- what a record gave ---- */

static void count(struct scope *s, uint16_t subject, const char *form)
{
	size_t i = 0;

	while (i < s->n_counts && (s->counts[i].subject != subject || strcmp(s->counts[i].form, form) != 0))
		i++;
	if (i == COUNTS_MAX)
		return; /* more fields times masks than a dictionary has */
	if (i == s->n_counts) {
		s->counts[i] = (struct count){.subject = subject};
		strncpy(s->counts[i].form, form, sizeof s->counts[i].form - 1);
		s->n_counts++;
	}
	s->counts[i].n++;
}

static const char *name_of(const struct req *r, uint16_t subject)
{
	return subject == UINT16_MAX ? "*" : r->snapshot->fields[subject].name;
}

/* {"email":"plain",...}: a field has one form in a record. */
static size_t put_fields(struct req *r, struct scope *s, struct json *j, const struct node *given)
{
	struct node_iter forms = node_members(given);
	const struct node *numbers;
	size_t n = 0;

	while ((numbers = node_next(&forms))) {
		if (!strcmp(forms.key, "deny"))
			continue;
		for (size_t i = 0; i < node_count(numbers); i++) {
			const int subject = snapshot_subject(r->snapshot, (unsigned)node_int(node_at(numbers, i)));

			if (subject < 0)
				continue;
			json_key_string(j, name_of(r, (uint16_t)subject), forms.key);
			count(s, (uint16_t)subject, forms.key);
			n++;
		}
	}
	return n;
}

/* Writes what a caller wrote itself are "plain" in their records, and no disclosure. */
static bool discloses(const char *record, size_t len, bool *all)
{
	*all = record_is(record, len, "activity", "export") && record_is(record, len, "object", "download");
	return record_is(record, len, "outcome", "success") &&
	       (*all || record_is(record, len, "activity", "read") || record_is(record, len, "activity", "search") ||
	        record_is(record, len, "activity", "translate"));
}

static enum err take_record(struct req *r, struct scope *s, const char *record, size_t len)
{
	const size_t start = r->out.len;
	struct doc *doc = NULL;
	size_t n = 0, sref_len = 0;
	const char *sref = record_text(record, len, "sref", &sref_len);
	bool all;
	struct json j;
	enum err e;

	if (!discloses(record, len, &all) || !sref)
		return ERR_OK;
	e = doc_parse(record, len, &doc);
	if (e)
		return e == ERR_MEMORY ? e : ERR_OK; /* the MAC tells of damage, elsewhere */
	if (s->records)
		buf_byte(&r->out, ',');
	json_init(&j, &r->out);
	json_object(&j);
	json_key(&j, "sref");
	json_string_len(&j, sref, sref_len);
	json_key(&j, "fields");
	json_object(&j);
	if (all) {
		json_key_string(&j, "*", "plain");
		count(s, UINT16_MAX, "plain");
		n = 1;
	} else {
		n = put_fields(r, s, &j, node_get(doc_root(doc), "given"));
	}
	json_object_end(&j);
	json_object_end(&j);
	if (n)
		s->records++;
	else
		buf_truncate(&r->out, start);
	doc_free(doc);
	return buf_err(&r->out);
}

static enum err take_segment(struct req *r, struct scope *s, const struct db_result *rows, size_t i)
{
	struct audit_walk w = audit_walk_of(rows, i);
	const char *record;
	size_t len;
	int64_t seq;
	enum err e = ERR_OK;

	while (!e && audit_walk_next(&w, &record, &len, &seq))
		if (audit_filter_matches(&s->filter, record, len))
			e = take_record(r, s, record, len);
	s->at = (struct audit_place){db_time_us(rows, i, 3), db_int8(rows, i, 0), db_int8(rows, i, 1)};
	return e;
}

static enum err fill(struct req *r, struct batch *b, struct scope *s)
{
	const int64_t until_us = clock_mono_us() + SEARCH_US;
	struct db_array keys;
	struct audit_query q = {&keys, s->filter.since_us, s->filter.until_us, {0}, SEGMENTS_A_TIME};
	size_t got = SEGMENTS_A_TIME;
	enum err e = ERR_OK;

	db_array_init(&keys, DB_INT8);
	audit_filter_keys(&s->filter, &keys);
	while (!e && got == SEGMENTS_A_TIME && !s->more) {
		struct db_result *rows = NULL;

		q.before = s->at;
		e = audit_query_page(b->db, &q, &rows);
		got = e ? 0 : db_rows(rows);
		for (size_t i = 0; i < got && !e && !s->more; i++) {
			e = take_segment(r, s, rows, i);
			s->more = (s->records >= RECORDS_MAX || clock_mono_us() > until_us) && (i + 1 < got || got == SEGMENTS_A_TIME);
		}
		db_result_free(rows);
	}
	db_array_fini(&keys);
	return e;
}

static void put_counts(const struct req *r, const struct scope *s, struct json *j)
{
	json_key(j, "counts");
	json_array(j);
	for (size_t i = 0; i < s->n_counts; i++) {
		json_object(j);
		json_key_string(j, "field", name_of(r, s->counts[i].subject));
		json_key_string(j, "form", s->counts[i].form);
		json_key_int(j, "times", s->counts[i].n);
		json_object_end(j);
	}
	json_array_end(j);
}

enum step scope_decide(struct req *r, struct batch *b)
{
	struct scope *s = r->plan;
	struct audit_entry entry = {.activity = "audit_read", .object = "scope", .state = -1};
	struct json j;

	if (manage_right(r, RIGHT_READ_AUDIT))
		return STEP_FAIL;
	s->records = 0;
	s->n_counts = 0;
	s->more = false;
	r->err = open_cursor(r, b, s);
	if (r->err)
		return STEP_FAIL;
	buf_text(&r->out, "{\"data\":[");
	r->err = fill(r, b, s);
	buf_text(&r->out, "]");
	json_init(&j, &r->out);
	j.comma = true;
	put_counts(r, s, &j);
	json_key_int(&j, "records", s->records);
	buf_text(&r->out, ",\"next\":");
	if (!r->err && s->more)
		r->err = put_cursor(r, b, s);
	else
		buf_text(&r->out, "null");
	buf_byte(&r->out, '}');
	entry.count = s->records;
	if (!r->err)
		r->err = audit_add(r, b, &entry);
	return r->err ? STEP_FAIL : STEP_DONE;
}
