/* connection.c: libpq in pipeline mode, with deadlines. */
#include "vault/db/connection_int.h"

#include "base/clock.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARAMS_MAX 16

enum db_cause db_cause(const struct db *db)
{
	return db->cause;
}

const char *db_error(const struct db *db)
{
	return db->error;
}

void db_set_deadline(struct db *db, int64_t mono_us)
{
	db->deadline_us = mono_us;
}

static enum err err_of_cause(enum db_cause cause)
{
	switch (cause) {
	case DB_FINE: return ERR_OK;
	case DB_LOST: return ERR_UNAVAILABLE;
	case DB_UNIQUE: return ERR_CONFLICT;
	case DB_RETRY: return ERR_BUSY;
	case DB_REFUSED: return ERR_DATABASE;
	}
	return ERR_DATABASE;
}

/* Keeps the first line of a message: PostgreSQL puts values into DETAIL only. */
static void keep_error(struct db *db, const char *text)
{
	size_t len = strcspn(text, "\n");

	if (len >= sizeof db->error)
		len = sizeof db->error - 1;
	memcpy(db->error, text, len);
	db->error[len] = 0;
}

enum err db_fail(struct db *db, enum db_cause cause, const char *text)
{
	if (db->cause == DB_FINE) {
		db->cause = cause;
		keep_error(db, text);
	}
	return err_of_cause(db->cause);
}

enum err db_fail_lost(struct db *db)
{
	return db_fail(db, DB_LOST, PQerrorMessage(db->conn));
}

/* Waits until the socket can be read (and written, if asked). */
static enum err wait_socket(struct db *db, short events)
{
	struct pollfd p = {.fd = PQsocket(db->conn), .events = events};
	int64_t left_ms = -1;
	int n;

	if (p.fd < 0)
		return db_fail_lost(db);
	do {
		if (db->deadline_us != INT64_MAX) {
			left_ms = (db->deadline_us - clock_mono_us()) / 1000 + 1;
			if (left_ms <= 0)
				return db_fail(db, DB_LOST, "the database did not answer in time");
		}
		n = poll(&p, 1, left_ms > 60000 ? 60000 : (int)left_ms);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return db_fail(db, DB_LOST, strerror(errno));
	if ((p.revents & (POLLIN | POLLERR | POLLHUP)) && !PQconsumeInput(db->conn))
		return db_fail_lost(db);
	return ERR_OK;
}

static enum err flush(struct db *db)
{
	int left;

	while ((left = PQflush(db->conn)) == 1) {
		enum err e = wait_socket(db, POLLIN | POLLOUT);

		if (e)
			return e;
	}
	return left < 0 ? db_fail_lost(db) : ERR_OK;
}

static enum err get_result(struct db *db, PGresult **out)
{
	while (PQisBusy(db->conn)) {
		enum err e = wait_socket(db, POLLIN);

		if (e)
			return e;
	}
	*out = PQgetResult(db->conn);
	return ERR_OK;
}

/* FATAL and PANIC end the session, whatever their class: what became of a COMMIT
 * on its way is not known then. Class 53: the server is short of memory, locks, disk. */
static enum db_cause cause_of(const PGresult *r)
{
	const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
	const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

	if (!state || !severity || strcmp(severity, "ERROR") || !strncmp(state, "08", 2) || !strncmp(state, "57P", 3))
		return DB_LOST;
	if (!strncmp(state, "40", 2) || !strncmp(state, "53", 2) || !strcmp(state, "55P03"))
		return DB_RETRY;
	if (!strcmp(state, "23505"))
		return DB_UNIQUE;
	return DB_REFUSED;
}

bool db_alive(struct db *db)
{
	struct pollfd p = {.fd = PQsocket(db->conn), .events = POLLIN};

	if (db->cause == DB_LOST || p.fd < 0)
		return false;
	/* A farewell first, then the end of the stream: two reads. */
	for (int i = 0; i < 4 && poll(&p, 1, 0) > 0; i++)
		if (!PQconsumeInput(db->conn))
			return false;
	return PQstatus(db->conn) == CONNECTION_OK;
}

static void params_of(const struct db_param *params, size_t n, const char *values[PARAMS_MAX], int lengths[PARAMS_MAX],
                      int formats[PARAMS_MAX])
{
	assert(n <= PARAMS_MAX);
	for (size_t i = 0; i < n; i++) {
		values[i] = params[i].bytes;
		lengths[i] = (int)params[i].len;
		formats[i] = 1;
	}
}

void db_send(struct db *db, size_t statement, const struct db_param *params, size_t n)
{
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX], formats[PARAMS_MAX];

	if (db->cause != DB_FINE)
		return;
	params_of(params, n, values, lengths, formats);
	if (PQsendQueryPrepared(db->conn, db->list[statement].name, (int)n, values, lengths, formats, 1))
		db->unread++;
	else
		db_fail_lost(db);
}

static void send_text(struct db *db, const char *sql, const struct db_param *params, size_t n)
{
	const char *values[PARAMS_MAX];
	int lengths[PARAMS_MAX], formats[PARAMS_MAX];

	if (db->cause != DB_FINE)
		return;
	params_of(params, n, values, lengths, formats);
	if (PQsendQueryParams(db->conn, sql, (int)n, NULL, values, lengths, formats, 1))
		db->unread++;
	else
		db_fail_lost(db);
}

void db_send_text(struct db *db, const char *sql)
{
	send_text(db, sql, NULL, 0);
}

