/* audit_log_key.c: audit log-key: the log's verifier key, from what the vault says. */
#include "ctl/log.h"
#include "ctl/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int ask_key(const struct arguments *a, uint8_t out[static SIGN_PUBLIC_LEN])
{
	const struct client_request r = {.method = "GET", .path = "/v1/signing-key"};
	struct doc *doc = NULL;
	struct buf body;
	const char *hex;
	size_t len = 0;
	int code = remote_send(a, &r, &body);

	if (code != CTL_OK)
		return code;
	hex = doc_parse(body.data, body.len, &doc) ? NULL : node_string(node_get(doc_root(doc), "key"), &len);
	if (!input_hex(hex, len, out, SIGN_PUBLIC_LEN))
		code = complain(CTL_SERVER, "the reply is not the key of a vault");
	doc_free(doc);
	buf_fini(&body);
	return code;
}

static int ask_origin(const struct arguments *a, struct checkpoint *out)
{
	struct buf path, body;
	struct client_request r = {.method = "GET", .accept = "text/plain, application/problem+json"};
	struct note note;
	int code;

	buf_init(&path, 0);
	buf_text(&path, "/v1/audit/log/checkpoint");
	input_query(&path, "log", arguments_option(a, "number"));
	r.path = buf_string(&path);
	code = remote_send(a, &r, &body);
	buf_fini(&path);
	if (code != CTL_OK)
		return code;
	if (note_parse((const char *)body.data, body.len, &note) || checkpoint_read(note.text, note.text_len, out))
		code = complain(CTL_SERVER, "the reply is no checkpoint");
	buf_fini(&body);
	return code;
}

static bool is_clean(const char *text)
{
	struct buf clean;
	bool same;

	buf_init(&clean, 0);
	text_clean(text, strlen(text), false, &clean);
	same = !strcmp(buf_string(&clean), text);
	buf_fini(&clean);
	return same;
}

int command_audit_log_key(const struct arguments *a)
{
	uint8_t public_key[SIGN_PUBLIC_LEN];
	char text[NOTE_KEY_TEXT_MAX];
	struct checkpoint c;
	struct note_key key;
	int code = ask_key(a, public_key);

	if (code == CTL_OK)
		code = ask_origin(a, &c);
	if (code != CTL_OK)
		return code;
	if (note_key_of(c.origin, NOTE_ED25519, public_key, &key))
		return complain(CTL_SERVER, "the log's origin is no name of a key");
	note_key_write(&key, text);
	if (!is_clean(text))
		return complain(CTL_SERVER, "the log's origin holds characters that could drive a terminal");
	if (puts(text) < 0 || fflush(stdout))
		return complain(CTL_SERVER, "standard output: %s", strerror(errno));
	return CTL_OK;
}
