/* audit.c: streams and segments of audit.h. */
#include "store/audit.h"

#include "store/statements.h"

#include <string.h>

void audit_segment_init(struct audit_segment *g)
{
	*g = (struct audit_segment){0};
	buf_init(&g->bodies, 0);
	db_array_init(&g->keys, DB_INT8);
}

void audit_segment_reset(struct audit_segment *g)
{
	buf_reset(&g->bodies);
	db_array_reset(&g->keys);
	g->count = 0;
	g->first_at_us = g->last_at_us = 0;
}

void audit_segment_fini(struct audit_segment *g)
{
	buf_fini(&g->bodies);
	db_array_fini(&g->keys);
}

void audit_segment_key(struct audit_segment *g, int64_t key)
{
	const uint8_t *at = g->keys.bytes.data + g->keys.bytes.len;
	uint8_t wanted[8];

	for (int i = 0; i < 8; i++)
		wanted[i] = (uint8_t)((uint64_t)key >> (56 - 8 * i));
	/* Newest first, and not far: repeats are those of the same or the last few
	 * requests; a key that is there twice costs a few bytes, nothing else. */
	for (uint32_t i = 0; i < g->keys.n && i < 32; i++) {
		at -= 12;
		if (!memcmp(at + 4, wanted, 8))
			return;
	}
	db_array_int8(&g->keys, key);
}

int64_t audit_key(char kind, const void *value, size_t len)
{
	const uint8_t *at = value;
	uint64_t h = 0xcbf29ce484222325u ^ (uint8_t)kind;

	h *= 0x100000001b3u;
	for (size_t i = 0; i < len; i++)
		h = (h ^ at[i]) * 0x100000001b3u;
	return (int64_t)h;
}

enum err audit_segment_mac(struct mac *mac, int64_t stream, int64_t first_seq, uint32_t count, int64_t first_at_us,
                           int64_t last_at_us, const void *bodies, size_t bodies_len, const uint8_t previous[static MAC_LEN],
                           uint8_t out[static MAC_LEN])
{
	struct buf head;
	enum err e;

	buf_init(&head, 0);
	buf_text(&head, "vault audit segment 1\n");
	buf_u64(&head, (uint64_t)stream);
	buf_u64(&head, (uint64_t)first_seq);
	buf_u32(&head, count);
	buf_u64(&head, (uint64_t)first_at_us);
	buf_u64(&head, (uint64_t)last_at_us);
	buf_append(&head, previous, MAC_LEN);
	e = buf_err(&head);
	if (!e) {
		const struct mac_part parts[] = {{head.data, head.len}, {bodies, bodies_len}};

		e = mac_parts(mac, parts, 2, out);
	}
	buf_fini(&head);
	return e;
}

static enum err find_predecessor(struct db *db, const char *node, unsigned executor, struct audit_predecessor *before)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_text(node), db_param_int4((int32_t)executor, room)};
	struct db_result *r = NULL;
	enum err e = db_run(db,
	                    /* the streams of one executor are few; segments of others are many */
	                    "SELECT s.stream, g.first_seq + g.count - 1, g.mac FROM audit_stream s CROSS JOIN LATERAL "
	                    "(SELECT first_seq, count, mac FROM audit_segment WHERE stream = s.stream ORDER BY first_seq DESC LIMIT 1) g "
	                    "WHERE s.node = $1::text AND s.executor = $2::int4 ORDER BY s.stream DESC LIMIT 1",
	                    p, 2, &r);
	size_t len;

	*before = (struct audit_predecessor){0};
	if (!e && db_rows(r)) {
		const uint8_t *mac = db_bytes(r, 0, 2, &len);

		before->stream = db_int8(r, 0, 0);
		before->last_seq = db_int8(r, 0, 1);
		if (len == MAC_LEN)
			memcpy(before->mac, mac, MAC_LEN);
	}
	db_result_free(r);
	return e;
}

/* The session's lock says that somebody writes the stream: the sealer takes only those away that nobody holds.
 * Shared, since the session that was lost may linger in the server. */
static enum err hold_stream(struct db *db, int64_t stream)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(stream, room);

	return db_run(db, "SELECT pg_advisory_lock_shared(7205::int4, ($1::int8 % 2147483648)::int4)", &p, 1, NULL);
}

