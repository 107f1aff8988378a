/* statements.c: the SQL of the data path. Each takes arrays, so that one
 * statement serves a whole batch. */
#include "store/statements.h"

/* Shared by every batch from its first statement to its end; exclusive in store_barrier. */
#define BARRIER "7203::int4, 0::int4"

#define CUSTOMER_COLUMNS                                                                                               \
	"c.customer_id, c.version, c.dek_generation, c.token_generation, c.purpose_state, c.state_valid_until, "          \
	"c.header, c.fields, k.epoch, k.wrapped, k.dek_generation"
#define CUSTOMER_JOIN "customer c JOIN customer_key k ON k.customer_id = c.customer_id"

const struct db_statement store_statements[] = {
    [ST_BEGIN] = {"begin", "BEGIN"},
    [ST_COMMIT] = {"commit", "COMMIT"},
    [ST_STREAM_ADVANCE] = {"stream_advance", "UPDATE audit_stream SET next_batch = next_batch + 1 "
                                             "WHERE stream = $1::int8 AND next_batch = $2::int8 "
                                             "RETURNING pg_advisory_xact_lock_shared(" BARRIER ")"},
    [ST_REVISION] = {"revision", "SELECT revision FROM vault_revision"},
    [ST_CUSTOMERS] = {"customers",
                      "SELECT " CUSTOMER_COLUMNS " FROM " CUSTOMER_JOIN " WHERE c.customer_id = ANY($1::int8[])"},
    [ST_CUSTOMERS_LOCK] = {"customers_lock", "SELECT " CUSTOMER_COLUMNS " FROM " CUSTOMER_JOIN
                                             " WHERE c.customer_id = ANY($1::int8[]) ORDER BY c.customer_id FOR UPDATE OF c"},
    [ST_LOOKUP] = {"lookup", "SELECT " CUSTOMER_COLUMNS ", q.n "
                             "FROM unnest($1::int4[], $2::int4[], $3::int8[], $4::int8[], $5::int4[]) "
                             "WITH ORDINALITY AS q (space, epoch, tag, after, most, n) "
                             "CROSS JOIN LATERAL (SELECT i.customer_id FROM blind_index i "
                             "WHERE i.space = q.space AND i.epoch = q.epoch AND i.tag = q.tag AND i.customer_id > q.after "
                             "ORDER BY i.customer_id LIMIT q.most) b "
                             "JOIN customer c ON c.customer_id = b.customer_id "
                             "JOIN customer_key k ON k.customer_id = b.customer_id ORDER BY q.n, b.customer_id"},
    [ST_BUCKETS] = {"buckets", "SELECT pg_advisory_xact_lock(7203::int4, b) FROM unnest($1::int4[]) WITH ORDINALITY AS q (b, n) ORDER BY n"},
    [ST_LARGE] = {"large", "SELECT l.customer_id, l.subject, l.version, l.sealed FROM unnest($1::int8[], $2::int4[]) AS q (c, s) "
                           "JOIN customer_large l ON l.customer_id = q.c AND l.subject = q.s"},
    [ST_RECORDS] = {"records", "SELECT q.n, r.customer_id, r.kind, r.item, r.dek_generation, r.created_at, r.sealed "
                               "FROM unnest($1::int8[], $2::int4[], $3::int8[], $4::int4[]) WITH ORDINALITY AS q (c, kind, before, most, n) "
                               "CROSS JOIN LATERAL (SELECT * FROM record r WHERE r.customer_id = q.c AND r.kind = q.kind "
                               "AND r.item < q.before ORDER BY r.item DESC LIMIT q.most) r ORDER BY q.n, r.item DESC"},
    [ST_ITEM_NUMBERS] = {"item_numbers", "SELECT nextval('record_item') FROM generate_series(1, $1::int4)"},
    [ST_IDEMPOTENCY] = {"idempotency", "SELECT key_mac, body_mac, status, result FROM idempotency WHERE key_mac = ANY($1::bytea[]) "
                                       "AND created_at > $2::timestamptz"},
    [ST_INSERT_CUSTOMER] = {"insert_customer",
                            "INSERT INTO customer (customer_id, version, dek_generation, token_generation, purpose_state, "
                            "state_valid_until, header, fields, created_at, updated_at) "
                            "SELECT a, b, c, d, e, f, g, h, $9::timestamptz, $9::timestamptz FROM unnest($1::int8[], $2::int4[], "
                            "$3::int4[], $4::int4[], $5::bytea[], $6::timestamptz[], $7::bytea[], $8::bytea[]) AS q (a, b, c, d, e, f, g, h)"},
    /* A row that is not there at the version that was locked must abort the transaction: COMMIT is already on its way. */
    [ST_UPDATE_CUSTOMER] = {"update_customer",
                            "WITH done AS (UPDATE customer SET version = q.b, dek_generation = q.c, token_generation = q.d, purpose_state = q.e, "
                            "state_valid_until = q.f, header = q.g, fields = q.h, updated_at = $9::timestamptz "
                            "FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int4[], $5::bytea[], $6::timestamptz[], "
                            "$7::bytea[], $8::bytea[]) AS q (a, b, c, d, e, f, g, h) "
                            "WHERE customer.customer_id = q.a AND customer.version = q.b - 1 RETURNING 1) "
                            /* COMMIT is on its way behind this: only an error stops it. Division by zero: another version. */
                            "SELECT 1 / (count(*) = cardinality($1::int8[]))::int4 FROM done"},
    [ST_INSERT_KEY] = {"insert_key", "INSERT INTO customer_key (customer_id, dek_generation, epoch, wrapped) "
                                     "SELECT * FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::bytea[])"},
    [ST_INSERT_LARGE] = {"insert_large", "INSERT INTO customer_large (customer_id, subject, version, sealed) "
                                         "SELECT * FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::bytea[]) "
                                         "ON CONFLICT (customer_id, subject) DO UPDATE SET version = excluded.version, sealed = excluded.sealed"},
    [ST_DELETE_LARGE] = {"delete_large", "DELETE FROM customer_large l USING unnest($1::int8[], $2::int4[]) AS q (c, s) "
                                         "WHERE l.customer_id = q.c AND l.subject = q.s"},
    [ST_INSERT_INDEX] = {"insert_index", "INSERT INTO blind_index (customer_id, space, epoch, tag) "
                                         "SELECT * FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int8[]) ON CONFLICT DO NOTHING"},
    [ST_DELETE_INDEX] = {"delete_index", "DELETE FROM blind_index i USING unnest($1::int8[], $2::int4[], $3::int4[], $4::int8[]) AS q (c, s, e, t) "
                                         "WHERE i.space = q.s AND i.epoch = q.e AND i.tag = q.t AND i.customer_id = q.c"},
    [ST_INSERT_RECORD] = {"insert_record", "INSERT INTO record (customer_id, kind, item, dek_generation, created_at, sealed) "
                                           "SELECT c, k, i, g, $6::timestamptz, s FROM unnest($1::int8[], $2::int4[], $3::int8[], $4::int4[], $5::bytea[]) "
                                           "AS q (c, k, i, g, s)"},
    [ST_DELETE_RECORD] = {"delete_record", "DELETE FROM record r USING unnest($1::int8[], $2::int4[], $3::int8[]) AS q (c, k, i) "
                                           "WHERE r.customer_id = q.c AND r.kind = q.k AND r.item = q.i"},
    [ST_INSERT_CONSENT] = {"insert_consent", "INSERT INTO consent_event (customer_id, purpose, kind, dek_generation, at, valid_until, notice_version, detail, sealed) "
                                             "SELECT c, p, k, g, $9::timestamptz, v, n, d, s FROM unnest($1::int8[], $2::int4[], $3::int4[], $4::int4[], "
                                             "$5::timestamptz[], $6::int4[], $7::text[], $8::bytea[]) WITH ORDINALITY AS q (c, p, k, g, v, n, d, s, o) ORDER BY o"},
    [ST_INSERT_IDEMPOTENCY] = {"insert_idempotency", "INSERT INTO idempotency (key_mac, body_mac, status, result, created_at) "
                                                     "SELECT a, b, c, d, $5::timestamptz FROM unnest($1::bytea[], $2::bytea[], $3::int4[], $4::bytea[]) AS q (a, b, c, d) "
                                                     "ON CONFLICT (key_mac) DO UPDATE SET body_mac = excluded.body_mac, status = excluded.status, "
                                                     "result = excluded.result, created_at = excluded.created_at"},
    [ST_SEARCH_SPENT] = {"search_spent", "SELECT identity, spent FROM search_spent WHERE identity = ANY($1::int8[]) AND hour = $2::timestamptz"},
    [ST_SPEND_SEARCH] = {"spend_search", "WITH added AS (INSERT INTO search_value (identity, hour, value) "
                                         "SELECT i, $3::timestamptz, v FROM unnest($1::int8[], $2::int8[]) AS q (i, v) ORDER BY i, v "
                                         "ON CONFLICT DO NOTHING RETURNING identity) "
                                         "INSERT INTO search_spent AS s (identity, hour, spent) "
                                         "SELECT identity, $3::timestamptz, count(*) FROM added GROUP BY identity ORDER BY identity "
                                         "ON CONFLICT (identity, hour) DO UPDATE SET spent = s.spent + excluded.spent"},
    [ST_INSERT_SEGMENT] = {"insert_segment", "INSERT INTO audit_segment (stream, first_seq, count, first_at, last_at, keys, mac, bodies) "
                                             "VALUES ($1::int8, $2::int8, $3::int4, $4::timestamptz, $5::timestamptz, $6::int8[], $7::bytea, $8::bytea)"},
    [ST_COUNT] = {NULL, NULL},
};

enum err store_barrier(struct db *db)
{
	return db_run(db, "SELECT pg_advisory_xact_lock(" BARRIER ")", NULL, 0, NULL);
}

enum err store_sweep(struct db *db)
{
	enum err e = db_run(db, "DELETE FROM idempotency WHERE created_at < now() - interval '24 hours'", NULL, 0, NULL);

	if (!e)
		e = db_run(db, "DELETE FROM search_value WHERE hour < now() - interval '2 hours'", NULL, 0, NULL);
	if (!e)
		e = db_run(db, "DELETE FROM search_spent WHERE hour < now() - interval '2 hours'", NULL, 0, NULL);
	return e;
}
