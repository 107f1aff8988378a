/* rights.c: requests to the vault that officers' commands have in common. */
#include "rights.h"

#include "ctl/show.h"

#include <stdio.h>
#include <string.h>

int rights_ask(const struct arguments *a, const char *method, const char *path, const struct buf *body)
{
	const struct client_request r = {.method = method, .path = path, .body = body ? body->data : NULL, .body_len = body ? body->len : 0};

	return remote_show(a, &r);
}

int rights_ask_list(const struct arguments *a, const char *path, const char *const *columns)
{
	const struct client_request r = {.method = "GET", .path = path};
	const struct node *data;
	const char *next;
	struct doc *doc;
	struct buf text;
	size_t len = 0;
	int code = remote_ask(a, &r, &doc);

	if (code != CTL_OK || !doc)
		return code;
	data = node_get(doc_root(doc), "data");
	buf_init(&text, 0);
	if (node_count(data))
		show_rows(data, "", columns, &text);
	else
		fputs("None found.\n", stderr);
	code = output(&text);
	next = node_string(node_get(doc_root(doc), "next"), &len);
	if (next)
		tell_more(next, len);
	buf_fini(&text);
	doc_free(doc);
	return code;
}

static bool put_names(const char *key, const char *names, struct json *j)
{
	json_key(j, key);
	json_array(j);
	for (const char *at = names; *at; at += strspn(at, ",")) {
		const size_t len = strcspn(at, ",");

		json_string_len(j, at, len);
		at += len;
	}
	json_array_end(j);
	return *names && *names != ',';
}

bool rights_put_scope(const struct arguments *a, struct json *j)
{
	static const char *const lists[] = {"classes", "fields", "purposes", "records"};
	bool any = false;

	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		const char *names = arguments_option(a, lists[i]);

		if (!names)
			continue;
		if (!any) {
			json_key(j, "scope");
			json_object(j);
		}
		any = true;
		if (!put_names(lists[i], names, j)) {
			complain(CTL_USAGE, "--%s names nothing", lists[i]);
			return false;
		}
	}
	if (any)
		json_object_end(j);
	return true;
}
