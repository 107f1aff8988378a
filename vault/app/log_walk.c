/* log_walk.c: the walk of log_walk.h. */
#include "vault/app/log_walk.h"

#include "base/clock.h"
#include "store/audit.h"
#include "store/watch.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_US ((int64_t)60 * 1000000) /* the database must answer a lot within this time */
#define STREAMS_A_LOT 8 /* times WATCH_LOT segments of 64 KiB at the worst */

static struct log_position *find(const struct log_walk *w, int64_t stream)
{
	size_t low = 0, high = w->n;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;

		if (w->list[middle].stream < stream)
			low = middle + 1;
		else
			high = middle;
	}
	return low < w->n && w->list[low].stream == stream ? &w->list[low] : NULL;
}

/* Streams that are new join the list; those with news are asked for. news[i]: the next_batch to note when all is read. */
static enum err merge(struct log_walk *w, const struct db_result *rows, struct db_array *streams, struct db_array *seqs, bool *more)
{
	struct log_position *next = calloc(db_rows(rows) + 1, sizeof *next);

	if (!next)
		return ERR_MEMORY;
	for (size_t i = 0; i < db_rows(rows); i++) {
		const struct log_position *known = find(w, db_int8(rows, i, 0));
		struct log_position *p = &next[i];

		*p = known ? *known : (struct log_position){.stream = db_int8(rows, i, 0), .next_batch = -1, .next_seq = 1};
		if (p->next_batch == db_int8(rows, i, 1))
			continue;
		if (streams->n == STREAMS_A_LOT) {
			*more = true;
			continue;
		}
		p->next_batch = db_int8(rows, i, 1); /* taken back where the lot does not reach the end */
		db_array_int8(streams, p->stream);
		db_array_int8(seqs, p->next_seq);
	}
	free(w->list);
	w->list = next;
	w->n = db_rows(rows);
	return ERR_OK;
}

struct segment {
	int64_t stream, first_seq, first_at_us, last_at_us;
	uint32_t count;
	const uint8_t *bodies, *mac;
	size_t len, mac_len;
};

static enum err authentic(struct log_walk *w, const struct segment *g, const uint8_t before[static MAC_LEN], bool *good)
{
	uint8_t mac[MAC_LEN];
	enum err e = audit_segment_mac(w->mac, g->stream, g->first_seq, g->count, g->first_at_us, g->last_at_us, g->bodies, g->len, before, mac);

	*good = !e && g->mac_len == MAC_LEN && !memcmp(mac, g->mac, MAC_LEN);
	return e;
}

/* Most records are reads, which never do: a look at their beginning is enough. */
static bool says_of_row(const char *record, size_t len)
{
	static const char read[] = "{\"activity\":\"read\"", hash[] = "_sha256\":\"";

	return (len < sizeof read || memcmp(record, read, sizeof read - 1) != 0) && memmem(record, len, hash, sizeof hash - 1);
}

static bool any_says_of_row(const struct segment *g)
{
	struct reader in = reader_of(g->bodies, g->len);

	while (in.left && !in.failed) {
		const size_t len = reader_u16(&in);
		const char *record = (const char *)reader_bytes(&in, len);

		if (record && says_of_row(record, len))
			return true;
	}
	return false;
}

static enum err take_segment(struct log_walk *w, const struct segment *g, struct log_position *p)
{
	struct reader in = reader_of(g->bodies, g->len);
	const bool of_rows = any_says_of_row(g);
	bool good = true;
	enum err e = ERR_OK;

	if (g->first_seq != p->next_seq) {
		w->broken(w->ctx, g->stream, p->next_seq, LOG_GAP);
		good = false; /* what it follows is gone, so it can't be checked */
	} else if (of_rows) {
		e = authentic(w, g, p->mac, &good);
		if (!e && !good)
			w->broken(w->ctx, g->stream, g->first_seq, LOG_CHANGED);
	}
	while (!e && in.left && !in.failed) {
		const size_t len = reader_u16(&in);
		const char *record = (const char *)reader_bytes(&in, len);

		if (record)
			e = w->record(w->ctx, record, len, good && of_rows && says_of_row(record, len));
	}
	p->next_seq = g->first_seq + g->count;
	if (g->mac_len == MAC_LEN)
		memcpy(p->mac, g->mac, MAC_LEN);
	return e;
}

static enum err take_all(struct log_walk *w, const struct db_result *r, bool *more)
{
	size_t of_stream = 0;
	enum err e = ERR_OK;

