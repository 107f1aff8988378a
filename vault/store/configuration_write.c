/* configuration_write.c: statements of configuration_write.h. */
#include "store/configuration_write.h"

enum err configuration_claim(struct db *db, int64_t *revision)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "UPDATE vault_revision SET revision = revision + 1 RETURNING revision", NULL, 0, &r);

	if (!e)
		*revision = db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

static enum err add_history(struct db *db, const char *sql, const struct configuration_entry *entry)
{
	uint8_t number[8], version[8], at[8];
	const struct db_param p[] = {db_param_int4(entry->number, number), db_param_int4((int32_t)entry->version, version),
	                             db_param_text(entry->definition), db_param_time(entry->at_us, at), db_param_text(entry->by)};

	return db_run(db, sql, p, 5, NULL);
}

enum err configuration_put_field(struct db *db, const struct configuration_entry *entry)
{
	uint8_t number[8], version[8], record[8];
	const struct db_param p[] = {db_param_int4(entry->number, number), db_param_text(entry->name), db_param_bool(entry->record, record),
	                             db_param_int4((int32_t)entry->version, version), db_param_text(entry->definition)};
	enum err e = db_run(db,
	                    "INSERT INTO field (number, name, record, version, definition) "
	                    "VALUES ($1::int4, $2::text, $3::bool, $4::int4, $5::text) "
	                    "ON CONFLICT (number) DO UPDATE SET version = excluded.version, definition = excluded.definition",
	                    p, 5, NULL);

	if (e)
		return e;
	return add_history(db,
	                   "INSERT INTO field_history (number, version, definition, changed_at, changed_by) "
	                   "VALUES ($1::int4, $2::int4, $3::text, $4::timestamptz, $5::text)",
	                   entry);
}

enum err configuration_put_purpose(struct db *db, const struct configuration_entry *entry)
{
	uint8_t number[8], version[8];
	const struct db_param p[] = {db_param_int4(entry->number, number), db_param_text(entry->name),
	                             db_param_int4((int32_t)entry->version, version), db_param_text(entry->definition)};
	enum err e = db_run(db,
	                    "INSERT INTO purpose (number, name, version, definition) VALUES ($1::int4, $2::text, $3::int4, $4::text) "
	                    "ON CONFLICT (number) DO UPDATE SET version = excluded.version, definition = excluded.definition",
	                    p, 4, NULL);

	if (e)
		return e;
	return add_history(db,
	                   "INSERT INTO purpose_history (number, version, definition, changed_at, changed_by) "
	                   "VALUES ($1::int4, $2::int4, $3::text, $4::timestamptz, $5::text)",
	                   entry);
}

enum err configuration_activate(struct db *db, uint32_t version, const uint8_t hash[static 32], const char *text, size_t len,
                                int64_t at_us, const char *by)
{
	uint8_t number[8], at[8];
	const struct db_param p[] = {db_param_int4((int32_t)version, number), {hash, 32}, {text, len}, db_param_time(at_us, at),
	                             db_param_text(by)};

	return db_run(db,
	              "INSERT INTO policy (version, hash, text, activated_at, activated_by) "
	              "VALUES ($1::int4, $2::bytea, $3::text, $4::timestamptz, $5::text)",
	              p, 5, NULL);
}

enum err configuration_policy_history(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT version, hash, activated_at, activated_by FROM policy ORDER BY version DESC", NULL, 0, out);
}

enum err configuration_freeze(struct db *db, const char *identity, const char *reason, int64_t at_us, const char *by)
{
	uint8_t at[8];
	const struct db_param p[] = {db_param_text(identity), db_param_time(at_us, at), db_param_text(by), db_param_text(reason)};

	return db_run(db,
	              "INSERT INTO frozen_identity (identity, frozen_at, frozen_by, reason) "
	              "VALUES ($1::text, $2::timestamptz, $3::text, $4::text) ON CONFLICT (identity) DO NOTHING",
	              p, 4, NULL);
}

enum err configuration_thaw(struct db *db, const char *identity, int64_t *rows)
{
	const struct db_param p = db_param_text(identity);
	struct db_result *r = NULL;
	enum err e = db_run(db, "DELETE FROM frozen_identity WHERE identity = $1::text RETURNING 1", &p, 1, &r);

	if (!e)
		*rows = (int64_t)db_rows(r);
	db_result_free(r);
	return e;
}

enum err configuration_frozen_list(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT identity, frozen_at, frozen_by, reason FROM frozen_identity ORDER BY identity", NULL, 0, out);
}

enum err configuration_next_token_epoch(struct db *db, const char *name, uint32_t *epoch)
{
	const struct db_param p = db_param_text(name);
	struct db_result *r = NULL;
	enum err e = db_run(db, "UPDATE audience SET token_epoch = token_epoch + 1 WHERE name = $1::text RETURNING token_epoch", &p, 1, &r);

	if (!e)
		*epoch = db_rows(r) ? (uint32_t)db_int4(r, 0, 0) : 0;
	db_result_free(r);
	return e;
}
