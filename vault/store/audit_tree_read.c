/* audit_tree_read.c: tiles, entries and places of records in the tree. */
#include "store/audit_tree.h"

#include <string.h>

#define FULL_TILE "SELECT hashes FROM audit_tile WHERE log = $1::int4 AND level = $2::int4 AND tile = $3::int8"
#define EDGE                                                                                                           \
	" UNION ALL SELECT e.hashes FROM audit_edge e JOIN audit_log l USING (log) WHERE e.log = $1::int4 "                \
	"AND e.level = $2::int4 AND l.size >> (8 * $2::int4) >> 8 = $3::int8"

enum err audit_tree_tile(struct db *db, int32_t log, unsigned level, uint64_t tile, unsigned width, uint8_t hashes[static MERKLE_TILE_LEN])
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int4(log, room[0]), db_param_int4((int32_t)level, room[1]), db_param_int8((int64_t)tile, room[2])};
	struct db_result *r = NULL;
	const uint8_t *bytes;
	size_t len = 0;
	enum err e;

	if (tile > INT64_MAX || level > 63 || width == 0 || width > MERKLE_TILE_WIDTH)
		return ERR_NOT_FOUND;
	/* The edge of a level is the tile behind its full ones. One statement, so that none falls between: it may fill up meanwhile. */
	e = db_run(db, width == MERKLE_TILE_WIDTH ? FULL_TILE : FULL_TILE EDGE, p, 3, &r);
	if (!e && db_rows(r) == 0)
		e = ERR_NOT_FOUND;
	bytes = e ? NULL : db_bytes(r, 0, 0, &len);
	if (!e && len < (size_t)width * MERKLE_HASH_LEN)
		e = ERR_NOT_FOUND;
	if (!e)
		memcpy(hashes, bytes, (size_t)width * MERKLE_HASH_LEN);
	db_result_free(r);
	return e;
}

enum err audit_tree_read(void *source, unsigned level, uint64_t tile, unsigned width, uint8_t hashes[static MERKLE_TILE_LEN])
{
	const struct audit_tree_source *s = source;

	return audit_tree_tile(s->db, s->log, level, tile, width, hashes);
}

/* Appends those records of a segment that stand in [from, to) of its stream. *next: the seq wanted next. */
static enum err take_records(const struct db_result *r, size_t row, int64_t to, int64_t *next, struct buf *out)
{
	size_t len;
	const uint8_t *bodies = db_bytes(r, row, 2, &len);
	struct reader in = reader_of(bodies, len);
	const int64_t first = db_int8(r, row, 0);

	for (int64_t seq = first; seq < to && in.left && !in.failed; seq++) {
		const uint16_t record_len = reader_u16(&in);
		const uint8_t *record = reader_bytes(&in, record_len);

		if (!record || seq != *next)
			continue;
		buf_u16(out, record_len);
		buf_append(out, record, record_len);
		(*next)++;
	}
	return in.failed ? ERR_SEAL : buf_err(out);
}

/* Records first to first + n - 1 of a stream. */
static enum err take_span(struct db *db, int64_t stream, int64_t first, int64_t n, struct buf *out)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int8(stream, room[0]), db_param_int8(first, room[1]), db_param_int8(first + n, room[2])};
	struct db_result *r = NULL;
	int64_t next = first;
	enum err e = db_run(db,
	                    "SELECT first_seq, count, bodies FROM audit_segment WHERE stream = $1::int8 AND first_seq < $3::int8 "
	                    "AND first_seq >= (SELECT max(first_seq) FROM audit_segment WHERE stream = $1::int8 AND first_seq <= $2::int8) ORDER BY first_seq",
	                    p, 3, &r);

	for (size_t i = 0; !e && i < db_rows(r); i++)
		e = take_records(r, i, first + n, &next, out);
	db_result_free(r);
	return e ? e : next == first + n ? ERR_OK : ERR_SEAL;
}

enum err audit_tree_entries(struct db *db, int32_t log, int64_t first, unsigned n, struct buf *out)
{
	uint8_t room[3][8];
	const struct db_param p[] = {db_param_int4(log, room[0]), db_param_int8(first, room[1]), db_param_int8(first + n, room[2])};
	struct db_result *r = NULL;
	int64_t next = first;
	enum err e;

	if (first < 0 || first > (int64_t)MERKLE_SIZE_MAX || n > MERKLE_TILE_WIDTH)
		return ERR_NOT_FOUND;
	e = db_run(db,
	           "SELECT first_index, stream, first_seq, count FROM audit_span WHERE log = $1::int4 AND first_index < $3::int8 "
	           "AND first_index >= (SELECT max(first_index) FROM audit_span WHERE log = $1::int4 AND first_index <= $2::int8) ORDER BY first_index",
	           p, 3, &r);
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		const int64_t index = db_int8(r, i, 0), end = index + db_int4(r, i, 3), to = end < first + n ? end : first + n;

		if (index > next || end <= next)
			continue;
		e = take_span(db, db_int8(r, i, 1), db_int8(r, i, 2) + (next - index), to - next, out);
		next = to;
	}
	db_result_free(r);
	return e ? e : next == first + n ? ERR_OK : ERR_NOT_FOUND;
}

enum err audit_tree_find(struct db *db, int64_t stream, int64_t seq, int32_t *log, int64_t *index)
{
	uint8_t room[2][8];
	const struct db_param p[] = {db_param_int8(stream, room[0]), db_param_int8(seq, room[1])};
	struct db_result *r = NULL;
	enum err e = db_run(db,
	                    "SELECT log, first_index + ($2::int8 - first_seq) FROM (SELECT * FROM audit_span WHERE stream = $1::int8 AND first_seq <= $2::int8 "
	                    "ORDER BY first_seq DESC LIMIT 1) s WHERE $2::int8 < first_seq + count",
	                    p, 2, &r);

	if (!e && db_rows(r) == 0)
		e = ERR_NOT_FOUND;
	*log = e ? 0 : db_int4(r, 0, 0);
	*index = e ? -1 : db_int8(r, 0, 1);
	db_result_free(r);
	return e;
}
