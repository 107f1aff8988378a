/* watch.c: statements of watch.h. */
#include "store/watch.h"

enum err watch_streams(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT stream, next_batch FROM audit_stream ORDER BY stream", NULL, 0, out);
}

enum err watch_segments(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out)
{
	const struct db_param p[] = {db_array_param(streams), db_array_param(seqs)};

	if (!p[0].bytes || !p[1].bytes)
		return ERR_MEMORY;
	return db_run(db,
	              "SELECT g.stream, g.first_seq, g.count, g.first_at, g.last_at, g.bodies, g.mac "
	              "FROM unnest($1::int8[], $2::int8[]) AS q (stream, seq) "
	              "CROSS JOIN LATERAL (SELECT * FROM audit_segment a WHERE a.stream = q.stream AND a.first_seq >= q.seq "
	              "ORDER BY a.first_seq LIMIT 64) g ORDER BY g.stream, g.first_seq",
	              p, 2, out);
}

enum err watch_since(struct db *db, int64_t at_us, int64_t stream, int64_t seq, struct db_result **out)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_time(at_us, room[0]), db_param_int8(stream, room[1]), db_param_int8(seq, room[2])};

	return db_run(db,
	              "SELECT stream, first_seq, count, last_at, bodies FROM audit_segment WHERE last_at >= $1::timestamptz "
	              "AND (last_at, stream, first_seq) > ($1::timestamptz, $2::int8, $3::int8) ORDER BY last_at, stream, first_seq LIMIT 64",
	              p, 3, out);
}

enum err watch_seal_lags(struct db *db, int64_t us, bool *lags)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(us, room);
	struct db_result *r = NULL;
	enum err e = db_run(db,
	                    "SELECT EXISTS (SELECT FROM audit_log l JOIN audit_segment g ON g.last_at > coalesce(l.signed_at, l.opened_at) "
	                    "WHERE NOT l.ended AND g.last_at < now() - $1::int8 * interval '1 microsecond')",
	                    &p, 1, &r);

	*lags = !e && db_bool(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err watch_load(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT state FROM watch_state", NULL, 0, out);
}

enum err watch_save(struct db *db, const void *state, size_t len)
{
	const struct db_param p = {state, len};

	return db_run(db,
	              "INSERT INTO watch_state (saved_at, state) VALUES (now(), $1::bytea) "
	              "ON CONFLICT (only_row) DO UPDATE SET saved_at = excluded.saved_at, state = excluded.state",
	              &p, 1, NULL);
}

enum err watch_open(struct db *db)
{
	return db_run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", NULL, 0, NULL);
}

enum err watch_close(struct db *db)
{
	return db_run(db, "ROLLBACK", NULL, 0, NULL); /* it read only */
}

enum err watch_customers(struct db *db, int64_t after, int64_t to, struct db_result **out)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int8(after, room[0]), db_param_int8(to, room[1])};

	return db_run(db,
	              "SELECT c.customer_id, c.version, c.dek_generation, c.token_generation, c.purpose_state, c.state_valid_until, "
	              "c.header, c.fields, k.epoch, k.wrapped, k.dek_generation "
	              "FROM (SELECT * FROM customer WHERE customer_id > $1::int8 AND customer_id <= $2::int8 ORDER BY customer_id LIMIT 200) c "
	              "LEFT JOIN customer_key k ON k.customer_id = c.customer_id ORDER BY c.customer_id",
	              p, 2, out);
}

enum err watch_large(struct db *db, int64_t from, int64_t to, struct db_result **out)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int8(from, room[0]), db_param_int8(to, room[1])};

	return db_run(db,
	              "SELECT customer_id, subject, version FROM customer_large WHERE customer_id BETWEEN $1::int8 AND $2::int8 "
	              "ORDER BY customer_id, subject",
	              p, 2, out);
}

