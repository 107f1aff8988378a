/* verify.c: the walk over a log: records, tiles, streams, root. */
#include "ctl/verify.h"

#include "ctl/streams.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BUNDLE_MAX ((size_t)MERKLE_TILE_WIDTH * (2 + 65535))
#define TILE_LEVELS 8 /* 256^8 is above MERKLE_SIZE_MAX */

const char *verify_name(enum verify_check c)
{
	static const char *const names[VERIFY_CHECKS] = {
	    [VERIFY_GOOD] = "good",
#define X(member, name, text) [VERIFY_##member] = name,
	    VERIFY_LIST(X)
#undef X
	};
	return names[c];
}

const char *verify_text(enum verify_check c)
{
	static const char *const texts[VERIFY_CHECKS] = {
	    [VERIFY_GOOD] = "All holds.",
#define X(member, name, text) [VERIFY_##member] = text,
	    VERIFY_LIST(X)
#undef X
	};
	return texts[c];
}

/* The tile of a level that was read last. */
struct stored {
	bool held;
	uint64_t index;
	uint8_t hashes[MERKLE_TILE_LEN];
};

struct walk {
	const struct verify_job *job;
	struct verify_result *result;
	struct hash *hash;
	struct streams *streams;
	struct merkle_range range;
	struct buf bundle, tile;
	struct stored stored[TILE_LEVELS];
};

/* Notes the first fault; always ERR_SEAL, which ends the walk. */
static enum err fail_at(struct verify_result *r, enum verify_check check, uint64_t index, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static enum err fail_at(struct verify_result *r, enum verify_check check, uint64_t index, const char *format, ...)
{
	va_list args;
	char text[256];

	r->fault.check = check;
	r->fault.has_index = true;
	r->fault.index = index;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!r->fault.what.len)
		buf_text(&r->fault.what, text);
	return ERR_SEAL;
}

/* A tile, or for a partial one that is gone, the full one that has taken its place. *full: that it was that. */
static enum err read_tile(struct walk *w, struct tlog_tile *t, size_t limit, struct buf *out, bool *full)
{
	const struct log_source *source = &w->job->source;
	char path[8 + TLOG_TILE_TEXT_MAX] = "tile/";
	enum err e;

	*full = t->width == MERKLE_TILE_WIDTH;
	tlog_tile_write(t, path + 5);
	buf_reset(out);
	e = source->read(source->ctx, path, limit, out);
	if (e != ERR_NOT_FOUND || *full)
		return e;
	*full = true;
	t->width = MERKLE_TILE_WIDTH;
	tlog_tile_write(t, path + 5);
	buf_reset(out);
	return source->read(source->ctx, path, limit, out);
}

static unsigned width_of(uint64_t left)
{
	return left < MERKLE_TILE_WIDTH ? (unsigned)left : MERKLE_TILE_WIDTH;
}

static enum err hold_tile(struct walk *w, unsigned level, uint64_t index)
{
	struct stored *s = &w->stored[level];
	struct tlog_tile t = {.level = level, .index = index};
	const unsigned width = width_of((w->result->checkpoint.size >> (8 * level)) - index * MERKLE_TILE_WIDTH);
	const uint64_t first = index << 8 << (8 * level);
	bool full;
	enum err e;

	t.width = width;
	e = read_tile(w, &t, MERKLE_TILE_LEN, &w->tile, &full);
	if (e == ERR_NOT_FOUND)
		return fail_at(w->result, VERIFY_TILE_MISSING, first, "tile %llu of level %u", (unsigned long long)index, level);
	if (e)
		return e;
	if (w->tile.len != (size_t)t.width * MERKLE_HASH_LEN)
		return fail_at(w->result, VERIFY_TILE_HASH, first, "tile %llu of level %u has not its length", (unsigned long long)index, level);
	memcpy(s->hashes, w->tile.data, (size_t)width * MERKLE_HASH_LEN);
	s->held = true;
	s->index = index;
	return ERR_OK;
}

/* Each node that stands in a tile is compared with the stored one. */
static enum err on_node(void *arg, unsigned level, uint64_t index, const uint8_t hash[static MERKLE_HASH_LEN])
{
	struct walk *w = arg;
	const unsigned tile_level = level / MERKLE_TILE_HEIGHT;
	const uint64_t tile = index / MERKLE_TILE_WIDTH;
	struct stored *s;

