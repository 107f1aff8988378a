/* disclosure.c: segments by search key, their records filtered. */
#include "vault/app/disclosure.h"

#include "base/json.h"
#include "store/audit.h"
#include "store/audit_query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 64

struct search {
	char sref[2 * DISCLOSURE_SREF_LEN + 1];
	enum err (*each)(void *ctx, const struct disclosure *d);
	void *ctx;
};

static const char *text_of(const struct node *record, const char *key)
{
	size_t len;
	const char *text = node_string(node_get(record, key), &len);

	return text ? text : "";
}

bool disclosure_form(const char *form)
{
	return !strcmp(form, "plain") || !strncmp(form, "masked", 6);
}

/* Was a value given, masked or plain? */
static bool gave_value(const struct node *given)
{
	struct node_iter it = node_members(given);

	while (node_next(&it))
		if (disclosure_form(it.key))
			return true;
	return false;
}

/* The download of an archive. */
static bool of_everything(const struct node *record)
{
	return !strcmp(text_of(record, "activity"), "export") && !strcmp(text_of(record, "object"), "download");
}

/* Values that a caller wrote are "plain" in the record of the write, and no disclosure; nor is a list of no records. */
static bool discloses(const struct node *record)
{
	const char *activity = text_of(record, "activity");

	if (strcmp(text_of(record, "outcome"), "success") != 0)
		return false;
	if (of_everything(record))
		return true;
	if (strcmp(activity, "read") != 0 && strcmp(activity, "search") != 0)
		return false;
	if (node_int(node_get(record, "kind")) && !node_int(node_get(record, "count")))
		return false;
	return gave_value(node_get(record, "given"));
}

static enum err look_at_record(const struct search *s, const uint8_t *body, size_t len)
{
	struct doc *doc = NULL;
	enum err e = doc_parse(body, len, &doc);
	const struct node *record = e ? NULL : doc_root(doc);

	if (!e && !strcmp(text_of(record, "sref"), s->sref) && discloses(record)) {
		const struct disclosure d = {.id = text_of(record, "id"),
		                             .time = text_of(record, "time"),
		                             .actor = text_of(record, "actor"),
		                             .purpose = text_of(record, "purpose"),
		                             .activity = text_of(record, "activity"),
		                             .given = node_get(record, "given"),
		                             .everything = of_everything(record)};

		e = s->each(s->ctx, &d);
	}
	doc_free(doc);
	return e;
}

static enum err look_at_segment(const struct search *s, const uint8_t *bodies, size_t len)
{
	struct reader in = reader_of(bodies, len);
	enum err e = ERR_OK;

	while (!e && in.left && !in.failed) {
		const size_t n = reader_u16(&in);
		const uint8_t *body = reader_bytes(&in, n);

		if (body && memmem(body, n, s->sref, strlen(s->sref)))
			e = look_at_record(s, body, n);
	}
	return in.failed ? ERR_INTERNAL : e;
}

enum err disclosures_each(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], int64_t since_us,
                          enum err (*each)(void *ctx, const struct disclosure *d), void *ctx)
{
	struct search s = {.each = each, .ctx = ctx};
	struct audit_query q = {.since_us = since_us, .until_us = INT64_MAX, .before = {INT64_MAX, INT64_MAX, INT64_MAX}, .most = PAGE};
	struct db_array keys;
	size_t rows = PAGE;
	enum err e = ERR_OK;

	for (size_t i = 0; i < DISCLOSURE_SREF_LEN; i++) {
		s.sref[2 * i] = "0123456789abcdef"[sref[i] >> 4];
		s.sref[2 * i + 1] = "0123456789abcdef"[sref[i] & 15];
	}
	db_array_init(&keys, DB_INT8);
	db_array_int8(&keys, audit_key('s', sref, DISCLOSURE_SREF_LEN));
	q.keys = &keys;
	while (!e && rows == PAGE) {
		struct db_result *page = NULL;

		e = audit_query_page(db, &q, &page);
		rows = e ? 0 : db_rows(page);
		for (size_t i = 0; !e && i < rows; i++) {
			size_t len;
			const uint8_t *bodies = db_bytes(page, i, 4, &len);

			e = look_at_segment(&s, bodies, len);
			q.before = (struct audit_place){db_time_us(page, i, 3), db_int8(page, i, 0), db_int8(page, i, 1)};
		}
		db_result_free(page);
	}
	db_array_fini(&keys);
	return e;
}

/* ---- recipients ---- */

struct recipient {
	char *actor;
	char last[32];              /* the newest record comes first */
	struct buf purposes, records; /* items of a JSON array */
	bool subjects[POLICY_SUBJECTS_MAX], everything;
	int64_t disclosures;
	size_t n_records;
};

