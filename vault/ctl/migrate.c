/* migrate.c: brings the database to this build's schema, as the schema's owner. */
#include "base/config.h"
#include "ctl/commands.h"
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>

/* The connection string: from --url, else the configuration. Never shown: it may hold a password. */
static const char *connection(const struct arguments *a, const struct config *c)
{
	const char *url = arguments_option(a, "url");

	if (url)
		return url;
	/* Given before the command, it was read as the vault's address. */
	if (a->globals[GLOBAL_URL])
		return a->globals[GLOBAL_URL];
	return *c->migrate_url ? c->migrate_url : NULL;
}

static int run(const char *conninfo)
{
	struct buf report;
	enum err e;

	buf_init(&report, 0);
	e = migrate_run(conninfo, &report);
	fputs(buf_string(&report), e == ERR_OK ? stdout : stderr);
	if (e == ERR_OK && report.len == 0)
		puts("The schema is up to date.");
	if (e != ERR_OK)
		complain(CTL_SERVER, "migrate: %s", err_text(e));
	buf_fini(&report);
	if (e == ERR_OK)
		return fflush(stdout) ? CTL_SERVER : CTL_OK;
	return e == ERR_UNAVAILABLE ? CTL_UNREACHED : CTL_SERVER;
}

int command_migrate(const struct arguments *a)
{
	struct config config;
	struct buf report;
	const char *conninfo;
	int code = CTL_USAGE;

	buf_init(&report, 0);
	if (config_load(&config, arguments_option(a, "config"), &report) != ERR_OK)
		fputs(report.len ? buf_string(&report) : "error: out of memory\n", stderr);
	else if (!(conninfo = connection(a, &config)))
		complain(CTL_USAGE, "no database is named: set VAULT_MIGRATE_URL, or give --config or --url");
	else
		code = run(conninfo);
	config_fini(&config);
	buf_fini(&report);
	return code;
}