enum err scrub_read(struct db *db, struct scrub_row *out)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT cycle, customers, started_at, ended_at, next_slice, asked FROM scrub", NULL, 0, &r);

	if (!e && db_rows(r) != 1)
		e = ERR_SCHEMA;
	if (!e)
		*out = (struct scrub_row){.cycle = db_int8(r, 0, 0),
		                          .customers = db_int8(r, 0, 1),
		                          .started_at_us = db_time_us(r, 0, 2),
		                          .ended_at_us = db_null(r, 0, 3) ? 0 : db_time_us(r, 0, 3),
		                          .next_slice = db_int4(r, 0, 4),
		                          .asked = db_bool(r, 0, 5)};
	db_result_free(r);
	return e;
}

enum err scrub_start(struct db *db, bool asked)
{
	uint8_t room[8];
	const struct db_param p = db_param_bool(asked, room);

	return db_run(db,
	              "UPDATE scrub SET cycle = cycle + 1, next_slice = 0, asked = $1::bool, customers = 0, started_at = clock_timestamp() "
	              "WHERE next_slice = 4096",
	              &p, 1, NULL);
}

enum err scrub_ask(struct db *db)
{
	return db_run(db, "UPDATE scrub SET asked = true WHERE next_slice < 4096", NULL, 0, NULL);
}

enum err scrub_advance(struct db *db, int32_t next_slice, int64_t more_customers, bool end)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int4(next_slice, room[0]), db_param_int8(more_customers, room[1]), db_param_bool(end, room[2])};

	return db_run(db,
	              "UPDATE scrub SET next_slice = $1::int4, customers = customers + $2::int8, "
	              "ended_at = CASE WHEN $3::bool THEN clock_timestamp() ELSE ended_at END",
	              p, 3, NULL);
}

enum err scrub_estimate(struct db *db, int64_t *customers)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT greatest(reltuples, 0)::int8 FROM pg_class WHERE oid = 'vault.customer'::regclass", NULL, 0, &r);

	*customers = !e && db_rows(r) ? db_int8(r, 0, 0) : 0;
	db_result_free(r);
	return e;
}

enum err scrub_findings(struct db *db, int32_t slice, int32_t most, struct db_result **out)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int4(slice, room[0]), db_param_int4(most, room[1])};

	return db_run(db,
	              "SELECT slice, sref, what, found_at FROM scrub_finding WHERE $1::int4 = -1 OR slice = $1::int4 "
	              "ORDER BY slice, sref, what LIMIT $2::int4",
	              p, 2, out);
}

enum err scrub_finding_add(struct db *db, int32_t slice, const void *sref, size_t len, const char *what, int64_t at_us)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int4(slice, room[0]), {sref, len}, db_param_text(what), db_param_time(at_us, room[1])};

	return db_run(db,
	              "INSERT INTO scrub_finding (slice, sref, what, found_at) VALUES ($1::int4, $2::bytea, $3::text, $4::timestamptz) "
	              "ON CONFLICT DO NOTHING",
	              p, 4, NULL);
}

enum err scrub_finding_drop(struct db *db, int32_t slice, const void *sref, size_t len, const char *what)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_int4(slice, room), {sref, len}, db_param_text(what)};

	return db_run(db, "DELETE FROM scrub_finding WHERE slice = $1::int4 AND sref = $2::bytea AND what = $3::text", p, 3, NULL);
}

enum err canaries(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT sref, set_at, set_by FROM canary ORDER BY sref", NULL, 0, out);
}

enum err canary_set(struct db *db, const uint8_t sref[static 16], int64_t at_us, const char *by)
{
	uint8_t room[8];
	const struct db_param p[] = {{sref, 16}, db_param_time(at_us, room), db_param_text(by)};

	return db_run(db, "INSERT INTO canary (sref, set_at, set_by) VALUES ($1::bytea, $2::timestamptz, $3::text) ON CONFLICT DO NOTHING", p,
	              3, NULL);
}

enum err canary_clear(struct db *db, const uint8_t sref[static 16], int64_t *rows)
{
	const struct db_param p = {sref, 16};
	struct db_result *r = NULL;
	enum err e = db_run(db, "WITH gone AS (DELETE FROM canary WHERE sref = $1::bytea RETURNING 1) SELECT count(*) FROM gone", &p, 1, &r);

	*rows = e ? 0 : db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}
