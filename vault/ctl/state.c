/* state.c: lawful bases, objections and restrictions of a customer. */
#include "rights.h"

#include <string.h>

/* "/v1/customers/CUSTOMER/" + resource [ + "/PURPOSE" ] with the options as a query; false: a word is none. */
static bool state_path(const struct arguments *a, const char *resource, struct buf *path)
{
	if (!input_is_customer(a->words[0])) {
		complain(CTL_USAGE, "%s is no customer token", a->words[0]);
		return false;
	}
	if (a->n_words > 1 && !input_is_word(a->words[1])) {
		complain(CTL_USAGE, "%s is no purpose", a->words[1]);
		return false;
	}
	buf_printf(path, "/v1/customers/%s/%s", a->words[0], resource);
	if (a->n_words > 1)
		buf_printf(path, "/%s", a->words[1]);
	return buf_ok(path);
}

static int state_request(const struct arguments *a, const char *method, const char *resource, const struct buf *body)
{
	struct buf path;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	if (state_path(a, resource, &path)) {
		if (!strcmp(resource, "restriction"))
			input_query(&path, "purpose", arguments_option(a, "only"));
		if (strcmp(resource, "bases") != 0) {
			input_query(&path, "channel", arguments_option(a, "channel"));
			input_query(&path, "method", arguments_option(a, "method"));
		}
		code = rights_ask(a, method, buf_string(&path), body);
	}
	buf_fini(&path);
	return code;
}

int command_basis_put(const struct arguments *a)
{
	struct json json;
	struct buf body;
	int code;

	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	json_key_string(&json, "basis", a->words[2]);
	json_object_end(&json);
	code = state_request(a, "PUT", "bases", &body);
	buf_fini(&body);
	return code;
}

int command_basis_end(const struct arguments *a)
{
	return state_request(a, "DELETE", "bases", NULL);
}

int command_objection_make(const struct arguments *a)
{
	return state_request(a, "PUT", "objections", NULL);
}

int command_objection_lift(const struct arguments *a)
{
	return state_request(a, "DELETE", "objections", NULL);
}

int command_restriction_set(const struct arguments *a)
{
	return state_request(a, "PUT", "restriction", NULL);
}

int command_restriction_lift(const struct arguments *a)
{
	return state_request(a, "DELETE", "restriction", NULL);
}
