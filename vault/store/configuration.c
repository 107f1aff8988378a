/* configuration.c: plain queries of configuration.h. */
#include "store/configuration.h"

enum err configuration_revision(struct db *db, int64_t *revision)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT revision FROM vault_revision", NULL, 0, &r);

	if (!e)
		*revision = db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err configuration_fields(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT number, name, record, version, definition FROM field ORDER BY number", NULL, 0, out);
}

enum err configuration_purposes(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT number, name, version, definition FROM purpose ORDER BY number", NULL, 0, out);
}

enum err configuration_audiences(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT number, name, token_epoch FROM audience ORDER BY number", NULL, 0, out);
}

enum err configuration_policy(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT version, hash, text, activated_at, activated_by FROM policy ORDER BY version DESC LIMIT 1", NULL, 0, out);
}

enum err configuration_frozen(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT identity FROM frozen_identity ORDER BY identity", NULL, 0, out);
}

enum err configuration_add_audience(struct db *db, const char *name)
{
	const struct db_param p = db_param_text(name);

	return db_run(db,
	              "INSERT INTO audience (number, name, token_epoch) SELECT coalesce(max(number), 0) + 1, $1::text, 1 "
	              "FROM audience HAVING NOT EXISTS (SELECT FROM audience WHERE name = $1::text) ON CONFLICT DO NOTHING",
	              &p, 1, NULL);
}

enum err configuration_bump(struct db *db)
{
	return db_run(db, "UPDATE vault_revision SET revision = revision + 1", NULL, 0, NULL);
}
