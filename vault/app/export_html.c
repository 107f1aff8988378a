/* export_html.c: index.html: what a person can read without a network, in English and Chinese. No script,
 * nothing from outside, everything escaped. */
#include "vault/app/export_sections.h"

#include "base/clock.h"
#include "codec/doc.h"

#include <stdio.h>
#include <string.h>

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<meta name=\"viewport\" content=\"width=device-width\"><title>Your data · 您的数据</title>\n"
    "<style>:root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;max-width:64em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}td,th{border:1px solid #8888;padding:.3em .6em;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere;white-space:pre-wrap}th{background:#8882}td:first-child{width:1%;white-space:nowrap}th{overflow-wrap:normal}h2{margin-top:2em}dl{margin:0}dt{font-weight:600}dd{margin:0 0 0 1em}ul{margin:0;padding-left:1.2em}"
    "span[lang]{opacity:.75;font-weight:normal}</style>\n"
    "<h1>Your data <span lang=\"zh\">您的数据</span></h1>\n"
    "<p>This is what is stored about you, what you have decided and asked for, and who has received it. data.json holds the same for computers, and the CSV files "
    "open in a spreadsheet. Times are UTC. Keep this archive as you would keep the papers that it replaces.</p>\n"
    "<p lang=\"zh\">以下是我们保存的关于您的数据、您作出的决定与提出的请求，以及数据的接收者。data.json 供计算机读取，CSV 文件可用电子表格打开。时间为世界协调时（UTC）。"
    "请像保管纸质证件一样保管本文件。</p>\n";

static void put_escaped(struct buf *out, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		switch (text[i]) {
		case '&': buf_text(out, "&amp;"); break;
		case '<': buf_text(out, "&lt;"); break;
		case '>': buf_text(out, "&gt;"); break;
		case '"': buf_text(out, "&quot;"); break;
		case '\'': buf_text(out, "&#39;"); break;
		default: buf_byte(out, (uint8_t)text[i]); break;
		}
}

static void put_both(struct buf *out, const char *en, const char *zh)
{
	buf_printf(out, "%s <span lang=\"zh\">%s</span>", en, zh);
}

/* 2026-01-31T12:34:56.123456Z, as the vault writes times, to the second. */
static bool put_time(struct buf *out, const char *text, size_t len)
{
	if (len != CLOCK_TEXT_LEN - 1 || text[10] != 'T' || text[len - 1] != 'Z' || strspn(text, "0123456789-") != 10)
		return false;
	buf_append(out, text, 10);
	buf_byte(out, ' ');
	buf_append(out, text + 11, 8);
	return true;
}

/* A name or word of the vault, as people say it. */
static void put_word(struct buf *out, const char *text, size_t len)
{
	const struct export_word *w = export_word(text);

	if (w)
		put_both(out, w->en, w->zh);
	else
		put_escaped(out, text, len);
}

static enum err put_node(struct buf *out, const struct node *n, bool words);

static enum err put_list(struct buf *out, const struct node *n, bool words)
{
	enum err e = ERR_OK;

	if (node_count(n) == 0)
		return ERR_OK;
	buf_text(out, "<ul>");
	for (size_t i = 0; i < node_count(n) && !e; i++) {
		buf_text(out, "<li>");
		e = put_node(out, node_at(n, i), words);
		buf_text(out, "</li>");
	}
	buf_text(out, "</ul>");
	return e;
}

static enum err put_object(struct buf *out, const struct node *n, bool words)
{
	struct node_iter it = node_members(n);
	const struct node *value;
	enum err e = ERR_OK;

	if (node_count(n) == 0)
		return ERR_OK;
	buf_text(out, "<dl>");
	while ((value = node_next(&it)) && !e) {
		buf_text(out, "<dt>");
		(words ? put_word : put_escaped)(out, it.key, it.key_len);
		buf_text(out, "</dt><dd>");
		e = put_node(out, value, words);
		buf_text(out, "</dd>");
	}
	buf_text(out, "</dl>");
	return e;
}

/* As deep as a document may be (DOC_DEPTH_MAX). */
static enum err put_node(struct buf *out, const struct node *n, bool words)
{
	size_t len;
	const char *text = node_string(n, &len);

	if (text)
		return (words ? put_word : put_escaped)(out, text, len), ERR_OK;
	switch (node_type(n)) {
	case NODE_ARRAY: return put_list(out, n, words);
	case NODE_OBJECT: return put_object(out, n, words);
	case NODE_BOOL:
		if (node_bool(n))
			put_both(out, "yes", "是");
		else
			put_both(out, "no", "否");
		return ERR_OK;
	case NODE_ABSENT:
	case NODE_NULL: return ERR_OK;
	case NODE_STRING:
	case NODE_INT:
	case NODE_REAL: break;
	}
	return node_print(n, out);
}

/* ---- tables ---- */

