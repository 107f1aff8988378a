/* audit.c: audit list, tail and new-origin. Reading the log is itself recorded by the vault. */
#include "base/clock.h"
#include "base/json.h"
#include "ctl/audit_format.h"
#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/text.h"

#include <string.h>

static bool add_time(const struct arguments *a, const char *option, struct buf *path)
{
	const char *value = arguments_option(a, option);
	struct buf stamp;
	bool good;

	if (!value)
		return true;
	buf_init(&stamp, 0);
	good = input_time(value, clock_now_us(), &stamp);
	if (good)
		input_query(path, option, buf_string(&stamp));
	else
		complain(CTL_USAGE, "--%s must be like 2026-01-31T12:00:00Z, or 90s, 30m, 2h, 7d, 4w ago", option);
	buf_fini(&stamp);
	return good;
}

static bool is_sref(const char *text)
{
	return strlen(text) == 32 && strspn(text, "0123456789abcdef") == 32;
}

static bool add_filters(const struct arguments *a, struct buf *path)
{
	const char *customer = arguments_option(a, "customer");

	if (!add_time(a, "since", path) || !add_time(a, "until", path))
		return false;
	if (customer && !input_is_customer(customer) && !is_sref(customer)) {
		complain(CTL_USAGE, "--customer must be a token, cus1..., or an sref");
		return false;
	}
	input_query(path, "actor", arguments_option(a, "actor"));
	input_query(path, "activity", arguments_option(a, "action"));
	input_query(path, "outcome", arguments_option(a, "outcome"));
	input_query(path, "purpose", arguments_option(a, "purpose"));
	input_query(path, "customer", customer);
	return true;
}

/* Shows one page; next gets the cursor of the one after it, or stays empty. */
static int list_page(const struct arguments *a, const char *path, struct buf *next)
{
	const struct client_request r = {.method = "GET", .path = path};
	struct doc *doc;
	struct buf text;
	size_t len = 0;
	const char *cursor;
	int code = remote_ask_both(a, &r, &doc);

	if (code != CTL_OK)
		return code;
	cursor = node_string(node_get(doc_root(doc), "next"), &len);
	if (cursor)
		buf_append(next, cursor, len);
	if (!a->globals[GLOBAL_JSON]) {
		buf_init(&text, 0);
		show_records(node_get(doc_root(doc), "data"), &text);
		code = output(&text);
		buf_fini(&text);
	}
	doc_free(doc);
	return code;
}

int command_audit_list(const struct arguments *a)
{
	const char *limit = arguments_option(a, "limit"), *cursor = arguments_option(a, "cursor");
	struct buf query, path, next;
	int code = CTL_USAGE;
	long n;

	if (limit && !input_number(limit, 1, 1000000, &n))
		return complain(CTL_USAGE, "--limit must be a number of at least 1");
	buf_init(&query, 0);
	buf_init(&path, 0);
	buf_init(&next, 0);
	buf_text(&query, "/v1/audit/records");
	if (!add_filters(a, &query))
		goto out;
	input_query(&query, "limit", limit);
	if (cursor)
		buf_text(&next, cursor);
	do {
		buf_reset(&path);
		buf_append(&path, query.data, query.len);
		input_query(&path, "cursor", next.len ? buf_string(&next) : NULL);
		buf_reset(&next);
		code = buf_ok(&path) ? list_page(a, buf_string(&path), &next) : complain(CTL_SERVER, "out of memory");
	} while (code == CTL_OK && next.len && arguments_option(a, "all"));
	if (code == CTL_OK && next.len)
		tell_more((const char *)next.data, next.len);
out:
	buf_fini(&query);
	buf_fini(&path);
	buf_fini(&next);
	return code;
}

/* ---- show ---- */

int command_audit_show(const struct arguments *a)
{
	struct client_request r = {.method = "GET"};
	struct doc *doc;
	struct buf path, text;
	int code;

	if (strspn(a->words[0], "0123456789-") != strlen(a->words[0]))
		return complain(CTL_USAGE, "ID must be like 12-3051");
	buf_init(&path, 0);
	buf_init(&text, 0);
	buf_printf(&path, "/v1/audit/records/%s", a->words[0]);
	r.path = buf_string(&path);
	code = remote_ask(a, &r, &doc);
	if (code == CTL_OK && doc) {
		show_object(doc_root(doc), &text);
		code = output(&text);
	}
	doc_free(doc);
	buf_fini(&path);
	buf_fini(&text);
	return code;
}

