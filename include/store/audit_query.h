/* audit_query.h: segments of the audit log, read: newest first by search keys
 * and time, by id, and as they commit. */
#ifndef STORE_AUDIT_QUERY_H
#define STORE_AUDIT_QUERY_H

#include "db/connection.h"

/* A place in the order for people, (time, stream, seq): what comes before it is older. */
struct audit_place {
	int64_t at_us, stream, seq;
};

struct audit_query {
	struct db_array *keys; /* search keys that a segment must hold, all of them; of DB_INT8 */
	int64_t since_us;      /* segments whose last record is not older */
	int64_t until_us;      /* and older than this */
	struct audit_place before;
	uint32_t most;
};

/* Columns of what both give, newest first: stream, first_seq, count, last_at, bodies. A
 * segment's records all have its time; the first segment may hold records that are not
 * before q->before. */
enum err audit_query_page(struct db *db, const struct audit_query *q, struct db_result **out) MUST_CHECK;
/* The segment that holds a record; no row where there is none. */
enum err audit_query_one(struct db *db, int64_t stream, int64_t seq, struct db_result **out) MUST_CHECK;

/* stream, next_batch, revision of the configuration; ascending by stream. A stream whose
 * next_batch has not changed has no new segment. */
enum err audit_query_streams(struct db *db, struct db_result **out) MUST_CHECK;
/* stream, next_seq: where each stream ends now. */
enum err audit_query_ends(struct db *db, struct db_result **out) MUST_CHECK;
/* Segments of each stream from a seq on, at most AUDIT_NEWER_MOST a stream, in the order of a
 * stream: stream, first_seq, count, last_at, bodies. */
#define AUDIT_NEWER_MOST 16
enum err audit_query_newer(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out) MUST_CHECK;

#endif
