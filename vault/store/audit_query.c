/* audit_query.c: statements of audit_query.h. */
#include "store/audit_query.h"

#define COLUMNS "stream, first_seq, count, last_at, bodies"
/* The second line lets the index on last_at bound the scan. */
#define WINDOW                                                                                                         \
	"last_at >= $1::timestamptz AND last_at < $2::timestamptz AND last_at <= $3::timestamptz "                         \
	"AND (last_at, stream, first_seq) < ($3::timestamptz, $4::int8, $5::int8) "
#define ORDER "ORDER BY last_at DESC, stream DESC, first_seq DESC LIMIT $6::int4"

enum err audit_query_page(struct db *db, const struct audit_query *q, struct db_result **out)
{
	uint8_t room[6][8];
	struct db_param p[7] = {db_param_time(q->since_us, room[0]),      db_param_time(q->until_us, room[1]),
	                        db_param_time(q->before.at_us, room[2]),  db_param_int8(q->before.stream, room[3]),
	                        db_param_int8(q->before.seq, room[4]),    db_param_int4((int32_t)q->most, room[5]),
	                        {0}};
	enum err e;

	/* Whether the keys or the time narrow the search better depends on their values; the session plans without them.
	 * A search that takes too long fails alone, and does not look like a lost connection. */
	e = db_run(db, "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', '20s', true)",
	           NULL, 0, NULL);
	if (e)
		return e;
	if (q->keys->n == 0)
		return db_run(db, "SELECT " COLUMNS " FROM audit_segment WHERE " WINDOW ORDER, p, 6, out);
	p[6] = db_array_param(q->keys);
	if (!p[6].bytes)
		return ERR_MEMORY;
	return db_run(db, "SELECT " COLUMNS " FROM audit_segment WHERE " WINDOW "AND keys @> $7::int8[] " ORDER, p, 7, out);
}

enum err audit_query_one(struct db *db, int64_t stream, int64_t seq, struct db_result **out)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int8(stream, room[0]), db_param_int8(seq, room[1])};

	return db_run(db,
	              "SELECT " COLUMNS " FROM (SELECT * FROM audit_segment WHERE stream = $1::int8 AND first_seq <= $2::int8 "
	              "ORDER BY first_seq DESC LIMIT 1) s WHERE $2::int8 < first_seq + count",
	              p, 2, out);
}

enum err audit_query_streams(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT s.stream, s.next_batch, r.revision FROM vault_revision r LEFT JOIN audit_stream s ON true ORDER BY s.stream",
	              NULL, 0, out);
}

enum err audit_query_ends(struct db *db, struct db_result **out)
{
	return db_run(db,
	              "SELECT s.stream, coalesce((SELECT g.first_seq + g.count FROM audit_segment g "
	              "WHERE g.stream = s.stream ORDER BY g.first_seq DESC LIMIT 1), 1) FROM audit_stream s ORDER BY s.stream",
	              NULL, 0, out);
}

enum err audit_query_newer(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out)
{
	const struct db_param p[] = {db_array_param(streams), db_array_param(seqs)};

	if (!p[0].bytes || !p[1].bytes)
		return ERR_MEMORY;
	return db_run(db,
	              "SELECT g.stream, g.first_seq, g.count, g.last_at, g.bodies FROM unnest($1::int8[], $2::int8[]) AS q (stream, seq) "
	              "CROSS JOIN LATERAL (SELECT * FROM audit_segment a WHERE a.stream = q.stream AND a.first_seq >= q.seq "
	              "ORDER BY a.first_seq LIMIT 16) g ORDER BY g.last_at, g.stream, g.first_seq",
	              p, 2, out);
}
