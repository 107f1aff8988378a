/* whoami.c: what the vault takes this certificate for. */
#include "ctl/commands.h"
#include "ctl/show.h"

int command_whoami(const struct arguments *a)
{
	const struct client_request r = {.method = "GET", .path = "/v1/whoami"};
	struct doc *doc;
	struct buf text;
	int code = remote_ask(a, &r, &doc);

	if (code != CTL_OK || !doc)
		return code;
	buf_init(&text, 0);
	show_object(doc_root(doc), &text);
	code = output(&text);
	buf_fini(&text);
	doc_free(doc);
	return code;
}
