/* audit_tree.c: logs, positions and growth of audit_tree.h. */
#include "store/audit_tree.h"

#include "store/statements.h"

#include <string.h>

#define STREAM_LOCK "7205::int4, (s.stream % 2147483648)::int4" /* as executors hold it: see audit.c */
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define LOT_SEGMENTS TEXT(AUDIT_LOT_SEGMENTS)
#define LOT_RECORDS TEXT(AUDIT_LOT_RECORDS)

enum { TREE_BEGIN, TREE_GROW, TREE_SPANS, TREE_POSITIONS, TREE_TILES, TREE_EDGES, TREE_COMMIT, TREE_SEGMENTS };

const struct db_statement audit_tree_statements[] = {
    [TREE_BEGIN] = {"tree_begin", "BEGIN"},
    /* COMMIT is on its way behind this, and only an error stops it: division by zero, another writer was here. */
    [TREE_GROW] = {"tree_grow", "WITH grown AS (UPDATE audit_log SET size = $3::int8 WHERE log = $1::int4 AND size = $2::int8 AND NOT ended RETURNING 1) "
                                "SELECT 1 / count(*)::int4 FROM grown"},
    [TREE_SPANS] = {"tree_spans", "INSERT INTO audit_span (log, first_index, stream, first_seq, count) "
                                  "SELECT $1::int4, i, s, f, c FROM unnest($2::int8[], $3::int8[], $4::int8[], $5::int4[]) AS q (i, s, f, c)"},
    [TREE_POSITIONS] = {"tree_positions", "INSERT INTO audit_position (stream, next_seq, mac, closed, fault) "
                                          "SELECT s, n, m, false, '' FROM unnest($1::int8[], $2::int8[], $3::bytea[]) AS q (s, n, m) "
                                          "ON CONFLICT (stream) DO UPDATE SET next_seq = excluded.next_seq, mac = excluded.mac, fault = ''"},
    [TREE_TILES] = {"tree_tiles", "INSERT INTO audit_tile (log, level, tile, hashes) "
                                  "SELECT $1::int4, l, t, h FROM unnest($2::int4[], $3::int8[], $4::bytea[]) AS q (l, t, h)"},
    [TREE_EDGES] = {"tree_edges", "INSERT INTO audit_edge (log, level, hashes) SELECT $1::int4, l, h FROM unnest($2::int4[], $3::bytea[]) AS q (l, h) "
                                  "ON CONFLICT (log, level) DO UPDATE SET hashes = excluded.hashes"},
    [TREE_COMMIT] = {"tree_commit", "COMMIT"},
    [TREE_SEGMENTS] = {"tree_segments",
                       "SELECT g.stream, g.first_seq, g.count, g.first_at, g.last_at, g.mac, g.bodies "
                       "FROM unnest($1::int8[], $2::int8[]) AS q (stream, seq) CROSS JOIN LATERAL (SELECT * FROM "
                       "(SELECT a.*, sum(a.count) OVER (ORDER BY a.first_seq) AS upto FROM (SELECT * FROM audit_segment a "
                       "WHERE a.stream = q.stream AND a.first_seq >= q.seq ORDER BY a.first_seq LIMIT " LOT_SEGMENTS ") a) b "
                       "WHERE b.upto <= " LOT_RECORDS " OR b.upto = b.count) g ORDER BY g.stream, g.first_seq"},
    {NULL, NULL},
};

/* ---- logs ---- */

#define LOG_COLUMNS "log, origin, first_stream, size, checkpoint_size, ended, checkpoint"

static enum err take_log(struct db_result *r, struct audit_log_row *out, struct buf *checkpoint)
{
	const char *origin;

	*out = (struct audit_log_row){.checkpoint_size = -1};
	if (db_rows(r) == 0)
		return ERR_OK;
	origin = db_text(r, 0, 1);
	if (strlen(origin) > NOTE_NAME_MAX)
		return ERR_INTERNAL;
	out->log = db_int4(r, 0, 0);
	memcpy(out->origin, origin, strlen(origin));
	out->first_stream = db_int8(r, 0, 2);
	out->size = db_int8(r, 0, 3);
	out->checkpoint_size = db_int8(r, 0, 4);
	out->ended = db_bool(r, 0, 5);
	if (!checkpoint)
		return ERR_OK;
	buf_text(checkpoint, db_text(r, 0, 6));
	return buf_err(checkpoint);
}

