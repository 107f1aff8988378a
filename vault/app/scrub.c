/* scrub.c: holds the rows of all customers against the audit log, some slices at a time, each in one view of both.
 * Where the sums of a slice differ, or a row does not open, scrub_name.c says what is wrong. */
#include "vault/app/watch_int.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "store/watch.h"

#include <string.h>

#define ROWS_A_VIEW 2000       /* about: more slices are taken together where they are small */
#define TURN_US 1000000        /* then the other tasks have their turn */
#define FINDINGS_MAX 10000     /* that are counted */

/* What the rows of some slices add up to. */
struct comparison {
	struct watch *w;
	uint32_t first;
	struct slice_sum sums[SCRUB_SLICES_MAX];
	bool differs[SCRUB_SLICES_MAX];
};

static enum err add_row(void *ctx, uint32_t slice, const uint8_t *sref, uint32_t version, const uint8_t sha256[static 32])
{
	struct comparison *c = ctx;

	if (sref)
		return slice_add(c->w->mac, &c->sums[slice - c->first], sref, version, sha256);
	c->differs[slice - c->first] = true;
	return ERR_OK;
}

static enum err no_large(void *ctx, uint32_t slice, const uint8_t *sref)
{
	struct comparison *c = ctx;

	(void)sref;
	c->differs[slice - c->first] = true;
	return ERR_OK;
}

/* Slices that have findings are looked at again, so that these go once they are mended. */
static enum err mark_known(struct comparison *c, struct db *db, uint32_t n)
{
	struct db_result *r = NULL;
	enum err e = scrub_findings(db, -1, FINDINGS_MAX, &r);

	for (size_t i = 0; !e && i < db_rows(r); i++) {
		const uint32_t slice = (uint32_t)db_int4(r, i, 0);

		if (slice >= c->first && slice < c->first + n)
			c->differs[slice - c->first] = true;
	}
	if (!e)
		metric_set(METRIC_SCRUB_FINDINGS, (int64_t)db_rows(r));
	db_result_free(r);
	return e;
}

/* The view shows rows and log at one moment: every write is in both or in neither. */
static enum err compare(struct watch *w, struct db *db, struct comparison *c, uint32_t n, int64_t *customers)
{
	struct scrub_rows rows = {.row = add_row, .no_large = no_large, .ctx = c};
	enum err e = watch_open(db);

	if (e)
		return e;
	e = watch_read(w, db);
	if (!e)
		e = scrub_rows_read(w, db, c->first, n, &rows);
	for (uint32_t i = 0; i < n && !e; i++)
		if (memcmp(&c->sums[i], &w->sums[c->first + i], sizeof c->sums[i]) != 0)
			c->differs[i] = true;
	if (!e)
		e = mark_known(c, db, n);
	*customers = rows.customers;
	if (db_cause(db) == DB_FINE) {
		const enum err closed = watch_close(db);

		e = e ? e : closed;
	}
	return e;
}

static enum err scrub_slices(struct watch *w, struct db *db, uint32_t first, uint32_t n)
{
	struct comparison c = {.w = w, .first = first};
	bool any = false;
	int64_t customers = 0;
	enum err e = compare(w, db, &c, n, &customers);

	for (uint32_t i = 0; i < n; i++)
		any = any || c.differs[i];
	if (!e && any)
		e = scrub_name(w, db, first, n, c.differs);
	if (!e)
		e = scrub_advance(db, (int32_t)(first + n), customers, first + n == SLICES);
	return e;
}

static enum err how_many(struct db *db, uint32_t *n)
{
	int64_t customers = 0;
	enum err e = scrub_estimate(db, &customers);
	const int64_t a_slice = customers / SLICES + 1, wanted = ROWS_A_VIEW / a_slice + 1;

	*n = wanted > SCRUB_SLICES_MAX ? SCRUB_SLICES_MAX : (uint32_t)wanted;
	return e;
}

/* A cycle takes nine tenths of the time that it may. */
static int64_t pause_us(const struct watch *w, uint32_t n)
{
	return w->app->config->scrub_hours * 3600 * 900000 / SLICES * n;
}

static enum err start_if_due(struct watch *w, struct db *db, const struct scrub_row *row)
{
	const int64_t hours = w->app->config->scrub_hours;

	if (!hours || clock_now_us() - row->started_at_us < hours * 3600 * 1000000)
		return ERR_OK;
	w->next_us = 0;
	return scrub_start(db, false);
}

static void show(const struct scrub_row *row)
{
	metric_set(METRIC_SCRUB_SLICE, row->next_slice);
	metric_set(METRIC_SCRUB_ENDED_US, row->ended_at_us);
}

enum err scrub_run(struct app *app, struct worker *worker, struct db *db, bool *more)
{
	const int64_t until_us = clock_mono_us() + TURN_US;
	struct watch *w = app->watch;
	struct scrub_row row;
	uint32_t n = 0;
	enum err e = scrub_read(db, &row);

	*more = false;
	if (e)
		return e;
	show(&row);
	if (row.next_slice < 0 || row.next_slice > (int32_t)SLICES)
		return ERR_INTERNAL;
	if (row.next_slice == (int32_t)SLICES)
		return start_if_due(w, db, &row);
	if (!w->loaded || (!row.asked && clock_mono_us() < w->next_us))
		return ERR_OK;
	e = how_many(db, &n);
	while (!e && row.next_slice < (int32_t)SLICES && !worker_stopping(worker)) {
		const uint32_t left = SLICES - (uint32_t)row.next_slice;

		n = n < left ? n : left;
		e = scrub_slices(w, db, (uint32_t)row.next_slice, n);
		row.next_slice += (int32_t)n;
		w->next_us = clock_mono_us() + pause_us(w, n);
		if (!row.asked || clock_mono_us() > until_us)
			break;
	}
	if (!e && row.next_slice == (int32_t)SLICES)
		log_event(LOG_INFO, "scrub_ended", "cycle=%lld", (long long)row.cycle);
	return e;
}
