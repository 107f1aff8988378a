/* reads.h: what a batch wants to read, collected from all its requests, sent as
 * one round trip, and handed back by handle or id.
 *
 * Use: ask (reads_customer, reads_lookup, ...), reads_send, reads_receive, get;
 * then perhaps ask again for a further round. Results of earlier rounds stay
 * until reads_reset. Rows borrow from results. One thread. */
#ifndef STORE_READS_H
#define STORE_READS_H

#include "db/connection.h"

struct customer_row {
	int64_t id;
	uint32_t version, dek_generation, token_generation;
	const uint8_t *state;
	size_t state_len;
	int64_t state_valid_until_us;
	const uint8_t *header;
	size_t header_len;
	const uint8_t *fields;
	size_t fields_len;
	uint32_t key_epoch, key_generation;
	const uint8_t *wrapped;
	size_t wrapped_len;
	bool locked; /* read FOR UPDATE: may be written in this batch */
	void *opened; /* the app's; what it made of this row */
};

struct record_row {
	int64_t customer, item, created_at_us;
	uint16_t kind;
	uint32_t dek_generation;
	const uint8_t *sealed;
	size_t sealed_len;
};

struct reads;
enum err reads_new(struct reads **out) MUST_CHECK;
void reads_free(struct reads *r);
void reads_reset(struct reads *r);

void reads_customer(struct reads *r, int64_t id);
/* Locks are taken sorted, in the last round only: a round that still holds
 * another wish than locks leaves them for the next one. */
void reads_customer_locked(struct reads *r, int64_t id);
/* Customers under a tag, ascending ids above after, at most most. Returns a handle. */
size_t reads_lookup(struct reads *r, uint32_t space, uint32_t epoch, int64_t tag, int64_t after, uint32_t most);
/* Locks one of LOCK_BUCKETS buckets until the end of the transaction; first round only. */
void reads_bucket(struct reads *r, uint32_t bucket);
void reads_large(struct reads *r, int64_t customer, uint16_t subject);
/* Newest first, items below before. Returns a handle. */
size_t reads_records(struct reads *r, int64_t customer, uint16_t kind, int64_t before, uint32_t most);
/* n fresh item numbers; returns the handle of the first, the others follow. */
size_t reads_item_numbers(struct reads *r, size_t n);
void reads_idempotency(struct reads *r, const uint8_t mac[static 32], int64_t not_before_us);
void reads_search_spent(struct reads *r, int64_t identity, int64_t hour_us);

/* Anything asked for and not read yet? */
bool reads_pending(const struct reads *r);
/* Queues the statements of this round on db, after whatever the caller has queued. */
void reads_send(struct reads *r, struct db *db);
/* Takes their results, in the same place among the others' results. */
enum err reads_receive(struct reads *r, struct db *db) MUST_CHECK;

/* NULL: there is none. */
struct customer_row *reads_get(struct reads *r, int64_t id);
size_t reads_lookup_rows(struct reads *r, size_t handle);
struct customer_row *reads_lookup_row(struct reads *r, size_t handle, size_t i);
const uint8_t *reads_get_large(struct reads *r, int64_t customer, uint16_t subject, uint32_t *version, size_t *len);
size_t reads_record_rows(struct reads *r, size_t handle);
const struct record_row *reads_record_row(struct reads *r, size_t handle, size_t i);
int64_t reads_item_number(struct reads *r, size_t handle);
/* false: none stored. */
bool reads_get_idempotency(struct reads *r, const uint8_t mac[static 32], const uint8_t **body_mac, int32_t *status,
                           const uint8_t **result, size_t *len);
int64_t reads_get_search_spent(struct reads *r, int64_t identity);

#endif
