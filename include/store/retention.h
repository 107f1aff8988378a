/* retention.h: what is due to be erased because its retention has ended. Plain queries, in the transaction of a batch or
 * on a worker's connection. */
#ifndef STORE_RETENTION_H
#define STORE_RETENTION_H

#include "db/connection.h"

enum retention_sort {
	RETENTION_FIELD,  /* values, from when they were sealed */
	RETENTION_RECORD, /* documents, from when they were stored */
	RETENTION_CONSENT /* what a customer decided on a purpose, from when neither consent nor basis stood any more */
};

/* How far a pass is: the last one handed out. */
struct retention_cursor {
	int64_t at_us, tie;
};
/* customer_id, at, tie (a record's item, else the customer), oldest first, from behind the cursor. */
enum err retention_due(struct db *db, enum retention_sort sort, uint16_t number, int64_t before_us, const struct retention_cursor *after,
                       int32_t most, struct db_result **out) MUST_CHECK;
/* How many of them there are, counted up to most, and how many of these belong to customers with a hold in force. */
enum err retention_count(struct db *db, enum retention_sort sort, uint16_t number, int64_t before_us, int32_t most, int64_t *due, int64_t *with_hold) MUST_CHECK;

/* Notes for the next customers behind *after, at most most, from when the retention of these fields (db_array of int4) counts.
 * A version that is not noted yet counts from the customer's last change: exactly, where it was this value's, and else never too
 * early. *after: the last one; INT64_MAX: there are no more. */
enum err retention_walk(struct db *db, struct db_array *fields, int32_t most, int64_t *after) MUST_CHECK;
/* What is noted of a value; false: nothing. */
enum err retention_age(struct db *db, int64_t customer, uint16_t field, bool *found, uint32_t *version, int64_t *at_us) MUST_CHECK;
enum err retention_age_drop(struct db *db, int64_t customer, uint16_t field) MUST_CHECK;
/* Deletes what the customer decided on the purpose, where that is due. Objections and restrictions stay. The customer's row must be locked. */
enum err retention_consents_delete(struct db *db, int64_t customer, uint16_t purpose, int64_t before_us, int64_t *n) MUST_CHECK;

/* Adds to what was swept. */
enum err retention_swept(struct db *db, enum retention_sort sort, uint16_t number, int64_t n, int64_t at_us) MUST_CHECK;
/* swept, swept_at; no row: nothing yet. */
enum err retention_state(struct db *db, enum retention_sort sort, uint16_t number, struct db_result **out) MUST_CHECK;

#endif
