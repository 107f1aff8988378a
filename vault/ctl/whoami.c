/* whoami.c: what the vault takes this certificate for. */
#include "ctl/commands.h"

int command_whoami(const struct arguments *a)
{
	const struct client_request r = {.method = "GET", .path = "/v1/whoami"};

	return remote_show(a, &r);
}
