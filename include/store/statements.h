/* statements.h: every prepared statement of the data path, by number. */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

#include "db/connection.h"

enum statement {
	ST_BEGIN,
	ST_COMMIT,
	ST_STREAM_ADVANCE,
	ST_REVISION,
	ST_CUSTOMERS,
	ST_CUSTOMERS_LOCK,
	ST_LOOKUP,
	ST_BUCKETS,
	ST_LARGE,
	ST_RECORDS,
	ST_ITEM_NUMBERS,
	ST_IDEMPOTENCY,
	ST_INSERT_CUSTOMER,
	ST_UPDATE_CUSTOMER,
	ST_INSERT_KEY,
	ST_INSERT_LARGE,
	ST_DELETE_LARGE,
	ST_INSERT_INDEX,
	ST_DELETE_INDEX,
	ST_INSERT_RECORD,
	ST_DELETE_RECORD,
	ST_INSERT_CONSENT,
	ST_INSERT_IDEMPOTENCY,
	ST_SEARCH_SPENT,
	ST_SPEND_SEARCH,
	ST_INSERT_SEGMENT,
	ST_COUNT
};

/* In the order of the enum; a NULL name ends it. */
extern const struct db_statement store_statements[];

/* Advisory lock numbers (the first key of the two-key form is the space). */
#define LOCK_SPACE_BUCKET 7203
#define LOCK_BUCKETS 1024
#define LOCK_SPACE_WORKER 7204 /* workers: background.c numbers them */

/* Waits until every batch that began before this call has ended, on any node. */
enum err store_barrier(struct db *db) MUST_CHECK;

/* Deletes what has outlived its use: Idempotency-Keys after 24 hours, searched
 * values after two. Outside a transaction; may be run at any time, by many at once. */
enum err store_sweep(struct db *db) MUST_CHECK;

#endif
