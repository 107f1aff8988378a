/* consents.c: the queries of consents.h. */
#include "store/consents.h"

enum err notices_in_force(struct db *db, struct db_result **out)
{
	return db_run(db,
	              "SELECT DISTINCT ON (name, renew) name, version, renew, revision FROM notice ORDER BY name, renew, version DESC",
	              NULL, 0, out);
}

enum err notice_versions(struct db *db, const char *name, struct db_result **out)
{
	const struct db_param p = db_param_text(name);

	return db_run(db,
	              "SELECT version, renew, texts, hash, published_at, published_by FROM notice WHERE name = $1::text ORDER BY version DESC",
	              &p, 1, out);
}

enum err notice_version(struct db *db, const char *name, int32_t version, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_text(name), db_param_int4(version, room)};

	return db_run(db, "SELECT texts, hash, published_at FROM notice WHERE name = $1::text AND version = $2::int4", p, 2, out);
}

enum err notice_add(struct db *db, const struct notice_entry *n)
{
	uint8_t version[8], renew[8], revision[8], at[8];
	const struct db_param p[] = {db_param_text(n->name), db_param_int4((int32_t)n->version, version), db_param_bool(n->renew, renew),
	                             db_param_int8(n->revision, revision), db_param_text(n->texts), {n->hash, 32},
	                             db_param_time(n->at_us, at), db_param_text(n->by)};

	return db_run(db,
	              "INSERT INTO notice (name, version, renew, revision, texts, hash, published_at, published_by) "
	              "VALUES ($1::text, $2::int4, $3::bool, $4::int8, $5::text, $6::bytea, $7::timestamptz, $8::text)",
	              p, 8, NULL);
}

#define EVENT_COLUMNS "purpose, item, kind, dek_generation, at, valid_until, notice_version, detail, sealed"

enum err consent_events(struct db *db, int64_t customer, struct db_result **out)
{
	uint8_t id[8];
	const struct db_param p = db_param_int8(customer, id);

	return db_run(db, "SELECT " EVENT_COLUMNS " FROM consent_event WHERE customer_id = $1::int8 ORDER BY item", &p, 1, out);
}

enum err consent_history(struct db *db, int64_t customer, int32_t purpose, int64_t before, int32_t most, struct db_result **out)
{
	uint8_t id[8], number[8], item[8], limit[8];
	const struct db_param p[] = {db_param_int8(customer, id), db_param_int4(purpose, number), db_param_int8(before, item),
	                             db_param_int4(most, limit)};

	return db_run(db,
	              "SELECT " EVENT_COLUMNS " FROM consent_event WHERE customer_id = $1::int8 AND purpose IN (0, $2::int4) "
	              "AND item < $3::int8 ORDER BY item DESC LIMIT $4::int4",
	              p, 4, out);
}

enum err consent_last(struct db *db, int64_t customer, int32_t purpose, struct db_result **out)
{
	uint8_t id[8], number[8];
	const struct db_param p[] = {db_param_int8(customer, id), db_param_int4(purpose, number)};

	return db_run(db,
	              "SELECT " EVENT_COLUMNS " FROM consent_event WHERE customer_id = $1::int8 AND purpose = $2::int4 AND kind <= 4 "
	              "ORDER BY item DESC LIMIT 1",
	              p, 2, out);
}

/* Rows are never updated: nothing is granted for that. One with a personal part goes, and comes again without it. */
enum err consent_erase_personal(struct db *db, int64_t customer, uint64_t purposes)
{
	uint8_t id[8], mask[8];
	const struct db_param p[] = {db_param_int8(customer, id), db_param_int8((int64_t)purposes, mask)};

	return db_run(db,
	              "WITH gone AS (DELETE FROM consent_event WHERE customer_id = $1::int8 AND sealed IS NOT NULL "
	              "AND (purpose = 0 OR ($2::int8 >> (purpose - 1)) & 1 = 1) RETURNING " EVENT_COLUMNS ") "
	              "INSERT INTO consent_event (customer_id, " EVENT_COLUMNS ") "
	              "SELECT $1::int8, purpose, item, kind, dek_generation, at, valid_until, notice_version, detail, NULL FROM gone",
	              p, 2, NULL);
}

enum err consent_expired(struct db *db, int64_t by_us, int32_t most, struct db_result **out)
{
	uint8_t at[8], limit[8];
	const struct db_param p[] = {db_param_time(by_us, at), db_param_int4(most, limit)};

	return db_run(db,
	              "SELECT customer_id FROM customer WHERE state_valid_until <= $1::timestamptz AND state_valid_until < 'infinity' "
	              "ORDER BY state_valid_until LIMIT $2::int4",
	              p, 2, out);
}
