/* value.c: PostgreSQL's binary format, both ways (big endian; times count from 2000). */
#include "db/connection.h"

#include <libpq-fe.h>

#include <assert.h>
#include <string.h>

#define EPOCH_2000_US 946684800000000

static const PGresult *pg(const struct db_result *r)
{
	return (const PGresult *)r;
}

size_t db_rows(const struct db_result *r)
{
	return (size_t)PQntuples(pg(r));
}

bool db_null(const struct db_result *r, size_t row, int column)
{
	return PQgetisnull(pg(r), (int)row, column);
}

static uint64_t number(const struct db_result *r, size_t row, int column, int len)
{
	struct reader in = reader_of(PQgetvalue(pg(r), (int)row, column), (size_t)len);

	assert(PQgetlength(pg(r), (int)row, column) == len);
	switch (len) {
	case 1: return reader_u8(&in);
	case 2: return reader_u16(&in);
	case 4: return reader_u32(&in);
	default: return reader_u64(&in);
	}
}

int16_t db_int2(const struct db_result *r, size_t row, int column)
{
	return (int16_t)number(r, row, column, 2);
}

int32_t db_int4(const struct db_result *r, size_t row, int column)
{
	return (int32_t)number(r, row, column, 4);
}

int64_t db_int8(const struct db_result *r, size_t row, int column)
{
	return (int64_t)number(r, row, column, 8);
}

bool db_bool(const struct db_result *r, size_t row, int column)
{
	return number(r, row, column, 1) != 0;
}

int64_t db_time_us(const struct db_result *r, size_t row, int column)
{
	int64_t v = db_int8(r, row, column);

	return v == INT64_MAX ? v : v + EPOCH_2000_US;
}

const uint8_t *db_bytes(const struct db_result *r, size_t row, int column, size_t *len)
{
	*len = (size_t)PQgetlength(pg(r), (int)row, column);
	return (const uint8_t *)PQgetvalue(pg(r), (int)row, column);
}

const char *db_text(const struct db_result *r, size_t row, int column)
{
	return PQgetvalue(pg(r), (int)row, column);
}

#define ARRAY_HEADER 20
#define ARRAY_KEPT_MAX ((size_t)1 << 20) /* memory that an array keeps from one batch to the next */

static void put_header(struct db_array *a)
{
	a->n = 0;
	buf_u32(&a->bytes, 1);                 /* dimensions */
	buf_u32(&a->bytes, 0);                 /* no NULLs */
	buf_u32(&a->bytes, (uint32_t)a->type); /* element type */
	buf_u32(&a->bytes, 0);                 /* count, set in db_array_param */
	buf_u32(&a->bytes, 1);                 /* lower bound */
}

void db_array_init(struct db_array *a, enum db_type type)
{
	buf_init(&a->bytes, 0);
	a->type = type;
	put_header(a);
}

void db_array_reset(struct db_array *a)
{
	if (buf_ok(&a->bytes) && a->bytes.cap <= ARRAY_KEPT_MAX) {
		buf_truncate(&a->bytes, ARRAY_HEADER);
		a->n = 0;
		return;
	}
	buf_fini(&a->bytes); /* keeps the limit, clears the error */
	put_header(a);
}

void db_array_fini(struct db_array *a)
{
	buf_fini(&a->bytes);
	a->n = 0;
}

void db_array_int8(struct db_array *a, int64_t v)
{
	buf_u32(&a->bytes, 8);
	buf_u64(&a->bytes, (uint64_t)v);
	a->n++;
}

int64_t db_array_int8_at(const struct db_array *a, uint32_t i)
{
	struct reader in = reader_of(a->bytes.data, a->bytes.len);

	(void)reader_bytes(&in, ARRAY_HEADER + (size_t)i * 12 + 4);
	return (int64_t)reader_u64(&in);
}

void db_array_int4(struct db_array *a, int32_t v)
{
	buf_u32(&a->bytes, 4);
	buf_u32(&a->bytes, (uint32_t)v);
	a->n++;
}

static int64_t pg_time(int64_t at_us)
{
	return at_us == INT64_MAX ? at_us : at_us - EPOCH_2000_US;
}

void db_array_time(struct db_array *a, int64_t at_us)
{
	db_array_int8(a, pg_time(at_us));
}

uint8_t *db_array_room(struct db_array *a, size_t len)
{
	uint8_t *at;

	buf_u32(&a->bytes, (uint32_t)len);
	at = buf_reserve(&a->bytes, len);
	if (!at)
		return NULL;
	a->bytes.len += len;
	a->n++;
	return at;
}

void db_array_bytes(struct db_array *a, const void *bytes, size_t len)
{
	uint8_t *at = db_array_room(a, len);

	if (at && len)
		memcpy(at, bytes, len);
}

struct db_param db_array_param(struct db_array *a)
{
	uint8_t *count = a->bytes.data;

	if (!buf_ok(&a->bytes))
		return (struct db_param){0};
	for (int i = 0; i < 4; i++)
		count[12 + i] = (uint8_t)(a->n >> (24 - 8 * i));
	return (struct db_param){a->bytes.data, a->bytes.len};
}

static struct db_param scalar(uint64_t v, size_t len, uint8_t room[static 8])
{
	for (size_t i = 0; i < len; i++)
		room[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
	return (struct db_param){room, len};
}

struct db_param db_param_int8(int64_t v, uint8_t room[static 8])
{
	return scalar((uint64_t)v, 8, room);
}

struct db_param db_param_int4(int32_t v, uint8_t room[static 8])
{
	return scalar((uint32_t)v, 4, room);
}

struct db_param db_param_time(int64_t at_us, uint8_t room[static 8])
{
	return scalar((uint64_t)pg_time(at_us), 8, room);
}

struct db_param db_param_bool(bool v, uint8_t room[static 8])
{
	return scalar(v, 1, room);
}

struct db_param db_param_text(const char *text)
{
	return (struct db_param){text, text ? strlen(text) : 0};
}