struct recipients {
	const struct disclosure_filter *filter;
	struct recipient *list;
	size_t n, cap;
};

/* Marks what it gave of the scope; is there any? The archive of an export holds all. */
static bool concerns(const struct disclosure_filter *f, const struct disclosure *d, bool subjects[static POLICY_SUBJECTS_MAX])
{
	struct node_iter it = node_members(d->given);
	bool any = f->scope->all || d->everything;
	const struct node *numbers;

	while ((numbers = node_next(&it))) {
		if (!disclosure_form(it.key))
			continue;
		for (size_t i = 0; i < node_count(numbers); i++) {
			const int64_t number = node_int(node_at(numbers, i));
			const int subject = number > 0 && number < FIELD_NUMBERS ? snapshot_subject(f->snapshot, (unsigned)number) : -1;

			if (subject < 0 || !scope_has(f->scope, (size_t)subject))
				continue;
			subjects[subject] = any = true;
		}
	}
	return any;
}

static struct recipient *recipient_of(struct recipients *all, const char *actor)
{
	struct recipient *r;

	for (size_t i = 0; i < all->n; i++)
		if (!strcmp(all->list[i].actor, actor))
			return &all->list[i];
	if (all->n == all->cap) {
		const size_t cap = all->cap ? 2 * all->cap : 16;
		struct recipient *moved = realloc(all->list, cap * sizeof *moved);

		if (!moved)
			return NULL;
		all->list = moved;
		all->cap = cap;
	}
	r = &all->list[all->n];
	*r = (struct recipient){.actor = strdup(actor)};
	buf_init(&r->purposes, 0);
	buf_init(&r->records, 0);
	all->n += r->actor != NULL;
	return r->actor ? r : NULL;
}

/* Appends "text" to the items of an array, unless it is there: purposes and ids need no escape. */
static void add_item(struct buf *items, const char *text)
{
	char quoted[80];
	const int len = snprintf(quoted, sizeof quoted, "\"%s\"", text);

	if (len < 0 || (size_t)len >= sizeof quoted || (items->len && memmem(items->data, items->len, quoted, (size_t)len)))
		return;
	if (items->len)
		buf_byte(items, ',');
	buf_append(items, quoted, (size_t)len);
}

static enum err add_recipient(void *ctx, const struct disclosure *d)
{
	struct recipients *all = ctx;
	bool subjects[POLICY_SUBJECTS_MAX] = {false};
	struct recipient *r;

	if (!concerns(all->filter, d, subjects))
		return ERR_OK;
	r = recipient_of(all, d->actor);
	if (!r)
		return ERR_MEMORY;
	if (!r->disclosures++)
		strncpy(r->last, d->time, sizeof r->last - 1);
	for (size_t i = 0; i < POLICY_SUBJECTS_MAX; i++)
		r->subjects[i] = r->subjects[i] || subjects[i];
	r->everything = r->everything || d->everything;
	add_item(&r->purposes, d->purpose);
	if (r->n_records < DISCLOSURE_RECORDS_MAX) {
		add_item(&r->records, d->id);
		r->n_records++;
	}
	return ERR_OK;
}

static enum err write_recipient(struct json *j, const struct snapshot *s, const struct recipient *r)
{
	json_object(j);
	json_key(j, "audit_records");
	json_array(j);
	json_raw(j, (const char *)r->records.data, r->records.len);
	json_array_end(j);
	json_key_int(j, "disclosures", r->disclosures);
	json_key_bool(j, "everything", r->everything);
	json_key(j, "fields");
	json_array(j);
	for (size_t i = 0; i < s->n_fields; i++)
		if (r->subjects[i])
			json_string(j, s->fields[i].name);
	json_array_end(j);
	json_key_string(j, "last", r->last);
	json_key(j, "purposes");
	json_array(j);
	json_raw(j, (const char *)r->purposes.data, r->purposes.len);
	json_array_end(j);
	json_key_string(j, "recipient", r->actor);
	json_object_end(j);
	return buf_ok(&r->records) && buf_ok(&r->purposes) ? ERR_OK : ERR_MEMORY;
}

enum err disclosure_recipients(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], const struct disclosure_filter *filter, struct buf *out)
{
	struct recipients all = {.filter = filter};
	struct json j;
	enum err e = disclosures_each(db, sref, filter->since_us, add_recipient, &all);

	json_init(&j, out);
	json_array(&j);
	for (size_t i = 0; i < all.n; i++) {
		if (!e)
			e = write_recipient(&j, filter->snapshot, &all.list[i]);
		free(all.list[i].actor);
		buf_fini(&all.list[i].purposes);
		buf_fini(&all.list[i].records);
	}
	json_array_end(&j);
	free(all.list);
	return e ? e : buf_err(out);
}
