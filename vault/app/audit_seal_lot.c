/* audit_seal_lot.c: reads what streams go on with, checks it, and appends it to
 * the tree: first in memory, then in one transaction. Streams come in ascending
 * order, each in sequence, and none before the end of the one that it continues. */
#include "vault/app/audit_seal_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "vault/app/alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_US 10000000 /* a stopped stream is looked at again: its segment may have been brought back */

/* ---- the open streams ---- */

struct sealed_stream *audit_seal_stream(struct audit_seal *s, int64_t stream)
{
	size_t low = 0, high = s->n;

	while (low < high) {
		const size_t middle = (low + high) / 2;

		if (s->streams[middle].stream < stream)
			low = middle + 1;
		else
			high = middle;
	}
	return low < s->n && s->streams[low].stream == stream ? &s->streams[low] : NULL;
}

enum err audit_seal_add(struct audit_seal *s, int64_t stream, int64_t next_seq, const uint8_t *mac, const char *fault)
{
	size_t at = s->n;

	if (audit_seal_stream(s, stream))
		return ERR_OK;
	if (s->n == s->cap) {
		const size_t cap = s->cap ? s->cap * 2 : 16;
		struct sealed_stream *more = reallocarray(s->streams, cap, sizeof *more);

		if (!more)
			return ERR_MEMORY;
		s->streams = more;
		s->cap = cap;
	}
	while (at > 0 && s->streams[at - 1].stream > stream)
		at--;
	memmove(&s->streams[at + 1], &s->streams[at], (s->n - at) * sizeof *s->streams);
	s->n++;
	s->streams[at] = (struct sealed_stream){.stream = stream, .next_seq = next_seq, .fault = fault};
	if (mac)
		memcpy(s->streams[at].mac, mac, MAC_LEN);
	if (stream > s->newest)
		s->newest = stream;
	return ERR_OK;
}

static void raise_alarm(struct audit_seal *s, int64_t stream, int64_t seq, const char *fault)
{
	const bool missing = !strcmp(fault, SEAL_GAP) || !strcmp(fault, SEAL_CUT);
	char about[96];

	log_event(LOG_ERROR, "audit_stream_stopped", "stream=%lld seq=%lld fault=%s", (long long)stream, (long long)seq, fault);
	snprintf(about, sizeof about, "sealer:%lld-%lld:%s", (long long)stream, (long long)seq, fault);
	alarm_note(s->app->alarms, missing ? ALARM_LOG_GAP : ALARM_LOG_CHANGED, about);
}

static void stop(struct audit_seal *s, struct sealed_stream *t, const char *fault, int64_t waits_us)
{
	t->retry_us = clock_mono_us() + RETRY_US;
	if (!t->waits_us)
		t->waits_us = waits_us;
	if (t->fault && !strcmp(t->fault, fault))
		return;
	t->fault = fault;
	t->fault_is_new = true;
	raise_alarm(s, t->stream, t->next_seq, fault);
}

/* ---- the stream before ---- */

/* A stream that is sealed to its end, or unknown. */
static enum err closed_fault(struct audit_seal *s, struct db *db, const struct audit_predecessor *p, const char **fault)
{
	static const uint8_t zeros[MAC_LEN];
	struct db_result *r = NULL;
	int64_t next_seq = 1;
	size_t len = 0;
	const uint8_t *mac = NULL;
	enum err e = audit_tree_position(db, p->stream, &r);

	*fault = NULL;
	if (!e && db_rows(r)) {
		next_seq = db_int8(r, 0, 0);
		mac = db_bytes(r, 0, 1, &len);
	}
	if (!e && next_seq - 1 < p->last_seq)
		*fault = SEAL_CUT;
	else if (!e && next_seq - 1 == p->last_seq && (len != MAC_LEN || memcmp(mac, p->mac, MAC_LEN) != 0))
		*fault = SEAL_LINK;
	if (!e && *fault) {
		raise_alarm(s, p->stream, next_seq, *fault);
		e = audit_tree_stand(db, p->stream, next_seq, len == MAC_LEN ? mac : zeros, true, *fault);
	}
	db_result_free(r);
	return e;
}

