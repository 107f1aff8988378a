/* hold.c: legal holds. */
#include "rights.h"

int command_hold_propose(const struct arguments *a)
{
	static const char *const members[] = {"law", "reason", "until"};
	struct json json;
	struct buf body;
	int code = CTL_USAGE;

	if (!input_is_customer(a->words[0]))
		return complain(CTL_USAGE, "%s is no customer token", a->words[0]);
	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	json_key_string(&json, "customer", a->words[0]);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++)
		if (arguments_option(a, members[i]))
			json_key_string(&json, members[i], arguments_option(a, members[i]));
	if (arguments_option(a, "may-be-told"))
		json_key_bool(&json, "may_be_told", true);
	if (rights_put_scope(a, &json)) {
		json_object_end(&json);
		code = rights_ask(a, "POST", "/v1/holds", &body);
	}
	buf_fini(&body);
	return code;
}

static int move(const struct arguments *a, const char *verb)
{
	struct buf path;
	int code;

	if (!input_is_request(a->words[0]))
		return complain(CTL_USAGE, "%s is no hold", a->words[0]);
	buf_init(&path, 0);
	buf_printf(&path, "/v1/holds/%s:%s", a->words[0], verb);
	code = rights_ask(a, "POST", buf_string(&path), NULL);
	buf_fini(&path);
	return code;
}

int command_hold_confirm(const struct arguments *a)
{
	return move(a, "confirm");
}

int command_hold_release(const struct arguments *a)
{
	return move(a, "release");
}

int command_hold_list(const struct arguments *a)
{
	static const char *const columns[] = {"id", "customer", "scope", "reason", "law", "until", "in_force", "may_be_told", "proposed_by", "confirmed_by", "released_by", NULL};
	struct buf path;
	int code;

	buf_init(&path, 0);
	buf_text(&path, "/v1/holds");
	input_query(&path, "limit", arguments_option(a, "limit"));
	input_query(&path, "cursor", arguments_option(a, "cursor"));
	code = rights_ask_list(a, buf_string(&path), columns);
	buf_fini(&path);
	return code;
}
