/* reads.c: wishes as array parameters, results as maps. */
#include "store/reads.h"

#include "store/statements.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define RESULTS_MAX 64

struct span { /* rows of one handle */
	size_t first, n;
};

struct lookup {
	struct span span;
	bool answered;
};

struct list { /* a growing array */
	void *at;
	size_t n, cap;
};

struct reads {
	/* wishes of the next round */
	struct list ids, lock_ids, buckets;
	struct db_array lookup_space, lookup_epoch, lookup_tag, lookup_after, lookup_most;
	struct db_array large_customer, large_subject;
	struct db_array records_customer, records_kind, records_before, records_most;
	struct db_array idempotency, spent;
	struct db_array scratch;
	int64_t idempotency_not_before, spent_hour;
	size_t items_wanted;
	bool failed;
	/* what the round that is under way sent */
	struct {
		bool buckets, customers, locks, lookups, large, records, items, idempotency, spent;
		size_t lookup_base, record_base;
	} sent;
	/* results */
	struct db_result *results[RESULTS_MAX];
	size_t n_results;
	struct list rows;         /* struct customer_row *, one allocation a row */
	struct customer_row **map; /* open addressing by id */
	size_t map_size, map_used;
	struct list lookups;      /* struct span into lookup_rows */
	struct list lookup_rows;  /* struct customer_row * */
	struct list record_spans; /* struct span into record_rows */
	struct list record_rows;  /* struct record_row */
	struct list items;        /* int64_t */
	struct db_result *large[8], *idempotent[8], *spent_rows[8];
	size_t n_large, n_idempotent, n_spent;
	size_t items_handed;
};

static void *list_add(struct reads *r, struct list *l, size_t size)
{
	if (l->n == l->cap) {
		const size_t cap = l->cap ? l->cap * 2 : 64;
		void *moved = realloc(l->at, cap * size);

		if (!moved) {
			r->failed = true;
			return NULL;
		}
		l->at = moved;
		l->cap = cap;
	}
	return (char *)l->at + size * l->n++;
}

static void add_id(struct reads *r, struct list *l, int64_t id)
{
	int64_t *at = list_add(r, l, sizeof *at);

	if (at)
		*at = id;
}

static struct db_array *const *arrays_of(struct reads *r, struct db_array *room[16])
{
	struct db_array *all[] = {&r->lookup_space, &r->lookup_epoch, &r->lookup_tag, &r->lookup_after, &r->lookup_most,
	                          &r->large_customer, &r->large_subject, &r->records_customer, &r->records_kind,
	                          &r->records_before, &r->records_most, &r->idempotency, &r->spent, &r->scratch};

	memcpy(room, all, sizeof all);
	room[sizeof all / sizeof *all] = NULL;
	return room;
}

static const enum db_type array_types[] = {DB_INT4, DB_INT4, DB_INT8, DB_INT8, DB_INT4, DB_INT8, DB_INT4,
                                           DB_INT8, DB_INT4, DB_INT8, DB_INT4, DB_BYTEA, DB_INT8, DB_INT8};

enum err reads_new(struct reads **out)
{
	struct reads *r = calloc(1, sizeof *r);
	struct db_array *room[16];
	struct db_array *const *a;

	*out = r;
	if (!r)
		return ERR_MEMORY;
	a = arrays_of(r, room);
	for (size_t i = 0; a[i]; i++)
		db_array_init(a[i], array_types[i]);
	return ERR_OK;
}

static void drop_results(struct reads *r)
{
	struct customer_row **rows = r->rows.at;

	for (size_t i = 0; i < r->rows.n; i++)
		free(rows[i]);
	for (size_t i = 0; i < r->n_results; i++)
		db_result_free(r->results[i]);
	r->n_results = 0;
	r->n_large = r->n_idempotent = r->n_spent = 0;
	if (r->map)
		memset(r->map, 0, r->map_size * sizeof *r->map);
	r->map_used = 0;
}

