/* audit_seal.c: the sealer's turn: look for streams, take a lot, commit it, sign,
 * and end the streams of nodes that are gone.
 *
 * Memory is a copy of the database, made when the lead is taken and again after
 * any error. What makes two writers harmless is the compare-and-set on the log's
 * size, in the transaction that appends; the worker's lock only spares the work. */
#include "vault/app/audit_seal_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "vault/app/alarm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KNOWN_US 60000000  /* a stream's row is in a short transaction of its own: in a minute all lower numbers are there */
#define HELD_US 2000000    /* between two looks for streams that nobody holds; both must find it so */
#define REFUSED_US 2000000 /* a log that is refused is looked at again */
#define UNSIGNED_MAX_US 500000
#define FAILED_US 2000000

enum err audit_seal_new(struct app *app, struct audit_seal **out)
{
	const struct keyring *k = app->keyring;
	struct audit_seal *s = calloc(1, sizeof *s);
	enum err e;

	*out = NULL;
	if (!s)
		return ERR_MEMORY;
	s->app = app;
	pthread_mutex_init(&s->lock, NULL);
	audit_growth_init(&s->growth);
	e = mac_new(keyring_key(k, KEYRING_AUDIT_MAC), &s->mac);
	if (!e)
		e = hash_new(&s->hash);
	if (!e)
		e = sign_public(keyring_key(k, KEYRING_SIGN), s->public_key);
	if (e)
		audit_seal_free(s);
	else
		*out = s;
	return e;
}

void audit_seal_free(struct audit_seal *s)
{
	if (!s)
		return;
	audit_growth_fini(&s->growth);
	mac_free(s->mac);
	hash_free(s->hash);
	pthread_mutex_destroy(&s->lock);
	free(s->streams);
	free(s);
}

static void set_trouble(struct audit_seal *s, const char *text)
{
	pthread_mutex_lock(&s->lock);
	if (*text && strcmp(text, s->trouble) != 0) {
		log_event(LOG_ERROR, "audit_log_refused", "reason=\"%s\"", text);
		alarm_note(s->app->alarms, ALARM_LOG_CHANGED, "sealer:refused");
	}
	snprintf(s->trouble, sizeof s->trouble, "%s", text);
	pthread_mutex_unlock(&s->lock);
	metric_set(METRIC_AUDIT_REFUSED, *text != 0);
}

bool audit_seal_trouble(struct audit_seal *s, char room[static 256])
{
	bool any;

	pthread_mutex_lock(&s->lock);
	any = s->trouble[0] != 0;
	memcpy(room, s->trouble, 256);
	pthread_mutex_unlock(&s->lock);
	return any;
}

/* ---- memory from the database ---- */

static enum err load_log(struct audit_seal *s, struct db *db, struct buf *checkpoint)
{
	enum err e = audit_log_get(db, 0, &s->log, checkpoint);

	if (!e && !s->log.log) {
		e = audit_log_first(db, s->app->config->audit_origin);
		if (!e)
			e = audit_log_get(db, 0, &s->log, checkpoint);
	}
	if (!e && !s->log.log)
		e = ERR_INTERNAL;
	return e ? e : note_key_of(s->log.origin, NOTE_ED25519, s->public_key, &s->key);
}

static enum err load_tree(struct audit_seal *s, struct db *db)
{
	struct audit_tree_source source = {db, s->log.log};
	const struct merkle_tiles tiles = {audit_tree_read, &source};
	const uint64_t size = (uint64_t)s->log.size;
	enum err e = merkle_range_read(s->hash, &tiles, size, &s->range);

	for (unsigned level = 0; level < SEAL_TILE_LEVELS && !e; level++) {
		s->edge_dirty[level] = false;
		s->edge_n[level] = (unsigned)(size >> (MERKLE_TILE_HEIGHT * level)) % MERKLE_TILE_WIDTH;
		if (s->edge_n[level])
			e = audit_tree_tile(db, s->log.log, level, size >> (MERKLE_TILE_HEIGHT * level) >> MERKLE_TILE_HEIGHT, s->edge_n[level], s->edge[level]);
	}
	return e;
}