enum err audit_log_get(struct db *db, int32_t log, struct audit_log_row *out, struct buf *checkpoint)
{
	uint8_t room[8];
	const struct db_param p = db_param_int4(log, room);
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT " LOG_COLUMNS " FROM audit_log WHERE $1::int4 IN (0, log) ORDER BY log DESC LIMIT 1", &p, 1, &r);

	if (!e)
		e = take_log(r, out, checkpoint);
	db_result_free(r);
	return e;
}

enum err audit_log_by_origin(struct db *db, const char *origin, struct audit_log_row *out)
{
	const struct db_param p = db_param_text(origin);
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT " LOG_COLUMNS " FROM audit_log WHERE origin = $1::text", &p, 1, &r);

	if (!e)
		e = take_log(r, out, NULL);
	db_result_free(r);
	return e;
}

#define INSERT_LOG "INSERT INTO audit_log (log, origin, opened_at, first_stream, size, ended, checkpoint_size, checkpoint) "

enum err audit_log_first(struct db *db, const char *origin)
{
	const struct db_param p = db_param_text(origin);

	return db_run(db, INSERT_LOG "VALUES (1, $1::text, now(), 0, 0, false, -1, '') ON CONFLICT DO NOTHING", &p, 1, NULL);
}

enum err audit_log_next(struct db *db, const char *origin, int64_t first_stream)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_text(origin), db_param_int8(first_stream, room)};
	enum err e = db_run(db, "UPDATE audit_log SET ended = true WHERE NOT ended", NULL, 0, NULL); /* waits for a growth under way */

	if (!e)
		e = db_run(db, INSERT_LOG "SELECT coalesce(max(log), 0) + 1, $1::text, now(), $2::int8, 0, false, -1, '' FROM audit_log", p, 2, NULL);
	return e;
}

enum err audit_log_signed(struct db *db, int32_t log, int64_t size, const char *note, size_t note_len)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int4(log, room[0]), db_param_int8(size, room[1]), {note, note_len}};

	return db_run(db, "UPDATE audit_log SET checkpoint_size = $2::int8, checkpoint = $3::text, signed_at = now() "
	                  "WHERE log = $1::int4 AND checkpoint_size < $2::int8", p, 3, NULL);
}

/* ---- streams ---- */

enum err audit_tree_segments(struct db *db, struct db_array *streams, struct db_array *seqs, struct db_result **out)
{
	const struct db_param p[] = {db_array_param(streams), db_array_param(seqs)};
	enum err e;

	if (!p[0].bytes || !p[1].bytes)
		return ERR_MEMORY;
	db_send(db, TREE_SEGMENTS, p, 2);
	e = db_sync(db);
	if (!e)
		e = db_next(db, out);
	return e ? e : db_synced(db);
}

enum err audit_tree_open_streams(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT stream, next_seq, mac, fault FROM audit_position WHERE NOT closed ORDER BY stream", NULL, 0, out);
}

enum err audit_tree_new_streams(struct db *db, int64_t after, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(after, room);

	return db_run(db, "SELECT s.stream FROM audit_stream s WHERE s.stream > $1::int8 "
	                  "AND NOT EXISTS (SELECT FROM audit_position p WHERE p.stream = s.stream) ORDER BY s.stream", &p, 1, out);
}

enum err audit_tree_position(struct db *db, int64_t stream, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(stream, room);

	return db_run(db, "SELECT next_seq, mac, closed FROM audit_position WHERE stream = $1::int8", &p, 1, out);
}

enum err audit_tree_unheld(struct db *db, struct db_array *streams, struct db_result **out)
{
	const struct db_param p = db_array_param(streams);

	if (!p.bytes)
		return ERR_MEMORY;
	return db_run(db, "SELECT s.stream FROM unnest($1::int8[]) AS s (stream) WHERE pg_try_advisory_xact_lock(" STREAM_LOCK ")", &p, 1, out);
}

enum err audit_tree_end_streams(struct db *db, struct db_array *streams, struct db_result **out)
{
	const struct db_param p = db_array_param(streams);

	if (!p.bytes)
		return ERR_MEMORY;
	return db_run(db, "UPDATE audit_stream s SET next_batch = -abs(s.next_batch) WHERE s.stream = ANY($1::int8[]) "
	                  "AND pg_try_advisory_xact_lock(" STREAM_LOCK ") RETURNING s.stream", &p, 1, out);
}

