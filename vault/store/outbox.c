/* outbox.c: the queries of outbox.h. */
#include "store/outbox.h"

#define NEWEST "(SELECT DISTINCT ON (name) * FROM webhook ORDER BY name, version DESC)"

enum err outbox_add(struct db *db, const char *kind, const char *recipient, int64_t request, const struct buf *data, int64_t *n)
{
	uint8_t room[8];
	const struct db_param p[] = {db_param_text(kind), db_param_text(recipient ? recipient : ""), db_param_int8(request, room), {data->data, data->len}};
	struct db_result *res = NULL;
	enum err e = buf_err(data);

	if (!e)
		e = db_run(db,
		           "WITH added AS (INSERT INTO outbox (kind, webhook, recipient, request, data) "
		           "SELECT $1::text, name, $2::text, $3::int8, $4::text FROM " NEWEST " w "
		           "WHERE url <> '' AND $1::text = ANY(kinds) AND ($2::text = '' OR recipient = $2::text) RETURNING 1) SELECT count(*) FROM added",
		           p, 4, &res);
	if (!e && n)
		*n = db_int8(res, 0, 0);
	db_result_free(res);
	return e;
}

enum err outbox_due(struct db *db, int32_t most, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int4(most, room);

	return db_run(db,
	              "SELECT number, replace(message::text, '-', ''), kind, webhook, coalesce(url, ''), data, created_at, tries FROM "
	              "(SELECT o.*, row_number() OVER (PARTITION BY webhook ORDER BY number) AS place FROM outbox o "
	              "WHERE state = 0 AND next_at <= now()) o LEFT JOIN " NEWEST " w ON w.name = o.webhook "
	              "WHERE place <= 4 ORDER BY number LIMIT $1::int4",
	              &p, 1, out);
}

enum err outbox_delay(struct db *db, int64_t number, const char *trouble, int64_t delay_us)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(number, a), db_param_text(trouble), db_param_int8(delay_us, b)};

	return db_run(db,
	              "UPDATE outbox SET tries = tries + 1, trouble = $2::text, next_at = now() + $3::int8 * interval '1 microsecond' "
	              "WHERE number = $1::int8 AND state = 0",
	              p, 3, NULL);
}

enum err outbox_end(struct db *db, int64_t number, enum outbox_state state, const char *trouble, bool *found)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(number, a), db_param_int4((int32_t)state, b), db_param_text(trouble)};
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "UPDATE outbox SET tries = tries + 1, state = $2::int4, trouble = $3::text, ended_at = now() "
	                    "WHERE number = $1::int8 AND state = 0 RETURNING 1",
	                    p, 3, &res);

	*found = !e && db_rows(res) > 0;
	db_result_free(res);
	return e;
}

enum err outbox_revive(struct db *db, const char *webhook, int64_t *n)
{
	const struct db_param p = db_param_text(webhook);
	struct db_result *res = NULL;
	enum err e = db_run(db,
	                    "WITH again AS (UPDATE outbox SET state = 0, tries = 0, next_at = now(), ended_at = NULL "
	                    "WHERE webhook = $1::text AND state = 2 RETURNING 1) SELECT count(*) FROM again",
	                    &p, 1, &res);

	*n = e ? 0 : db_int8(res, 0, 0);
	db_result_free(res);
	return e;
}

enum err outbox_sweep(struct db *db, int32_t days)
{
	uint8_t room[8];
	const struct db_param p = db_param_int4(days, room);

	return db_run(db, "DELETE FROM outbox WHERE state > 0 AND ended_at < now() - make_interval(days => $1::int4)", &p, 1, NULL);
}

enum err outbox_counts(struct db *db, int64_t *waiting, int64_t *dead)
{
	struct db_result *res = NULL;
	enum err e = db_run(db, "SELECT (SELECT count(*) FROM outbox WHERE state = 0), (SELECT count(*) FROM outbox WHERE state = 2)", NULL, 0, &res);

	if (!e) {
		*waiting = db_int8(res, 0, 0);
		*dead = db_int8(res, 0, 1);
	}
	db_result_free(res);
	return e;
}

enum err outbox_of_request(struct db *db, int64_t request, struct db_result **out)
{
	uint8_t room[8];
	const struct db_param p = db_param_int8(request, room);

	return db_run(db, "SELECT recipient, state FROM outbox WHERE request = $1::int8 AND request > 0 ORDER BY number", &p, 1, out);
}

enum err webhook_add(struct db *db, const struct webhook_entry *w, int32_t *version)
{
	uint8_t at[8];
	const struct db_param p[] = {db_param_text(w->name), db_param_text(w->url), db_param_text(w->recipient), db_array_param(w->kinds),
	                             db_param_time(w->at_us, at), db_param_text(w->by)};
	struct db_result *res = NULL;
	enum err e = buf_err(&w->kinds->bytes);

	if (!e)
		e = db_run(db,
		           "INSERT INTO webhook (name, version, url, recipient, kinds, changed_at, changed_by) "
		           "SELECT $1::text, coalesce(max(version), 0) + 1, $2::text, $3::text, $4::text[], $5::timestamptz, $6::text "
		           "FROM webhook WHERE name = $1::text RETURNING version",
		           p, 6, &res);
	if (!e)
		*version = db_int4(res, 0, 0);
	db_result_free(res);
	return e;
}

enum err webhook_list(struct db *db, const char *name, struct db_result **out)
{
	const struct db_param p = name ? db_param_text(name) : (struct db_param){NULL, 0};

	return db_run(db,
	              "SELECT name, version, url, recipient, to_json(kinds)::text, changed_at, changed_by, "
	              "(SELECT count(*) FROM outbox o WHERE o.webhook = name AND state = 0), "
	              "(SELECT count(*) FROM outbox o WHERE o.webhook = name AND state = 2) "
	              "FROM " NEWEST " w WHERE url <> '' AND ($1::text IS NULL OR name = $1::text) ORDER BY name",
	              &p, 1, out);
}
