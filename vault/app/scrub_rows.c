/* scrub_rows.c: opens the rows of slices, page by page. */
#include "vault/app/watch_int.h"

#include "base/clock.h"
#include "store/watch.h"

#include <string.h>

#define ANSWER_US ((int64_t)60 * 1000000)

/* What opening needs of a batch. */
static struct batch tools(struct watch *w)
{
	return (struct batch){.app = w->app, .sealer = w->sealer};
}

static struct customer_row row_of(const struct db_result *r, size_t i)
{
	struct customer_row row = {.id = db_int8(r, i, 0),
	                           .version = (uint32_t)db_int4(r, i, 1),
	                           .dek_generation = (uint32_t)db_int4(r, i, 2),
	                           .token_generation = (uint32_t)db_int4(r, i, 3),
	                           .state_valid_until_us = db_time_us(r, i, 5)};

	row.state = db_bytes(r, i, 4, &row.state_len);
	row.header = db_bytes(r, i, 6, &row.header_len);
	row.fields = db_bytes(r, i, 7, &row.fields_len);
	if (!db_null(r, i, 8)) {
		row.key_epoch = (uint32_t)db_int4(r, i, 8);
		row.wrapped = db_bytes(r, i, 9, &row.wrapped_len);
		row.key_generation = (uint32_t)db_int4(r, i, 10);
	}
	return row;
}

/* Both lists ascend: the row's directory names each large value with its version. */
static bool has_large(const struct customer *c, const struct db_result *large, size_t *at)
{
	bool all = true;

	while (*at < db_rows(large) && db_int8(large, *at, 0) < c->row->id)
		++*at;
	for (size_t i = 0; i < c->n_units; i++) {
		if (c->units[i].len)
			continue;
		while (*at < db_rows(large) && db_int8(large, *at, 0) == c->row->id && db_int4(large, *at, 1) < c->units[i].number)
			++*at;
		all = all && *at < db_rows(large) && db_int8(large, *at, 0) == c->row->id && db_int4(large, *at, 1) == c->units[i].number &&
		      (uint32_t)db_int4(large, *at, 2) == c->units[i].version;
	}
	return all;
}

static enum err take_row(struct batch *b, struct customer_row *row, const struct db_result *large, size_t *at, struct scrub_rows *out)
{
	const uint32_t slice = slice_of_id(row->id);
	struct customer *c = NULL;
	uint8_t sha256[32];
	enum err e = slice_row_sha256(row, sha256);
	enum err opened = e ? e : row->wrapped ? customer_open(b, row, &c) : customer_alarm(ERR_SEAL, "key");

	if (e || opened == ERR_MEMORY || opened == ERR_CRYPTO)
		return e ? e : opened;
	out->customers++;
	if (opened || !c)
		return out->row(out->ctx, slice, NULL, row->version, sha256);
	e = out->row(out->ctx, slice, c->sref, row->version, sha256);
	return !e && !has_large(c, large, at) ? out->no_large(out->ctx, slice, c->sref) : e;
}

static enum err take_page(struct watch *w, struct db *db, const struct db_result *r, struct scrub_rows *out)
{
	const size_t rows = db_rows(r);
	struct db_result *large = NULL;
	struct batch b = tools(w);
	size_t at = 0;
	enum err e = rows ? watch_large(db, db_int8(r, 0, 0), db_int8(r, rows - 1, 0), &large) : ERR_OK;

	b.keyring = app_keyring(w->app);
	arena_init(&b.arena, (size_t)64 << 20);
	for (size_t i = 0; i < rows && !e; i++) {
		struct customer_row row = row_of(r, i);

		e = take_row(&b, &row, large, &at, out);
	}
	seal_forget(w->sealer);
	arena_fini(&b.arena);
	keyring_free(b.keyring);
	db_result_free(large);
	return e;
}

enum err scrub_rows_read(struct watch *w, struct db *db, uint32_t first, uint32_t n, struct scrub_rows *out)
{
	const int64_t to = first + n == SLICES ? INT64_MAX : slice_id(first + n, 0) - 1;
	int64_t after = slice_id(first, 0) - 1;
	size_t rows = WATCH_ROWS;
	enum err e = ERR_OK;

	while (!e && rows == WATCH_ROWS) {
		struct db_result *r = NULL;

		db_set_deadline(db, clock_mono_us() + ANSWER_US);
		e = watch_customers(db, after, to, &r);
		rows = e ? 0 : db_rows(r);
		if (rows)
			after = db_int8(r, rows - 1, 0);
		if (!e)
			e = take_page(w, db, r, out);
		db_result_free(r);
	}
	return e;
}
