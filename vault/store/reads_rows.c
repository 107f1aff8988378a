/* reads_rows.c: results as maps, by id and by handle. */
#include "vault/store/reads_int.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct reads *r, int64_t id)
{
	size_t at = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 20) & (r->map_size - 1);

	while (r->map[at] && r->map[at]->id != id)
		at = (at + 1) & (r->map_size - 1);
	return at;
}

static bool grow_map(struct reads *r)
{
	struct customer_row **old = r->map;
	const size_t old_size = r->map_size;

	r->map_size = old_size ? old_size * 2 : 1024;
	r->map = calloc(r->map_size, sizeof(struct customer_row *));
	if (!r->map) {
		r->map = old;
		r->map_size = old_size;
		r->failed = true;
		return false;
	}
	for (size_t i = 0; i < old_size; i++)
		if (old[i])
			r->map[slot_of(r, old[i]->id)] = old[i];
	free(old);
	return true;
}

static struct customer_row *add_row(struct reads *r, const struct db_result *res, size_t i, bool locked)
{
	struct customer_row *row, **keep;
	size_t at;

	if (r->map_used * 2 >= r->map_size && !grow_map(r))
		return NULL;
	at = slot_of(r, db_int8(res, i, 0));
	if (r->map[at] && (r->map[at]->locked || !locked))
		return r->map[at]; /* read in an earlier round, or by two lookups */
	row = calloc(1, sizeof *row);
	keep = row ? reads_list_add(r, &r->rows, sizeof *keep) : NULL;
	if (!keep) {
		free(row);
		r->failed = true;
		return NULL;
	}
	*keep = row;
	*row = (struct customer_row){.id = db_int8(res, i, 0),
	                             .version = (uint32_t)db_int4(res, i, 1),
	                             .dek_generation = (uint32_t)db_int4(res, i, 2),
	                             .token_generation = (uint32_t)db_int4(res, i, 3),
	                             .state_valid_until_us = db_time_us(res, i, 5),
	                             .key_epoch = (uint32_t)db_int4(res, i, 8),
	                             .key_generation = (uint32_t)db_int4(res, i, 10),
	                             .locked = locked};
	row->state = db_bytes(res, i, 4, &row->state_len);
	row->header = db_bytes(res, i, 6, &row->header_len);
	row->fields = db_bytes(res, i, 7, &row->fields_len);
	row->wrapped = db_bytes(res, i, 9, &row->wrapped_len);
	if (!r->map[at])
		r->map_used++;
	r->map[at] = row;
	return row;
}

/* Keeps the result alive until reads_reset. */
static enum err take(struct reads *r, struct db *db, struct db_result **out)
{
	enum err e = db_next(db, out);

	if (e)
		return e;
	if (r->n_results == RESULTS_MAX) {
		db_result_free(*out);
		return ERR_INTERNAL;
	}
	r->results[r->n_results++] = *out;
	return ERR_OK;
}

static enum err take_customers(struct reads *r, struct db *db, bool locked)
{
	struct db_result *res;
	enum err e = take(r, db, &res);

	for (size_t i = 0; !e && i < db_rows(res); i++)
		if (!add_row(r, res, i, locked))
			e = ERR_MEMORY;
	return e;
}

static enum err take_lookups(struct reads *r, struct db *db)
{
	struct db_result *res;
	enum err e = take(r, db, &res);

	for (size_t i = 0; !e && i < db_rows(res); i++) {
		struct customer_row *row = add_row(r, res, i, false), **at;
		struct span *s = (struct span *)r->lookups.at + r->sent.lookup_base + (size_t)db_int8(res, i, 11) - 1;

		at = reads_list_add(r, &r->lookup_rows, sizeof *at);
		if (!row || !at)
			return ERR_MEMORY;
		*at = row;
		if (!s->n++)
			s->first = r->lookup_rows.n - 1;
	}
	return e;
}

static enum err take_records(struct reads *r, struct db *db)
{
	struct db_result *res;
	enum err e = take(r, db, &res);

	for (size_t i = 0; !e && i < db_rows(res); i++) {
		struct record_row *row = reads_list_add(r, &r->record_rows, sizeof *row);
		struct span *s = (struct span *)r->record_spans.at + r->sent.record_base + (size_t)db_int8(res, i, 0) - 1;

		if (!row)
			return ERR_MEMORY;
		*row = (struct record_row){.customer = db_int8(res, i, 1),
		                           .kind = (uint16_t)db_int4(res, i, 2),
		                           .item = db_int8(res, i, 3),
		                           .dek_generation = (uint32_t)db_int4(res, i, 4),
		                           .created_at_us = db_time_us(res, i, 5)};
		row->sealed = db_bytes(res, i, 6, &row->sealed_len);
		if (!s->n++)
			s->first = r->record_rows.n - 1;
	}
	return e;
}

