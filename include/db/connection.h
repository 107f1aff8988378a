/* connection.h: one PostgreSQL connection, used in pipeline mode: send many
 * statements, sync, read their results. The only place that sees libpq.
 *
 * All parameters and results are binary. Statements are prepared once, when
 * the connection opens. Errors are sticky: after one, each call until
 * db_rollback() fails the same way. A connection belongs to one thread. */
#ifndef DB_CONNECTION_H
#define DB_CONNECTION_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct db;
struct db_result;

struct db_statement {
	const char *name; /* NULL ends a list */
	const char *sql;
};

struct db_param {
	const void *bytes; /* NULL: SQL NULL */
	size_t len;
};

/* Why a statement failed. */
enum db_cause {
	DB_FINE,
	DB_LOST,     /* the connection is gone, or did not answer by the deadline */
	DB_RETRY,    /* deadlock, serialization, lock timeout: the same again may work */
	DB_UNIQUE,   /* a unique index refused it */
	DB_REFUSED,  /* any other error of the server */
};

/* Opens, sets search_path vault and safe session settings, prepares list.
 * why gets one line without the connection string. ERR_UNAVAILABLE, ERR_DATABASE. */
/* Can libpq read this connection string? "" is one. It says nothing of what is wrong, for the string may hold a password. */
bool db_url_valid(const char *conninfo);
#define DB_URL_INVALID "the connection string can't be read (postgresql://... or key=value pairs)"
enum err db_open(const char *conninfo, const struct db_statement *list, struct db **out, struct buf *why) MUST_CHECK;
void db_close(struct db *db); /* NULL is allowed */
/* What a PostgreSQL client program finds in its environment in place of conninfo on its command line, which others can
 * read: "PGHOST=..." and so on, NULL-ended. A setting that has no such variable is left out. Owner: caller
 * (db_environment_free, which wipes). ERR_UNAVAILABLE: conninfo can't be read. */
enum err db_environment(const char *conninfo, char ***out) MUST_CHECK;
void db_environment_free(char **environment); /* NULL is allowed */
/* Between transactions: false once the server has gone away. Does not block. */
bool db_alive(struct db *db);
enum db_cause db_cause(const struct db *db);
/* One line of the server's last error; holds no parameter. */
const char *db_error(const struct db *db);
/* An answer that takes longer counts as a lost connection. */
void db_set_deadline(struct db *db, int64_t mono_us);

/* Queues list[statement]; nothing is sent before db_sync. */
void db_send(struct db *db, size_t statement, const struct db_param *params, size_t n);
/* Queues a statement by text, unprepared, without parameters (rare ones). */
void db_send_text(struct db *db, const char *sql);
/* Ends the queue with a sync point and sends it all. */
enum err db_sync(struct db *db) MUST_CHECK;
/* The result of the next statement, in the order of sending. Owner: caller (db_result_free). */
enum err db_next(struct db *db, struct db_result **out) MUST_CHECK;
/* As db_next for statements whose rows nobody needs; *rows (may be NULL): rows affected. */
enum err db_next_done(struct db *db, int64_t *rows) MUST_CHECK;
/* After the last result: takes the sync point. */
enum err db_synced(struct db *db) MUST_CHECK;
/* True if the command tag of the result is exactly tag: an aborted transaction
 * answers COMMIT with another one. */
bool db_result_tag(const struct db_result *r, const char *tag);
/* Drops what is queued and unread, rolls the transaction back, clears the
 * sticky error. ERR_UNAVAILABLE: the connection is lost; close it. */
enum err db_rollback(struct db *db) MUST_CHECK;

/* One statement by text or prepared, alone, with its result. For start and administration. */
enum err db_run(struct db *db, const char *sql, const struct db_param *params, size_t n, struct db_result **out) MUST_CHECK;
/* Several statements separated by semicolons, without results; in one transaction. */
enum err db_script(struct db *db, const char *sql) MUST_CHECK;

void db_result_free(struct db_result *r); /* NULL is allowed */
size_t db_rows(const struct db_result *r);
bool db_null(const struct db_result *r, size_t row, int column);
int16_t db_int2(const struct db_result *r, size_t row, int column);
int32_t db_int4(const struct db_result *r, size_t row, int column);
int64_t db_int8(const struct db_result *r, size_t row, int column);
bool db_bool(const struct db_result *r, size_t row, int column);
int64_t db_time_us(const struct db_result *r, size_t row, int column); /* timestamptz; infinity: INT64_MAX */
/* bytea or text; NUL-terminated; alive as long as the result. */
const uint8_t *db_bytes(const struct db_result *r, size_t row, int column, size_t *len);
const char *db_text(const struct db_result *r, size_t row, int column);

/* Parameters in binary. The buffer must stay until db_sync has returned. A
 * struct db_array collects one array column for unnest() or = ANY(). */
enum db_type { DB_BOOL = 16, DB_BYTEA = 17, DB_INT8 = 20, DB_INT2 = 21, DB_INT4 = 23, DB_TEXT = 25, DB_TIME = 1184 };
struct db_array {
	struct buf bytes;
	uint32_t n;
	enum db_type type;
};
void db_array_init(struct db_array *a, enum db_type type);
void db_array_reset(struct db_array *a); /* wipes, clears the error, keeps up to 1 MiB */
void db_array_fini(struct db_array *a);
void db_array_int8(struct db_array *a, int64_t v);
/* Element i of an array of int8 that holds no failure. */
int64_t db_array_int8_at(const struct db_array *a, uint32_t i);
void db_array_int4(struct db_array *a, int32_t v);
void db_array_time(struct db_array *a, int64_t at_us);
void db_array_bytes(struct db_array *a, const void *bytes, size_t len);
/* Room for len bytes as the next element; NULL after a failure. */
uint8_t *db_array_room(struct db_array *a, size_t len);
/* Writes the count and gives the parameter; sticky errors read as a NULL parameter, so check with buf_err(&a->bytes). */
struct db_param db_array_param(struct db_array *a);
/* Scalars: the caller gives 8 bytes of room. */
struct db_param db_param_int8(int64_t v, uint8_t room[static 8]);
struct db_param db_param_int4(int32_t v, uint8_t room[static 8]);
struct db_param db_param_time(int64_t at_us, uint8_t room[static 8]);
struct db_param db_param_bool(bool v, uint8_t room[static 8]);
struct db_param db_param_text(const char *text);

#endif
