/* audit_query.c: statements of audit_query.h. */
#include "store/audit_query.h"

#define COLUMNS "stream, first_seq, count, last_at, bodies"
/* The first line lets the index on last_at bound the scan. */
#define WINDOW                                                                                                         \
	"last_at >= $1::timestamptz AND last_at < $2::timestamptz AND last_at <= $3::timestamptz "                         \
	"AND (last_at, stream, first_seq) < ($3::timestamptz, $4::int8, $5::int8) "
#define NEWEST "ORDER BY last_at DESC, stream DESC, first_seq DESC "

/* Two ways lead to the newest segments that hold some keys: to walk back in time and look at each, which is quick where
 * they are frequent, and the GIN index, which is quick where they are rare but knows no time. The planner's guess of how
 * frequent a key is, is poor for keys that are neither; so this does not ask it. It walks a little; where that is not enough
 * it takes all from the index, unless these are too many to be sorted; then it walks on, further each time. */
#define WALK_SEGMENTS 4000
#define WALK_FARTHER 8
#define INDEX_SEGMENTS "1000"
#define INDEX_SEGMENTS_MAX 1000

struct page {
	struct db *db;
	const struct audit_query *q;
	struct db_param p[8];
	uint8_t room[7][8];
};

/* The newest of the first so many segments of the window; $8: how many. */
static enum err walk(struct page *g, int64_t segments, struct db_result **out)
{
	g->p[7] = db_param_int8(segments, g->room[6]);
	return db_run(g->db,
	              "SELECT " COLUMNS " FROM (SELECT * FROM audit_segment WHERE " WINDOW NEWEST "LIMIT $8::int8) s "
	              "WHERE keys @> $7::int8[] " NEWEST "LIMIT $6::int4",
	              g->p, 8, out);
}

/* Has the window more segments than these? */
static enum err is_longer(struct page *g, int64_t segments, bool *longer)
{
	const struct db_param p[] = {g->p[0], g->p[1], g->p[2], g->p[3], g->p[4], db_param_int8(segments, g->room[6])};
	struct db_result *r = NULL;
	enum err e = db_run(g->db, "SELECT FROM audit_segment WHERE " WINDOW "ORDER BY last_at DESC OFFSET $6::int8 LIMIT 1", p, 6, &r);

	*longer = !e && db_rows(r) > 0;
	db_result_free(r);
	return e;
}

/* OFFSET 0: the condition on time must not lead the planner to the index on time. *all false: there are too many. */
static enum err look_up(struct page *g, struct db_result **out, bool *all)
{
	enum err e = db_run(g->db,
	                    "WITH hit AS MATERIALIZED (SELECT " COLUMNS " FROM (SELECT " COLUMNS " FROM audit_segment WHERE keys @> $7::int8[] OFFSET 0) s "
	                    "WHERE " WINDOW "LIMIT " INDEX_SEGMENTS "+ 1) "
	                    "SELECT " COLUMNS ", (SELECT count(*) FROM hit) FROM hit " NEWEST "LIMIT $6::int4",
	                    g->p, 7, out);

	*all = !e && (db_rows(*out) == 0 || db_int8(*out, 0, 5) <= INDEX_SEGMENTS_MAX);
	return e;
}

static enum err by_keys(struct page *g, struct db_result **out)
{
	bool longer = true, all = false;
	enum err e = ERR_OK;

	for (int64_t segments = WALK_SEGMENTS; !e; segments *= WALK_FARTHER) {
		e = walk(g, segments, out);
		if (e || db_rows(*out) == g->q->most)
			return e;
		e = is_longer(g, segments, &longer);
		if (e || !longer)
			return e; /* that was all */
		db_result_free(*out);
		*out = NULL;
		if (segments > WALK_SEGMENTS)
			continue;
		e = look_up(g, out, &all);
		if (e || all)
			return e;
		db_result_free(*out);
		*out = NULL;
	}
	return e;
}

enum err audit_query_page(struct db *db, const struct audit_query *q, struct db_result **out)
{
	struct page g = {.db = db, .q = q};
	enum err e;

	*out = NULL;
	g.p[0] = db_param_time(q->since_us, g.room[0]);
	g.p[1] = db_param_time(q->until_us, g.room[1]);
	g.p[2] = db_param_time(q->before.at_us, g.room[2]);
	g.p[3] = db_param_int8(q->before.stream, g.room[3]);
	g.p[4] = db_param_int8(q->before.seq, g.room[4]);
	g.p[5] = db_param_int4((int32_t)q->most, g.room[5]);
	/* A search that takes too long fails alone, and does not look like a lost connection. */
	e = db_run(db,
	           "SELECT set_config('plan_cache_mode', 'force_custom_plan', true), set_config('statement_timeout', '20s', true), "
	           "set_config('enable_seqscan', 'off', true)",
	           NULL, 0, NULL);
	if (e)
		return e;
	if (q->keys->n == 0)
		return db_run(db, "SELECT " COLUMNS " FROM audit_segment WHERE " WINDOW NEWEST "LIMIT $6::int4", g.p, 6, out);
	g.p[6] = db_array_param(q->keys);
	return g.p[6].bytes ? by_keys(&g, out) : ERR_MEMORY;
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