/* Before a stream's first segment: has the one that it continues ended as it says? *waits: that one comes first. */
static enum err check_link(struct audit_seal *s, struct db *db, const struct db_result *rows, size_t row, bool *waits)
{
	struct audit_predecessor p;
	struct sealed_stream *before;
	const char *fault;
	enum err e = audit_seal_predecessor(rows, row, &p);

	*waits = false;
	if (e || p.stream <= 0)
		return e;
	before = audit_seal_stream(s, p.stream);
	if (!before)
		return closed_fault(s, db, &p, &fault);
	if (before->fault)
		return ERR_OK;
	if (before->next_seq - 1 < p.last_seq) {
		*waits = !before->asked || !before->drained;
		if (!*waits)
			stop(s, before, SEAL_CUT, db_time_us(rows, row, 3));
	} else if (before->next_seq - 1 == p.last_seq && memcmp(before->mac, p.mac, MAC_LEN) != 0) {
		stop(s, before, SEAL_LINK, db_time_us(rows, row, 3));
	}
	return ERR_OK;
}

/* ---- the tree ---- */

static enum err node_completed(void *arg, unsigned level, uint64_t index, const uint8_t hash[static MERKLE_HASH_LEN])
{
	struct audit_seal *s = arg;
	const unsigned tile_level = level / MERKLE_TILE_HEIGHT;

	if (level % MERKLE_TILE_HEIGHT)
		return ERR_OK;
	if (tile_level >= SEAL_TILE_LEVELS || s->edge_n[tile_level] != index % MERKLE_TILE_WIDTH)
		return ERR_INTERNAL;
	memcpy(s->edge[tile_level] + (size_t)s->edge_n[tile_level] * MERKLE_HASH_LEN, hash, MERKLE_HASH_LEN);
	s->edge_dirty[tile_level] = true;
	if (++s->edge_n[tile_level] < MERKLE_TILE_WIDTH)
		return ERR_OK;
	s->edge_n[tile_level] = 0;
	db_array_int4(&s->growth.tile_level, (int32_t)tile_level);
	db_array_int8(&s->growth.tile_index, (int64_t)(index / MERKLE_TILE_WIDTH));
	db_array_bytes(&s->growth.tile_hashes, s->edge[tile_level], MERKLE_TILE_LEN);
	return ERR_OK;
}

static enum err append(struct audit_seal *s, const struct db_result *rows, size_t row)
{
	size_t len;
	const uint8_t *bodies = db_bytes(rows, row, 6, &len);
	struct reader in = reader_of(bodies, len);
	uint8_t leaf[MERKLE_HASH_LEN];
	enum err e = ERR_OK;

	while (in.left && !e) {
		const uint16_t record_len = reader_u16(&in);
		const uint8_t *record = reader_bytes(&in, record_len);

		e = record ? merkle_leaf(s->hash, record, record_len, leaf) : ERR_INTERNAL;
		if (!e)
			e = merkle_append(s->hash, &s->range, leaf, node_completed, s);
	}
	return e;
}

/* ---- a lot ---- */

/* Rows from to to, of one stream. */
static enum err take_stream(struct audit_seal *s, struct db *db, struct sealed_stream *t, const struct db_result *rows, size_t from, size_t to)
{
	const int64_t first_index = (int64_t)s->range.size, first_seq = t->next_seq;
	const char *fault = NULL;
	bool waits = false;
	enum err e = ERR_OK;

