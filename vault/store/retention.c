/* retention.c: the queries of retention.h. */
#include "store/retention.h"

/* Neither consent nor basis of e's purpose stands, and e is the last that was decided of these. */
#define ENDED                                                                                                          \
	"e.kind IN (2, 3, 4, 6) AND NOT EXISTS (SELECT FROM consent_event n WHERE n.customer_id = e.customer_id AND n.purpose = e.purpose "          \
	"AND n.item > e.item AND n.kind <= 6) AND NOT EXISTS (SELECT FROM consent_event s WHERE s.customer_id = e.customer_id "                      \
	"AND s.purpose = e.purpose AND s.kind IN (1, 5) AND NOT EXISTS (SELECT FROM consent_event t WHERE t.customer_id = s.customer_id "            \
	"AND t.purpose = s.purpose AND t.item > s.item AND (t.kind <= 4) = (s.kind = 1) AND t.kind <= 6))"

#define FIELD "SELECT customer_id, sealed_at AS at, customer_id AS tie FROM field_age WHERE subject = $1::int4 AND sealed_at < $2::timestamptz"
#define RECORD "SELECT customer_id, created_at AS at, item AS tie FROM record WHERE kind = $1::int4 AND created_at < $2::timestamptz"
#define CONSENT                                                                                                        \
	"SELECT e.customer_id, e.at, e.customer_id AS tie FROM consent_event e WHERE e.purpose = $1::int4 AND e.at < $2::timestamptz AND " ENDED

#define DUE(source)                                                                                                    \
	"SELECT customer_id, at, tie FROM (" source ") d WHERE (at, tie) > ($3::timestamptz, $4::int8) ORDER BY at, tie LIMIT $5::int4"
#define COUNT(source)                                                                                                  \
	"SELECT count(*), count(*) FILTER (WHERE EXISTS (SELECT FROM hold h WHERE h.customer_id = d.customer_id AND h.confirmed_at IS NOT NULL "     \
	"AND h.released_at IS NULL AND h.until > now())) FROM (" source " LIMIT $3::int4) d"

enum err retention_due(struct db *db, enum retention_sort sort, uint16_t number, int64_t before_us, const struct retention_cursor *after,
                       int32_t most, struct db_result **out)
{
	static const char *const sql[] = {[RETENTION_FIELD] = DUE(FIELD), [RETENTION_RECORD] = DUE(RECORD), [RETENTION_CONSENT] = DUE(CONSENT)};
	uint8_t a[8], b[8], c[8], d[8], e[8];
	const struct db_param p[] = {db_param_int4(number, a), db_param_time(before_us, b), db_param_time(after->at_us, c), db_param_int8(after->tie, d),
	                             db_param_int4(most, e)};

	return db_run(db, sql[sort], p, 5, out);
}

enum err retention_count(struct db *db, enum retention_sort sort, uint16_t number, int64_t before_us, int32_t most, int64_t *due, int64_t *with_hold)
{
	static const char *const sql[] = {[RETENTION_FIELD] = COUNT(FIELD), [RETENTION_RECORD] = COUNT(RECORD), [RETENTION_CONSENT] = COUNT(CONSENT)};
	uint8_t a[8], b[8], c[8];
	const struct db_param p[] = {db_param_int4(number, a), db_param_time(before_us, b), db_param_int4(most, c)};
	struct db_result *rows = NULL;
	enum err e = db_run(db, sql[sort], p, 3, &rows);

	*due = e ? 0 : db_int8(rows, 0, 0);
	*with_hold = e ? 0 : db_int8(rows, 0, 1);
	db_result_free(rows);
	return e;
}

/* Reads the directories alone: count, then (number 2, version 4, length 2) a unit. Whoever erases the customer meanwhile waits,
 * or is waited for and seen, so that nothing is noted of a customer who is gone. */