static void begin_table(struct buf *out, const char *en, const char *zh, const struct export_column *columns, size_t n)
{
	buf_text(out, "<h2>");
	put_both(out, en, zh);
	buf_text(out, "</h2>\n<table><tr>");
	for (size_t i = 0; i < n && columns[i].key; i++) {
		buf_text(out, "<th>");
		put_both(out, columns[i].en, columns[i].zh);
		buf_text(out, "</th>");
	}
	buf_text(out, "</tr>\n");
}

struct table {
	struct export_writer *w;
	const char *kind;
	const struct export_section *section;
	bool begun;
	struct buf text;
};

/* A field with its value, or a record with its time. */
static enum err put_pair(struct table *t, const char *name, size_t name_len, bool word, const char *json, size_t len)
{
	char key[EXPORT_NAME_MAX] = "";
	struct doc *doc = NULL;
	enum err e = doc_parse(json, len, &doc);

	memcpy(key, name, name_len < sizeof key ? name_len : sizeof key - 1);
	buf_text(&t->text, "<tr><td>");
	if (word || !put_time(&t->text, key, strlen(key)))
		put_word(&t->text, key, strlen(key));
	buf_text(&t->text, "</td><td>");
	if (!e)
		e = put_node(&t->text, doc_root(doc), false);
	buf_text(&t->text, "</td></tr>\n");
	doc_free(doc);
	return e ? e : export_flush(t->w, &t->text);
}

static enum err put_field(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	return put_pair(ctx, name, name_len, true, json, len);
}

static enum err put_reference(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	char key[EXPORT_NAME_MAX];
	const int key_len = name_len ? snprintf(key, sizeof key, "external_ref (%.*s)", (int)name_len, name) : snprintf(key, sizeof key, "source");

	return put_pair(ctx, key, (size_t)key_len, true, json, len);
}

static enum err put_record(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	static const struct export_column columns[] = {{"time", "When", "时间", false}, {"data", "What", "内容", false}};
	struct table *t = ctx;

	if (!t->begun) {
		const struct export_word *w = export_word(t->kind);

		begin_table(&t->text, w ? w->en : t->kind, w ? w->zh : "", columns, 2); /* a kind's name needs no escape */
	}
	t->begun = true;
	return put_pair(t, time, time_len, false, json, len);
}

static enum err put_item(void *ctx, const char *json, size_t len)
{
	struct table *t = ctx;
	const struct export_column *c = t->section->columns;
	struct doc *doc = NULL;
	enum err e = doc_parse(json, len, &doc);

	if (!t->begun)
		begin_table(&t->text, t->section->en, t->section->zh, c, EXPORT_COLUMNS_MAX);
	t->begun = true;
	buf_text(&t->text, "<tr>");
	for (size_t i = 0; i < EXPORT_COLUMNS_MAX && c[i].key && !e; i++) {
		const struct node *value = node_get(doc_root(doc), c[i].key);
		size_t text_len = 0;
		const char *text = node_string(value, &text_len);

		buf_text(&t->text, "<td>");
		if (!text || !put_time(&t->text, text, text_len))
			e = put_node(&t->text, value, c[i].words);
		buf_text(&t->text, "</td>");
	}
	buf_text(&t->text, "</tr>\n");
	doc_free(doc);
	return e ? e : export_flush(t->w, &t->text);
}

/* Ends a table that was begun; says so where there was nothing. */
static enum err end_table(struct table *t)
{
	if (t->begun) {
		buf_text(&t->text, "</table>\n");
	} else if (t->section) {
		buf_text(&t->text, "<h2>");
		put_both(&t->text, t->section->en, t->section->zh);
		buf_text(&t->text, "</h2>\n<p>Nothing. <span lang=\"zh\">无。</span></p>\n");
	}
	t->begun = false;
	return export_flush(t->w, &t->text);
}

static enum err put_tables(struct table *t)
{
	static const struct export_column columns[] = {{"field", "Field", "字段", false}, {"value", "Value", "内容", false}};
	struct export_writer *w = t->w;
	enum err e;

	begin_table(&t->text, "What is stored about you", "我们保存的关于您的数据", columns, 2);
	t->begun = true;
	e = export_each(w, EXPORT_FIELDS, put_field, t);
	if (!e)
		e = export_each(w, EXPORT_REFERENCES, put_reference, t);
	if (!e)
		e = end_table(t);
	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		if (!w->members[i].n && !w->members[i].more)
			continue;
		t->kind = w->snapshot->fields[i].name;
		e = export_each_record(w, w->snapshot->fields[i].number, put_record, t);
		if (!e)
			e = end_table(t);
	}
	for (const struct export_section *s = export_sections; s->key && !e; s++) {
		t->section = s;
		e = s->each(w, put_item, t);
		if (!e)
			e = end_table(t);
	}
	return e;
}

enum err export_html(struct export_writer *w)
{
	struct table t = {.w = w};
	enum err e = export_file(w, "index.html");

	buf_init(&t.text, 0);
	if (!e)
		e = export_bytes(w, head, sizeof head - 1);
	if (!e)
		e = put_tables(&t);
	buf_fini(&t.text);
	return e ? e : export_text(w, "</html>\n");
}
