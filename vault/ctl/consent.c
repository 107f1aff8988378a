/* consent.c: consents of a customer, and privacy notices. */
#include "base/json.h"
#include "ctl/commands.h"
#include "ctl/show.h"

#include <string.h>

#define NOTICE_BYTES_MAX ((size_t)1 << 20)

/* "/v1/customers/CUSTOMER/consents[/PURPOSE]" + tail; false: a word is none. */
static bool consent_path(const struct arguments *a, const char *tail, struct buf *path)
{
	if (!input_is_customer(a->words[0])) {
		complain(CTL_USAGE, "%s is no customer token", a->words[0]);
		return false;
	}
	if (a->n_words > 1 && !input_is_word(a->words[1])) {
		complain(CTL_USAGE, "%s is no purpose", a->words[1]);
		return false;
	}
	buf_printf(path, "/v1/customers/%s/consents", a->words[0]);
	if (a->n_words > 1)
		buf_printf(path, "/%s", a->words[1]);
	buf_text(path, tail);
	if (arguments_option(a, "limit") || arguments_option(a, "cursor")) {
		if (a->n_words < 2) {
			complain(CTL_USAGE, "--limit and --cursor are of one purpose's history");
			return false;
		}
		input_query(path, "limit", arguments_option(a, "limit"));
		input_query(path, "cursor", arguments_option(a, "cursor"));
	}
	return buf_ok(path);
}

static int consent_request(const struct arguments *a, const char *method, const char *tail, const struct buf *body)
{
	struct client_request r = {.method = method};
	struct buf path;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	if (consent_path(a, tail, &path)) {
		r.path = buf_string(&path);
		r.body = body ? body->data : NULL;
		r.body_len = body ? body->len : 0;
		code = remote_show(a, &r);
	}
	buf_fini(&path);
	return code;
}

int command_consent_list(const struct arguments *a)
{
	return consent_request(a, "GET", "", NULL);
}

int command_consent_withdraw(const struct arguments *a)
{
	return consent_request(a, "POST", ":withdraw", NULL);
}

int command_consent_give(const struct arguments *a)
{
	static const char *const texts[] = {"channel", "method", "language", "valid-until", "evidence", "guardian"};
	static const char *const members[] = {"channel", "method", "language", "valid_until", "evidence", "guardian"};
	const char *notice = arguments_option(a, "notice-version");
	struct json json;
	struct buf body;
	long version = 0;
	int code;

	if (notice && !input_number(notice, 1, 1000000, &version))
		return complain(CTL_USAGE, "--notice-version must be a number of at least 1");
	buf_init(&body, 0);
	json_init(&json, &body);
	json_object(&json);
	json_key_string(&json, "decision", arguments_option(a, "refuse") ? "refused" : "given");
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (arguments_option(a, texts[i]))
			json_key_string(&json, members[i], arguments_option(a, texts[i]));
	if (version)
		json_key_int(&json, "notice_version", version);
	if (arguments_option(a, "separate"))
		json_key_bool(&json, "separate", true);
	if (arguments_option(a, "written"))
		json_key_bool(&json, "written", true);
	json_object_end(&json);
	code = consent_request(a, "PUT", "", &body);
	buf_fini(&body);
	return code;
}

int command_consent_receipt(const struct arguments *a)
{
	struct buf path;
	int code = CTL_USAGE;

	buf_init(&path, 0);
	if (consent_path(a, "/receipt", &path))
		code = remote_print(a, buf_string(&path));
	buf_fini(&path);
	return code;
}

static int notice_request(const struct arguments *a, const char *method, const struct buf *body)
{
	struct client_request r = {.method = method};
	struct buf path;
	int code;

	if (!input_is_word(a->words[0]))
		return complain(CTL_USAGE, "%s is no name of a notice", a->words[0]);
	buf_init(&path, 0);
	buf_printf(&path, "/v1/notices/%s", a->words[0]);
	r.path = buf_string(&path);
	r.body = body ? body->data : NULL;
	r.body_len = body ? body->len : 0;
	code = remote_show(a, &r);
	buf_fini(&path);
	return code;
}

int command_notice_get(const struct arguments *a)
{
	return notice_request(a, "GET", NULL);
}

int command_notice_put(const struct arguments *a)
{
	struct buf texts, body;
	int code = CTL_USAGE;

	buf_init(&texts, 0);
	buf_init(&body, 0);
	if (input_read(a->n_words > 1 ? a->words[1] : "-", NOTICE_BYTES_MAX, &texts)) {
		buf_text(&body, "{\"texts\":");
		buf_append(&body, texts.data, texts.len);
		buf_printf(&body, ",\"renew\":%s}", arguments_option(a, "renew") ? "true" : "false");
		code = notice_request(a, "PUT", &body);
	}
	buf_fini(&texts);
	buf_fini(&body);
	return code;
}