	for (size_t i = from; i < to && !e && !fault && !waits; i++) {
		e = audit_seal_check(s, t, rows, i, &fault);
		if (!e && !fault && t->next_seq == 1)
			e = check_link(s, db, rows, i, &waits);
		if (e || waits)
			break;
		if (fault) {
			stop(s, t, fault, db_time_us(rows, i, 3));
			break;
		}
		e = append(s, rows, i);
		t->next_seq += db_int4(rows, i, 2);
		memcpy(t->mac, db_bytes(rows, i, 5, &(size_t){0}), MAC_LEN);
		if (db_time_us(rows, i, 3) < s->oldest_us)
			s->oldest_us = db_time_us(rows, i, 3);
	}
	if (e || t->next_seq == first_seq)
		return e;
	if (!fault && !t->fault_is_new) {
		t->fault = NULL;
		t->waits_us = 0;
	}
	db_array_int8(&s->growth.span_index, first_index);
	db_array_int8(&s->growth.span_stream, t->stream);
	db_array_int8(&s->growth.span_seq, first_seq);
	db_array_int4(&s->growth.span_count, (int32_t)(t->next_seq - first_seq));
	db_array_int8(&s->growth.position_stream, t->stream);
	db_array_int8(&s->growth.position_seq, t->next_seq);
	db_array_bytes(&s->growth.position_mac, t->mac, MAC_LEN);
	return buf_err(&s->growth.position_mac.bytes);
}

static enum err ask(struct audit_seal *s, struct db *db, struct db_result **out)
{
	/* A log that was opened after a break begins with the record that says so. */
	const bool opening = s->log.first_stream && s->range.size == 0;
	struct db_array streams, seqs;
	enum err e = ERR_OK;

	*out = NULL;
	db_array_init(&streams, DB_INT8);
	db_array_init(&seqs, DB_INT8);
	for (size_t i = 0; i < s->n; i++) {
		struct sealed_stream *t = &s->streams[i];

		t->asked = (!t->fault || clock_mono_us() >= t->retry_us) && (!opening || t->stream == s->log.first_stream);
		t->drained = t->asked;
		if (!t->asked)
			continue;
		db_array_int8(&streams, t->stream);
		db_array_int8(&seqs, t->next_seq);
	}
	if (streams.n)
		e = audit_tree_segments(db, &streams, &seqs, out);
	db_array_fini(&streams);
	db_array_fini(&seqs);
	return e;
}

enum err audit_seal_lot(struct audit_seal *s, struct db *db, uint32_t *records, bool *more)
{
	const uint64_t before = s->range.size;
	struct db_result *rows;
	bool full = false;
	size_t from = 0;
	enum err e = ask(s, db, &rows);

	audit_growth_reset(&s->growth);
	/* All of them first: whether a stream may begin depends on whether another has more. */
	for (size_t i = 0; !e && i < db_rows(rows); i++) {
		struct sealed_stream *t = audit_seal_stream(s, db_int8(rows, i, 0));

		if (t)
			t->drained = false;
		else
			e = ERR_INTERNAL; /* only known ones were asked for */
	}
	for (size_t to = 1; !e && from < db_rows(rows); to++) {
		struct sealed_stream *t = audit_seal_stream(s, db_int8(rows, from, 0));

		if (to < db_rows(rows) && db_int8(rows, to, 0) == db_int8(rows, from, 0))
			continue;
		e = t ? take_stream(s, db, t, rows, from, to) : ERR_INTERNAL;
		/* segments may be of one record each: their number counts, not only the records' */
		full = full || to - from == AUDIT_LOT_SEGMENTS || db_int8(rows, to - 1, 1) + db_int4(rows, to - 1, 2) - db_int8(rows, from, 1) > AUDIT_LOT_RECORDS / 2;
		from = to;
	}
	db_result_free(rows);
	*records = (uint32_t)(s->range.size - before);
	*more = full && *records;
	return e;
}

enum err audit_seal_commit(struct audit_seal *s, struct db *db)
{
	enum err e;

	s->growth.log = s->log.log;
	s->growth.old_size = s->log.size;
	s->growth.new_size = (int64_t)s->range.size;
	for (unsigned level = 0; level < SEAL_TILE_LEVELS; level++) {
		if (!s->edge_dirty[level])
			continue;
		db_array_int4(&s->growth.edge_level, (int32_t)level);
		db_array_bytes(&s->growth.edge_hashes, s->edge[level], (size_t)s->edge_n[level] * MERKLE_HASH_LEN);
		s->edge_dirty[level] = false;
	}
	e = audit_growth_commit(&s->growth, db);
	if (!e)
		s->log.size = s->growth.new_size;
	return e;
}
