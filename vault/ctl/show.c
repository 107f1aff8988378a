/* show.c: the vault's JSON as tables and lines. */
#include "ctl/show.h"

#include "base/err.h"
#include "ctl/text.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool is_plain(const struct node *n)
{
	return node_type(n) != NODE_OBJECT && node_type(n) != NODE_ARRAY;
}

static bool all_plain(const struct node *array)
{
	for (size_t i = 0; i < node_count(array); i++)
		if (!is_plain(node_at(array, i)))
			return false;
	return true;
}

static void show_json(const struct node *n, struct buf *out)
{
	if (node_print(n, out))
		out->failed = true;
}

void show_value(const struct node *n, struct buf *out)
{
	const char *text;
	size_t len = 0;

	switch (node_type(n)) {
	case NODE_ABSENT:
	case NODE_NULL: return;
	case NODE_BOOL: buf_text(out, node_bool(n) ? "yes" : "no"); return;
	case NODE_STRING:
		text = node_string(n, &len);
		buf_append(out, text, len);
		return;
	case NODE_ARRAY:
		if (!all_plain(n))
			break;
		for (size_t i = 0; i < node_count(n); i++) {
			buf_text(out, i ? "," : "");
			show_value(node_at(n, i), out);
		}
		return;
	case NODE_INT:
	case NODE_REAL:
	case NODE_OBJECT: break;
	}
	show_json(n, out);
}

size_t show_clean(const struct node *n, struct buf *out)
{
	struct buf text;
	size_t width;

	buf_init(&text, 0);
	show_value(n, &text);
	out->failed |= text.failed;
	width = text_clean((const char *)text.data, text.len, false, out);
	buf_fini(&text);
	return width;
}

/* ---- tables ---- */

#define HEADING_MAX 32

struct columns {
	size_t n;
	char names[TABLE_COLUMNS_MAX][HEADING_MAX];    /* as in the JSON */
	char headings[TABLE_COLUMNS_MAX][HEADING_MAX]; /* as shown */
};

static void add_column(struct columns *c, const char *name, size_t len)
{
	if (c->n == TABLE_COLUMNS_MAX - 1 || len == 0 || len >= HEADING_MAX)
		return;
	for (size_t i = 0; i < c->n; i++)
		if (strlen(c->names[i]) == len && !memcmp(c->names[i], name, len))
			return;
	for (size_t i = 0; i < len; i++) {
		const unsigned char byte = (unsigned char)name[i];

		c->names[c->n][i] = name[i];
		c->headings[c->n][i] = byte == '_' ? ' ' : byte < 0x20 || byte > 0x7e ? '?' : (char)toupper(byte);
	}
	c->n++;
}

static void columns_of_row(struct columns *c, const struct node *row)
{
	struct node_iter it = node_members(row);

	while (node_next(&it))
		add_column(c, it.key, it.key_len);
}

static void cell(struct table *t, const struct node *n)
{
	struct buf text;

	buf_init(&text, 0);
	show_value(n, &text);
	if (!buf_ok(&text))
		t->text.failed = true;
	table_cell(t, (const char *)text.data, text.len);
	buf_fini(&text);
}

/* Row i of an array, or the next member of an object, with its key. */
struct rows {
	const struct node *all;
	size_t at;
	struct node_iter it;
	bool keyed;
};

static struct rows rows_of(const struct node *all)
{
	const bool keyed = node_type(all) == NODE_OBJECT;

	return (struct rows){.all = all, .keyed = keyed, .it = keyed ? node_members(all) : (struct node_iter){0}};
}

static const struct node *next_row(struct rows *r)
{
	return r->keyed ? node_next(&r->it) : node_at(r->all, r->at++);
}

void show_rows(const struct node *rows, const char *key_heading, const char *const *columns, struct buf *out)
{
	struct columns c = {0};
	const char *headings[TABLE_COLUMNS_MAX];
	struct rows each = rows_of(rows);
	const struct node *row;
	struct table t;
	size_t n = 0;

	for (; columns && *columns; columns++)
		add_column(&c, *columns, strlen(*columns));
	if (c.n == 0)
		while ((row = next_row(&each)))
			columns_of_row(&c, row);
	each = rows_of(rows);
	if (each.keyed)
		headings[n++] = key_heading;
	for (size_t i = 0; i < c.n; i++)
		headings[n++] = c.headings[i];
	if (n == 0)
		return;
	table_init(&t, headings, n);
	while ((row = next_row(&each))) {
		if (each.keyed)
			table_cell(&t, each.it.key, each.it.key_len);
		for (size_t i = 0; i < c.n; i++)
			cell(&t, node_get(row, c.names[i]));
	}
	table_render(&t, out);
	table_fini(&t);
}

static bool holds_objects(const struct node *n)
{
	const struct node *row;
	struct rows each;

	if (is_plain(n) || node_count(n) == 0)
		return false;
	each = rows_of(n);
	while ((row = next_row(&each)))
		if (node_type(row) != NODE_OBJECT)
			return false;
	return true;
}