enum err audit_stream_open(struct db *db, const char *node, unsigned executor, struct audit_stream *s,
                           struct audit_predecessor *before)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_text(node), db_param_int4((int32_t)executor, room)};
	struct db_result *r = NULL;
	enum err e = find_predecessor(db, node, executor, before);

	if (!e)
		e = db_run(db,
		           "INSERT INTO audit_stream (node, executor, started_at, next_batch) VALUES ($1::text, $2::int4, now(), 1) "
		           "RETURNING stream",
		           p, 2, &r);
	if (!e)
		*s = (struct audit_stream){.stream = db_int8(r, 0, 0), .next_batch = 1, .next_seq = 1};
	db_result_free(r);
	return e ? e : hold_stream(db, s->stream);
}

enum err audit_stream_look(struct db *db, const struct audit_stream *s, int *moved, bool *ended)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(s->stream, room);
	struct db_result *r = NULL;
	enum err e = hold_stream(db, s->stream);

	if (!e)
		e = db_run(db, "SELECT next_batch FROM audit_stream WHERE stream = $1::int8 FOR UPDATE", &p, 1, &r);
	if (!e) {
		const int64_t number = db_rows(r) ? db_int8(r, 0, 0) : 0, there = number < 0 ? -number : number;

		*moved = there == s->next_batch ? 0 : there == s->next_batch + 1 ? 1 : -1;
		*ended = number < 0;
	}
	db_result_free(r);
	return e;
}

void audit_send_advance(const struct audit_stream *s, struct db *db)
{
	uint8_t stream[8], batch[8];
	const struct db_param p[] = {db_param_int8(s->stream, stream), db_param_int8(s->next_batch, batch)};

	db_send(db, ST_STREAM_ADVANCE, p, 2);
}

enum err audit_receive_advance(struct db *db)
{
	struct db_result *r;
	enum err e = db_next(db, &r);

	if (!e && db_rows(r) != 1)
		e = ERR_STREAM_LOST;
	db_result_free(r);
	return e;
}

enum err audit_send_segment(const struct audit_stream *s, struct audit_segment *g, struct mac *mac, struct db *db)
{
	uint8_t room[5][8];
	struct db_param p[8];
	enum err e;

	if (g->count == 0)
		return ERR_OK;
	e = buf_err(&g->bodies);
	if (!e)
		e = audit_segment_mac(mac, s->stream, s->next_seq, g->count, g->first_at_us, g->last_at_us, g->bodies.data,
		                      g->bodies.len, s->last_mac, g->mac);
	if (e)
		return e;
	p[0] = db_param_int8(s->stream, room[0]);
	p[1] = db_param_int8(s->next_seq, room[1]);
	p[2] = db_param_int4((int32_t)g->count, room[2]);
	p[3] = db_param_time(g->first_at_us, room[3]);
	p[4] = db_param_time(g->last_at_us, room[4]);
	p[5] = db_array_param(&g->keys);
	p[6] = (struct db_param){g->mac, MAC_LEN};
	p[7] = (struct db_param){g->bodies.data, g->bodies.len};
	if (!p[5].bytes)
		return ERR_MEMORY;
	db_send(db, ST_INSERT_SEGMENT, p, 8);
	return ERR_OK;
}

void audit_stream_committed(struct audit_stream *s, const struct audit_segment *g)
{
	s->next_batch++;
	if (g->count == 0)
		return;
	s->next_seq += g->count;
	s->last_at_us = g->last_at_us;
	memcpy(s->last_mac, g->mac, MAC_LEN);
}

enum err audit_stream_single(struct db *db, const char *node, int64_t *stream)
{
	const struct db_param p = db_param_text(node);
	struct db_result *r = NULL;
	enum err e = db_run(db, "INSERT INTO audit_stream (node, executor, started_at, next_batch) VALUES ($1::text, -1, now(), -1) RETURNING stream", &p, 1, &r);

	*stream = e ? 0 : db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err audit_segment_single(struct db *db, struct mac *mac, int64_t stream, int64_t at_us, const struct buf *bodies)
{
	const struct audit_stream s = {.stream = stream, .next_seq = 1};
	uint8_t room[2][8], mac_bytes[MAC_LEN];
	enum err e = audit_segment_mac(mac, s.stream, s.next_seq, 1, at_us, at_us, bodies->data, bodies->len, s.last_mac, mac_bytes);
	const struct db_param p[] = {db_param_int8(stream, room[0]), db_param_time(at_us, room[1]), {mac_bytes, MAC_LEN}, {bodies->data, bodies->len}};

	if (e)
		return e;
	return db_run(db, "INSERT INTO audit_segment (stream, first_seq, count, first_at, last_at, keys, mac, bodies) "
	                  "VALUES ($1::int8, 1, 1, $2::timestamptz, $2::timestamptz, '{}', $3::bytea, $4::bytea)", p, 4, NULL);
}