void reads_free(struct reads *r)
{
	struct db_array *room[16];
	struct db_array *const *a;
	struct list *lists[] = {&r->ids,     &r->lock_ids,    &r->buckets,      &r->rows, &r->lookups,
	                        &r->lookup_rows, &r->record_spans, &r->record_rows, &r->items};

	if (!r)
		return;
	drop_results(r);
	a = arrays_of(r, room);
	for (size_t i = 0; a[i]; i++)
		db_array_fini(a[i]);
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		free(lists[i]->at);
	free(r->map);
	free(r);
}

void reads_reset(struct reads *r)
{
	struct db_array *room[16];
	struct db_array *const *a = arrays_of(r, room);

	drop_results(r);
	for (size_t i = 0; a[i]; i++)
		db_array_reset(a[i]);
	r->ids.n = r->lock_ids.n = r->buckets.n = r->rows.n = r->lookups.n = r->lookup_rows.n = 0;
	r->record_spans.n = r->record_rows.n = r->items.n = 0;
	r->items_wanted = r->items_handed = 0;
	r->failed = false;
}

void reads_customer(struct reads *r, int64_t id)
{
	add_id(r, &r->ids, id);
}

void reads_customer_locked(struct reads *r, int64_t id)
{
	add_id(r, &r->lock_ids, id);
}

void reads_bucket(struct reads *r, uint32_t bucket)
{
	add_id(r, &r->buckets, (int64_t)(bucket % LOCK_BUCKETS) + 1);
}

size_t reads_lookup(struct reads *r, uint32_t space, uint32_t epoch, int64_t tag, int64_t after, uint32_t most)
{
	struct span *s = list_add(r, &r->lookups, sizeof *s);

	if (s)
		*s = (struct span){0};
	db_array_int4(&r->lookup_space, (int32_t)space);
	db_array_int4(&r->lookup_epoch, (int32_t)epoch);
	db_array_int8(&r->lookup_tag, tag);
	db_array_int8(&r->lookup_after, after);
	db_array_int4(&r->lookup_most, (int32_t)most);
	return r->lookups.n - 1;
}

void reads_large(struct reads *r, int64_t customer, uint16_t subject)
{
	db_array_int8(&r->large_customer, customer);
	db_array_int4(&r->large_subject, subject);
}

size_t reads_records(struct reads *r, int64_t customer, uint16_t kind, int64_t before, uint32_t most)
{
	struct span *s = list_add(r, &r->record_spans, sizeof *s);

	if (s)
		*s = (struct span){0};
	db_array_int8(&r->records_customer, customer);
	db_array_int4(&r->records_kind, kind);
	db_array_int8(&r->records_before, before);
	db_array_int4(&r->records_most, (int32_t)most);
	return r->record_spans.n - 1;
}

size_t reads_item_numbers(struct reads *r, size_t n)
{
	const size_t handle = r->items_handed;

	r->items_handed += n;
	r->items_wanted += n;
	return handle;
}

void reads_idempotency(struct reads *r, const uint8_t mac[static 32], int64_t not_before_us)
{
	db_array_bytes(&r->idempotency, mac, 32);
	r->idempotency_not_before = not_before_us;
}

void reads_search_spent(struct reads *r, int64_t identity, int64_t hour_us)
{
	db_array_int8(&r->spent, identity);
	r->spent_hour = hour_us;
}

static bool other_than_locks(const struct reads *r)
{
	return r->ids.n || r->buckets.n || r->lookup_space.n || r->large_customer.n || r->records_customer.n ||
	       r->items_wanted || r->idempotency.n || r->spent.n;
}

bool reads_pending(const struct reads *r)
{
	return other_than_locks(r) || r->lock_ids.n;
}

static int compare_ids(const void *a, const void *b)
{
	int64_t x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return (x > y) - (x < y);
}

/* Sorts, drops doubles, moves the list into scratch. */
static struct db_param sorted_param(struct reads *r, struct list *l, enum db_type type)
{
	int64_t *ids = l->at;