	if (level % MERKLE_TILE_HEIGHT)
		return ERR_OK;
	s = &w->stored[tile_level];
	if (!s->held || s->index != tile) {
		const enum err e = hold_tile(w, tile_level, tile);

		if (e)
			return e;
	}
	if (!memcmp(s->hashes + index % MERKLE_TILE_WIDTH * MERKLE_HASH_LEN, hash, MERKLE_HASH_LEN))
		return ERR_OK;
	if (level == 0)
		return fail_at(w->result, VERIFY_LEAF_HASH, index, "the tile of hashes names another record");
	return fail_at(w->result, VERIFY_TILE_HASH, index << level, "tile %llu of level %u", (unsigned long long)tile, tile_level);
}

static enum verify_check check_of(enum streams_fault f)
{
	switch (f) {
	case STREAMS_START: return VERIFY_STREAM_START;
	case STREAMS_SEQUENCE: return VERIFY_SEQUENCE;
	case STREAMS_PREDECESSOR: return VERIFY_PREDECESSOR;
	case STREAMS_TIME: return VERIFY_TIME;
	case STREAMS_LIMIT: return VERIFY_LIMIT;
	case STREAMS_GOOD: break;
	}
	return VERIFY_GOOD;
}

/* Compares with the earlier checkpoints that have as many records as have been read. */
static enum err compare_earlier(struct walk *w)
{
	uint8_t root[MERKLE_HASH_LEN];

	for (size_t i = 0; i < w->job->n_earlier; i++) {
		const struct checkpoint *c = &w->job->earlier[i];
		enum err e;

		if (c->size != w->range.size)
			continue;
		e = merkle_root(w->hash, &w->range, root);
		if (e)
			return e;
		if (memcmp(root, c->root, sizeof root) != 0)
			return fail_at(w->result, VERIFY_FORK, c->size, "the first %llu records", (unsigned long long)c->size);
	}
	return ERR_OK;
}

static enum err take_entry(struct walk *w, const uint8_t *entry, size_t len)
{
	const uint64_t index = w->range.size;
	struct verify_result *result = w->result;
	uint8_t leaf[MERKLE_HASH_LEN];
	enum streams_fault fault;
	struct record r;
	enum err e = merkle_leaf(w->hash, entry, len, leaf);

	if (!e)
		e = merkle_append(w->hash, &w->range, leaf, on_node, w);
	if (e)
		return e;
	if (!record_read((const char *)entry, len, &r))
		return fail_at(result, VERIFY_RECORD_FORM, index, "%zu bytes", len);
	fault = streams_take(w->streams, &r, &result->fault.what);
	if (fault)
		return fail_at(result, check_of(fault), index, "stream %lld", (long long)r.stream);
	if (r.kind == RECORD_BREAK)
		buf_append(&result->begin, entry, len);
	if (index == 0 || r.at_us < result->first_us)
		result->first_us = r.at_us;
	if (r.at_us > result->last_us)
		result->last_us = r.at_us;
	return compare_earlier(w);
}

static enum err take_bundle(struct walk *w, uint64_t index)
{
	const uint64_t first = index * MERKLE_TILE_WIDTH;
	const unsigned width = width_of(w->result->checkpoint.size - first);
	struct tlog_tile t = {.entries = true, .index = index, .width = width};
	struct reader r;
	bool full;
	enum err e = read_tile(w, &t, BUNDLE_MAX, &w->bundle, &full);

	if (e == ERR_NOT_FOUND)
		return fail_at(w->result, VERIFY_ENTRIES_MISSING, first, "bundle %llu", (unsigned long long)index);
	if (e)
		return e;
	r = reader_of(w->bundle.data, w->bundle.len);
	for (unsigned i = 0; i < width && !e; i++) {
		const uint16_t len = reader_u16(&r);
		const uint8_t *entry = reader_bytes(&r, len);

		if (r.failed)
			return fail_at(w->result, VERIFY_ENTRIES_FORM, first + i, "bundle %llu ends too early", (unsigned long long)index);
		e = take_entry(w, entry, len);
	}
	if (!e && r.left && t.width == width)
		return fail_at(w->result, VERIFY_ENTRIES_FORM, first + width, "bundle %llu holds more than its records", (unsigned long long)index);
	return e;
}

static enum err walk_log(struct walk *w)
{
	const struct verify_job *job = w->job;
	const uint64_t size = w->result->checkpoint.size;
	uint8_t root[MERKLE_HASH_LEN];
	enum err e = compare_earlier(w);