enum err audit_tree_stand(struct db *db, int64_t stream, int64_t next_seq, const uint8_t mac[static MAC_LEN], bool closed, const char *fault)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int8(stream, room[0]), db_param_int8(next_seq, room[1]), {mac, MAC_LEN},
	                             db_param_bool(closed, room[2]), db_param_text(fault)};

	return db_run(db, "INSERT INTO audit_position (stream, next_seq, mac, closed, fault) VALUES ($1::int8, $2::int8, $3::bytea, $4::bool, $5::text) "
	                  "ON CONFLICT (stream) DO UPDATE SET closed = excluded.closed, fault = excluded.fault", p, 5, NULL);
}

enum err audit_tree_faults(struct db *db, int64_t *n)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT count(*) FROM audit_position WHERE fault <> ''", NULL, 0, &r);

	*n = e ? 0 : db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

/* ---- growth ---- */

/* All arrays of a growth, to treat alike. */
static void each_array(struct audit_growth *g, void (*act)(struct db_array *a))
{
	struct db_array *const all[] = {&g->span_index, &g->span_stream, &g->span_seq, &g->span_count, &g->position_stream, &g->position_seq,
	                                &g->position_mac, &g->tile_level, &g->tile_index, &g->tile_hashes, &g->edge_level, &g->edge_hashes};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		act(all[i]);
}

void audit_growth_init(struct audit_growth *g)
{
	*g = (struct audit_growth){0};
	db_array_init(&g->span_index, DB_INT8);
	db_array_init(&g->span_stream, DB_INT8);
	db_array_init(&g->span_seq, DB_INT8);
	db_array_init(&g->span_count, DB_INT4);
	db_array_init(&g->position_stream, DB_INT8);
	db_array_init(&g->position_seq, DB_INT8);
	db_array_init(&g->position_mac, DB_BYTEA);
	db_array_init(&g->tile_level, DB_INT4);
	db_array_init(&g->tile_index, DB_INT8);
	db_array_init(&g->tile_hashes, DB_BYTEA);
	db_array_init(&g->edge_level, DB_INT4);
	db_array_init(&g->edge_hashes, DB_BYTEA);
}

void audit_growth_reset(struct audit_growth *g)
{
	each_array(g, db_array_reset);
}

void audit_growth_fini(struct audit_growth *g)
{
	each_array(g, db_array_fini);
}

/* Queues a statement over arrays, where the first holds anything. log: as the first parameter. */
static enum err send_arrays(struct db *db, size_t statement, const struct db_param *log, struct db_array *const *arrays, size_t n, size_t *sent)
{
	struct db_param p[6];
	size_t at = 0;

	if (arrays[0]->n == 0)
		return ERR_OK;
	if (log)
		p[at++] = *log;
	for (size_t i = 0; i < n; i++) {
		p[at] = db_array_param(arrays[i]);
		if (!p[at++].bytes)
			return ERR_MEMORY;
	}
	db_send(db, statement, p, at);
	(*sent)++;
	return ERR_OK;
}

static enum err send_growth(struct audit_growth *g, struct db *db, size_t *sent)
{
	struct db_array *const spans[] = {&g->span_index, &g->span_stream, &g->span_seq, &g->span_count};
	struct db_array *const positions[] = {&g->position_stream, &g->position_seq, &g->position_mac};
	struct db_array *const tiles[] = {&g->tile_level, &g->tile_index, &g->tile_hashes};
	struct db_array *const edges[] = {&g->edge_level, &g->edge_hashes};
	uint8_t room[3][8];
	const struct db_param grow[] = {db_param_int4(g->log, room[0]), db_param_int8(g->old_size, room[1]), db_param_int8(g->new_size, room[2])};
	enum err e;

	db_send(db, TREE_BEGIN, NULL, 0);
	db_send(db, TREE_GROW, grow, 3);
	*sent = 2;
	e = send_arrays(db, TREE_SPANS, grow, spans, 4, sent);
	if (!e)
		e = send_arrays(db, TREE_POSITIONS, NULL, positions, 3, sent);
	if (!e)
		e = send_arrays(db, TREE_TILES, grow, tiles, 3, sent);
	if (!e)
		e = send_arrays(db, TREE_EDGES, grow, edges, 2, sent);
	if (!e)
		db_send(db, TREE_COMMIT, NULL, 0);
	return e ? e : db_sync(db);
}

enum err audit_growth_commit(struct audit_growth *g, struct db *db)
{
	struct db_result *r = NULL;
	size_t sent = 0;
	enum err e = send_growth(g, db, &sent);

	for (size_t i = 0; i < sent && !e; i++)
		e = db_next_done(db, NULL);
	if (!e)
		e = db_next(db, &r);
	if (!e && !db_result_tag(r, "COMMIT"))
		e = ERR_DATABASE;
	db_result_free(r);
	return e ? e : db_synced(db);
}
