/* keys.h: key epochs and the nodes that hold them, and the wrapped keys under an epoch. Plain queries. */
#ifndef STORE_KEYS_H
#define STORE_KEYS_H

#include "db/connection.h"

#define KEYS_LIVE_S "10" /* a node that has not reported for longer is not live */

/* The active epoch and what stands for its KEK; *epoch 0: no epoch was ever recorded. */
enum err keys_active(struct db *db, uint32_t *epoch, uint64_t *check) MUST_CHECK;
/* Records the first epoch, where there is none. */
enum err keys_adopt(struct db *db, uint32_t epoch, uint64_t check) MUST_CHECK;
/* A database that was restored from before a rotation: puts epoch in force in the place of `behind`, with a new revision. In a
 * transaction of its own; does nothing where another node has done it. */
enum err keys_catch_up(struct db *db, uint32_t behind, uint32_t epoch, uint64_t check) MUST_CHECK;
/* epoch, state, check_value, activated_at, retired_at, destroyed_at, gone_at; by epoch. */
enum err keys_epochs(struct db *db, struct db_result **out) MUST_CHECK;
/* Makes it active and the one before retiring; after configuration_claim. */
enum err keys_activate(struct db *db, uint32_t epoch, uint64_t check, int64_t at_us) MUST_CHECK;
enum err keys_destroy(struct db *db, uint32_t epoch, int64_t at_us) MUST_CHECK;

struct keys_node {
	const char *node; /* host name or VAULT_NODE, and port */
	char fingerprint[17];
	struct db_array epochs, checks;
};
/* This node lives and holds these. */
enum err keys_report(struct db *db, struct keys_node *n) MUST_CHECK;
/* This node stops. */
enum err keys_leave(struct db *db, const char *node) MUST_CHECK;
/* node, live, seen_at, fingerprint, epochs ("1,2"); by name. */
enum err keys_nodes(struct db *db, struct db_result **out) MUST_CHECK;
/* node: each live one that does not hold this very KEK. */
enum err keys_lacking(struct db *db, uint32_t epoch, uint64_t check, struct db_result **out) MUST_CHECK;
/* Notes which destroyed epochs no node reports any more, and forgets nodes that were silent for forget_s. */
enum err keys_settle(struct db *db, int64_t forget_s) MUST_CHECK;

/* epoch, rows: of all customers' keys. Looks at every row's index entry. */
enum err keys_counts(struct db *db, struct db_result **out) MUST_CHECK;
/* Rows on an epoch; is there any at all? */
enum err keys_count(struct db *db, uint32_t epoch, int64_t *rows) MUST_CHECK;
enum err keys_any(struct db *db, uint32_t epoch, bool *any) MUST_CHECK;
/* The epoch of one customer's key, locked against a rewrap until the transaction ends; 0: no key. */
enum err keys_of_customer(struct db *db, int64_t customer, uint32_t *epoch) MUST_CHECK;

/* customer_id, dek_generation, wrapped; by customer, above after, at most most. */
enum err keys_read(struct db *db, uint32_t epoch, int64_t after, int32_t most, struct db_result **out) MUST_CHECK;
struct keys_rewrap {
	uint32_t from, to;
	struct db_array customers, generations, old, fresh;
};
/* In one transaction: replaces each wrapped key that is still the old one, and inserts none, so that what was
 * erased or written meanwhile stays as it is. *done: rows replaced. Does nothing where `to` is not active any more. */
enum err keys_rewrap(struct db *db, struct keys_rewrap *w, int64_t *done) MUST_CHECK;

#endif
