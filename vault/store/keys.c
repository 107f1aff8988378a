/* keys.c: statements of keys.h. */
#include "store/keys.h"

#include "base/clock.h"
#include "store/configuration_write.h"

enum err keys_active(struct db *db, uint32_t *epoch, uint64_t *check)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT epoch, check_value FROM key_epoch WHERE state = 'active'", NULL, 0, &r);

	*epoch = 0;
	if (!e && db_rows(r)) {
		*epoch = (uint32_t)db_int4(r, 0, 0);
		*check = (uint64_t)db_int8(r, 0, 1);
	}
	db_result_free(r);
	return e;
}

enum err keys_adopt(struct db *db, uint32_t epoch, uint64_t check)
{
	uint8_t number[8], value[8];
	const struct db_param p[] = {db_param_int4((int32_t)epoch, number), db_param_int8((int64_t)check, value)};

	return db_run(db,
	              "INSERT INTO key_epoch (epoch, state, check_value, activated_at) SELECT $1::int4, 'active', $2::int8, now() "
	              "WHERE NOT EXISTS (SELECT FROM key_epoch) ON CONFLICT DO NOTHING",
	              p, 2, NULL);
}

static enum err catch_up(struct db *db, uint32_t behind, uint32_t epoch, uint64_t check)
{
	uint8_t number[8];
	const struct db_param p = db_param_int4((int32_t)behind, number);
	struct db_result *r = NULL;
	int64_t revision;
	enum err e = configuration_claim(db, &revision);

	if (!e)
		e = db_run(db, "SELECT 1 FROM key_epoch WHERE epoch = $1::int4 AND state = 'active'", &p, 1, &r);
	if (!e && db_rows(r))
		e = keys_activate(db, epoch, check, clock_now_us());
	db_result_free(r);
	return e;
}

enum err keys_catch_up(struct db *db, uint32_t behind, uint32_t epoch, uint64_t check)
{
	enum err e = db_run(db, "BEGIN", NULL, 0, NULL);

	if (!e)
		e = catch_up(db, behind, epoch, check);
	return e ? e : db_run(db, "COMMIT", NULL, 0, NULL);
}

enum err keys_epochs(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT epoch, state, check_value, activated_at, retired_at, destroyed_at, gone_at FROM key_epoch ORDER BY epoch", NULL, 0, out);
}

enum err keys_activate(struct db *db, uint32_t epoch, uint64_t check, int64_t at_us)
{
	uint8_t number[8], value[8], at[8];
	const struct db_param p[] = {db_param_time(at_us, at), db_param_int4((int32_t)epoch, number), db_param_int8((int64_t)check, value)};
	enum err e = db_run(db, "UPDATE key_epoch SET state = 'retiring', retired_at = $1::timestamptz WHERE state = 'active'", p, 1, NULL);

	if (e)
		return e;
	return db_run(db, "INSERT INTO key_epoch (epoch, state, check_value, activated_at) VALUES ($2::int4, 'active', $3::int8, $1::timestamptz)", p, 3, NULL);
}

enum err keys_destroy(struct db *db, uint32_t epoch, int64_t at_us)
{
	uint8_t number[8], at[8];
	const struct db_param p[] = {db_param_int4((int32_t)epoch, number), db_param_time(at_us, at)};

	return db_run(db, "UPDATE key_epoch SET state = 'destroyed', destroyed_at = $2::timestamptz WHERE epoch = $1::int4 AND state = 'retiring'", p, 2, NULL);
}

enum err keys_report(struct db *db, struct keys_node *n)
{
	const struct db_param p[] = {db_param_text(n->node), db_param_text(n->fingerprint), db_array_param(&n->epochs), db_array_param(&n->checks)};

	if (buf_err(&n->epochs.bytes) || buf_err(&n->checks.bytes))
		return ERR_MEMORY;
	return db_run(db,
	              "INSERT INTO key_node (node, seen_at, fingerprint, epochs, checks) VALUES ($1::text, now(), $2::text, $3::int4[], $4::int8[]) "
	              "ON CONFLICT (node) DO UPDATE SET seen_at = now(), fingerprint = excluded.fingerprint, epochs = excluded.epochs, checks = excluded.checks",
	              p, 4, NULL);
}

enum err keys_leave(struct db *db, const char *node)
{
	const struct db_param p = db_param_text(node);

	return db_run(db, "DELETE FROM key_node WHERE node = $1::text", &p, 1, NULL);
}

enum err keys_nodes(struct db *db, struct db_result **out)
{
	return db_run(db,
	              "SELECT node, seen_at > now() - interval '" KEYS_LIVE_S " s', seen_at, fingerprint, array_to_string(epochs, ',') "
	              "FROM key_node ORDER BY node",
	              NULL, 0, out);
}

enum err keys_lacking(struct db *db, uint32_t epoch, uint64_t check, struct db_result **out)
{
	uint8_t number[8], value[8];
	const struct db_param p[] = {db_param_int4((int32_t)epoch, number), db_param_int8((int64_t)check, value)};