/* ---- export ---- */

static int export_page(const struct arguments *a, enum audit_format format, const char *path, struct buf *next)
{
	const struct client_request r = {.method = "GET", .path = path};
	struct doc *doc = NULL;
	struct buf body, text;
	const struct node *data;
	const char *cursor;
	size_t len = 0;
	int code = remote_send(a, &r, &body);

	if (code != CTL_OK)
		return code;
	buf_init(&text, 0);
	if (doc_parse(body.data, body.len, &doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	buf_fini(&body);
	data = code == CTL_OK ? node_get(doc_root(doc), "data") : NULL;
	for (size_t i = 0; i < node_count(data); i++)
		audit_format_put(format, node_at(data, i), &text);
	cursor = code == CTL_OK ? node_string(node_get(doc_root(doc), "next"), &len) : NULL;
	if (cursor)
		buf_append(next, cursor, len);
	if (code == CTL_OK)
		code = output(&text);
	buf_fini(&text);
	doc_free(doc);
	return code;
}

int command_audit_export(const struct arguments *a)
{
	struct buf query, path, next;
	enum audit_format format;
	int code = CTL_USAGE;

	if (!audit_format_of(arguments_option(a, "format"), &format))
		return complain(CTL_USAGE, "--format must be native, ocsf or ecs");
	buf_init(&query, 0);
	buf_init(&path, 0);
	buf_init(&next, 0);
	buf_text(&query, "/v1/audit/records?limit=500");
	if (!add_filters(a, &query))
		goto out;
	do {
		buf_reset(&path);
		buf_append(&path, query.data, query.len);
		input_query(&path, "cursor", next.len ? buf_string(&next) : NULL);
		buf_reset(&next);
		code = buf_ok(&path) ? export_page(a, format, buf_string(&path), &next) : complain(CTL_SERVER, "out of memory");
	} while (code == CTL_OK && next.len);
out:
	buf_fini(&query);
	buf_fini(&path);
	buf_fini(&next);
	return code;
}

/* ---- tail ---- */

struct tail {
	bool json;
	int code;
};

static bool on_line(void *ctx, const char *line, size_t len)
{
	struct tail *t = ctx;
	struct doc *doc = NULL;
	struct buf text;

	buf_init(&text, 0);
	if (doc_parse(line, len, &doc) != ERR_OK || node_type(doc_root(doc)) != NODE_OBJECT) {
		t->code = complain(CTL_SERVER, "a line of the stream is no record");
	} else if (t->json) {
		buf_append(&text, line, len);
		buf_byte(&text, '\n');
	} else {
		show_record_line(doc_root(doc), &text);
	}
	if (t->code == CTL_OK)
		t->code = output(&text);
	buf_fini(&text);
	doc_free(doc);
	return t->code == CTL_OK;
}

int command_audit_tail(const struct arguments *a)
{
	struct tail tail = {.json = a->globals[GLOBAL_JSON] != NULL, .code = CTL_OK};
	struct client_request r = {.method = "GET", .line = on_line, .ctx = &tail};
	struct buf path, body;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	buf_init(&body, 0);
	buf_text(&path, "/v1/audit/records?follow=true");
	if (add_filters(a, &path) && buf_ok(&path)) {
		r.path = buf_string(&path);
		code = remote_send(a, &r, &body);
	}
	buf_fini(&path);
	buf_fini(&body);
	return tail.code != CTL_OK ? tail.code : code;
}

int command_audit_new_origin(const struct arguments *a)
{
	struct client_request r = {.method = "POST", .path = "/v1/audit/log:new-origin"};
	struct doc *doc = NULL;
	struct buf body, text;
	struct json j;
	int code;

	buf_init(&body, 0);
	buf_init(&text, 0);
	json_init(&j, &body);
	json_object(&j);
	json_key_string(&j, "origin", a->words[0]);
	json_object_end(&j);
	r.body = body.data;
	r.body_len = body.len;
	code = buf_ok(&body) ? remote_ask(a, &r, &doc) : complain(CTL_SERVER, "out of memory");
	if (code == CTL_OK && doc) {
		show_object(doc_root(doc), &text);
		code = output(&text);
	}
	buf_fini(&body);
	buf_fini(&text);
	doc_free(doc);
	return code;
}