	for (uint64_t i = 0; !e && i * MERKLE_TILE_WIDTH < size; i++) {
		e = take_bundle(w, i);
		if (job->progress && i % 64 == 63)
			job->progress(job->ctx, w->range.size, size);
	}
	if (!e)
		e = merkle_root(w->hash, &w->range, root);
	if (!e && memcmp(root, w->result->checkpoint.root, sizeof root) != 0)
		e = fail_at(w->result, VERIFY_ROOT, size, "the tree of %llu records", (unsigned long long)size);
	w->result->streams = streams_count(w->streams);
	return e;
}

static enum err open_checkpoint(const struct verify_job *job, struct verify_result *result)
{
	struct note note;
	enum err e = job->source.read(job->source.ctx, "checkpoint", NOTE_MAX, &result->note);

	if (e == ERR_NOT_FOUND) {
		result->fault.check = VERIFY_CHECKPOINT;
		buf_text(&result->fault.what, "there is none");
		return ERR_SEAL;
	}
	if (e)
		return e;
	if (!verify_checkpoint(&job->keys, (const char *)result->note.data, result->note.len, &note, &result->checkpoint,
	                       &result->cosigned, &result->fault))
		return ERR_SEAL;
	for (size_t i = 0; i < job->n_earlier; i++)
		if (job->earlier[i].size > result->checkpoint.size) {
			result->fault.check = VERIFY_ROLLBACK;
			buf_printf(&result->fault.what, "%llu records, and an earlier checkpoint has %llu",
			           (unsigned long long)result->checkpoint.size, (unsigned long long)job->earlier[i].size);
			return ERR_SEAL;
		}
	return ERR_OK;
}

static void result_init(struct verify_result *result)
{
	*result = (struct verify_result){0};
	buf_init(&result->note, NOTE_MAX + 1);
	buf_init(&result->begin, 2 * RECORD_MAX);
	buf_init(&result->fault.what, 1024);
}

enum err verify_log(const struct verify_job *job, struct verify_result *result)
{
	struct walk *w = calloc(1, sizeof *w);
	enum err e;

	result_init(result);
	if (!w)
		return ERR_MEMORY;
	w->job = job;
	w->result = result;
	buf_init(&w->bundle, BUNDLE_MAX + 1);
	buf_init(&w->tile, MERKLE_TILE_LEN + 1);
	e = hash_new(&w->hash);
	if (!e)
		e = streams_new(&w->streams);
	if (!e)
		e = open_checkpoint(job, result);
	if (!e)
		e = walk_log(w);
	hash_free(w->hash);
	streams_free(w->streams);
	buf_fini(&w->bundle);
	buf_fini(&w->tile);
	free(w);
	return result->fault.check ? ERR_OK : e;
}

enum err verify_record(const struct verify_keys *keys, const char *proof, size_t proof_len, const void *record, size_t record_len,
                       struct verify_result *result)
{
	struct tlog_proof p;
	struct hash *h = NULL;
	struct note note;
	uint8_t leaf[MERKLE_HASH_LEN];
	enum err e = tlog_proof_read(proof, proof_len, &p);

	result_init(result);
	if (e == ERR_MALFORMED) {
		result->fault.check = VERIFY_INCLUSION;
		buf_text(&result->fault.what, "this is no tlog-proof");
		return ERR_OK;
	}
	if (!e && !verify_checkpoint(keys, p.note, p.note_len, &note, &result->checkpoint, &result->cosigned, &result->fault))
		return ERR_OK;
	if (!e)
		e = hash_new(&h);
	if (!e && record)
		e = merkle_leaf(h, record, record_len, leaf);
	else if (!e && p.extra_len == sizeof leaf)
		memcpy(leaf, p.extra, sizeof leaf);
	else if (!e)
		e = ERR_SEAL;
	if (!e)
		e = merkle_check_inclusion(h, &p.path, result->checkpoint.size, p.index, leaf, result->checkpoint.root);
	hash_free(h);
	if (e == ERR_SEAL) {
		fail_at(result, VERIFY_INCLUSION, p.index, record || p.extra_len == sizeof leaf ? "the proof does not lead from it to the root" : "the proof names no hash of a record");
		e = ERR_OK;
	}
	return e;
}

void verify_result_fini(struct verify_result *result)
{
	buf_fini(&result->note);
	buf_fini(&result->begin);
	buf_fini(&result->fault.what);
}
