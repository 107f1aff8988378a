/* policy.c: policy show, check, test, explain and activate. The vault compiles
 * and decides, against its own dictionary; nothing of that is repeated here. */
#include "base/json.h"
#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/text.h"

#include <stdio.h>
#include <string.h>

#define POLICY_BYTES_MAX ((size_t)1 << 20)

static int show_policies(const struct node *root)
{
	static const char *const columns[] = {"version", "hash", "activated_at", "activated_by", NULL};
	const struct node *active = node_get(root, "active");
	const char *source;
	struct buf text;
	size_t len = 0;
	int code;

	buf_init(&text, 0);
	for (const char *const *name = columns; *name; name++) {
		buf_printf(&text, "# %s: ", *name);
		show_clean(node_get(active, *name), &text);
		buf_byte(&text, '\n');
	}
	source = node_string(node_get(active, "text"), &len);
	buf_byte(&text, '\n');
	if (source)
		text_clean(source, len, true, &text);
	code = output(&text);
	buf_fini(&text);
	return code;
}

static int show_history(const struct node *root)
{
	static const char *const columns[] = {"version", "hash", "activated_at", "activated_by", NULL};
	struct buf text;
	int code;

	buf_init(&text, 0);
	show_rows(node_get(root, "history"), "", columns, &text);
	code = output(&text);
	buf_fini(&text);
	return code;
}

int command_policy_show(const struct arguments *a)
{
	const struct client_request r = {.method = "GET", .path = "/v1/policies"};
	struct doc *doc;
	int code = remote_ask(a, &r, &doc);

	if (code != CTL_OK || !doc)
		return code;
	code = arguments_option(a, "history") ? show_history(doc_root(doc)) : show_policies(doc_root(doc));
	doc_free(doc);
	return code;
}

/* Sends {"text": FILE, "tests": TESTS}; no tests where tests is NULL. */
static int post_text(const struct arguments *a, const char *path, const char *file, const char *tests, struct doc **doc)
{
	struct client_request r = {.method = "POST", .path = path};
	struct buf text, expected, body;
	struct json json;
	int code = CTL_USAGE;

	buf_init(&text, 0);
	buf_init(&expected, 0);
	buf_init(&body, 0);
	if (tests && !strcmp(file, "-") && !strcmp(tests, "-")) {
		code = complain(CTL_USAGE, "only one of FILE and TESTS can be standard input");
		goto out;
	}
	if (!input_read(file, POLICY_BYTES_MAX, &text) || (tests && !input_read(tests, POLICY_BYTES_MAX, &expected)))
		goto out;
	json_init(&json, &body);
	json_object(&json);
	json_key(&json, "text");
	json_string_len(&json, (const char *)text.data, text.len);
	if (tests) {
		json_key(&json, "tests");
		json_string_len(&json, (const char *)expected.data, expected.len);
	}
	json_object_end(&json);
	r.body = body.data;
	r.body_len = body.len;
	code = buf_ok(&body) ? remote_ask_both(a, &r, doc) : complain(CTL_SERVER, "out of memory");
out:
	buf_fini(&text);
	buf_fini(&expected);
	buf_fini(&body);
	return code;
}

/* Prints unless --json has done so; complaints go to standard output, as results of this command. */
static int finish(const struct arguments *a, struct buf *text, int code)
{
	const int printed = a->globals[GLOBAL_JSON] ? CTL_OK : output(text);

	buf_fini(text);
	return printed == CTL_OK ? code : printed;
}

int command_policy_check(const struct arguments *a)
{
	struct doc *doc = NULL;
	struct buf text;
	int code = post_text(a, "/v1/policies:check", a->words[0], NULL, &doc);

	if (code != CTL_OK)
		return code;
	buf_init(&text, 0);
	if (node_type(node_get(doc_root(doc), "ok")) != NODE_BOOL) {
		code = complain(CTL_SERVER, "the reply does not say whether the policy is right");
	} else if (node_bool(node_get(doc_root(doc), "ok"))) {
		buf_printf(&text, "%s: compiles\n", a->words[0]);
	} else {
		show_complaints(node_get(doc_root(doc), "complaints"), a->words[0], &text);
		code = CTL_FAILED;
	}
	doc_free(doc);
	return finish(a, &text, code);
}

