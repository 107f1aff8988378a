/* request.c: rights requests, from opening to their end. */
#include "rights.h"

#include "ctl/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NOTE_BYTES_MAX 4096
#define CERTIFICATE_MAX 8192

/* ---- opening and looking ---- */

static bool put_recipient(const struct arguments *a, struct json *json)
{
	const char *file = arguments_option(a, "recipient");
	struct buf pem;
	bool good;

	if (!file)
		return true;
	good = input_read(file, CERTIFICATE_MAX, &pem);
	if (good)
		json_key_string(json, "recipient", buf_string(&pem));
	buf_fini(&pem);
	return good;
}

static bool open_body(const struct arguments *a, struct buf *body)
{
	static const char *const options[] = {"channel", "jurisdiction"};
	struct json json;

	json_init(&json, body);
	json_object(&json);
	json_key_string(&json, "customer", a->words[0]);
	json_key_string(&json, "kind", a->words[1]);
	for (size_t i = 0; i < sizeof options / sizeof *options; i++)
		if (arguments_option(a, options[i]))
			json_key_string(&json, options[i], arguments_option(a, options[i]));
	if (!rights_put_scope(a, &json) || !put_recipient(a, &json))
		return false;
	json_object_end(&json);
	return buf_ok(body);
}

static int open_and_watch(const struct arguments *a, const struct buf *body)
{
	const struct client_request r = {.method = "POST", .path = "/v1/rights-requests", .body = body->data, .body_len = body->len};
	struct doc *doc;
	const char *id;
	size_t len = 0;
	int code = remote_ask_both(a, &r, &doc);

	if (code != CTL_OK)
		return code;
	id = node_string(node_get(doc_root(doc), "id"), &len);
	if (!id || !input_is_request(id)) {
		code = complain(CTL_SERVER, "the reply names no request");
	} else {
		if (!a->globals[GLOBAL_JSON])
			printf("%s\n", id);
		fflush(stdout);
		code = rights_watch(a, id);
	}
	doc_free(doc);
	return code;
}

int command_request_open(const struct arguments *a)
{
	struct buf body;
	int code = CTL_USAGE;

	if (!input_is_customer(a->words[0]))
		return complain(CTL_USAGE, "%s is no customer token", a->words[0]);
	if (!input_is_word(a->words[1]))
		return complain(CTL_USAGE, "%s is no kind of request", a->words[1]);
	buf_init(&body, 0);
	if (open_body(a, &body))
		code = arguments_option(a, "wait") ? open_and_watch(a, &body) : rights_ask(a, "POST", "/v1/rights-requests", &body);
	buf_fini(&body);
	return code;
}

int command_request_list(const struct arguments *a)
{
	static const char *const columns[] = {"id", "customer", "kind", "state", "due_at", "overdue", "officers", "officers_needed", "assignee", "reason", NULL};
	static const char *const filters[] = {"state", "kind", "limit", "cursor"};
	struct buf path;
	int code;

	buf_init(&path, 0);
	buf_text(&path, "/v1/rights-requests");
	for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
		input_query(&path, filters[i], arguments_option(a, filters[i]));
	input_query(&path, "overdue", arguments_option(a, "overdue") ? "true" : NULL);
	code = rights_ask_list(a, buf_string(&path), columns);
	buf_fini(&path);
	return code;
}

/* "/v1/rights-requests/REQUEST" + tail; false: the word is none. */
static bool request_path(const struct arguments *a, const char *tail, struct buf *path)
{
	if (!input_is_request(a->words[0])) {
		complain(CTL_USAGE, "%s is no rights request", a->words[0]);
		return false;
	}
	buf_printf(path, "/v1/rights-requests/%s%s", a->words[0], tail);
	return buf_ok(path);
}

/* The request itself, then a table each of approvals, recipients and notes. */
static int show_parts(const struct node *root)
{
	static const char *const parts[] = {"approvals", "recipients", "notes"};
	struct buf text;
	int code;

	buf_init(&text, 0);
	show_object(node_get(root, "request"), &text);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		const struct node *rows = node_get(root, parts[i]);

		if (!node_count(rows))
			continue;
		buf_printf(&text, "\n%s\n", parts[i]);
		show_rows(rows, "", NULL, &text);
	}
	code = output(&text);
	buf_fini(&text);
	return code;
}

int command_request_show(const struct arguments *a)
{
	struct client_request r = {.method = "GET"};
	struct doc *doc = NULL;
	struct buf path;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	if (request_path(a, "", &path)) {
		r.path = buf_string(&path);
		code = remote_ask(a, &r, &doc);
	}
	if (code == CTL_OK && doc)
		code = show_parts(doc_root(doc));
	doc_free(doc);
	buf_fini(&path);
	return code;
}

int command_request_certificate(const struct arguments *a)
{
	struct buf path;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	if (request_path(a, "/certificate", &path))
		code = remote_print(a, buf_string(&path));
	buf_fini(&path);
	return code;
}

/* ---- moves ---- */

/* "req1...  erase  awaiting_approval  1 of 2 officers  due 2026-12-24T...", and the reason where there is one. */
static int show_line(const struct node *request)
{
	static const char *const members[] = {"id", "kind", "state", "reason", "extension_reason"};
	struct buf text;
	int code;

	buf_init(&text, 0);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const size_t before = text.len;

		(void)show_clean(node_get(request, members[i]), &text);
		if (text.len > before)
			buf_text(&text, "  ");
	}
	buf_printf(&text, "%lld of %lld officers  due ", (long long)node_int(node_get(request, "officers")), (long long)node_int(node_get(request, "officers_needed")));
	(void)show_clean(node_get(request, "due_at"), &text);
	buf_byte(&text, '\n');
	code = output(&text);
	buf_fini(&text);
	return code;
}

