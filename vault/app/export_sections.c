/* export_sections.c: consents, the notices that they refer to, holds, rights requests and disclosures, item by item. */
#include "vault/app/export_sections.h"

#include "base/json.h"
#include "store/consents.h"
#include "vault/app/disclosure.h"
#include "vault/app/rights.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 200

/* Ends an item's text, hands it on and empties it. */
static enum err hand_on(struct buf *text, export_item *item, void *ctx)
{
	enum err e = buf_err(text);

	if (!e)
		e = item(ctx, (const char *)text->data, text->len);
	buf_reset(text);
	return e;
}

/* ---- consents, and which notices they refer to ---- */

struct consents {
	struct export_writer *w;
	export_item *item;
	void *ctx;
};

static enum err keep_notice(struct export_writer *w, const char *name, int64_t version)
{
	struct export_notice *more;

	for (size_t i = 0; i < w->n_notices; i++)
		if (w->notices[i].version == version && !strcmp(w->notices[i].name, name))
			return ERR_OK;
	more = realloc(w->notices, (w->n_notices + 1) * sizeof *more);
	if (!more)
		return ERR_MEMORY;
	w->notices = more;
	more[w->n_notices] = (struct export_notice){.version = version};
	strncpy(more[w->n_notices++].name, name, sizeof more->name - 1);
	return ERR_OK;
}

static enum err take_consent(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct consents *c = ctx;
	struct doc *doc = NULL;
	size_t notice_len;
	const char *notice;
	enum err e = doc_parse(json, len, &doc);

	(void)name;
	(void)name_len;
	notice = e ? NULL : node_string(node_get(doc_root(doc), "notice"), &notice_len);
	if (notice)
		e = keep_notice(c->w, notice, node_int(node_get(doc_root(doc), "notice_version")));
	doc_free(doc);
	return e ? e : c->item(c->ctx, json, len);
}

static enum err each_consent(struct export_writer *w, export_item *item, void *ctx)
{
	struct consents c = {w, item, ctx};

	return export_each(w, EXPORT_CONSENTS, take_consent, &c);
}

static enum err each_notice(struct export_writer *w, export_item *item, void *ctx)
{
	struct buf text;
	enum err e = ERR_OK;

	buf_init(&text, 0);
	for (size_t i = 0; i < w->n_notices && !e; i++) {
		struct db_result *rows = NULL;
		struct json j;

		e = notice_version(w->db, w->notices[i].name, (int32_t)w->notices[i].version, &rows);
		if (!e && db_rows(rows)) {
			size_t len;
			const uint8_t *hash = db_bytes(rows, 0, 1, &len);

			json_init(&j, &text);
			json_object(&j);
			json_key_string(&j, "name", w->notices[i].name);
			json_key_int(&j, "version", w->notices[i].version);
			json_key(&j, "published_at");
			json_time(&j, db_time_us(rows, 0, 2));
			json_key(&j, "sha256");
			json_hex(&j, hash, len);
			json_key(&j, "texts");
			json_raw(&j, db_text(rows, 0, 0), strlen(db_text(rows, 0, 0)));
			json_object_end(&j);
			e = hand_on(&text, item, ctx);
		}
		db_result_free(rows);
	}
	buf_fini(&text);
	return e;
}

/* ---- holds: those that may be told, once they count ---- */

static enum err each_hold(struct export_writer *w, export_item *item, void *ctx)
{
	struct db_result *rows = NULL;
	struct buf text;
	enum err e = holds_to_tell(w->db, w->job->customer, &rows);

	buf_init(&text, 0);
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		struct json j;

		json_init(&j, &text);
		json_object(&j);
		json_key_string(&j, "reason", db_text(rows, i, 1));
		json_key_string(&j, "law", db_text(rows, i, 2));
		json_key(&j, "scope");
		json_raw(&j, db_text(rows, i, 0), strlen(db_text(rows, i, 0)));
		json_key(&j, "from");
		json_time(&j, db_time_us(rows, i, 3));
		json_key(&j, "until");
		json_time(&j, db_time_us(rows, i, 4));
		json_key(&j, "released_at");
		if (db_null(rows, i, 5))
			json_null(&j);
		else
			json_time(&j, db_time_us(rows, i, 5));
		json_object_end(&j);
		e = hand_on(&text, item, ctx);
	}
	buf_fini(&text);
	db_result_free(rows);
	return e;
}

/* ---- rights requests ---- */

static void put_request(const struct rights_row *row, struct json *j)
{
	/* That a hold is in the way is said by the hold, where it may be told. */
	const int32_t state = row->state == RIGHTS_HELD ? RIGHTS_RUNNING : row->state;

	json_object(j);
	json_key(j, "created_at");
	json_time(j, row->created_at_us);
	json_key_string(j, "kind", rights_kind_name(row->kind));
	json_key_string(j, "state", rights_state_name(state));
	json_key(j, "scope");
	json_raw(j, row->scope, strlen(row->scope));
	json_key_string(j, "jurisdiction", row->jurisdiction);
	json_key_string(j, "channel", row->channel);
	json_key(j, "due_at");
	json_time(j, row->due_at_us);
	json_key(j, "ended_at");
	if (row->ended_at_us)
		json_time(j, row->ended_at_us);
	else
		json_null(j);
	json_key(j, "reason");
	if (state == RIGHTS_DENIED)
		json_string(j, row->reason);
	else
		json_null(j);
	json_object_end(j);
}

