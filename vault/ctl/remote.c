/* remote.c: settings from options and environment, one request, its refusal told. */
#include "ctl/commands.h"
#include "ctl/show.h"
#include "ctl/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_URL "https://127.0.0.1:8443"
#define DEFAULT_TIMEOUT_S 30
/* The vault sends at least a newline every 15 seconds. */
#define DEFAULT_SILENCE_S 60
#define PATH_ROOM 192

struct settings {
	struct client_settings client;
	char cert[PATH_ROOM], key[PATH_ROOM], ca[PATH_ROOM];
};

/* Explicit option, else the file of --as, else the environment. */
static const char *file_of(const struct arguments *a, enum ctl_global which, const char *suffix, char room[PATH_ROOM])
{
	const char *as = a->globals[GLOBAL_AS];

	if (a->globals[which] || !as)
		return arguments_global(a, which);
	snprintf(room, PATH_ROOM, "certs/dev/%s%s", which == GLOBAL_CA ? "ca" : as, suffix);
	return room;
}

static bool readable(const char *path, const char *option, const char *what)
{
	if (!path) {
		complain(CTL_USAGE, "no %s is given; use --as NAME in development, else --%s FILE", what, option);
		return false;
	}
	if (access(path, R_OK)) {
		complain(CTL_USAGE, "%s: %s (%s)", path, strerror(errno), what);
		return false;
	}
	return true;
}

static bool word_or_nothing(const char *word, const char *option)
{
	if (!word || input_is_word(word))
		return true;
	complain(CTL_USAGE, "--%s must be 1 to 64 of [A-Za-z0-9._-]", option);
	return false;
}

/* given: an address that wins over the option, or NULL. */
static bool read_settings(const struct arguments *a, const char *given, bool stream, struct settings *s)
{
	const char *url = given ? given : arguments_global(a, GLOBAL_URL);
	const char *timeout = a->globals[GLOBAL_TIMEOUT];

	s->client = (struct client_settings){
	    .url = url ? url : DEFAULT_URL,
	    .purpose = arguments_global(a, GLOBAL_PURPOSE),
	    .ticket = arguments_global(a, GLOBAL_TICKET),
	    .timeout_s = stream ? DEFAULT_SILENCE_S : DEFAULT_TIMEOUT_S,
	};
	if (!word_or_nothing(s->client.purpose, "purpose") || !word_or_nothing(s->client.ticket, "ticket") ||
	    !word_or_nothing(a->globals[GLOBAL_AS], "as"))
		return false;
	if (timeout && !input_number(timeout, 1, 3600, &s->client.timeout_s)) {
		complain(CTL_USAGE, "--timeout must be a number from 1 to 3600");
		return false;
	}
	/* Not shown: it might be a connection string with a password. */
	if (strncmp(s->client.url, "https://", 8) || strpbrk(s->client.url, "@?# \t\r\n")) {
		complain(CTL_USAGE, "%s must be https://HOST:PORT%s", given ? "the address" : "--url", given ? "/PATH" : "");
		return false;
	}
	s->client.cert = file_of(a, GLOBAL_CERT, ".pem", s->cert);
	s->client.key = file_of(a, GLOBAL_KEY, ".key", s->key);
	s->client.ca = file_of(a, GLOBAL_CA, ".pem", s->ca);
	return readable(s->client.cert, "cert", "client certificate") && readable(s->client.key, "key", "client key") &&
	       readable(s->client.ca, "ca", "CA certificate");
}

static int refused(const struct client_reply *reply)
{
	struct doc *problem = NULL;
	struct buf text;

	buf_init(&text, 0);
	if (doc_parse(reply->body.data, reply->body.len, &problem) != ERR_OK)
		problem = NULL;
	show_problem(reply->status, problem ? doc_root(problem) : NULL, &text);
	if (reply->retry_after_s)
		buf_printf(&text, "  try again in %ld s\n", reply->retry_after_s);
	fputs(buf_string(&text), stderr);
	buf_fini(&text);
	doc_free(problem);
	return reply->status >= 400 && reply->status < 500 ? CTL_REFUSED : CTL_SERVER;
}

/* One request and its reply, whatever its status. */
static int exchange(const struct arguments *a, const char *url, const struct client_request *r, struct client_reply *reply)
{
	struct settings s;
	struct buf why, clean;
	int code = CTL_OK;

	*reply = (struct client_reply){0};
	if (!read_settings(a, url, r->line != NULL, &s))
		return CTL_USAGE;
	buf_init(&why, 0);
	buf_init(&clean, 0);
	if (!client_send(&s.client, r, reply, &why)) {
		/* It may hold names from the other end's certificate. */
		text_clean((const char *)why.data, why.len, false, &clean);
		code = complain(CTL_UNREACHED, "%s", buf_string(&clean));
	}
	buf_fini(&why);
	buf_fini(&clean);
	return code;
}

int remote_send(const struct arguments *a, const struct client_request *r, struct buf *body)
{
	struct client_reply reply;
	int code = exchange(a, NULL, r, &reply);

	if (code == CTL_OK && (reply.status < 200 || reply.status > 299))
		code = refused(&reply);
	if (code == CTL_OK) {
		*body = reply.body;
		buf_init(&reply.body, 0);
	}
	client_reply_fini(&reply);
	return code;
}

int remote_get(const struct arguments *a, const char *url, const char *path, struct client_reply *reply)
{
	const struct client_request r = {.method = "GET", .path = path, .accept = "application/octet-stream, text/plain, application/problem+json"};
	const int code = exchange(a, url, &r, reply);

	if (code != CTL_OK || reply->status == 200 || reply->status == 404 || reply->status == 410)
		return code;
	return refused(reply);
}

static int print_json(struct buf *body)
{
	if (body->len && body->data[body->len - 1] != '\n')
		buf_byte(body, '\n');
	return output(body);
}

int remote_ask_both(const struct arguments *a, const struct client_request *r, struct doc **doc)
{
	struct buf body;
	int code;

	*doc = NULL;
	code = remote_send(a, r, &body);
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	else if (a->globals[GLOBAL_JSON])
		code = print_json(&body);
	buf_fini(&body);
	if (code != CTL_OK) {
		doc_free(*doc);
		*doc = NULL;
	}
	return code;
}

int remote_ask(const struct arguments *a, const struct client_request *r, struct doc **doc)
{
	const int code = remote_ask_both(a, r, doc);

	if (a->globals[GLOBAL_JSON]) {
		doc_free(*doc);
		*doc = NULL;
	}
	return code;
}

int remote_show(const struct arguments *a, const struct client_request *r)
{
	struct doc *doc;
	struct buf text;
	int code = remote_ask(a, r, &doc);

	if (code != CTL_OK || !doc)
		return code;
	buf_init(&text, 0);
	show_object(doc_root(doc), &text);
	code = output(&text);
	buf_fini(&text);
	doc_free(doc);
	return code;
}

int remote_print(const struct arguments *a, const char *path)
{
	const struct client_request r = {.method = "GET", .path = path};
	struct buf body;
	int code = remote_send(a, &r, &body);

	if (code != CTL_OK)
		return code;
	buf_byte(&body, '\n');
	code = output(&body);
	buf_fini(&body);
	return code;
}
