/* retention.c: what the sweep would erase, and what it has. */
#include "ctl/commands.h"
#include "ctl/show.h"

static int ask(const struct arguments *a, const char *const *columns)
{
	const struct client_request r = {.method = "GET", .path = "/v1/retention:preview"};
	struct doc *doc;
	struct buf text;
	int code = remote_ask(a, &r, &doc);

	if (code != CTL_OK || !doc)
		return code;
	buf_init(&text, 0);
	if (node_count(node_get(doc_root(doc), "data")))
		show_rows(node_get(doc_root(doc), "data"), NULL, columns, &text);
	else
		buf_text(&text, "No field, record kind or purpose has a retention.\n");
	code = output(&text);
	buf_fini(&text);
	doc_free(doc);
	return code;
}

int command_retention_preview(const struct arguments *a)
{
	static const char *const columns[] = {"what", "name", "retention_days", "due", "more", "with_hold", NULL};

	return ask(a, columns);
}

int command_retention_status(const struct arguments *a)
{
	static const char *const columns[] = {"what", "name", "retention_days", "swept", "swept_at", NULL};

	return ask(a, columns);
}
