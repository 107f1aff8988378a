/* batch_life.c: what an executor keeps between batches, and how it comes to a
 * database: tools made and freed, configuration adopted, audit stream opened or
 * resumed. */
#include "vault/app/batch_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/configuration.h"
#include "store/migrate.h"
#include "store/statements.h"
#include "vault/app/erasure.h"
#include "vault/app/follow.h"
#include "vault/app/key_worker.h"

#include <stdlib.h>
#include <string.h>

void batch_forget_customers(struct batch *b)
{
	arena_fini(&b->arena);
	seal_forget(b->sealer);
	b->in_use = NULL;
	b->strangers = NULL;
}

void batch_clear(struct batch *b)
{
	reads_reset(b->reads);
	writes_reset(b->writes);
	audit_segment_reset(&b->segment);
	batch_forget_customers(b);
	b->n_claims = 0;
	b->change = false;
	b->forger = NULL;
}

void batch_note_committed(struct batch *b)
{
	metric_add(METRIC_AUDIT_RECORDS, b->segment.count);
	metric_add(METRIC_AUDIT_SEGMENTS, b->segment.count > 0);
	metric_set(METRIC_AUDIT_LAST_US, b->now_us);
	audit_stream_committed(&b->stream, &b->segment);
	if (b->segment.count)
		follow_notify(b->app->follow);
}

/* Loads the configuration in force, outside a transaction, and publishes it. */
enum err batch_adopt_snapshot(struct batch *b, struct db *db, struct buf *why)
{
	struct snapshot *s;
	enum err e = snapshot_load(db, &s, why);

	if (!e && key_ahead(b->app, s->key_epoch)) { /* a new database, or one that was restored from before a rotation */
		const uint32_t active = s->key_epoch;

		snapshot_drop(s);
		e = key_adopt(b->app, db, active);
		if (!e)
			e = snapshot_load(db, &s, why);
	}
	if (e)
		return e;
	if (!key_held(b->app, s->key_epoch, s->key_check)) {
		buf_printf(why, "this node's keyring lacks key epoch %u, which is active; bring the keyring and reload", s->key_epoch);
		snapshot_drop(s);
		return ERR_NO_EPOCH;
	}
	app_publish(b->app, s);
	snapshot_drop(b->snapshot);
	b->snapshot = s;
	return ERR_OK;
}

/* May be called for several connections in a row before one holds. */
static enum err resume_stream(struct batch *b, struct db *db, bool *committed)
{
	bool ended = false;
	int moved = -1;
	enum err e = ERR_OK;

	*committed = b->resolved;
	if (b->stream.stream)
		e = audit_stream_look(db, &b->stream, &moved, &ended);
	if (e)
		return e;
	if (b->in_doubt && moved == 1) {
		batch_note_committed(b);
		b->in_doubt = false;
		b->resolved = *committed = true;
		moved = 0;
	}
	if (b->barrier_due) {
		e = store_barrier(db);
		b->barrier_due = e != ERR_OK;
	}
	if (!e && (moved || ended)) /* none yet, or it is not ours any more */
		e = audit_stream_open(db, b->app->node, b->executor, &b->stream, &b->predecessor);
	return e;
}

static enum err connected(void *state, struct db *db, bool *committed, struct buf *why)
{
	struct batch *b = state;
	enum err e = migrate_verify(db, why);

	b->db = db;
	if (!e)
		e = batch_adopt_snapshot(b, db, why);
	if (!e) {
		struct keyring *k = app_keyring(b->app);

		e = erasure_agrees(b->app->config, k, db, why);
		keyring_free(k);
	}
	if (!e) {
		e = resume_stream(b, db, committed);
		if (e)
			buf_printf(why, "audit stream: %s", db_error(db));
	}
	return e;
}

static void stop(void *state)
{
	struct batch *b = state;

	if (!b)
		return;
	batch_clear(b);
	snapshot_drop(b->snapshot);
	sealer_free(b->sealer);
	tokens_free(b->tokens);
	blind_free(b->blind);
	mac_free(b->audit_mac);
	mac_free(b->tag_mac);
	reads_free(b->reads);
	writes_free(b->writes);
	audit_segment_fini(&b->segment);
	buf_fini(&b->scratch);
	free(b->claims);
	free(b);
}

static enum err start(void *ctx, unsigned index, void **state)
{
	struct app *app = ctx;
	struct batch *b = calloc(1, sizeof *b);
	struct keyring *k;
	enum err e;

	*state = NULL;
	if (!b)
		return ERR_MEMORY;
	k = app_keyring(app);
	b->app = app;
	b->executor = index;
	audit_segment_init(&b->segment);
	arena_init(&b->arena, (size_t)512 << 20);
	buf_init(&b->scratch, 0);
	e = reads_new(&b->reads);
	if (!e)
		e = writes_new(&b->writes);
	if (!e)
		e = sealer_new(&b->sealer);
	if (!e)
		e = tokens_new(keyring_key(k, KEYRING_TOKEN), &b->tokens);
	if (!e)
		e = blind_new(keyring_key(k, KEYRING_INDEX), keyring_index_epoch(k), keyring_index_bits(k), &b->blind);
	if (!e)
		e = mac_new(keyring_key(k, KEYRING_AUDIT_MAC), &b->audit_mac);
	if (!e)
		e = mac_new(keyring_key(k, KEYRING_CURSOR), &b->tag_mac);
	keyring_free(k);
	if (e) {
		if (b->reads && b->writes)
			stop(b);
		return e;
	}
	*state = b;
	return ERR_OK;
}

const struct executor_ops batch_ops = {
    .statements = store_statements, .start = start, .stop = stop, .connected = connected, .run = batch_run};
