/* database.h: a migrated database, and a connection with the data path's statements. */
#ifndef TESTS_UNIT_STORE_DATABASE_H
#define TESTS_UNIT_STORE_DATABASE_H

#include "base/clock.h"
#include "crypto/secret.h"
#include "store/migrate.h"
#include "store/statements.h"
#include "tests/unit/db/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int database_set_up(void **state)
{
	struct buf report;
	int failed;

	if (secret_start() || cluster_start(state))
		return -1;
	buf_init(&report, 0);
	failed = migrate_run(cluster_owner_url, &report) != ERR_OK;
	if (failed)
		fprintf(stderr, "%s\n", buf_string(&report));
	buf_fini(&report);
	return failed ? -1 : 0;
}

static struct db *database_open(void)
{
	struct db *db = NULL;
	struct buf why;

	buf_init(&why, 0);
	if (db_open(cluster_service_url, store_statements, &db, &why))
		fail_msg("%s", buf_string(&why));
	buf_fini(&why);
	return db;
}

/* The first column of the first row as int8, or -1. */
static int64_t database_int8(struct db *db, const char *sql)
{
	struct db_result *r = NULL;
	int64_t v;

	if (db_run(db, sql, NULL, 0, &r))
		fail_msg("%s", db_error(db));
	v = db_rows(r) ? db_int8(r, 0, 0) : -1;
	db_result_free(r);
	return v;
}

/* Ids that no other test has used. */
static int64_t database_new_id(void)
{
	uint64_t id = 0;

	assert_int_equal(secret_random(&id, sizeof id), ERR_OK);
	return (int64_t)(id >> 2 | 1);
}

#endif
