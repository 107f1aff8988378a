/* open.c: opens a connection within a deadline, with a safe session and all statements prepared. */
#include "vault/db/connection_int.h"

#include "base/clock.h"

#include <poll.h>
#include <stdlib.h>

static void no_notice(void *ctx, const PGresult *r)
{
	(void)ctx;
	(void)r;
}

/* libpq's complaint about a connection string quotes parts of it, and it may hold a password. */
bool db_url_valid(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	const bool valid = options != NULL;

	PQconninfoFree(options);
	return valid;
}

static enum err connect_with_deadline(struct db *db, const char *conninfo)
{
	const char *const keys[] = {"dbname", "application_name", "client_encoding", "connect_timeout", NULL};
	const char *const values[] = {conninfo, "vaultd", "UTF8", "5", NULL};
	PostgresPollingStatusType step = PGRES_POLLING_WRITING;

	db->conn = PQconnectStartParams(keys, values, 1);
	if (!db->conn)
		return ERR_MEMORY;
	if (PQstatus(db->conn) == CONNECTION_BAD)
		return db_fail_lost(db);
	db->deadline_us = clock_mono_us() + OPEN_TIMEOUT_US;
	while (step != PGRES_POLLING_OK) {
		struct pollfd p = {.fd = PQsocket(db->conn), .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
		const int64_t left_ms = (db->deadline_us - clock_mono_us()) / 1000;
		int n = poll(&p, 1, left_ms < 0 ? 0 : (int)left_ms);

		if (n == 0)
			return db_fail(db, DB_LOST, "the database did not answer in time");
		step = PQconnectPoll(db->conn);
		if (step == PGRES_POLLING_FAILED)
			return db_fail_lost(db);
	}
	PQsetNoticeReceiver(db->conn, no_notice, NULL);
	return ERR_OK;
}

/* A committed batch must be durable; a stuck lock or client must not stop the rest. */
#define SESSION                                                                                                        \
	"SET search_path = vault, pg_catalog; SET synchronous_commit = on; SET plan_cache_mode = force_generic_plan; "     \
	"SET lock_timeout = '5s'; SET statement_timeout = '60s'; SET idle_in_transaction_session_timeout = '60s'; "      \
	"SET TimeZone = 'UTC'; SET jit = off"

static enum err prepare_all(struct db *db)
{
	size_t n = 0;
	enum err e;

	if (!PQenterPipelineMode(db->conn))
		return db_fail_lost(db);
	for (const struct db_statement *s = db->list; s && s->name; s++, n++)
		if (!PQsendPrepare(db->conn, s->name, s->sql, 0, NULL))
			return db_fail_lost(db);
	db->unread = (unsigned)n;
	e = db_sync(db);
	for (size_t i = 0; i < n && !e; i++)
		e = db_next_done(db, NULL);
	return e ? e : db_synced(db);
}

enum err db_open(const char *conninfo, const struct db_statement *list, struct db **out, struct buf *why)
{
	struct db *db = calloc(1, sizeof *db);
	enum err e;

	*out = NULL;
	if (!db)
		return ERR_MEMORY;
	db->list = list;
	e = db_url_valid(conninfo) ? ERR_OK : db_fail(db, DB_LOST, DB_URL_INVALID);
	if (!e)
		e = connect_with_deadline(db, conninfo);
	if (!e && PQsetnonblocking(db->conn, 1))
		e = db_fail_lost(db);
	if (!e)
		e = db_script(db, SESSION);
	if (!e)
		e = prepare_all(db);
	db->deadline_us = INT64_MAX;
	if (e) {
		buf_text(why, db->error);
		db_close(db);
		return e;
	}
	*out = db;
	return ERR_OK;
}

void db_close(struct db *db)
{
	if (!db)
		return;
	PQfinish(db->conn);
	free(db);
}