	return db_run(db,
	              "SELECT node FROM key_node WHERE seen_at > now() - interval '" KEYS_LIVE_S " s' AND NOT EXISTS "
	              "(SELECT FROM unnest(epochs, checks) AS q (e, c) WHERE e = $1::int4 AND c = $2::int8) ORDER BY node",
	              p, 2, out);
}

enum err keys_settle(struct db *db, int64_t forget_s)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(forget_s, room);
	enum err e = db_run(db, "DELETE FROM key_node WHERE seen_at < now() - $1::int8 * interval '1 s' - interval '60 s'", &p, 1, NULL);

	if (e)
		return e;
	return db_run(db,
	              "UPDATE key_epoch k SET gone_at = now() WHERE state = 'destroyed' AND gone_at IS NULL "
	              "AND NOT EXISTS (SELECT FROM key_node n WHERE k.epoch = ANY(n.epochs))",
	              NULL, 0, NULL);
}

enum err keys_counts(struct db *db, struct db_result **out)
{
	return db_run(db, "SELECT epoch, count(*) FROM customer_key GROUP BY epoch ORDER BY epoch", NULL, 0, out);
}

static enum err ask_epoch(struct db *db, const char *sql, uint32_t epoch, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int4((int32_t)epoch, room);

	return db_run(db, sql, &p, 1, out);
}

enum err keys_count(struct db *db, uint32_t epoch, int64_t *rows)
{
	struct db_result *r = NULL;
	enum err e = ask_epoch(db, "SELECT count(*) FROM customer_key WHERE epoch = $1::int4", epoch, &r);

	*rows = e ? 0 : db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err keys_any(struct db *db, uint32_t epoch, bool *any)
{
	struct db_result *r = NULL;
	enum err e = ask_epoch(db, "SELECT EXISTS (SELECT FROM customer_key WHERE epoch = $1::int4)", epoch, &r);

	*any = !e && db_bool(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err keys_of_customer(struct db *db, int64_t customer, uint32_t *epoch)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(customer, room);
	struct db_result *r = NULL;
	enum err e = db_run(db, "SELECT epoch FROM customer_key WHERE customer_id = $1::int8 FOR UPDATE", &p, 1, &r);

	*epoch = !e && db_rows(r) ? (uint32_t)db_int4(r, 0, 0) : 0;
	db_result_free(r);
	return e;
}

enum err keys_read(struct db *db, uint32_t epoch, int64_t after, int32_t most, struct db_result **out)
{
	uint8_t number[8], above[8], limit[8];
	const struct db_param p[] = {db_param_int4((int32_t)epoch, number), db_param_int8(after, above), db_param_int4(most, limit)};

	return db_run(db,
	              "SELECT customer_id, dek_generation, wrapped FROM customer_key WHERE epoch = $1::int4 AND customer_id > $2::int8 "
	              "ORDER BY customer_id LIMIT $3::int4",
	              p, 3, out);
}

static enum err write_all(struct db *db, struct keys_rewrap *w, int64_t *done)
{
	uint8_t from[8], to[8];
	const struct db_param p[] = {db_param_int4((int32_t)w->from, from), db_param_int4((int32_t)w->to, to), db_array_param(&w->customers),
	                             db_array_param(&w->generations), db_array_param(&w->old), db_array_param(&w->fresh)};
	struct db_result *r = NULL;
	enum err e;

	if (!p[2].bytes || !p[3].bytes || !p[4].bytes || !p[5].bytes)
		return ERR_MEMORY;
	e = db_run(db,
	           "WITH done AS (UPDATE customer_key k SET epoch = $2::int4, wrapped = q.fresh "
	           "FROM unnest($3::int8[], $4::int4[], $5::bytea[], $6::bytea[]) AS q (c, g, old, fresh) "
	           "WHERE k.customer_id = q.c AND k.dek_generation = q.g AND k.epoch = $1::int4 AND k.wrapped = q.old RETURNING 1) "
	           "SELECT count(*) FROM done",
	           p, 6, &r);
	*done = e ? 0 : db_int8(r, 0, 0);
	db_result_free(r);
	return e;
}

enum err keys_rewrap(struct db *db, struct keys_rewrap *w, int64_t *done)
{
	struct db_result *r = NULL;
	enum err e = db_run(db, "BEGIN", NULL, 0, NULL);

	*done = 0;
	/* Held until the commit: an epoch can't retire, and so not be destroyed, while keys move onto it. */
	if (!e)
		e = ask_epoch(db, "SELECT 1 FROM key_epoch WHERE epoch = $1::int4 AND state = 'active' FOR SHARE", w->to, &r);
	if (!e && db_rows(r))
		e = write_all(db, w, done);
	db_result_free(r);
	return e ? e : db_run(db, "COMMIT", NULL, 0, NULL);
}