/* Lines of "name  value", aligned as a table is but without headings. */
static void show_plain_members(const struct node *object, struct buf *out)
{
	struct node_iter it = node_members(object);
	const struct node *n;
	size_t width = 0;

	while ((n = node_next(&it)))
		if (!holds_objects(n) && node_type(n) != NODE_NULL && it.key_len > width && it.key_len < HEADING_MAX)
			width = it.key_len;
	it = node_members(object);
	while ((n = node_next(&it))) {
		size_t took;

		if (holds_objects(n) || node_type(n) == NODE_NULL)
			continue;
		took = text_clean(it.key, it.key_len, false, out);
		buf_printf(out, "%*s  ", took < width ? (int)(width - took) : 0, "");
		buf_text(out, show_clean(n, out) ? "\n" : "-\n");
	}
}

void show_object(const struct node *object, struct buf *out)
{
	struct node_iter it = node_members(object);
	const size_t start = out->len;
	const struct node *n;

	show_plain_members(object, out);
	while ((n = node_next(&it))) {
		if (!holds_objects(n))
			continue;
		if (out->len > start)
			buf_byte(out, '\n');
		show_rows(n, strcmp(it.key, "fields") ? "NAME" : "FIELD", NULL, out);
	}
}

/* ---- audit records ---- */

static const char *const record_members[] = {"time", "id", "actor", "operation", "purpose", "outcome", "code", "asked", "given"};
static const char *const record_headings[] = {"TIME", "ID", "ACTOR", "OPERATION", "PURPOSE", "OUTCOME", "CODE", "ASKED", "GIVEN"};
#define RECORD_COLUMNS (sizeof record_members / sizeof *record_members)

/* {"plain":[1,4]} as "plain(1,4)" */
static void show_given(const struct node *given, struct buf *out)
{
	struct node_iter it = node_members(given);
	const struct node *fields;
	bool first = true;

	while ((fields = node_next(&it))) {
		buf_text(out, first ? "" : " ");
		buf_append(out, it.key, it.key_len);
		buf_byte(out, '(');
		show_value(fields, out);
		buf_byte(out, ')');
		first = false;
	}
}

static void show_record_member(const struct node *record, size_t i, struct buf *out)
{
	const struct node *n = node_get(record, record_members[i]);

	if (node_type(n) == NODE_OBJECT)
		show_given(n, out);
	else
		show_value(n, out);
}

void show_records(const struct node *records, struct buf *out)
{
	struct buf text;
	struct table t;

	buf_init(&text, 0);
	table_init(&t, record_headings, RECORD_COLUMNS);
	for (size_t r = 0; r < node_count(records); r++)
		for (size_t i = 0; i < RECORD_COLUMNS; i++) {
			buf_reset(&text);
			show_record_member(node_at(records, r), i, &text);
			t.text.failed |= text.failed;
			table_cell(&t, (const char *)text.data, text.len);
		}
	table_render(&t, out);
	table_fini(&t);
	buf_fini(&text);
}

void show_record_line(const struct node *record, struct buf *out)
{
	struct buf text;

	buf_init(&text, 0);
	for (size_t i = 0; i < RECORD_COLUMNS; i++) {
		buf_reset(&text);
		show_record_member(record, i, &text);
		out->failed |= text.failed;
		buf_text(out, i ? "  " : "");
		if (text_clean((const char *)text.data, text.len, false, out) == 0)
			buf_byte(out, '-');
	}
	buf_byte(out, '\n');
	buf_fini(&text);
}

/* ---- refusals ---- */

/* Appends the member as clean text; false where it is no string or empty. */
static bool said(const struct node *object, const char *member, struct buf *out)
{
	size_t len = 0;
	const char *text = node_string(node_get(object, member), &len);

	if (!text || !len)
		return false;
	text_clean(text, len, false, out);
	return true;
}

static void say(const struct node *object, const char *member, const char *other, struct buf *out)
{
	if (!said(object, member, out))
		buf_text(out, other);
}

void show_complaints(const struct node *complaints, const char *name, struct buf *out)
{
	for (size_t i = 0; i < node_count(complaints); i++) {
		const struct node *c = node_at(complaints, i);
		size_t mark;

		text_clean(name, strlen(name), false, out);
		buf_printf(out, ":%lld:%lld: ", (long long)node_int(node_get(c, "line")), (long long)node_int(node_get(c, "column")));
		say(c, "text", "not valid", out);
		mark = out->len;
		buf_text(out, "; near: ");
		if (!said(c, "near", out))
			buf_truncate(out, mark);
		buf_byte(out, '\n');
	}
}

void show_problem(int status, const struct node *problem, struct buf *out)
{
	const struct node *errors = node_get(problem, "errors");
	char fallback[32];
	size_t mark;

	snprintf(fallback, sizeof fallback, "http_%d", status);
	buf_text(out, "error: ");
	say(problem, "code", fallback, out);
	buf_text(out, ": ");
	/* RFC 9457: detail is of this occurrence, title of its kind. */
	if (!said(problem, "detail", out))
		say(problem, "title", problem ? "The vault gave no reason." : "The reply is not one of a vault.", out);
	mark = out->len;
	buf_text(out, " (request ");
	if (said(problem, "request_id", out))
		buf_byte(out, ')');
	else
		buf_truncate(out, mark);
	buf_byte(out, '\n');
	for (size_t i = 0; i < node_count(errors); i++) {
		buf_text(out, "  ");
		say(node_at(errors, i), "pointer", "/", out);
		buf_text(out, ": ");
		say(node_at(errors, i), "code", "invalid", out);
		buf_byte(out, '\n');
	}
	show_complaints(node_get(problem, "complaints"), "  policy", out);
}
