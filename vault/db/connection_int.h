/* connection_int.h: between connection.c (statements and results) and open.c. */
#ifndef DB_CONNECTION_INT_H
#define DB_CONNECTION_INT_H

#include "db/connection.h"

#include <libpq-fe.h>

#define OPEN_TIMEOUT_US 5000000

struct db {
	PGconn *conn;
	const struct db_statement *list;
	enum db_cause cause;
	int64_t deadline_us; /* monotonic; INT64_MAX: none */
	unsigned unread;     /* statements whose result was not taken yet */
	bool sync_due;       /* a sync point was sent and not taken yet */
	char error[256];
};

/* Keeps the first failure; returns the error for the failure in force. */
enum err db_fail(struct db *db, enum db_cause cause, const char *text);
enum err db_fail_lost(struct db *db);

#endif
