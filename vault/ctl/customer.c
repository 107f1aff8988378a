/* customer.c: customer get, put and search. Values travel in bodies only, and
 * no message shows one. */
#include "base/json.h"
#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

#define CUSTOMER_BYTES_MAX ((size_t)8 << 20)
#define SEARCH_TERMS_MAX 32

int command_customer_get(const struct arguments *a)
{
	struct client_request r = {.method = "GET"};
	struct buf path;
	int code;

	if (!input_is_customer(a->words[0]))
		return complain(CTL_USAGE, "CUSTOMER must be a token, cus1...");
	buf_init(&path, 0);
	buf_printf(&path, "/v1/customers/%s", a->words[0]);
	input_query(&path, "fields", arguments_option(a, "fields"));
	input_query(&path, "form", arguments_option(a, "form"));
	r.path = buf_string(&path);
	code = buf_ok(&path) ? remote_show(a, &r) : complain(CTL_SERVER, "out of memory");
	buf_fini(&path);
	return code;
}

/* Told here, before anything is sent: is it a JSON object at all? */
static bool is_object(const struct buf *text)
{
	struct doc *doc = NULL;
	const bool good = doc_parse(text->data, text->len, &doc) == ERR_OK && node_type(doc_root(doc)) == NODE_OBJECT;

	if (!good)
		complain(CTL_USAGE, "the input is not a JSON object (in UTF-8, without duplicate keys)");
	doc_free(doc);
	return good;
}

int command_customer_put(const struct arguments *a)
{
	const bool by_ref = arguments_option(a, "by-ref") != NULL;
	struct client_request r = {
	    .method = by_ref ? "PUT" : "POST",
	    .path = by_ref ? "/v1/customers:by-ref" : "/v1/customers",
	    .idempotency_key = arguments_option(a, "idempotency-key"),
	};
	struct buf input;
	int code = CTL_USAGE;

	if (r.idempotency_key && !input_is_word(r.idempotency_key))
		return complain(CTL_USAGE, "--idempotency-key must be 1 to 64 of [A-Za-z0-9._-]");
	if (input_read(a->n_words ? a->words[0] : "-", CUSTOMER_BYTES_MAX, &input) && is_object(&input)) {
		r.body = input.data;
		r.body_len = input.len;
		code = remote_show(a, &r);
	}
	buf_fini(&input);
	return code;
}

/* ---- search ---- */

struct terms {
	struct json *json;
	const char *names[SEARCH_TERMS_MAX]; /* borrowed, not NUL-ended */
	size_t lens[SEARCH_TERMS_MAX];
	size_t n;
};

/* Takes "field=value". A message shows no part of it: a value may stand where a field should. */
static bool add_term(struct terms *t, const char *text, size_t len)
{
	const char *equals = memchr(text, '=', len);
	char name[65] = "";

	if (equals && (size_t)(equals - text) < sizeof name)
		memcpy(name, text, (size_t)(equals - text));
	if (!input_is_word(name) || !text_is_utf8(text, len) || memchr(text, 0, len)) {
		complain(CTL_USAGE, "term %zu is not FIELD=VALUE in UTF-8", t->n + 1);
		return false;
	}
	if (t->n == SEARCH_TERMS_MAX) {
		complain(CTL_USAGE, "more than %d terms", SEARCH_TERMS_MAX);
		return false;
	}
	for (size_t i = 0; i < t->n; i++)
		if (t->lens[i] == strlen(name) && !memcmp(t->names[i], name, t->lens[i])) {
			complain(CTL_USAGE, "%s is given twice", name);
			return false;
		}
	t->names[t->n] = text;
	t->lens[t->n++] = strlen(name);
	json_key(t->json, name);
	json_string_len(t->json, equals + 1, len - (size_t)(equals + 1 - text));
	return true;
}

static bool add_lines(struct terms *t, const struct buf *input)
{
	const char *at = (const char *)input->data;
	size_t left = input->len;

	while (left) {
		const char *stop = memchr(at, '\n', left);
		const size_t taken = stop ? (size_t)(stop - at) + 1 : left;
		size_t len = stop ? taken - 1 : left;

		if (len && at[len - 1] == '\r')
			len--;
		if (len && !add_term(t, at, len))
			return false;
		at += taken;
		left -= taken;
	}
	return true;
}

static bool add_terms(const struct arguments *a, struct terms *t, struct buf *input)
{
	if (a->n_words == 0 && (!input_read("-", CUSTOMER_BYTES_MAX, input) || !add_lines(t, input)))
		return false;
	for (size_t i = 0; i < a->n_words; i++)
		if (!add_term(t, a->words[i], strlen(a->words[i])))
			return false;
	if (t->n == 0)
		complain(CTL_USAGE, "no FIELD=VALUE is given");
	return t->n > 0;
}

static bool search_body(const struct arguments *a, struct buf *input, struct buf *body)
{
	const char *limit = arguments_option(a, "limit"), *cursor = arguments_option(a, "cursor");
	struct json json;
	struct terms terms = {.json = &json};
	long n = 0;

	if (limit && !input_number(limit, 1, 1000000, &n)) {
		complain(CTL_USAGE, "--limit must be a number of at least 1");
		return false;
	}
	if (cursor && !text_is_utf8(cursor, strlen(cursor))) {
		complain(CTL_USAGE, "--cursor is not one");
		return false;
	}
	json_init(&json, body);
	json_object(&json);
	json_key(&json, "where");
	json_object(&json);
	if (!add_terms(a, &terms, input))
		return false;
	json_object_end(&json);
	if (limit)
		json_key_int(&json, "limit", n);
	if (cursor)
		json_key_string(&json, "cursor", cursor);
	json_object_end(&json);
	return buf_ok(body);
}

static int show_found(struct doc *doc)
{
	static const char *const columns[] = {"customer", NULL};
	const struct node *data = node_get(doc_root(doc), "data");
	const char *next;
	struct buf text;
	size_t len = 0;
	int code;

	buf_init(&text, 0);
	show_rows(data, "", columns, &text);
	code = output(&text);
	if (node_count(data) == 0)
		fputs("None found.\n", stderr);
	next = node_string(node_get(doc_root(doc), "next"), &len);
	if (next)
		tell_more(next, len);
	buf_fini(&text);
	doc_free(doc);
	return code;
}

int command_customer_search(const struct arguments *a)
{
	struct client_request r = {.method = "POST", .path = "/v1/customers:search"};
	struct buf input, body;
	struct doc *doc = NULL;
	int code = CTL_USAGE;

	buf_init(&input, 0);
	buf_init(&body, 0);
	if (search_body(a, &input, &body)) {
		r.body = body.data;
		r.body_len = body.len;
		code = remote_ask(a, &r, &doc);
	}
	buf_fini(&input);
	buf_fini(&body);
	return code != CTL_OK || !doc ? code : show_found(doc);
}
