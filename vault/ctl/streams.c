/* streams.c: two hash tables: streams by number, and the latest stream of each
 * node and executor. Their hash has a random key: the numbers and names come
 * from whoever made the log. */
#include "ctl/streams.h"

#include "crypto/mac.h"
#include "crypto/secret.h"

#include <stdlib.h>

#define STREAMS_MAX ((size_t)1 << 22)

struct slot {
	uint64_t key[2]; /* both 0: empty */
	int64_t next_seq; /* of a place: its latest stream */
	int64_t at_us;
};

struct table {
	struct slot *slots;
	size_t n, room; /* room: a power of two */
};

struct streams {
	struct table streams, places;
	uint64_t random[2]; /* odd */
	struct slot *last;  /* most records are of the stream of the one before, or NULL */
	int64_t last_stream;
	bool broken; /* the log goes on behind a break */
};

static struct slot *find(const struct streams *s, const struct table *t, const uint64_t key[2])
{
	uint64_t h = key[0] * s->random[0] + key[1] * s->random[1];
	size_t at;

	h ^= h >> 32;
	h *= s->random[0];
	for (at = (size_t)(h >> 20) & (t->room - 1);; at = (at + 1) & (t->room - 1)) {
		struct slot *slot = &t->slots[at];

		if ((slot->key[0] == key[0] && slot->key[1] == key[1]) || (!slot->key[0] && !slot->key[1]))
			return slot;
	}
}

static bool is_there(const struct slot *slot)
{
	return slot->key[0] || slot->key[1];
}

static bool grow(const struct streams *s, struct table *t)
{
	struct table wider = {.n = t->n, .room = t->room * 2};

	if (t->n * 2 < t->room)
		return true;
	wider.slots = calloc(wider.room, sizeof *wider.slots);
	if (!wider.slots)
		return false;
	for (size_t i = 0; i < t->room; i++)
		if (is_there(&t->slots[i]))
			*find(s, &wider, t->slots[i].key) = t->slots[i];
	free(t->slots);
	*t = wider;
	return true;
}

enum err streams_new(struct streams **out)
{
	struct streams *s = calloc(1, sizeof *s);
	enum err e;

	*out = s;
	if (!s)
		return ERR_MEMORY;
	s->streams.room = s->places.room = 64;
	s->streams.slots = calloc(s->streams.room, sizeof(struct slot));
	s->places.slots = calloc(s->places.room, sizeof(struct slot));
	if (!s->streams.slots || !s->places.slots)
		return ERR_MEMORY;
	e = secret_random(s->random, sizeof s->random);
	s->random[0] |= 1;
	s->random[1] |= 1;
	return e;
}

void streams_free(struct streams *s)
{
	if (!s)
		return;
	free(s->streams.slots);
	free(s->places.slots);
	free(s);
}

size_t streams_count(const struct streams *s)
{
	return s->streams.n;
}

bool streams_broken(const struct streams *s)
{
	return s->broken;
}

static struct slot *stream_slot(const struct streams *s, int64_t stream)
{
	const uint64_t key[2] = {1, (uint64_t)stream};

	return find(s, &s->streams, key);
}

/* Node and executor as a key: the head of a SHA-256. */
static enum err place_key(const struct record *r, uint64_t key[2])
{
	const struct mac_part parts[] = {{&r->executor, sizeof r->executor}, {r->node, r->node_len}};
	uint8_t hash[32];
	const enum err e = sha256_parts(parts, 2, hash);

	memcpy(key, hash, 2 * sizeof *key);
	return e;
}

/* That the log has the stream before it, to the end that it names. */
static enum streams_fault check_predecessor(const struct streams *s, const struct record *r, const struct slot *place, struct buf *why)
{
	const struct slot *before = stream_slot(s, r->previous_stream);
	const int64_t end = is_there(before) ? before->next_seq - 1 : 0;

	if (!r->previous_stream && is_there(place)) {
		buf_printf(why, "stream %lld names none before it, and stream %lld is", (long long)r->stream, (long long)place->next_seq);
		return STREAMS_PREDECESSOR;
	}
	if (!r->previous_stream || end >= r->previous_seq || (s->broken && !is_there(before)))
		return STREAMS_GOOD;
	buf_printf(why, "stream %lld had %lld records when stream %lld began, and the log has %lld", (long long)r->previous_stream,
	           (long long)r->previous_seq, (long long)r->stream, (long long)end);
	return STREAMS_PREDECESSOR;
}

/* Adds a stream of which r is the first record here. */
static enum streams_fault add_stream(struct streams *s, const struct record *r, struct buf *why)
{
	if (s->streams.n >= STREAMS_MAX || !grow(s, &s->streams)) {
		buf_text(why, "there are more streams than fit in memory");
		return STREAMS_LIMIT;
	}
	s->last = NULL;
	*stream_slot(s, r->stream) = (struct slot){.key = {1, (uint64_t)r->stream}, .next_seq = r->seq + 1, .at_us = r->at_us};
	s->streams.n++;
	return STREAMS_GOOD;
}

static enum streams_fault misplaced(const struct record *r, struct buf *why)
{
	buf_printf(why, "stream %lld opens where it may not", (long long)r->stream);
	return STREAMS_START;
}

static enum streams_fault open_stream(struct streams *s, const struct record *r, struct buf *why)
{
	struct slot *place;
	enum streams_fault fault;
	uint64_t key[2];

	if (r->seq != 1 || is_there(stream_slot(s, r->stream)))
		return misplaced(r, why);
	if (!grow(s, &s->places) || place_key(r, key)) {
		buf_text(why, "there are more nodes than fit in memory");
		return STREAMS_LIMIT;
	}
	place = find(s, &s->places, key);
	fault = check_predecessor(s, r, place, why);
	if (fault)
		return fault;
	s->places.n += !is_there(place);
	*place = (struct slot){.key = {key[0], key[1]}, .next_seq = r->stream};
	return add_stream(s, r, why);
}

enum streams_fault streams_take(struct streams *s, const struct record *r, struct buf *why)
{
	struct slot *slot;

	if (r->kind == RECORD_OPENING)
		return open_stream(s, r, why);
	if (r->kind == RECORD_BREAK) {
		if (r->seq != 1 || s->streams.n)
			return misplaced(r, why);
		s->broken = true;
		return add_stream(s, r, why);
	}
	slot = s->last && s->last_stream == r->stream ? s->last : stream_slot(s, r->stream);
	if (!is_there(slot) && s->broken)
		return add_stream(s, r, why);
	if (!is_there(slot)) {
		buf_printf(why, "stream %lld begins without its opening record", (long long)r->stream);
		return STREAMS_START;
	}
	if (slot->next_seq != r->seq) {
		buf_printf(why, "stream %lld has record %lld where %lld belongs", (long long)r->stream, (long long)r->seq, (long long)slot->next_seq);
		return STREAMS_SEQUENCE;
	}
	if (r->at_us < slot->at_us) {
		buf_printf(why, "stream %lld goes back in time", (long long)r->stream);
		return STREAMS_TIME;
	}
	slot->next_seq++;
	slot->at_us = r->at_us;
	s->last = slot;
	s->last_stream = r->stream;
	return STREAMS_GOOD;
}
