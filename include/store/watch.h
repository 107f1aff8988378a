/* watch.h: statements of those that watch: reading the whole log by stream, rows by slice, the state of a
 * scrub, canaries. Each gives rows with the columns named; the caller frees the result. */
#ifndef STORE_WATCH_H
#define STORE_WATCH_H

#include "db/connection.h"

/* stream, next_batch; ascending by stream. */
enum err watch_streams(struct db *db, struct db_result **out) MUST_CHECK;
/* Segments from a seq on, at most WATCH_LOT a stream, in the order of each stream:
 * stream, first_seq, count, first_at, last_at, bodies, mac. */
#define WATCH_LOT 64
enum err watch_segments(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out) MUST_CHECK;
/* Segments with records of a time or later, by (last_at, stream, first_seq): stream, first_seq, count,
 * last_at, bodies; at most WATCH_LOT. */
enum err watch_since(struct db *db, int64_t at_us, int64_t stream, int64_t seq, struct db_result **out) MUST_CHECK;

/* Is there a segment, older than that, that is newer than the log's last signed checkpoint? */
enum err watch_seal_lags(struct db *db, int64_t us, bool *lags) MUST_CHECK;

/* state; no row: never saved. */
enum err watch_load(struct db *db, struct db_result **out) MUST_CHECK;
enum err watch_save(struct db *db, const void *state, size_t len) MUST_CHECK;

/* One view of rows and log for all that is read until watch_close. */
enum err watch_open(struct db *db) MUST_CHECK;
enum err watch_close(struct db *db) MUST_CHECK;
/* Customers with ids in [from, to], above after, at most WATCH_ROWS: customer_id, version, dek_generation,
 * token_generation, purpose_state, state_valid_until, header, fields, epoch, wrapped, dek_generation of the key;
 * the last three NULL where there is no key. */
#define WATCH_ROWS 200
enum err watch_customers(struct db *db, int64_t after, int64_t to, struct db_result **out) MUST_CHECK;
/* customer_id, subject, version of the large values of customers from an id to another. */
enum err watch_large(struct db *db, int64_t from, int64_t to, struct db_result **out) MUST_CHECK;

struct scrub_row {
	int64_t cycle, customers, started_at_us, ended_at_us; /* ended 0: never */
	int32_t next_slice;
	bool asked;
};
enum err scrub_read(struct db *db, struct scrub_row *out) MUST_CHECK;
/* Starts a cycle unless one runs. */
enum err scrub_start(struct db *db, bool asked) MUST_CHECK;
/* Makes the cycle that runs go without pauses. */
enum err scrub_ask(struct db *db) MUST_CHECK;
enum err scrub_advance(struct db *db, int32_t next_slice, int64_t more_customers, bool end) MUST_CHECK;
/* How many customers there are, by the planner's estimate. */
enum err scrub_estimate(struct db *db, int64_t *customers) MUST_CHECK;

/* slice, sref, what, found_at; of one slice, or all (-1), at most most. */
enum err scrub_findings(struct db *db, int32_t slice, int32_t most, struct db_result **out) MUST_CHECK;
enum err scrub_finding_add(struct db *db, int32_t slice, const void *sref, size_t len, const char *what, int64_t at_us) MUST_CHECK;
enum err scrub_finding_drop(struct db *db, int32_t slice, const void *sref, size_t len, const char *what) MUST_CHECK;

enum err canaries(struct db *db, struct db_result **out) MUST_CHECK; /* sref, set_at, set_by */
enum err canary_set(struct db *db, const uint8_t sref[static 16], int64_t at_us, const char *by) MUST_CHECK;
enum err canary_clear(struct db *db, const uint8_t sref[static 16], int64_t *rows) MUST_CHECK;

#endif