	for (size_t i = 0; !e && i < db_rows(r); i++) {
		struct segment g = {.stream = db_int8(r, i, 0),
		                    .first_seq = db_int8(r, i, 1),
		                    .count = (uint32_t)db_int4(r, i, 2),
		                    .first_at_us = db_time_us(r, i, 3),
		                    .last_at_us = db_time_us(r, i, 4)};
		struct log_position *p = find(w, g.stream);

		if (!p) /* it was asked for by its position */
			return ERR_INTERNAL;
		g.bodies = db_bytes(r, i, 5, &g.len);
		g.mac = db_bytes(r, i, 6, &g.mac_len);
		of_stream = i && db_int8(r, i - 1, 0) == g.stream ? of_stream + 1 : 1;
		e = take_segment(w, &g, p);
		if (of_stream == WATCH_LOT) {
			p->next_batch = -1;
			*more = true;
		}
	}
	return e;
}

enum err log_walk_lot(struct log_walk *w, struct db *db, bool *more)
{
	struct db_array streams, seqs;
	struct db_result *r = NULL;
	enum err e;

	*more = false;
	db_set_deadline(db, clock_mono_us() + ANSWER_US);
	db_array_init(&streams, DB_INT8);
	db_array_init(&seqs, DB_INT8);
	e = watch_streams(db, &r);
	if (!e)
		e = merge(w, r, &streams, &seqs, more);
	db_result_free(r);
	r = NULL;
	if (!e && streams.n)
		e = watch_segments(db, &streams, &seqs, &r);
	if (!e && streams.n)
		e = take_all(w, r, more);
	db_result_free(r);
	db_array_fini(&streams);
	db_array_fini(&seqs);
	return e;
}

void log_walk_fini(struct log_walk *w)
{
	free(w->list);
	w->list = NULL;
	w->n = 0;
}

/* ---- members ---- */

/* The value behind ,"member": or {"member": */
static const char *value_of(const char *record, size_t len, const char *member, size_t *left)
{
	char text[48] = "\"";
	const size_t name = strlen(member);
	const char *at = record, *end = record + len;

	if (name > sizeof text - 4)
		return NULL;
	memcpy(text + 1, member, name);
	memcpy(text + 1 + name, "\":", 3);
	while ((at = memmem(at, (size_t)(end - at), text, name + 3))) {
		if (at > record && (at[-1] == ',' || at[-1] == '{')) {
			at += name + 3;
			*left = (size_t)(end - at);
			return at;
		}
		at++;
	}
	return NULL;
}

const char *record_text(const char *record, size_t len, const char *member, size_t *text_len)
{
	size_t left = 0, n = 1;
	const char *at = value_of(record, len, member, &left);

	if (!at || left < 2 || *at != '"')
		return NULL;
	while (n < left && at[n] != '"')
		n += at[n] == '\\' ? 2 : 1;
	if (n >= left)
		return NULL;
	*text_len = n - 1;
	return at + 1;
}

const char *record_next(const char **at, const char *end, const char *name, size_t *text_len)
{
	const size_t n = strlen(name);
	const char *value = memmem(*at, (size_t)(end - *at), name, n), *close;

	if (!value)
		return NULL;
	value += n;
	for (close = value; close < end && *close != '"'; close += *close == '\\' ? 2 : 1)
		;
	if (close >= end)
		return NULL;
	*at = close;
	*text_len = (size_t)(close - value);
	return value;
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool record_bytes(const char *text, size_t text_len, uint8_t *out, size_t n)
{
	if (!text || text_len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool record_hex(const char *record, size_t len, const char *member, uint8_t *out, size_t n)
{
	size_t text_len = 0;
	const char *text = record_text(record, len, member, &text_len);

	return record_bytes(text, text_len, out, n);
}

int64_t record_int(const char *record, size_t len, const char *member)
{
	size_t left = 0;
	const char *at = value_of(record, len, member, &left);
	int64_t v = 0;
	size_t n = 0;

	for (; at && n < left && n < 18 && at[n] >= '0' && at[n] <= '9'; n++)
		v = 10 * v + (at[n] - '0');
	return n ? v : -1;
}

bool record_is(const char *record, size_t len, const char *member, const char *text)
{
	size_t n = 0;
	const char *at = record_text(record, len, member, &n);

	return at && n == strlen(text) && !memcmp(at, text, n);
}
