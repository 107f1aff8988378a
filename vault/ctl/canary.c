/* canary.c: canary list, put and delete. */
#include "ctl/commands.h"

#include <string.h>

static int show(const struct arguments *a, const char *method, const char *path)
{
	const struct client_request r = {.method = method, .path = path};

	return remote_show(a, &r);
}

int command_canary_list(const struct arguments *a)
{
	return show(a, "GET", "/v1/canaries");
}

static int change(const struct arguments *a, const char *method)
{
	const char *sref = a->words[0];
	struct buf path;
	int code;

	if (strlen(sref) != 32 || strspn(sref, "0123456789abcdef") != 32)
		return complain(CTL_USAGE, "SREF must be 32 hex digits, as audit records have it");
	buf_init(&path, 0);
	buf_printf(&path, "/v1/canaries/%s", sref);
	code = buf_ok(&path) ? show(a, method, buf_string(&path)) : complain(CTL_SERVER, "out of memory");
	buf_fini(&path);
	return code;
}

int command_canary_put(const struct arguments *a)
{
	return change(a, "PUT");
}

int command_canary_delete(const struct arguments *a)
{
	return change(a, "DELETE");
}
