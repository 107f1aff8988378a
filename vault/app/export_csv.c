/* export_csv.c: the CSV files (RFC 4180, UTF-8): a column for each top-level member of a kind's records, values decoded;
 * what is itself an object or a list stands as JSON in its cell. */
#include "vault/app/export_files.h"

#include "base/json.h"
#include "codec/doc.h"

#include <stdio.h>
#include <string.h>

/* What a spreadsheet would take for a formula. A sign before digits alone (a telephone number) is none. */
static bool is_formula(const char *text, size_t len)
{
	if (!len || !memchr("=+-@\t\r\n", text[0], 7))
		return false;
	if (text[0] != '+' && text[0] != '-')
		return true;
	return len == 1 || strspn(text + 1, "0123456789 .") != len - 1;
}

/* Text in quotes, with an apostrophe before a formula. text ends in NUL, and holds none. */
static void put_text(struct buf *line, const char *text, size_t len)
{
	buf_text(line, is_formula(text, len) ? "\"'" : "\"");
	while (len) {
		const char *quote = memchr(text, '"', len);
		const size_t n = quote ? (size_t)(quote - text) + 1 : len;

		buf_append(line, text, n);
		if (quote)
			buf_byte(line, '"');
		text += n;
		len -= n;
	}
	buf_byte(line, '"');
}

static enum err put_node(struct buf *line, const struct node *n)
{
	struct buf json;
	size_t len;
	const char *text = node_string(n, &len);
	enum err e = ERR_OK;

	if (text)
		return put_text(line, text, len), ERR_OK;
	if (node_type(n) == NODE_ABSENT || node_type(n) == NODE_NULL)
		return ERR_OK;
	if (node_type(n) != NODE_ARRAY && node_type(n) != NODE_OBJECT)
		return node_print(n, line);
	buf_init(&json, 0);
	e = node_print(n, &json);
	if (!e)
		put_text(line, buf_string(&json), json.len);
	buf_fini(&json);
	return e;
}

static enum err put_field(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	struct export_writer *w = ctx;
	struct doc *doc = NULL;
	struct buf line;
	enum err e = doc_parse(json, len, &doc);

	buf_init(&line, 0);
	buf_byte(&line, '"');
	buf_append(&line, name, name_len); /* a field's name needs no escape */
	buf_text(&line, "\",");
	if (!e)
		e = put_node(&line, doc_root(doc));
	buf_text(&line, "\r\n");
	if (!e)
		e = export_flush(w, &line);
	buf_fini(&line);
	doc_free(doc);
	return e;
}

static enum err put_reference(void *ctx, const char *name, size_t name_len, const char *json, size_t len)
{
	char key[EXPORT_NAME_MAX];
	const int key_len = name_len ? snprintf(key, sizeof key, "external_ref of %.*s", (int)name_len, name) : snprintf(key, sizeof key, "source");

	return put_field(ctx, key, (size_t)key_len, json, len);
}

/* ---- records ---- */

struct kind {
	struct export_writer *w;
	const struct export_members *members;
	const char *name;
};

static bool has_column(const struct export_members *m, const char *name)
{
	for (size_t i = 0; i < m->n; i++)
		if (!strcmp(m->names[i], name))
			return true;
	return false;
}

/* The members without a column, as one object; or a record that is none. */
static enum err put_more(struct buf *line, const struct export_members *m, const struct node *root)
{
	struct node_iter it = node_members(root);
	const struct node *value;
	struct buf json;
	struct json j;
	enum err e = ERR_OK;
	bool comma = false;

	if (node_type(root) != NODE_OBJECT)
		return put_node(line, root);
	buf_init(&json, 0);
	while ((value = node_next(&it)) && !e) {
		if (has_column(m, it.key))
			continue;
		if (comma)
			buf_byte(&json, ',');
		comma = true;
		json_init(&j, &json);
		json_string_len(&j, it.key, it.key_len);
		buf_byte(&json, ':');
		e = node_print(value, &json);
	}
	if (!e && comma) {
		struct buf object;

		buf_init(&object, 0);
		buf_byte(&object, '{');
		buf_append(&object, json.data, json.len);
		buf_byte(&object, '}');
		put_text(line, buf_string(&object), object.len);
		e = buf_err(&object);
		buf_fini(&object);
	}
	buf_fini(&json);
	return e;
}

static enum err put_record(void *ctx, const char *time, size_t time_len, const char *json, size_t len)
{
	const struct kind *k = ctx;
	struct doc *doc = NULL;
	struct buf line;
	enum err e = doc_parse(json, len, &doc);

	buf_init(&line, 0);
	buf_byte(&line, '"');
	buf_append(&line, time, time_len);
	buf_byte(&line, '"');
	for (size_t i = 0; i < k->members->n && !e; i++) {
		buf_byte(&line, ',');
		e = put_node(&line, node_get(doc_root(doc), k->members->names[i]));
	}
	if (!e && k->members->more) {
		buf_byte(&line, ',');
		e = put_more(&line, k->members, doc_root(doc));
	}
	buf_text(&line, "\r\n");
	if (!e)
		e = export_flush(k->w, &line);
	buf_fini(&line);
	doc_free(doc);
	return e;
}

static enum err put_head(const struct kind *k)
{
	struct buf line;
	enum err e;

	buf_init(&line, 0);
	buf_text(&line, "\"created_at\"");
	for (size_t i = 0; i < k->members->n; i++) {
		buf_byte(&line, ',');
		put_text(&line, k->members->names[i], strlen(k->members->names[i]));
	}
	if (k->members->more)
		buf_text(&line, ",\"(more)\"");
	buf_text(&line, "\r\n");
	e = export_flush(k->w, &line);
	buf_fini(&line);
	return e;
}

enum err export_csv(struct export_writer *w)
{
	enum err e = export_file(w, "fields.csv");

	if (!e)
		e = export_text(w, "\"field\",\"value\"\r\n");
	if (!e)
		e = export_each(w, EXPORT_FIELDS, put_field, w);
	if (!e)
		e = export_each(w, EXPORT_REFERENCES, put_reference, w);
	for (size_t i = 0; i < w->snapshot->n_fields && !e; i++) {
		struct kind k = {w, &w->members[i], w->snapshot->fields[i].name};
		char name[EXPORT_NAME_MAX];

		if (!k.members->n && !k.members->more)
			continue;
		snprintf(name, sizeof name, "records/%s.csv", k.name);
		e = export_file(w, name);
		if (!e)
			e = put_head(&k);
		if (!e)
			e = export_each_record(w, w->snapshot->fields[i].number, put_record, &k);
	}
	return e;
}