static enum err each_request(struct export_writer *w, export_item *item, void *ctx)
{
	struct rights_filter f = {.before = INT64_MAX, .customer = w->job->customer, .state = -1, .kind = -1, .most = PAGE};
	size_t n = PAGE;
	struct buf text;
	enum err e = ERR_OK;

	buf_init(&text, 0);
	while (!e && n == PAGE) {
		struct db_result *rows = NULL;

		e = rights_list(w->db, &f, &rows);
		n = e ? 0 : db_rows(rows);
		for (size_t i = 0; !e && i < n; i++) {
			struct rights_row row;
			struct json j;

			rights_row_read(rows, i, &row);
			json_init(&j, &text);
			put_request(&row, &j);
			f.before = row.request;
			e = hand_on(&text, item, ctx);
		}
		db_result_free(rows);
	}
	buf_fini(&text);
	return e;
}

/* ---- who received the data ---- */

struct disclosures {
	struct export_writer *w;
	export_item *item;
	void *ctx;
	struct buf text;
};

/* Names of what was given, whatever the form; what the dictionary has no name for any more, by its number. */
static void put_given(struct json *j, const struct snapshot *s, const struct node *given, bool records)
{
	struct node_iter it = node_members(given);
	const struct node *numbers;

	json_array(j);
	while ((numbers = node_next(&it))) {
		if (!disclosure_form(it.key))
			continue;
		for (size_t i = 0; i < node_count(numbers); i++) {
			const int64_t number = node_int(node_at(numbers, i));
			const int subject = number > 0 && number < FIELD_NUMBERS ? snapshot_subject(s, (unsigned)number) : -1;

			if (subject >= 0 && s->fields[subject].record == records)
				json_string(j, s->fields[subject].name);
		}
	}
	json_array_end(j);
}

static enum err take_disclosure(void *ctx, const struct disclosure *d)
{
	struct disclosures *x = ctx;
	struct json j;

	json_init(&j, &x->text);
	json_object(&j);
	json_key_string(&j, "time", d->time);
	json_key_string(&j, "recipient", d->actor);
	json_key_string(&j, "purpose", d->purpose);
	json_key_bool(&j, "everything", d->everything);
	json_key(&j, "fields");
	put_given(&j, x->w->snapshot, d->given, false);
	json_key(&j, "records");
	put_given(&j, x->w->snapshot, d->given, true);
	json_object_end(&j);
	return hand_on(&x->text, x->item, x->ctx);
}

static enum err each_disclosure(struct export_writer *w, export_item *item, void *ctx)
{
	struct disclosures x = {.w = w, .item = item, .ctx = ctx};
	enum err e;

	buf_init(&x.text, 0);
	e = disclosures_each(w->db, w->sref, 0, take_disclosure, &x);
	buf_fini(&x.text);
	return e;
}

const struct export_section export_sections[] = {
    {"consents", "What you have decided", "您的决定",
     {{"at", "When", "时间", false}, {"purpose", "Purpose", "目的", false}, {"event", "Decision", "决定", true}, {"notice", "Notice", "告知书", false},
      {"notice_version", "Version", "版本", false}, {"valid_until", "Valid until", "有效期至", false}, {"detail", "How", "方式", false}, {"personal", "Evidence", "凭证", false}},
     each_consent},
    {"notices", "Notices that you were shown", "您看到的告知书",
     {{"name", "Notice", "告知书", false}, {"version", "Version", "版本", false}, {"published_at", "Published", "发布时间", false}, {"texts", "Text", "文本", false}}, each_notice},
    {"holds", "What a law makes us keep", "依法必须保留的数据",
     {{"law", "Law", "法律", false}, {"reason", "Reason", "原因", false}, {"scope", "What", "范围", true}, {"from", "From", "自", false}, {"until", "Until", "至", false}, {"released_at", "Released", "解除时间", false}},
     each_hold},
    {"rights_requests", "What you have asked for", "您的请求",
     {{"created_at", "When", "时间", false}, {"kind", "Request", "请求", true}, {"state", "State", "状态", true}, {"scope", "About", "范围", true}, {"due_at", "Due", "期限", false},
      {"ended_at", "Ended", "结束时间", false}, {"reason", "Reason", "原因", false}},
     each_request},
    {"disclosures", "Who received your data", "谁接收了您的数据",
     {{"time", "When", "时间", false}, {"recipient", "Who", "接收者", false}, {"purpose", "Purpose", "目的", false}, {"everything", "Everything", "全部", false}, {"fields", "Fields", "字段", true}, {"records", "Records", "记录", true}},
     each_disclosure},
    {0},
};
