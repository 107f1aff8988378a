/* consent_import.c: a file of decisions, in lots, each line's refusal told. Nothing but a lot is in memory. */
#include "base/json.h"
#include "ctl/commands.h"
#include "ctl/csv.h"
#include "ctl/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOT 500
#define LINE_MAX_BYTES ((size_t)64 << 10)

struct import {
	const struct arguments *a;
	const char *name;
	FILE *f;
	char *line;
	size_t line_size;
	bool csv, people;
	struct csv_row heading, row;
	struct buf items; /* of the lot, with commas between */
	long lines[LOT], at; /* of the lot's items; of what is read */
	size_t n, line_len;
	long recorded, refused;
};

static const char *const texts[] = {"decision", "channel", "method", "language", "given_at", "valid_until", "evidence", "guardian", NULL};
static const char *const flags[] = {"separate", "written", NULL};

static bool is_in(const char *const *list, const char *word)
{
	for (; *list; list++)
		if (!strcmp(*list, word))
			return true;
	return false;
}

static void refuse(struct import *im, long line, const char *why, const char *pointer)
{
	im->refused++;
	if (im->people)
		fputs("\r\033[K", stderr);
	fprintf(stderr, "%s:%ld: %s%s%s\n", im->name, line, why, *pointer ? " " : "", pointer);
}

/* ---- a line as an item ---- */

static bool flag_of(const char *cell, bool *out)
{
	*out = !strcmp(cell, "true") || !strcmp(cell, "yes") || !strcmp(cell, "1");
	return *out || !strcmp(cell, "false") || !strcmp(cell, "no") || !strcmp(cell, "0");
}

/* A member of the consent; false: the cell can't be one. */
static bool put_cell(struct json *j, const char *column, const char *cell, size_t len)
{
	bool on;
	long number;

	if (is_in(texts, column)) {
		json_key(j, column);
		json_string_len(j, cell, len);
		return true;
	}
	if (is_in(flags, column) && flag_of(cell, &on)) {
		json_key_bool(j, column, on);
		return true;
	}
	if (!strcmp(column, "notice_version") && input_number(cell, 1, 999999999, &number)) {
		json_key_int(j, column, number);
		return true;
	}
	return false;
}

static const char *column_of(const struct import *im, const char *column)
{
	for (size_t i = 0; i < im->heading.n; i++)
		if (!strcmp(csv_cell(&im->heading, i), column))
			return csv_cell(&im->row, i);
	return "";
}

static bool csv_item(struct import *im, struct buf *item, const char **pointer)
{
	struct json j;

	if (!csv_row_read(&im->row, im->line, im->line_len) || im->row.n != im->heading.n)
		return false;
	json_init(&j, item);
	json_object(&j);
	json_key_string(&j, "customer", column_of(im, "customer"));
	json_key_string(&j, "purpose", column_of(im, "purpose"));
	json_key(&j, "consent");
	json_object(&j);
	for (size_t i = 0; i < im->row.n; i++) {
		const char *column = csv_cell(&im->heading, i);

		if (!im->row.len[i] || !strcmp(column, "customer") || !strcmp(column, "purpose"))
			continue;
		if (!put_cell(&j, column, csv_cell(&im->row, i), im->row.len[i])) {
			*pointer = column;
			return false;
		}
	}
	json_object_end(&j);
	json_object_end(&j);
	return buf_ok(item);
}

static bool json_item(const struct import *im, struct buf *item)
{
	struct doc *doc = NULL;
	const bool good = doc_parse(im->line, im->line_len, &doc) == ERR_OK && node_type(doc_root(doc)) == NODE_OBJECT && node_print(doc_root(doc), item) == ERR_OK;

	doc_free(doc);
	return good && buf_ok(item);
}

/* ---- a lot ---- */

static void tell_result(struct import *im, const struct node *result)
{
	const struct node *error = node_get(result, "error");
	const int64_t i = node_int(node_get(result, "index"));
	struct buf code, pointer;
	size_t len = 0;
	const char *text;

	if (!error || i < 0 || (size_t)i >= im->n) {
		im->recorded++;
		return;
	}
	buf_init(&code, 0);
	buf_init(&pointer, 0);
	text = node_string(node_get(error, "code"), &len);
	text_clean(text ? text : "refused", text ? len : 7, false, &code);
	text = node_string(node_get(error, "pointer"), &len);
	text_clean(text ? text : "", text ? len : 0, false, &pointer);
	refuse(im, im->lines[i], buf_string(&code), buf_string(&pointer));
	buf_fini(&code);
	buf_fini(&pointer);
}

