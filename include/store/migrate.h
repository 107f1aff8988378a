/* migrate.h: brings a database to the schema of this build. */
#ifndef STORE_MIGRATE_H
#define STORE_MIGRATE_H

#include "base/buf.h"
#include "base/err.h"

/* As the owner of the schema: applies each embedded sql/NNNN_name.sql that the
 * database lacks, in order, each in a transaction of its own, with its SHA-256;
 * refuses (ERR_SCHEMA) where an applied one differs from this build's. Under an
 * advisory lock, so two at once are safe. Activates the shipped policy where
 * there is none. Appends one line a step, and on an error its cause, to report. */
enum err migrate_run(const char *conninfo, struct buf *report) MUST_CHECK;

struct db;
/* For vaultd, before it serves: ERR_SCHEMA with a line in why unless the database
 * has exactly this build's migrations and safe settings (fsync, full_page_writes), and no restore into it is under way. */
enum err migrate_verify(struct db *db, struct buf *why) MUST_CHECK;

#endif