#define WALK                                                                                                           \
	"WITH page AS (SELECT customer_id, updated_at, fields FROM customer WHERE customer_id > $1::int8 ORDER BY customer_id LIMIT $2::int4 "       \
	"FOR KEY SHARE), unit AS (SELECT customer_id, updated_at, get_byte(fields, i) * 256 + get_byte(fields, i + 1) AS number, "                   \
	"((get_byte(fields, i + 2)::int8 << 24) + (get_byte(fields, i + 3) << 16) + (get_byte(fields, i + 4) << 8) + get_byte(fields, i + 5))::int4 " \
	"AS version FROM page, generate_series(2, 8 * (get_byte(fields, 0) * 256 + get_byte(fields, 1)) - 6, 8) i "                                  \
	"WHERE octet_length(fields) >= i + 8), noted AS (INSERT INTO field_age (customer_id, subject, version, sealed_at) "                          \
	"SELECT customer_id, number, version, updated_at FROM unit WHERE number = ANY($3::int4[]) "                                                  \
	"ON CONFLICT (customer_id, subject) DO UPDATE SET version = excluded.version, sealed_at = excluded.sealed_at "                               \
	"WHERE field_age.version <> excluded.version) SELECT coalesce(max(customer_id), 9223372036854775807) FROM page"

enum err retention_walk(struct db *db, struct db_array *fields, int32_t most, int64_t *after)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(*after, a), db_param_int4(most, b), db_array_param(fields)};
	struct db_result *rows = NULL;
	enum err e = p[2].bytes ? db_run(db, WALK, p, 3, &rows) : ERR_MEMORY;

	if (!e)
		*after = db_int8(rows, 0, 0);
	db_result_free(rows);
	return e;
}

enum err retention_age(struct db *db, int64_t customer, uint16_t field, bool *found, uint32_t *version, int64_t *at_us)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int4(field, b)};
	struct db_result *rows = NULL;
	enum err e = db_run(db, "SELECT version, sealed_at FROM field_age WHERE customer_id = $1::int8 AND subject = $2::int4", p, 2, &rows);

	*found = !e && db_rows(rows) > 0;
	if (*found) {
		*version = (uint32_t)db_int4(rows, 0, 0);
		*at_us = db_time_us(rows, 0, 1);
	}
	db_result_free(rows);
	return e;
}

enum err retention_age_drop(struct db *db, int64_t customer, uint16_t field)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int8(customer, a), db_param_int4(field, b)};

	return db_run(db, "DELETE FROM field_age WHERE customer_id = $1::int8 AND subject = $2::int4", p, 2, NULL);
}

enum err retention_consents_delete(struct db *db, int64_t customer, uint16_t purpose, int64_t before_us, int64_t *n)
{
	uint8_t a[8], b[8], c[8];
	const struct db_param p[] = {db_param_int4(purpose, a), db_param_time(before_us, b), db_param_int8(customer, c)};
	struct db_result *rows = NULL;
	enum err e = db_run(db,
	                    "WITH due AS (" CONSENT " AND e.customer_id = $3::int8), gone AS (DELETE FROM consent_event WHERE customer_id = $3::int8 "
	                    "AND purpose = $1::int4 AND kind <= 6 AND EXISTS (SELECT FROM due) RETURNING 1) SELECT count(*) FROM gone",
	                    p, 3, &rows);

	*n = e ? 0 : db_int8(rows, 0, 0);
	db_result_free(rows);
	return e;
}

static int32_t what_of(enum retention_sort sort)
{
	return sort == RETENTION_CONSENT ? 2 : 1;
}

enum err retention_swept(struct db *db, enum retention_sort sort, uint16_t number, int64_t n, int64_t at_us)
{
	uint8_t a[8], b[8], c[8], d[8];
	const struct db_param p[] = {db_param_int4(what_of(sort), a), db_param_int4(number, b), db_param_int8(n, c), db_param_time(at_us, d)};

	return db_run(db,
	              "INSERT INTO retention AS r (what, number, swept, swept_at) VALUES ($1::int4, $2::int4, $3::int8, $4::timestamptz) "
	              "ON CONFLICT (what, number) DO UPDATE SET swept = r.swept + excluded.swept, swept_at = excluded.swept_at",
	              p, 4, NULL);
}

enum err retention_state(struct db *db, enum retention_sort sort, uint16_t number, struct db_result **out)
{
	uint8_t a[8], b[8];
	const struct db_param p[] = {db_param_int4(what_of(sort), a), db_param_int4(number, b)};

	return db_run(db, "SELECT swept, swept_at FROM retention WHERE what = $1::int4 AND number = $2::int4", p, 2, out);
}