static int send_lot(struct import *im)
{
	struct client_request r = {.method = "POST", .path = "/v1/consents:batch"};
	struct doc *doc = NULL;
	struct buf body, reply;
	const struct node *results;
	int code;

	if (im->n == 0)
		return CTL_OK;
	buf_init(&body, 0);
	buf_text(&body, "{\"mode\":\"partial\",\"items\":[");
	buf_append(&body, im->items.data, im->items.len);
	buf_text(&body, "]}");
	r.body = body.data;
	r.body_len = body.len;
	code = buf_ok(&body) ? remote_send(im->a, &r, &reply) : complain(CTL_SERVER, "out of memory");
	if (code == CTL_OK) {
		if (doc_parse(reply.data, reply.len, &doc) != ERR_OK)
			code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
		results = node_get(doc_root(doc), "results");
		for (size_t i = 0; i < node_count(results); i++)
			tell_result(im, node_at(results, i));
		doc_free(doc);
		buf_fini(&reply);
	}
	if (code != CTL_OK)
		complain(code, "lines from %ld on were not recorded for certain: look, then go on with --from %ld", im->lines[0], im->lines[0]);
	buf_fini(&body);
	buf_reset(&im->items);
	im->n = 0;
	if (im->people)
		fprintf(stderr, "\r%ld recorded, %ld refused", im->recorded, im->refused);
	return code;
}

static int add_line(struct import *im)
{
	const char *pointer = "";
	struct buf item;
	bool good;

	buf_init(&item, 0);
	good = text_is_utf8(im->line, im->line_len) && (im->csv ? csv_item(im, &item, &pointer) : json_item(im, &item));
	if (good) {
		if (im->n)
			buf_byte(&im->items, ',');
		buf_append(&im->items, item.data, item.len);
		im->lines[im->n++] = im->at;
	} else {
		refuse(im, im->at, im->csv ? "malformed_csv" : "malformed_json", pointer);
	}
	buf_fini(&item);
	return im->n == LOT ? send_lot(im) : CTL_OK;
}

/* ---- the file ---- */

/* The next line; 0: the end. -1: it can't be read, told. */
static int next_line(struct import *im)
{
	const ssize_t len = getline(&im->line, &im->line_size, im->f);

	if (len < 0 && ferror(im->f))
		return complain(CTL_USAGE, "%s: %s", im->name, strerror(errno)), -1;
	if (len < 0)
		return 0;
	im->at++;
	im->line_len = (size_t)len;
	if (im->line_len > LINE_MAX_BYTES)
		return complain(CTL_USAGE, "%s:%ld: is longer than %zu bytes", im->name, im->at, LINE_MAX_BYTES), -1;
	return 1;
}

static bool read_heading(struct import *im)
{
	bool customer = false, purpose = false;

	if (next_line(im) != 1 || !csv_row_read(&im->heading, im->line, im->line_len)) {
		complain(CTL_USAGE, "%s has no heading", im->name);
		return false;
	}
	for (size_t i = 0; i < im->heading.n; i++) {
		const char *column = csv_cell(&im->heading, i);

		customer = customer || !strcmp(column, "customer");
		purpose = purpose || !strcmp(column, "purpose");
		if (strcmp(column, "customer") && strcmp(column, "purpose") && strcmp(column, "notice_version") && !is_in(texts, column) && !is_in(flags, column)) {
			complain(CTL_USAGE, "%s: column %zu of the heading is unknown", im->name, i + 1);
			return false;
		}
	}
	if (!customer || !purpose)
		complain(CTL_USAGE, "%s: the heading needs customer and purpose", im->name);
	return customer && purpose;
}

static int import_lines(struct import *im, long from)
{
	int code = im->csv && !read_heading(im) ? CTL_USAGE : CTL_OK, more = 1;

	while (code == CTL_OK && (more = next_line(im)) == 1)
		if (im->at >= from && im->line_len && strspn(im->line, " \t\r\n") < im->line_len)
			code = add_line(im);
	if (code == CTL_OK)
		code = send_lot(im);
	if (im->people)
		fputc('\n', stderr);
	if (code == CTL_OK && more < 0)
		code = CTL_USAGE;
	if (im->at)
		printf("%ld recorded, %ld refused\n", im->recorded, im->refused);
	return code == CTL_OK && im->refused ? CTL_REFUSED : code;
}

int command_consent_import(const struct arguments *a)
{
	const bool standard = !strcmp(a->words[0], "-");
	struct import im = {.a = a, .name = standard ? "standard input" : a->words[0], .csv = arguments_option(a, "csv") != NULL, .people = isatty(STDERR_FILENO) != 0};
	const char *from = arguments_option(a, "from");
	long first = 1;
	int code;

	if (from && !input_number(from, 1, 999999999, &first))
		return complain(CTL_USAGE, "--from must be a number of at least 1");
	im.f = standard ? stdin : fopen(a->words[0], "rbe");
	if (!im.f)
		return complain(CTL_USAGE, "%s: %s", im.name, strerror(errno));
	csv_row_init(&im.heading);
	csv_row_init(&im.row);
	buf_init(&im.items, 0);
	code = import_lines(&im, first);
	buf_fini(&im.items);
	csv_row_fini(&im.heading);
	csv_row_fini(&im.row);
	free(im.line);
	if (!standard)
		fclose(im.f);
	return code;
}
