/* migrate.c: applies the embedded migrations and looks whether they are there. */
#include "store/migrate.h"

#include "base/clock.h"
#include "crypto/mac.h"
#include "db/connection.h"
#include "store/embed.h"

#include <stdlib.h>
#include <string.h>

#define TABLE                                                                                                          \
	"CREATE SCHEMA IF NOT EXISTS vault; "                                                                              \
	"CREATE TABLE IF NOT EXISTS vault.schema_migration (number integer PRIMARY KEY, name text NOT NULL, "             \
	"sha256 bytea NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
#define LOCK_NUMBER "7203115846930751"

/* The number of sql/NNNN_name.sql, or -1 for any other path. */
static int number_of(const char *path)
{
	if (strncmp(path, "sql/", 4) || !strstr(path, ".sql"))
		return -1;
	return (int)strtol(path + 4, NULL, 10);
}

static enum err digest(const struct embedded *f, uint8_t sha256[static 32])
{
	return sha256_of(f->start, (size_t)(f->end - f->start), sha256);
}

/* *state: 0 missing, 1 there and the same, 2 there and different. */
static enum err look_up(struct db *db, const struct embedded *f, int *state)
{
	uint8_t room[8], mine[32];
	const struct db_param p = db_param_int4(number_of(f->path), room);
	struct db_result *r = NULL;
	size_t len;
	enum err e = digest(f, mine);

	if (!e)
		e = db_run(db, "SELECT sha256 FROM vault.schema_migration WHERE number = $1::int4", &p, 1, &r);
	if (!e) {
		const uint8_t *theirs = db_rows(r) ? db_bytes(r, 0, 0, &len) : NULL;

		*state = !theirs ? 0 : len == 32 && !memcmp(theirs, mine, 32) ? 1 : 2;
	}
	db_result_free(r);
	return e;
}

static enum err record_applied(struct db *db, const struct embedded *f)
{
	uint8_t room[8], mine[32];
	enum err e = digest(f, mine);
	const struct db_param p[] = {db_param_int4(number_of(f->path), room), db_param_text(f->path), {mine, sizeof mine}};

	if (e)
		return e;
	return db_run(db, "INSERT INTO vault.schema_migration (number, name, sha256) VALUES ($1::int4, $2::text, $3::bytea)", p, 3, NULL);
}

static enum err apply(struct db *db, const struct embedded *f, struct buf *report)
{
	int state = 0;
	enum err e = look_up(db, f, &state);

	if (e || state == 1)
		return e;
	if (state == 2) {
		buf_printf(report, "%s: applied to this database in another text; a migration must never change\n", f->path);
		return ERR_SCHEMA;
	}
	e = db_script(db, "BEGIN");
	if (!e)
		e = db_script(db, f->start);
	if (!e)
		e = record_applied(db, f);
	if (!e)
		e = db_script(db, "COMMIT");
	buf_printf(report, "%s: %s\n", f->path, e ? db_error(db) : "applied");
	return e;
}

static enum err activate_shipped_policy(struct db *db, const struct embedded *f, struct buf *report)
{
	uint8_t hash[32];
	const struct db_param p[] = {{hash, sizeof hash}, {f->start, (size_t)(f->end - f->start)}};
	struct db_result *r = NULL;
	enum err e = digest(f, hash);

	if (!e)
		e = db_run(db,
		           "WITH added AS (INSERT INTO vault.policy (version, hash, text, activated_at, activated_by) "
		           "SELECT 1, $1::bytea, $2::text, now(), 'migration' WHERE NOT EXISTS (SELECT FROM vault.policy) RETURNING 1) "
		           "UPDATE vault.vault_revision SET revision = revision + 1 WHERE EXISTS (SELECT FROM added) RETURNING revision",
		           p, 2, &r);
	if (!e && db_rows(r))
		buf_printf(report, "%s: activated as policy version 1\n", f->path);
	db_result_free(r);
	return e;
}

enum err migrate_run(const char *conninfo, struct buf *report)
{
	struct db *db;
	enum err e = db_open(conninfo, NULL, &db, report);

	if (e) {
		buf_byte(report, '\n');
		return e;
	}
	e = db_script(db, "SELECT pg_advisory_lock(" LOCK_NUMBER ")");
	if (!e)
		e = db_script(db, TABLE);
	if (e)
		buf_printf(report, "%s\n", db_error(db));
	for (const struct embedded *f = embedded; f->path && !e; f++)
		if (number_of(f->path) > 0)
			e = apply(db, f, report);
	for (const struct embedded *f = embedded; f->path && !e; f++)
		if (!strcmp(f->path, "policy/rules/crm.policy"))
			e = activate_shipped_policy(db, f, report);
	if (e == ERR_DATABASE || e == ERR_UNAVAILABLE)
		buf_printf(report, "%s\n", db_error(db));
	db_close(db);
	return e;
}

static enum err verify_setting(struct db *db, const char *name, struct buf *why)
{
	const struct db_param p = db_param_text(name);
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT current_setting($1::text)", &p, 1, &r);

	if (!e && strcmp(db_text(r, 0, 0), "on")) {
		buf_printf(why, "PostgreSQL runs with %s = %s; the audit log needs it on", name, db_text(r, 0, 0));
		e = ERR_SCHEMA;
	}
	db_result_free(r);
	return e;
}

/* Between the two transactions of a restore the database may hold people who were erased. */
static enum err verify_restored(struct db *db, struct buf *why)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT restoring FROM vault.vault_identity", NULL, 0, &r);

	if (!e && (db_rows(r) != 1 || *db_text(r, 0, 0))) {
		buf_text(why, "a restore into this database has not ended; run vaultctl restore again");
		e = ERR_SCHEMA;
	}
	db_result_free(r);
	return e;
}

enum err migrate_verify(struct db *db, struct buf *why)
{
	enum err e = verify_setting(db, "fsync", why);
	int state;

	if (!e)
		e = verify_setting(db, "full_page_writes", why);
	for (const struct embedded *f = embedded; f->path && !e; f++) {
		if (number_of(f->path) <= 0)
			continue;
		e = look_up(db, f, &state);
		if (!e && state != 1) {
			buf_printf(why, "%s is %s; run vaultctl migrate", f->path, state ? "different in this database" : "missing");
			e = ERR_SCHEMA;
		}
	}
	if (!e)
		e = verify_restored(db, why);
	if (e == ERR_DATABASE)
		buf_printf(why, "%s (is the schema there? run vaultctl migrate)", db_error(db));
	return e;
}