	if (l->n)
		qsort(ids, l->n, sizeof *ids, compare_ids);
	db_array_fini(&r->scratch);
	db_array_init(&r->scratch, type);
	for (size_t i = 0; i < l->n; i++) {
		if (i && ids[i] == ids[i - 1])
			continue;
		if (type == DB_INT4)
			db_array_int4(&r->scratch, (int32_t)ids[i]);
		else
			db_array_int8(&r->scratch, ids[i]);
	}
	l->n = 0;
	return db_array_param(&r->scratch);
}

static void send_sorted(struct reads *r, struct db *db, enum statement statement, struct list *l, enum db_type type, bool *sent)
{
	struct db_param p;

	*sent = l->n > 0;
	if (!*sent)
		return;
	p = sorted_param(r, l, type);
	r->failed = r->failed || !p.bytes;
	db_send(db, statement, &p, 1);
}

static void send_arrays(struct reads *r, struct db *db, enum statement statement, struct db_array *const *columns, size_t n,
                        const struct db_param *more, bool *sent)
{
	struct db_param p[8];

	*sent = columns[0]->n > 0;
	if (!*sent)
		return;
	for (size_t i = 0; i < n; i++) {
		p[i] = db_array_param(columns[i]);
		if (!p[i].bytes) /* it would read as "no rows": a duplicate not seen */
			r->failed = true;
	}
	if (more)
		p[n++] = *more;
	db_send(db, statement, p, n);
	for (size_t i = 0; i < n - (more != NULL); i++)
		db_array_reset(columns[i]);
}

void reads_send(struct reads *r, struct db *db)
{
	uint8_t time_room[8], count_room[8];
	struct db_array *lookups[] = {&r->lookup_space, &r->lookup_epoch, &r->lookup_tag, &r->lookup_after, &r->lookup_most};
	struct db_array *large[] = {&r->large_customer, &r->large_subject};
	struct db_array *records[] = {&r->records_customer, &r->records_kind, &r->records_before, &r->records_most};
	struct db_array *idempotency[] = {&r->idempotency};
	struct db_array *spent[] = {&r->spent};
	const bool only_locks = !other_than_locks(r);
	struct db_param p;

	r->sent.lookup_base = r->lookups.n - r->lookup_space.n;
	r->sent.record_base = r->record_spans.n - r->records_customer.n;
	send_sorted(r, db, ST_BUCKETS, &r->buckets, DB_INT4, &r->sent.buckets);
	p = db_param_time(r->idempotency_not_before, time_room);
	send_arrays(r, db, ST_IDEMPOTENCY, idempotency, 1, &p, &r->sent.idempotency);
	p = db_param_time(r->spent_hour, time_room);
	send_arrays(r, db, ST_SEARCH_SPENT, spent, 1, &p, &r->sent.spent);
	send_sorted(r, db, ST_CUSTOMERS, &r->ids, DB_INT8, &r->sent.customers);
	send_arrays(r, db, ST_LOOKUP, lookups, 5, NULL, &r->sent.lookups);
	send_arrays(r, db, ST_LARGE, large, 2, NULL, &r->sent.large);
	send_arrays(r, db, ST_RECORDS, records, 4, NULL, &r->sent.records);
	r->sent.items = r->items_wanted > 0;
	if (r->sent.items) {
		p = db_param_int4((int32_t)r->items_wanted, count_room);
		db_send(db, ST_ITEM_NUMBERS, &p, 1);
		r->items_wanted = 0;
	}
	r->sent.locks = false;
	if (only_locks)
		send_sorted(r, db, ST_CUSTOMERS_LOCK, &r->lock_ids, DB_INT8, &r->sent.locks);
}

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
	keep = row ? list_add(r, &r->rows, sizeof *keep) : NULL;
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

		at = list_add(r, &r->lookup_rows, sizeof *at);
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
		struct record_row *row = list_add(r, &r->record_rows, sizeof *row);
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
		add_id(r, &r->items, db_int8(res, i, 0));
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
