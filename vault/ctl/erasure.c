/* erasure.c: erases again, in a database that was restored from a backup, all whom the ledger names. */
#include "ctl/commands.h"
#include "crypto/secret.h"
#include "vault/ctl/replay.h"

#include <stdio.h>

/* One transaction: all of it or nothing. */
static enum err replay(struct replay *p, struct db *db)
{
	enum err e = db_script(db, "BEGIN; SET LOCAL statement_timeout = 0");

	if (!e)
		e = replay_run(p, db);
	return e ? e : db_script(db, "COMMIT");
}

static enum err replay_database(const struct config *c, struct replay *p, struct buf *why)
{
	struct db *db = NULL;
	enum err e = replay_open(p, c, why);

	if (!e)
		e = db_open(c->migrate_url, NULL, &db, why);
	if (!e) {
		e = replay(p, db);
		if (e)
			buf_printf(why, "%s", db_error(db));
	}
	db_close(db);
	return e;
}

int command_erasure_replay(const struct arguments *a)
{
	struct config config;
	struct replay p = {0};
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (config_load(&config, arguments_option(a, "config"), &why) != ERR_OK) {
		fputs(why.len ? buf_string(&why) : "error: out of memory\n", stderr);
	} else if (!*config.migrate_url) {
		complain(CTL_USAGE, "no database is named: set VAULT_MIGRATE_URL, or give --config");
	} else {
		enum err e = secret_start();

		if (!e)
			e = replay_database(&config, &p, &why);
		code = e ? complain(e == ERR_UNAVAILABLE ? CTL_UNREACHED : CTL_SERVER, "%s", why.len ? buf_string(&why) : err_text(e)) : CTL_OK;
		replay_close(&p); /* its figures stay */
		secret_stop();
	}
	if (code == CTL_OK)
		printf("The ledger has %zu entries. Of %lld customers looked at, %lld %s erased again.\n", p.n, (long long)p.looked_at, (long long)p.erased,
		       p.erased == 1 ? "customer was" : "customers were");
	config_fini(&config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}
