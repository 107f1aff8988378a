/* key_worker.c: nodes report what they hold; one of them wraps customers' keys anew under the active epoch.
 *
 * Nothing of a rewrap is kept but the rows themselves: whoever leads next goes on with those that are left. */
#include "vault/app/key_worker.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "crypto/seal.h"
#include "crypto/secret.h"
#include "store/keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOT 250               /* rows a transaction, and the most */
#define LOTS_A_SECOND 4       /* below that rate, smaller lots, so that the pauses stay short */
#define TIMEOUT_US 120000000

bool key_held(struct app *app, uint32_t epoch, uint64_t check)
{
	struct keyring *k = app_keyring(app);
	uint64_t mine = 0;
	const bool held = keyring_check(k, epoch, &mine) && mine == check;

	keyring_free(k);
	atomic_store(&app->lacks_epoch, held ? 0 : epoch);
	return held;
}

bool key_ahead(struct app *app, uint32_t active)
{
	struct keyring *k = app_keyring(app);
	const bool ahead = keyring_active(k) > active;

	keyring_free(k);
	return ahead;
}

enum err key_adopt(struct app *app, struct db *db, uint32_t active)
{
	struct keyring *k = app_keyring(app);
	const uint32_t epoch = keyring_active(k);
	uint64_t check = 0;
	const bool good = keyring_check(k, epoch, &check);

	keyring_free(k);
	if (!good)
		return ERR_NO_EPOCH;
	if (!active)
		return keys_adopt(db, epoch, check);
	log_event(LOG_WARN, "key_epoch", "the database has epoch %u active and the keyring epoch %u: an older database was restored; epoch %u counts", active, epoch, epoch);
	return keys_catch_up(db, active, epoch, check);
}

enum err key_report(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct keyring *k = app_keyring(app);
	struct keys_node n = {.node = app->key_node};
	size_t count;
	const struct keyring_epoch *epochs = keyring_epochs(k, &count);
	uint64_t check;
	uint32_t active;
	enum err e;

	(void)w;
	*more = false;
	db_array_init(&n.epochs, DB_INT4);
	db_array_init(&n.checks, DB_INT8);
	snprintf(n.fingerprint, sizeof n.fingerprint, "%016" PRIx64, keyring_fingerprint(k));
	for (size_t i = 0; i < count; i++)
		if (keyring_check(k, epochs[i].epoch, &check)) {
			db_array_int4(&n.epochs, (int32_t)epochs[i].epoch);
			db_array_int8(&n.checks, (int64_t)check);
		}
	keyring_free(k);
	e = keys_report(db, &n);
	db_array_fini(&n.epochs);
	db_array_fini(&n.checks);
	if (!e)
		e = keys_active(db, &active, &check);
	if (!e && active && !key_held(app, active, check))
		log_event(LOG_ERROR, "key_epoch", "this node's keyring lacks key epoch %u, which is active; bring the keyring and reload", active);
	return e;
}

void key_leave(struct app *app)
{
	struct db *db = NULL;
	struct buf why;

	buf_init(&why, 0);
	/* Where that fails the row grows old by itself. */
	if (!db_open(app->config->database_url, NULL, &db, &why)) {
		db_set_deadline(db, clock_mono_us() + 2000000);
		if (keys_leave(db, app->key_node))
			log_event(LOG_DEBUG, "key_node", "%s", db_error(db));
	}
	db_close(db);
	buf_fini(&why);
}

/* ---- rewrap ---- */

struct rewrap {
	struct app *app;
	struct worker *w;
	struct db *db;
	struct keyring *k;
	struct sealer *sealer;
	const uint8_t *from_kek, *to_kek;
	struct keys_rewrap rows;
	int64_t after;
};

/* A row that does not open is an alarm, is left where it is, and keeps its epoch from being destroyed. */
static enum err rewrap_row(struct rewrap *x, int64_t customer, int32_t generation, const uint8_t *wrapped, size_t len)
{
	uint8_t dek[SEAL_KEY_LEN], fresh[SEAL_DEK_LEN];
	enum err e = len == SEAL_DEK_LEN ? seal_dek_unwrap(x->sealer, x->from_kek, (uint64_t)customer, (uint32_t)generation, x->rows.from, wrapped, dek)
	                                 : ERR_SEAL;

	if (e == ERR_SEAL) {
		metric_add(METRIC_SEAL_FAILURES, 1);
		log_event(LOG_ERROR, "key_rewrap", "a customer's key under epoch %u does not open; it stays", x->rows.from);
		return ERR_OK;
	}
	if (!e)
		e = seal_dek_wrap(x->sealer, x->to_kek, (uint64_t)customer, (uint32_t)generation, x->rows.to, dek, fresh);
	secret_wipe(dek, sizeof dek);
	if (e)
		return e;
	db_array_int8(&x->rows.customers, customer);
	db_array_int4(&x->rows.generations, generation);
	db_array_bytes(&x->rows.old, wrapped, len);
	db_array_bytes(&x->rows.fresh, fresh, sizeof fresh);
	return ERR_OK;
}