static enum err take_items(struct reads *r, struct db *db)
{
	struct db_result *res;
	enum err e = take(r, db, &res);

	for (size_t i = 0; !e && i < db_rows(res); i++)
		reads_add_id(r, &r->items, db_int8(res, i, 0));
	return e;
}

static enum err take_kept(struct reads *r, struct db *db, struct db_result *kept[8], size_t *n)
{
	struct db_result *res;
	enum err e = take(r, db, &res);

	if (!e && *n == 8)
		return ERR_INTERNAL;
	if (!e)
		kept[(*n)++] = res;
	return e;
}

enum err reads_receive(struct reads *r, struct db *db)
{
	enum err e = ERR_OK;

	if (r->sent.buckets)
		e = db_next_done(db, NULL);
	if (!e && r->sent.idempotency)
		e = take_kept(r, db, r->idempotent, &r->n_idempotent);
	if (!e && r->sent.spent)
		e = take_kept(r, db, r->spent_rows, &r->n_spent);
	if (!e && r->sent.customers)
		e = take_customers(r, db, false);
	if (!e && r->sent.lookups)
		e = take_lookups(r, db);
	if (!e && r->sent.large)
		e = take_kept(r, db, r->large, &r->n_large);
	if (!e && r->sent.records)
		e = take_records(r, db);
	if (!e && r->sent.items)
		e = take_items(r, db);
	if (!e && r->sent.locks)
		e = take_customers(r, db, true);
	return !e && r->failed ? ERR_MEMORY : e;
}

struct customer_row *reads_get(struct reads *r, int64_t id)
{
	return r->map_size ? r->map[slot_of(r, id)] : NULL;
}

size_t reads_lookup_rows(struct reads *r, size_t handle)
{
	return ((struct span *)r->lookups.at)[handle].n;
}

struct customer_row *reads_lookup_row(struct reads *r, size_t handle, size_t i)
{
	const struct span *s = (struct span *)r->lookups.at + handle;

	assert(i < s->n);
	return ((struct customer_row **)r->lookup_rows.at)[s->first + i];
}

const uint8_t *reads_get_large(struct reads *r, int64_t customer, uint16_t subject, uint32_t *version, size_t *len)
{
	for (size_t k = 0; k < r->n_large; k++) {
		const struct db_result *res = r->large[k];

		for (size_t i = 0; i < db_rows(res); i++)
			if (db_int8(res, i, 0) == customer && db_int4(res, i, 1) == subject) {
				*version = (uint32_t)db_int4(res, i, 2);
				return db_bytes(res, i, 3, len);
			}
	}
	return NULL;
}

size_t reads_record_rows(struct reads *r, size_t handle)
{
	return ((struct span *)r->record_spans.at)[handle].n;
}

const struct record_row *reads_record_row(struct reads *r, size_t handle, size_t i)
{
	const struct span *s = (struct span *)r->record_spans.at + handle;

	assert(i < s->n);
	return (struct record_row *)r->record_rows.at + s->first + i;
}

int64_t reads_item_number(struct reads *r, size_t handle)
{
	assert(handle < r->items.n);
	return ((int64_t *)r->items.at)[handle];
}

bool reads_get_idempotency(struct reads *r, const uint8_t mac[static 32], const uint8_t **body_mac, int32_t *status,
                           const uint8_t **result, size_t *len)
{
	for (size_t k = 0; k < r->n_idempotent; k++) {
		const struct db_result *res = r->idempotent[k];

		for (size_t i = 0; i < db_rows(res); i++) {
			size_t mac_len;

			if (memcmp(db_bytes(res, i, 0, &mac_len), mac, 32))
				continue;
			*body_mac = db_bytes(res, i, 1, &mac_len);
			*status = db_int4(res, i, 2);
			*result = db_bytes(res, i, 3, len);
			return mac_len == 32;
		}
	}
	return false;
}

int64_t reads_get_search_spent(struct reads *r, int64_t identity)
{
	for (size_t k = 0; k < r->n_spent; k++)
		for (size_t i = 0; i < db_rows(r->spent_rows[k]); i++)
			if (db_int8(r->spent_rows[k], i, 0) == identity)
				return db_int4(r->spent_rows[k], i, 1);
	return 0;
}
