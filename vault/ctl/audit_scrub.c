/* audit_scrub.c: audit scrub: asks the vault to hold all rows against the log, and waits for what it finds. */
#include "ctl/commands.h"
#include "ctl/show.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH "/v1/audit/scrub"

static int ask(const struct arguments *a, const char *method, struct doc **doc)
{
	const struct client_request r = {.method = method, .path = PATH};
	struct buf body;
	int code = remote_send(a, &r, &body);

	*doc = NULL;
	if (code != CTL_OK)
		return code;
	if (doc_parse(body.data, body.len, doc) != ERR_OK)
		code = complain(CTL_SERVER, "the reply is not the JSON of a vault");
	buf_fini(&body);
	return code;
}

static int64_t number(const struct doc *doc, const char *member)
{
	return node_int(node_get(doc_root(doc), member));
}

static void tell_progress(const struct doc *doc)
{
	const int64_t all = number(doc, "slices");

	if (isatty(STDERR_FILENO) && all > 0)
		fprintf(stderr, "\r%lld%%, %lld customers ", (long long)(100 * number(doc, "slices_done") / all), (long long)number(doc, "customers"));
}

static int show(const struct arguments *a, const struct doc *doc)
{
	const struct node *root = doc_root(doc);
	struct buf text;
	int code;

	buf_init(&text, 0);
	if (a->globals[GLOBAL_JSON]) {
		if (node_print(root, &text))
			text.failed = true;
		buf_byte(&text, '\n');
	} else {
		show_object(root, &text);
	}
	code = output(&text);
	buf_fini(&text);
	if (code == CTL_OK && node_count(node_get(root, "findings")))
		code = CTL_FAILED;
	return code;
}

int command_audit_scrub(const struct arguments *a)
{
	const bool only_look = arguments_option(a, "status") != NULL;
	struct doc *doc = NULL;
	int code = ask(a, only_look ? "GET" : "POST", &doc);
	int64_t cycle;

	if (code != CTL_OK)
		return code;
	cycle = number(doc, "cycle");
	while (code == CTL_OK && !only_look && number(doc, "cycle") == cycle && node_bool(node_get(doc_root(doc), "running"))) {
		tell_progress(doc);
		doc_free(doc);
		sleep(1);
		code = ask(a, "GET", &doc);
	}
	if (isatty(STDERR_FILENO) && !only_look)
		fputc('\n', stderr);
	if (code == CTL_OK)
		code = show(a, doc);
	doc_free(doc);
	return code;
}