static void rows_begin(struct keys_rewrap *r)
{
	db_array_init(&r->customers, DB_INT8);
	db_array_init(&r->generations, DB_INT4);
	db_array_init(&r->old, DB_BYTEA);
	db_array_init(&r->fresh, DB_BYTEA);
}

static void rows_end(struct keys_rewrap *r)
{
	db_array_fini(&r->customers);
	db_array_fini(&r->generations);
	db_array_fini(&r->old);
	db_array_fini(&r->fresh);
}

/* *seen: rows read, 0 at the end of a pass. */
static enum err rewrap_lot(struct rewrap *x, int32_t lot, size_t *seen)
{
	struct db_result *read = NULL;
	int64_t done = 0;
	enum err e;

	rows_begin(&x->rows);
	db_set_deadline(x->db, clock_mono_us() + TIMEOUT_US);
	e = keys_read(x->db, x->rows.from, x->after, lot, &read);
	*seen = e ? 0 : db_rows(read);
	for (size_t i = 0; i < *seen && !e; i++) {
		size_t len;
		const uint8_t *wrapped = db_bytes(read, i, 2, &len);

		x->after = db_int8(read, i, 0);
		e = rewrap_row(x, x->after, db_int4(read, i, 1), wrapped, len);
	}
	if (!e && x->rows.customers.n)
		e = keys_rewrap(x->db, &x->rows, &done);
	if (!e) {
		metric_add(METRIC_KEY_REWRAPPED, done);
		metric_set(METRIC_KEY_ROWS_LEFT, metric_get(METRIC_KEY_ROWS_LEFT) > done ? metric_get(METRIC_KEY_ROWS_LEFT) - done : 0);
	}
	db_result_free(read);
	rows_end(&x->rows);
	return e;
}

/* As long as `rows` take at the rate; wakes for a stop four times a second. */
static void pause_for(struct worker *w, size_t rows, int64_t rate)
{
	int64_t left_us = (int64_t)rows * 1000000 / rate;

	while (left_us > 0 && !worker_stopping(w)) {
		const int64_t piece = left_us < 250000 ? left_us : 250000;
		const struct timespec t = {.tv_nsec = piece * 1000};

		nanosleep(&t, NULL);
		left_us -= piece;
	}
}

/* One pass over an epoch. */
static enum err rewrap_epoch(struct rewrap *x)
{
	const int64_t rate = x->app->config->key_rewrap_rate > 0 ? x->app->config->key_rewrap_rate : 1;
	const int64_t lot = rate / LOTS_A_SECOND < 1 ? 1 : rate / LOTS_A_SECOND > LOT ? LOT : rate / LOTS_A_SECOND;
	size_t seen = 1;
	enum err e = ERR_OK;

	x->after = 0;
	while (!e && seen && !worker_stopping(x->w)) {
		e = rewrap_lot(x, (int32_t)lot, &seen);
		if (!e)
			pause_for(x->w, seen, rate);
	}
	return e;
}

static bool is_state(const struct db_result *epochs, size_t i, const char *state)
{
	return !strcmp(db_text(epochs, i, 1), state);
}

static enum err rewrap_all(struct rewrap *x, const struct db_result *epochs, int64_t *left)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < db_rows(epochs) && !e; i++) {
		int64_t rows = 0;

		if (is_state(epochs, i, "active"))
			continue;
		x->rows.from = (uint32_t)db_int4(epochs, i, 0);
		e = keys_count(x->db, x->rows.from, &rows);
		*left += rows;
		metric_set(METRIC_KEY_ROWS_LEFT, *left);
		x->from_kek = keyring_kek(x->k, x->rows.from);
		if (!e && rows && !x->from_kek)
			log_event(LOG_ERROR, "key_rewrap", "customers' keys are under epoch %u, which this node's keyring lacks", x->rows.from);
		else if (!e && rows) {
			log_event(LOG_INFO, "key_rewrap", "rows=%lld from=%u to=%u", (long long)rows, x->rows.from, x->rows.to);
			e = rewrap_epoch(x);
		}
	}
	return e;
}

enum err key_rewrap(struct app *app, struct worker *w, struct db *db, bool *more)
{
	struct rewrap x = {.app = app, .w = w, .db = db, .k = app_keyring(app)};
	struct db_result *epochs = NULL;
	int64_t left = 0;
	enum err e = keys_settle(db, app->config->key_overlap_s);

	*more = false;
	if (!e)
		e = keys_epochs(db, &epochs);
	for (size_t i = 0; i < db_rows(epochs) && !e; i++)
		if (is_state(epochs, i, "active")) {
			x.rows.to = (uint32_t)db_int4(epochs, i, 0);
			metric_set(METRIC_KEY_ROTATION_DUE, clock_now_us() - db_time_us(epochs, i, 3) > app->config->key_epoch_s * 1000000);
		}
	x.to_kek = keyring_kek(x.k, x.rows.to);
	if (!e && x.to_kek && db_rows(epochs) > 1)
		e = sealer_new(&x.sealer);
	if (!e && x.sealer)
		e = rewrap_all(&x, epochs, &left);
	if (!e && !left)
		metric_set(METRIC_KEY_ROWS_LEFT, 0);
	sealer_free(x.sealer);
	db_result_free(epochs);
	keyring_free(x.k);
	return e;
}
