/* webhook.c: webhook list, put, delete and retry. */
#include "base/json.h"
#include "ctl/commands.h"

#include <string.h>

int command_webhook_list(const struct arguments *a)
{
	const struct client_request r = {.method = "GET", .path = "/v1/webhooks"};

	return remote_show(a, &r);
}

static int change(const struct arguments *a, const char *method, const char *tail, const struct buf *body)
{
	struct client_request r = {.method = method, .body = body ? body->data : NULL, .body_len = body ? body->len : 0};
	struct buf path;
	int code;

	if (!input_is_word(a->words[0]))
		return complain(CTL_USAGE, "%s is no name of a webhook", a->words[0]);
	buf_init(&path, 0);
	buf_printf(&path, "/v1/webhooks/%s%s", a->words[0], tail);
	r.path = buf_string(&path);
	code = buf_ok(&path) && (!body || buf_ok(body)) ? remote_show(a, &r) : complain(CTL_SERVER, "out of memory");
	buf_fini(&path);
	return code;
}

/* "a,b" as an array. */
static void put_kinds(struct json *json, const char *list)
{
	json_key(json, "kinds");
	json_array(json);
	while (*list) {
		const size_t len = strcspn(list, ",");

		json_string_len(json, list, len);
		list += len + (list[len] == ',');
	}
	json_array_end(json);
}

int command_webhook_put(const struct arguments *a)
{
	const char *kinds = arguments_option(a, "kinds"), *recipient = arguments_option(a, "recipient");
	struct json json;
	struct buf body;
	int code;

	if (!kinds)
		return complain(CTL_USAGE, "--kinds is needed: erasure, rectification or alarm, or several with commas");
	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	json_key_string(&json, "url", a->words[1]);
	put_kinds(&json, kinds);
	if (recipient)
		json_key_string(&json, "recipient", recipient);
	json_object_end(&json);
	code = change(a, "PUT", "", &body);
	buf_fini(&body);
	return code;
}

int command_webhook_delete(const struct arguments *a)
{
	return change(a, "DELETE", "", NULL);
}

int command_webhook_retry(const struct arguments *a)
{
	return change(a, "POST", ":retry", NULL);
}