static enum err load_streams(struct audit_seal *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = audit_tree_open_streams(db, &r);

	s->n = 0;
	s->newest = s->known = s->known_us = s->held_us = 0;
	for (size_t i = 0; !e && i < db_rows(r); i++) {
		size_t len;
		const uint8_t *mac = db_bytes(r, i, 2, &len);

		e = len == MAC_LEN ? audit_seal_add(s, db_int8(r, i, 0), db_int8(r, i, 1), mac, audit_seal_fault(db_text(r, i, 3))) : ERR_DATABASE;
	}
	db_result_free(r);
	return e;
}

static enum err load(struct audit_seal *s, struct db *db)
{
	struct buf checkpoint, why;
	enum err e;

	buf_init(&checkpoint, NOTE_MAX);
	buf_init(&why, 4096);
	s->oldest_us = INT64_MAX;
	e = load_log(s, db, &checkpoint);
	if (!e)
		e = audit_seal_agrees(s, db, &checkpoint, &why);
	if (!e)
		e = load_tree(s, db);
	if (!e)
		e = load_streams(s, db);
	s->refused = e == ERR_CONFLICT;
	s->load_us = clock_mono_us() + REFUSED_US;
	if (!e || s->refused)
		set_trouble(s, buf_string(&why));
	else if (why.len)
		log_event(LOG_WARN, "sealer_waits", "reason=\"%s\"", buf_string(&why));
	buf_fini(&checkpoint);
	buf_fini(&why);
	return s->refused ? ERR_OK : e;
}

/* ---- a turn ---- */

static enum err find_new(struct audit_seal *s, struct db *db)
{
	struct db_result *r = NULL;
	enum err e = audit_tree_new_streams(db, s->known, &r);

	for (size_t i = 0; !e && i < db_rows(r); i++)
		e = audit_seal_add(s, db_int8(r, i, 0), 1, NULL, NULL);
	db_result_free(r);
	if (!e && clock_mono_us() >= s->known_us) {
		s->known = s->known_us ? s->newest : 0;
		s->known_us = clock_mono_us() + KNOWN_US;
	}
	return e;
}

static enum err write_faults(struct audit_seal *s, struct db *db)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < s->n && !e; i++) {
		struct sealed_stream *t = &s->streams[i];

		if (!t->fault_is_new)
			continue;
		e = audit_tree_stand(db, t->stream, t->next_seq, t->mac, false, t->fault);
		t->fault_is_new = e != ERR_OK;
	}
	return e;
}

static void forget(struct audit_seal *s, struct sealed_stream *t)
{
	const size_t at = (size_t)(t - s->streams);

	s->n--;
	memmove(t, t + 1, (s->n - at) * sizeof *t);
}

/* Streams without anything left: those that were ended are closed; the others are looked at. */
static enum err close_ended(struct audit_seal *s, struct db *db, struct db_array *idle)
{
	enum err e = ERR_OK;

	for (size_t i = s->n; i-- > 0 && !e;) {
		struct sealed_stream *t = &s->streams[i];

		if (t->fault || !t->drained)
			continue;
		if (!t->ended) {
			db_array_int8(idle, t->stream);
			continue;
		}
		e = audit_tree_stand(db, t->stream, t->next_seq, t->mac, true, "");
		if (!e)
			forget(s, t);
	}
	return e;
}

static enum err end_unheld(struct audit_seal *s, struct db *db, struct db_array *idle)
{
	struct db_result *r = NULL, *taken = NULL;
	struct db_array dead;
	enum err e = audit_tree_unheld(db, idle, &r);

