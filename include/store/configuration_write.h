/* configuration_write.h: changes of the configuration, each inside the
 * transaction under way. Whoever writes takes configuration_claim first: it
 * locks the revision, so that changes come one after the other on all nodes. */
#ifndef STORE_CONFIGURATION_WRITE_H
#define STORE_CONFIGURATION_WRITE_H

#include "db/connection.h"

/* Adds one to the revision and gives it. A caller whose decision rests on another
 * revision than the one before this must not go on: it was overtaken. */
enum err configuration_claim(struct db *db, int64_t *revision) MUST_CHECK;

/* One row of field or purpose, with its history. */
struct configuration_entry {
	uint16_t number;
	const char *name;
	bool record;      /* of a field */
	uint32_t version; /* 1: a new row */
	const char *definition;
	int64_t at_us;
	const char *by; /* identity */
};
enum err configuration_put_field(struct db *db, const struct configuration_entry *entry) MUST_CHECK;
enum err configuration_put_purpose(struct db *db, const struct configuration_entry *entry) MUST_CHECK;

enum err configuration_activate(struct db *db, uint32_t version, const uint8_t hash[static 32], const char *text, size_t len,
                                int64_t at_us, const char *by) MUST_CHECK;
/* version, hash, activated_at, activated_by; newest first */
enum err configuration_policy_history(struct db *db, struct db_result **out) MUST_CHECK;

/* An identity that is frozen already stays as it is. */
enum err configuration_freeze(struct db *db, const char *identity, const char *reason, int64_t at_us, const char *by) MUST_CHECK;
/* *rows 0: it was not frozen. */
enum err configuration_thaw(struct db *db, const char *identity, int64_t *rows) MUST_CHECK;
/* identity, frozen_at, frozen_by, reason */
enum err configuration_frozen_list(struct db *db, struct db_result **out) MUST_CHECK;

/* The audience's next token epoch: tokens of the one before open no more. *epoch 0: there is no such audience. */
enum err configuration_next_token_epoch(struct db *db, const char *name, uint32_t *epoch) MUST_CHECK;

#endif
