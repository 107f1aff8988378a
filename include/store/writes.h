/* writes.h: what a batch writes, collected from all its requests and sent as one
 * statement a table, in a fixed order. One thread. */
#ifndef STORE_WRITES_H
#define STORE_WRITES_H

#include "db/connection.h"

struct writes;
enum err writes_new(struct writes **out) MUST_CHECK;
void writes_free(struct writes *w);
void writes_reset(struct writes *w);

struct customer_write {
	int64_t id;
	uint32_t version, dek_generation, token_generation;
	const uint8_t *state;
	size_t state_len;
	int64_t state_valid_until_us;
	const uint8_t *header;
	size_t header_len;
	const uint8_t *fields;
	size_t fields_len;
};
void writes_insert_customer(struct writes *w, const struct customer_write *c);
/* The row must have been read locked, at version - 1. */
void writes_update_customer(struct writes *w, const struct customer_write *c);
void writes_key(struct writes *w, int64_t customer, uint32_t generation, uint32_t epoch, const uint8_t *wrapped, size_t len);
void writes_large(struct writes *w, int64_t customer, uint16_t subject, uint32_t version, const uint8_t *sealed, size_t len);
void writes_delete_large(struct writes *w, int64_t customer, uint16_t subject);
void writes_index(struct writes *w, int64_t customer, uint32_t space, uint32_t epoch, int64_t tag);
void writes_delete_index(struct writes *w, int64_t customer, uint32_t space, uint32_t epoch, int64_t tag);
void writes_record(struct writes *w, int64_t customer, uint16_t kind, int64_t item, uint32_t generation,
                   const uint8_t *sealed, size_t len);
void writes_delete_record(struct writes *w, int64_t customer, uint16_t kind, int64_t item);
struct consent_write {
	int32_t purpose, kind;
	uint32_t dek_generation;
	int64_t valid_until_us; /* INT64_MAX: infinity */
	uint32_t notice_version;
	const char *detail;
	const uint8_t *sealed; /* empty: nothing personal */
	size_t sealed_len;
};
void writes_consent(struct writes *w, int64_t customer, const struct consent_write *c);
void writes_idempotency(struct writes *w, const uint8_t key_mac[static 32], const uint8_t body_mac[static 32],
                        int32_t status, const void *result, size_t len);
void writes_search_spent(struct writes *w, int64_t identity, int64_t value, int64_t hour_us);

/* How many of these are in this batch already. */
int64_t writes_search_values(const struct writes *w, int64_t identity);

/* A request may fail half way through its writes: remember where it began and cut back. */
struct writes_mark {
	size_t len[96];
	uint32_t n[96];
};
void writes_mark(const struct writes *w, struct writes_mark *m);
void writes_cut(struct writes *w, const struct writes_mark *m);

/* Queues the statements on db. ERR_MEMORY where an array could not grow. */
enum err writes_send(struct writes *w, struct db *db, int64_t now_us) MUST_CHECK;
/* Takes their results. An update that met another version than the one before it is an
 * error of the statement: a COMMIT sent behind it does not commit. */
enum err writes_receive(struct writes *w, struct db *db) MUST_CHECK;

#endif
