/* reads.c: wishes as array parameters. */
#include "vault/store/reads_int.h"

#include "store/statements.h"

#include <stdlib.h>
#include <string.h>

void *reads_list_add(struct reads *r, struct list *l, size_t size)
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

void reads_add_id(struct reads *r, struct list *l, int64_t id)
{
	int64_t *at = reads_list_add(r, l, sizeof *at);

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
	reads_add_id(r, &r->ids, id);
}

void reads_customer_locked(struct reads *r, int64_t id)
{
	reads_add_id(r, &r->lock_ids, id);
}

void reads_bucket(struct reads *r, uint32_t bucket)
{
	reads_add_id(r, &r->buckets, (int64_t)(bucket % LOCK_BUCKETS) + 1);
}

size_t reads_lookup(struct reads *r, uint32_t space, uint32_t epoch, int64_t tag, int64_t after, uint32_t most)
{
	struct span *s = reads_list_add(r, &r->lookups, sizeof *s);

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
	struct span *s = reads_list_add(r, &r->record_spans, sizeof *s);

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