	db_array_init(&dead, DB_INT8);
	for (size_t i = 0; i < s->n; i++) {
		struct sealed_stream *t = &s->streams[i];
		bool unheld = false;

		for (size_t k = 0; !e && k < db_rows(r) && !unheld; k++)
			unheld = db_int8(r, k, 0) == t->stream;
		if (unheld && t->unheld)
			db_array_int8(&dead, t->stream);
		t->unheld = unheld;
	}
	if (!e && dead.n)
		e = audit_tree_end_streams(db, &dead, &taken);
	for (size_t i = 0; !e && i < db_rows(taken); i++) {
		struct sealed_stream *t = audit_seal_stream(s, db_int8(taken, i, 0));

		t->ended = true;
		t->drained = false; /* until it has been asked for again */
		log_event(LOG_INFO, "audit_stream_ended", "stream=%lld seq=%lld", (long long)t->stream, (long long)t->next_seq - 1);
	}
	db_array_fini(&dead);
	db_result_free(taken);
	db_result_free(r);
	return e;
}

static enum err look_after_streams(struct audit_seal *s, struct db *db)
{
	struct db_array idle;
	int64_t stopped = 0;
	enum err e;

	if (clock_mono_us() < s->held_us)
		return ERR_OK;
	s->held_us = clock_mono_us() + HELD_US;
	db_array_init(&idle, DB_INT8);
	e = close_ended(s, db, &idle);
	if (!e && idle.n)
		e = end_unheld(s, db, &idle);
	if (!e)
		e = audit_tree_faults(db, &stopped);
	if (!e)
		metric_set(METRIC_AUDIT_STOPPED, stopped);
	db_array_fini(&idle);
	return e;
}

/* The figure of the last signature stands until the next one, unless a stopped stream makes it grow. */
static void measure(struct audit_seal *s, bool has_signed)
{
	const int64_t now = clock_now_us();
	int64_t oldest = s->oldest_us;

	for (size_t i = 0; i < s->n; i++)
		if (s->streams[i].fault && s->streams[i].waits_us && s->streams[i].waits_us < oldest)
			oldest = s->streams[i].waits_us;
	if ((has_signed || oldest < s->oldest_us) && oldest <= now)
		metric_set(METRIC_AUDIT_LAG_US, now - oldest);
	metric_set(METRIC_AUDIT_SEALED, s->log.size);
}

static enum err turn(struct audit_seal *s, struct db *db, bool *more)
{
	bool has_signed = false;
	uint32_t records = 0;
	enum err e = find_new(s, db);

	if (!e)
		e = audit_seal_lot(s, db, &records, more);
	if (!e && records)
		e = audit_seal_commit(s, db);
	if (!e)
		e = write_faults(s, db);
	*more = !e && *more;
	if (!e && s->log.checkpoint_size < s->log.size && (!*more || clock_now_us() - s->oldest_us > UNSIGNED_MAX_US)) {
		e = audit_seal_sign(s, db);
		has_signed = e == ERR_OK;
	}
	if (!e) {
		measure(s, has_signed);
		s->oldest_us = has_signed ? INT64_MAX : s->oldest_us;
		e = look_after_streams(s, db);
	}
	return e;
}

/* A sealer that can't go on shows in the lag, whatever the reason; after the second failure in a row it waits longer. */
static void note_outcome(struct audit_seal *s, bool failed)
{
	s->failures = failed ? s->failures + 1 : 0;
	s->pause_us = s->failures > 1 ? clock_mono_us() + FAILED_US : 0;
	if (failed || s->refused) {
		s->behind_us = s->behind_us ? s->behind_us : clock_now_us();
		metric_set(METRIC_AUDIT_LAG_US, clock_now_us() - s->behind_us);
	} else {
		s->behind_us = 0;
	}
}

enum err audit_seal_run(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct audit_seal *s = app->seal;
	enum err e = ERR_OK;

	*more = false;
	if (clock_mono_us() < s->pause_us)
		return ERR_OK;
	if (s->term != worker_term(w) || (s->refused && clock_mono_us() >= s->load_us)) {
		e = load(s, db);
		s->term = e ? 0 : worker_term(w);
	}
	if (!e && !s->refused)
		e = turn(s, db, more);
	if (e)
		s->term = 0;
	note_outcome(s, e != ERR_OK);
	return e;
}