static int show_test_report(const struct arguments *a, const struct node *root, struct buf *text)
{
	const struct node *passed = node_get(root, "passed"), *failed = node_get(root, "failed");
	const struct node *report = node_get(root, "report");

	show_complaints(node_get(root, "complaints"), a->words[0], text);
	for (size_t i = 0; i < node_count(report); i++) {
		size_t len = 0;
		const char *line = node_string(node_at(report, i), &len);

		buf_printf(text, "%s: ", a->words[1]);
		if (line)
			text_clean(line, len, false, text);
		buf_byte(text, '\n');
	}
	if (node_type(passed) == NODE_INT && node_type(failed) == NODE_INT)
		buf_printf(text, "%lld passed, %lld failed\n", (long long)node_int(passed), (long long)node_int(failed));
	else if (node_bool(node_get(root, "ok")) || node_count(node_get(root, "complaints")) == 0)
		return complain(CTL_SERVER, "the reply does not say how the tests went");
	/* A file without a test proves nothing, so it does not pass. */
	return node_int(passed) > 0 && node_type(failed) == NODE_INT && node_int(failed) == 0 ? CTL_OK : CTL_FAILED;
}

int command_policy_test(const struct arguments *a)
{
	struct doc *doc = NULL;
	struct buf text;
	int code = post_text(a, "/v1/policies:check", a->words[0], a->words[1], &doc);

	if (code != CTL_OK)
		return code;
	buf_init(&text, 0);
	code = show_test_report(a, doc_root(doc), &text);
	doc_free(doc);
	return finish(a, &text, code);
}

int command_policy_activate(const struct arguments *a)
{
	struct doc *doc = NULL;
	struct buf text;
	int code = post_text(a, "/v1/policies:activate", a->words[0], NULL, &doc);

	if (code != CTL_OK)
		return code;
	buf_init(&text, 0);
	show_object(doc_root(doc), &text);
	doc_free(doc);
	return finish(a, &text, CTL_OK);
}

/* ---- explain ---- */

static bool add_states(struct json *json, const char *list)
{
	json_key(json, "state");
	json_array(json);
	while (list) {
		const size_t len = strcspn(list, ",");
		char state[65] = "";

		if (len < sizeof state)
			memcpy(state, list, len);
		if (!input_is_word(state)) {
			complain(CTL_USAGE, "--state must be words with commas between them");
			return false;
		}
		json_string(json, state);
		list = list[len] ? list + len + 1 : NULL;
	}
	json_array_end(json);
	return true;
}

static bool explain_body(const struct arguments *a, struct buf *body)
{
	const char *identity = arguments_option(a, "identity"), *field = arguments_option(a, "field");
	const char *purpose = arguments_option(a, "purpose"), *verb = arguments_option(a, "verb");
	struct json json;

	if (!purpose)
		purpose = arguments_global(a, GLOBAL_PURPOSE);
	if (!identity || !field || !purpose) {
		complain(CTL_USAGE, "this command needs --identity, --purpose and --field");
		return false;
	}
	if (!text_is_utf8(identity, strlen(identity)) || !input_is_word(field) || !input_is_word(purpose) ||
	    (verb && !input_is_word(verb))) {
		complain(CTL_USAGE, "--field, --purpose and --verb must be words of [A-Za-z0-9._-]");
		return false;
	}
	json_init(&json, body);
	json_object(&json);
	json_key_string(&json, "identity", identity);
	json_key_string(&json, "purpose", purpose);
	json_key_string(&json, "field", field);
	json_key_string(&json, "verb", verb ? verb : "read");
	if (!add_states(&json, arguments_option(a, "state")))
		return false;
	json_object_end(&json);
	return buf_ok(body);
}

int command_policy_explain(const struct arguments *a)
{
	struct client_request r = {.method = "POST", .path = "/v1/policies:explain"};
	struct buf body;
	int code = CTL_USAGE;

	buf_init(&body, 0);
	if (explain_body(a, &body)) {
		r.body = body.data;
		r.body_len = body.len;
		code = remote_show(a, &r);
	}
	buf_fini(&body);
	return code;
}