enum err db_sync(struct db *db)
{
	if (db->cause != DB_FINE)
		return err_of_cause(db->cause);
	if (!PQpipelineSync(db->conn))
		return db_fail_lost(db);
	db->sync_due = true;
	return flush(db);
}

/* One statement's result and the NULL that ends it. */
static enum err take_statement(struct db *db, PGresult **out)
{
	PGresult *end = NULL;
	enum err e = get_result(db, out);

	if (e)
		return e;
	assert(db->unread > 0);
	db->unread--;
	e = get_result(db, &end);
	if (end) {
		PQclear(end);
		return db_fail(db, DB_REFUSED, "the server sent a result too many");
	}
	return e;
}

enum err db_next(struct db *db, struct db_result **out)
{
	PGresult *r = NULL;
	enum err e;

	*out = NULL;
	if (db->cause != DB_FINE)
		return err_of_cause(db->cause);
	e = take_statement(db, &r);
	if (!e) {
		ExecStatusType status = PQresultStatus(r);

		if (!r || PQstatus(db->conn) == CONNECTION_BAD)
			e = db_fail_lost(db);
		else if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
			e = db_fail(db, cause_of(r), PQresultErrorMessage(r));
	}
	if (e) {
		PQclear(r);
		return e;
	}
	*out = (struct db_result *)r;
	return ERR_OK;
}


enum err db_next_done(struct db *db, int64_t *rows)
{
	struct db_result *r;
	enum err e = db_next(db, &r);

	if (!e && rows) {
		PGresult *mutable_result = (PGresult *)r; /* PQcmdTuples lacks a const */

		*rows = strtoll(PQcmdTuples(mutable_result), NULL, 10);
	}
	db_result_free(r);
	return e;
}

enum err db_synced(struct db *db)
{
	PGresult *r = NULL;
	enum err e;

	if (db->cause != DB_FINE)
		return err_of_cause(db->cause);
	e = get_result(db, &r);
	if (!e && PQresultStatus(r) != PGRES_PIPELINE_SYNC)
		e = db_fail_lost(db);
	PQclear(r);
	if (!e)
		db->sync_due = false;
	return e;
}

bool db_result_tag(const struct db_result *r, const char *tag)
{
	PGresult *mutable_result = (PGresult *)(uintptr_t)r; /* PQcmdStatus lacks a const */

	return !strcmp(PQcmdStatus(mutable_result), tag);
}

/* Takes every result up to the sync point that is due. */
static enum err drain(struct db *db)
{
	PGresult *r = NULL;
	enum err e;

	while (db->sync_due) {
		e = get_result(db, &r);
		if (e || PQstatus(db->conn) == CONNECTION_BAD) {
			PQclear(r);
			return ERR_UNAVAILABLE;
		}
		if (r && PQresultStatus(r) == PGRES_PIPELINE_SYNC)
			db->sync_due = false;
		PQclear(r);
	}
	db->unread = 0;
	return ERR_OK;
}

enum err db_rollback(struct db *db)
{
	enum err e;

	if (db->cause == DB_LOST || PQstatus(db->conn) == CONNECTION_BAD)
		return ERR_UNAVAILABLE;
	if (db->deadline_us != INT64_MAX)
		db->deadline_us = clock_mono_us() + OPEN_TIMEOUT_US;
	if (db->unread > 0 && !db->sync_due) {
		db->cause = DB_FINE;
		e = db_sync(db);
		if (e)
			return ERR_UNAVAILABLE;
	}
	e = drain(db);
	if (e)
		return e;
	db->cause = DB_FINE;
	db->error[0] = 0;
	db_send_text(db, "ROLLBACK");
	if (db_sync(db) || db_next_done(db, NULL) || db_synced(db))
		return ERR_UNAVAILABLE;
	return ERR_OK;
}

enum err db_run(struct db *db, const char *sql, const struct db_param *params, size_t n, struct db_result **out)
{
	struct db_result *r = NULL;
	enum err e;

	if (out)
		*out = NULL;
	send_text(db, sql, params, n);
	e = db_sync(db);
	if (!e)
		e = db_next(db, &r);
	if (!e)
		e = db_synced(db);
	if (!e && out) {
		*out = r;
		r = NULL;
	}
	db_result_free(r);
	return e;
}

/* Every result of a script; the first error counts. */
static enum err take_script(struct db *db)
{
	PGresult *r = NULL;
	enum err e, first = ERR_OK;

	while (!(e = get_result(db, &r)) && r) {
		const ExecStatusType status = PQresultStatus(r);

		if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && !first)
			first = db_fail(db, cause_of(r), PQresultErrorMessage(r));
		PQclear(r);
	}
	if (!e && !first && PQstatus(db->conn) == CONNECTION_BAD)
		e = db_fail_lost(db);
	return first ? first : e;
}

enum err db_script(struct db *db, const char *sql)
{
	const bool pipelined = PQpipelineStatus(db->conn) == PQ_PIPELINE_ON;
	enum err e;

	if (db->cause != DB_FINE)
		return err_of_cause(db->cause);
	/* The simple protocol, which takes several statements, is not for pipelines. */
	if ((pipelined && !PQexitPipelineMode(db->conn)) || !PQsendQuery(db->conn, sql))
		return db_fail_lost(db);
	e = flush(db);
	if (!e)
		e = take_script(db);
	if (pipelined && db->cause != DB_LOST && !PQenterPipelineMode(db->conn))
		return db_fail_lost(db);
	return e;
}

void db_result_free(struct db_result *r)
{
	PQclear((PGresult *)r);
}
