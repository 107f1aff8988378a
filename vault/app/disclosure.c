/* disclosure.c: segments by search key, their records filtered. */
#include "vault/app/disclosure.h"

#include "base/json.h"
#include "store/audit.h"
#include "store/audit_query.h"

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

/* Was a value given, masked or plain? */
static bool gave_value(const struct node *given)
{
	struct node_iter it = node_members(given);

	while (node_next(&it))
		if (!strcmp(it.key, "plain") || !strncmp(it.key, "masked", 6))
			return true;
	return false;
}

/* Values that a caller wrote are "plain" in the record of the write, and no disclosure. */
static bool discloses(const struct node *record)
{
	static const char *const activities[] = {"read", "search", NULL};
	const char *activity = text_of(record, "activity");

	if (!strcmp(activity, "export") && !strcmp(text_of(record, "object"), "download") && !strcmp(text_of(record, "outcome"), "success"))
		return true; /* of everything */
	if (strcmp(text_of(record, "outcome"), "success") != 0 || !gave_value(node_get(record, "given")))
		return false;
	for (const char *const *at = activities; *at; at++)
		if (!strcmp(*at, activity))
			return true;
	return false;
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
		                             .kind = node_int(node_get(record, "kind"))};

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

enum err disclosures_each(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN],
                          enum err (*each)(void *ctx, const struct disclosure *d), void *ctx)
{
	struct search s = {.each = each, .ctx = ctx};
	struct audit_query q = {.until_us = INT64_MAX, .before = {INT64_MAX, INT64_MAX, INT64_MAX}, .most = PAGE};
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

#define RECIPIENTS_MAX 256
#define PURPOSES_MAX 64
#define NAME_MAX_LEN 48

struct recipient {
	char *actor;
	char last[32]; /* the newest record comes first */
	char purposes[PURPOSES_MAX][NAME_MAX_LEN];
	size_t n_purposes;
};

struct recipients {
	struct recipient *list;
	size_t n;
	const struct snapshot *snapshot;
	const struct rights_scope *scope; /* NULL: whatever was received */
};

static bool number_in_scope(const struct recipients *all, int64_t number)
{
	const int subject = number > 0 && number < UINT16_MAX ? snapshot_subject(all->snapshot, (uint16_t)number) : -1;

	return subject >= 0 && scope_has(all->scope, (size_t)subject);
}

/* Did some of the scope leave, as a value? An export that was fetched held everything. */
static bool in_scope(const struct recipients *all, const struct disclosure *d)
{
	struct node_iter it = node_members(d->given);
	const struct node *numbers;

	if (!all->scope || !strcmp(d->activity, "export"))
		return true;
	if (d->kind)
		return number_in_scope(all, d->kind);
	while ((numbers = node_next(&it)))
		for (size_t i = 0; (!strcmp(it.key, "plain") || !strncmp(it.key, "masked", 6)) && i < node_count(numbers); i++)
			if (number_in_scope(all, node_int(node_at(numbers, i))))
				return true;
	return false;
}

static enum err add_recipient(void *ctx, const struct disclosure *d)
{
	struct recipients *all = ctx;
	struct recipient *r = NULL;
	size_t i = 0;

	if (!in_scope(all, d))
		return ERR_OK;
	for (; i < all->n && !r; i++)
		if (!strcmp(all->list[i].actor, d->actor))
			r = &all->list[i];
	if (!r) {
		if (all->n == RECIPIENTS_MAX)
			return ERR_LIMIT;
		r = &all->list[all->n];
		r->actor = strdup(d->actor);
		if (!r->actor)
			return ERR_MEMORY;
		strncpy(r->last, d->time, sizeof r->last - 1);
		all->n++;
	}
	for (i = 0; i < r->n_purposes; i++)
		if (!strcmp(r->purposes[i], d->purpose))
			return ERR_OK;
	if (r->n_purposes < PURPOSES_MAX)
		strncpy(r->purposes[r->n_purposes++], d->purpose, NAME_MAX_LEN - 1);
	return ERR_OK;
}

static enum err write_recipients(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], const struct snapshot *s,
                                 const struct rights_scope *scope, struct buf *out)
{
	struct recipients all = {.list = calloc(RECIPIENTS_MAX, sizeof *all.list), .snapshot = s, .scope = scope};
	struct json j;
	enum err e = all.list ? disclosures_each(db, sref, add_recipient, &all) : ERR_MEMORY;

	json_init(&j, out);
	json_array(&j);
	for (size_t i = 0; i < all.n; i++) {
		json_object(&j);
		json_key_string(&j, "recipient", all.list[i].actor);
		json_key(&j, "purposes");
		json_array(&j);
		for (size_t k = 0; k < all.list[i].n_purposes; k++)
			json_string(&j, all.list[i].purposes[k]);
		json_array_end(&j);
		json_key_string(&j, "last", all.list[i].last);
		json_object_end(&j);
		free(all.list[i].actor);
	}
	json_array_end(&j);
	free(all.list);
	return e ? e : buf_err(out);
}

enum err disclosure_recipients(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], struct buf *out)
{
	return write_recipients(db, sref, NULL, NULL, out);
}

enum err disclosure_recipients_of(struct db *db, const uint8_t sref[static DISCLOSURE_SREF_LEN], const struct snapshot *s,
                                  const struct rights_scope *scope, struct buf *out)
{
	return write_recipients(db, sref, s, scope, out);
}