static int ask_and_show_line(const struct arguments *a, const char *path, const struct buf *body)
{
	const struct client_request r = {.method = "POST", .path = path, .body = body ? body->data : NULL, .body_len = body ? body->len : 0};
	struct doc *doc;
	int code = remote_ask(a, &r, &doc);

	if (code == CTL_OK && doc)
		code = show_line(doc_root(doc));
	doc_free(doc);
	return code;
}

/* POST ...:verb with one text member, or none (key NULL). */
static int move(const struct arguments *a, const char *verb, const char *key, const char *text, size_t len)
{
	struct json json;
	struct buf path, body;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	if (key) {
		json_key(&json, key);
		json_string_len(&json, text, len);
	}
	json_object_end(&json);
	if (request_path(a, verb, &path))
		code = ask_and_show_line(a, buf_string(&path), key ? &body : NULL);
	buf_fini(&path);
	buf_fini(&body);
	return code;
}

/* With the text of the second word's file, or of standard input, without its last newline. */
static int move_with_file(const struct arguments *a, const char *verb, const char *key)
{
	struct buf text;
	int code = CTL_USAGE;

	if (!input_is_request(a->words[0]))
		return complain(CTL_USAGE, "%s is no rights request", a->words[0]);
	buf_init(&text, 0);
	if (input_read(a->n_words > 1 ? a->words[1] : "-", NOTE_BYTES_MAX, &text)) {
		while (text.len && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == '\r'))
			text.len--;
		code = move(a, verb, key, (const char *)text.data, text.len);
	}
	buf_fini(&text);
	return code;
}

static int move_with_reason(const struct arguments *a, const char *verb)
{
	const char *reason = arguments_option(a, "reason");

	if (!reason || !input_is_word(reason))
		return complain(CTL_USAGE, "--reason CODE is needed");
	return move(a, verb, "reason", reason, strlen(reason));
}

int command_request_verify(const struct arguments *a)
{
	return move(a, ":verify", NULL, NULL, 0);
}

int command_request_submit(const struct arguments *a)
{
	return move_with_file(a, ":submit", "identity_check");
}

int command_request_note(const struct arguments *a)
{
	return move_with_file(a, ":note", "text");
}

int command_request_deny(const struct arguments *a)
{
	return move_with_reason(a, ":deny");
}

int command_request_extend(const struct arguments *a)
{
	return move_with_reason(a, ":extend");
}

int command_request_assign(const struct arguments *a)
{
	return move(a, ":assign", "assignee", a->words[1], strlen(a->words[1]));
}

int command_request_cancel(const struct arguments *a)
{
	return move(a, ":cancel", NULL, NULL, 0);
}

int command_request_complete(const struct arguments *a)
{
	return move(a, ":complete", NULL, NULL, 0);
}

int command_request_retry(const struct arguments *a)
{
	return move(a, ":retry", NULL, NULL, 0);
}

int command_request_amend(const struct arguments *a)
{
	struct json json;
	struct buf path, body;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	if (rights_put_scope(a, &json) && request_path(a, ":amend", &path)) {
		json_object_end(&json);
		code = body.len > 2 ? rights_ask(a, "POST", buf_string(&path), &body)
		                    : complain(CTL_USAGE, "name what it is about: --fields, --classes, --records or --purposes");
	}
	buf_fini(&path);
	buf_fini(&body);
	return code;
}

/* Shows the request and asks; true with its hash on a yes. */
static bool ask_for_yes(const struct arguments *a, char hash[static 65], int *code)
{
	struct client_request r = {.method = "GET"};
	const char *shown = NULL;
	char answer[16] = "";
	struct doc *doc = NULL;
	struct buf path, body;
	size_t len = 0;

	buf_init(&path, 0);
	buf_printf(&path, "/v1/rights-requests/%s", a->words[0]);
	r.path = buf_string(&path);
	*code = remote_send(a, &r, &body);
	if (*code == CTL_OK) {
		if (doc_parse(body.data, body.len, &doc) == ERR_OK)
			shown = node_string(node_get(node_get(doc_root(doc), "request"), "scope_hash"), &len);
		buf_fini(&body);
		*code = shown && len == 64 ? show_parts(doc_root(doc)) : complain(CTL_SERVER, "the reply is not the JSON of a vault");
	}
	if (*code == CTL_OK) {
		fputs("\nApprove this? Type yes: ", stderr);
		if (!fgets(answer, sizeof answer, stdin) || strcmp(answer, "yes\n") != 0)
			*code = complain(CTL_REFUSED, "not approved");
		else
			snprintf(hash, 65, "%s", shown);
	}
	doc_free(doc);
	buf_fini(&path);
	return *code == CTL_OK;
}

int command_request_approve(const struct arguments *a)
{
	const char *given = arguments_option(a, "scope-hash");
	char hash[65];
	int code = CTL_USAGE;

	if (!input_is_request(a->words[0]))
		return complain(CTL_USAGE, "%s is no rights request", a->words[0]);
	if (given && (strlen(given) != 64 || strspn(given, "0123456789abcdef") != 64))
		return complain(CTL_USAGE, "--scope-hash must be 64 hexadecimal digits");
	if (!given && !isatty(STDIN_FILENO))
		return complain(CTL_USAGE, "give the --scope-hash that request show has shown you, or a terminal to be asked on");
	if (!given && !ask_for_yes(a, hash, &code))
		return code;
	return move(a, ":approve", "scope_hash", given ? given : hash, 64);
}
