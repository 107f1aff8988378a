/* reads_int.h: between reads.c (wishes) and reads_rows.c (results). */
#ifndef STORE_READS_INT_H
#define STORE_READS_INT_H

#include "store/reads.h"

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

/* Room for one more element; NULL and r->failed where there is none. */
void *reads_list_add(struct reads *r, struct list *l, size_t size);
void reads_add_id(struct reads *r, struct list *l, int64_t id);

#endif
