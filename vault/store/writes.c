/* writes.c: one group of array columns a table. */
#include "store/writes.h"

#include "store/statements.h"

#include <stdlib.h>
#include <string.h>

/*    group            statement              columns, in the order of the statement's parameters */
#define GROUPS(X)                                                                                                       \
	X(INSERT_CUSTOMER,    ST_INSERT_CUSTOMER,    true,  DB_INT8, DB_INT4, DB_INT4, DB_INT4, DB_BYTEA, DB_TIME, DB_BYTEA, DB_BYTEA) \
	X(UPDATE_CUSTOMER,    ST_UPDATE_CUSTOMER,    true,  DB_INT8, DB_INT4, DB_INT4, DB_INT4, DB_BYTEA, DB_TIME, DB_BYTEA, DB_BYTEA) \
	X(INSERT_KEY,         ST_INSERT_KEY,         false, DB_INT8, DB_INT4, DB_INT4, DB_BYTEA)                           \
	X(DELETE_LARGE,       ST_DELETE_LARGE,       false, DB_INT8, DB_INT4)                                              \
	X(INSERT_LARGE,       ST_INSERT_LARGE,       false, DB_INT8, DB_INT4, DB_INT4, DB_BYTEA)                           \
	X(DELETE_INDEX,       ST_DELETE_INDEX,       false, DB_INT8, DB_INT4, DB_INT4, DB_INT8)                            \
	X(INSERT_INDEX,       ST_INSERT_INDEX,       false, DB_INT8, DB_INT4, DB_INT4, DB_INT8)                            \
	X(DELETE_RECORD,      ST_DELETE_RECORD,      false, DB_INT8, DB_INT4, DB_INT8)                                     \
	X(INSERT_RECORD,      ST_INSERT_RECORD,      true,  DB_INT8, DB_INT4, DB_INT8, DB_INT4, DB_BYTEA)                  \
	X(INSERT_CONSENT,     ST_INSERT_CONSENT,     true,  DB_INT8, DB_INT4, DB_INT4, DB_INT4, DB_TIME, DB_INT4, DB_TEXT, DB_BYTEA) \
	X(INSERT_IDEMPOTENCY, ST_INSERT_IDEMPOTENCY, true,  DB_BYTEA, DB_BYTEA, DB_INT4, DB_BYTEA)                         \
	X(SPEND_SEARCH,       ST_SPEND_SEARCH,       true,  DB_INT8, DB_INT8)

enum group {
#define X(name, statement, timed, ...) name,
	GROUPS(X)
#undef X
	GROUP_COUNT
};

#define COLUMNS_MAX 8

static const struct {
	enum statement statement;
	bool timed; /* a time follows the arrays */
	enum db_type types[COLUMNS_MAX];
} groups[GROUP_COUNT] = {
#define X(name, statement, timed, ...) [name] = {statement, timed, {__VA_ARGS__}},
    GROUPS(X)
#undef X
};

struct writes {
	struct db_array column[GROUP_COUNT][COLUMNS_MAX];
	bool sent[GROUP_COUNT];
	int64_t search_hour;
};

enum err writes_new(struct writes **out)
{
	struct writes *w = calloc(1, sizeof *w);

	*out = w;
	if (!w)
		return ERR_MEMORY;
	for (int g = 0; g < GROUP_COUNT; g++)
		for (int c = 0; c < COLUMNS_MAX && groups[g].types[c]; c++)
			db_array_init(&w->column[g][c], groups[g].types[c]);
	return ERR_OK;
}

void writes_free(struct writes *w)
{
	if (!w)
		return;
	for (int g = 0; g < GROUP_COUNT; g++)
		for (int c = 0; c < COLUMNS_MAX && groups[g].types[c]; c++)
			db_array_fini(&w->column[g][c]);
	free(w);
}

void writes_reset(struct writes *w)
{
	for (int g = 0; g < GROUP_COUNT; g++)
		for (int c = 0; c < COLUMNS_MAX && groups[g].types[c]; c++)
			db_array_reset(&w->column[g][c]);
}

static void put_customer(struct db_array *to, const struct customer_write *c)
{
	db_array_int8(&to[0], c->id);
	db_array_int4(&to[1], (int32_t)c->version);
	db_array_int4(&to[2], (int32_t)c->dek_generation);
	db_array_int4(&to[3], (int32_t)c->token_generation);
	db_array_bytes(&to[4], c->state, c->state_len);
	db_array_time(&to[5], c->state_valid_until_us);
	db_array_bytes(&to[6], c->header, c->header_len);
	db_array_bytes(&to[7], c->fields, c->fields_len);
}

void writes_insert_customer(struct writes *w, const struct customer_write *c)
{
	put_customer(w->column[INSERT_CUSTOMER], c);
}

void writes_update_customer(struct writes *w, const struct customer_write *c)
{
	put_customer(w->column[UPDATE_CUSTOMER], c);
}

void writes_key(struct writes *w, int64_t customer, uint32_t generation, uint32_t epoch, const uint8_t *wrapped, size_t len)
{
	struct db_array *to = w->column[INSERT_KEY];

	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], (int32_t)generation);
	db_array_int4(&to[2], (int32_t)epoch);
	db_array_bytes(&to[3], wrapped, len);
}

void writes_large(struct writes *w, int64_t customer, uint16_t subject, uint32_t version, const uint8_t *sealed, size_t len)
{
	struct db_array *to = w->column[INSERT_LARGE];

	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], subject);
	db_array_int4(&to[2], (int32_t)version);
	db_array_bytes(&to[3], sealed, len);
}

void writes_delete_large(struct writes *w, int64_t customer, uint16_t subject)
{
	db_array_int8(&w->column[DELETE_LARGE][0], customer);
	db_array_int4(&w->column[DELETE_LARGE][1], subject);
}

static void put_index(struct db_array *to, int64_t customer, uint32_t space, uint32_t epoch, int64_t tag)
{
	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], (int32_t)space);
	db_array_int4(&to[2], (int32_t)epoch);
	db_array_int8(&to[3], tag);
}

void writes_index(struct writes *w, int64_t customer, uint32_t space, uint32_t epoch, int64_t tag)
{
	put_index(w->column[INSERT_INDEX], customer, space, epoch, tag);
}

void writes_delete_index(struct writes *w, int64_t customer, uint32_t space, uint32_t epoch, int64_t tag)
{
	put_index(w->column[DELETE_INDEX], customer, space, epoch, tag);
}

void writes_record(struct writes *w, int64_t customer, uint16_t kind, int64_t item, uint32_t generation,
                   const uint8_t *sealed, size_t len)
{
	struct db_array *to = w->column[INSERT_RECORD];

	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], kind);
	db_array_int8(&to[2], item);
	db_array_int4(&to[3], (int32_t)generation);
	db_array_bytes(&to[4], sealed, len);
}

void writes_delete_record(struct writes *w, int64_t customer, uint16_t kind, int64_t item)
{
	struct db_array *to = w->column[DELETE_RECORD];

	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], kind);
	db_array_int8(&to[2], item);
}

void writes_consent(struct writes *w, int64_t customer, const struct consent_write *c)
{
	struct db_array *to = w->column[INSERT_CONSENT];

	db_array_int8(&to[0], customer);
	db_array_int4(&to[1], c->purpose);
	db_array_int4(&to[2], c->kind);
	db_array_int4(&to[3], (int32_t)c->dek_generation);
	db_array_time(&to[4], c->valid_until_us);
	db_array_int4(&to[5], (int32_t)c->notice_version);
	db_array_bytes(&to[6], c->detail, strlen(c->detail));
	db_array_bytes(&to[7], c->sealed, c->sealed_len);
}

void writes_idempotency(struct writes *w, const uint8_t key_mac[static 32], const uint8_t body_mac[static 32],
                        int32_t status, const void *result, size_t len)
{
	struct db_array *to = w->column[INSERT_IDEMPOTENCY];

	db_array_bytes(&to[0], key_mac, 32);
	db_array_bytes(&to[1], body_mac, 32);
	db_array_int4(&to[2], status);
	db_array_bytes(&to[3], result, len);
}

void writes_search_spent(struct writes *w, int64_t identity, int64_t value, int64_t hour_us)
{
	db_array_int8(&w->column[SPEND_SEARCH][0], identity);
	db_array_int8(&w->column[SPEND_SEARCH][1], value);
	w->search_hour = hour_us;
}

int64_t writes_search_values(const struct writes *w, int64_t identity)
{
	const struct db_array *a = &w->column[SPEND_SEARCH][0];
	int64_t n = 0;

	for (uint32_t i = 0; i < a->n; i++)
		n += db_array_int8_at(a, i) == identity;
	return n;
}

void writes_mark(const struct writes *w, struct writes_mark *m)
{
	size_t i = 0;

	_Static_assert(sizeof m->len / sizeof *m->len == GROUP_COUNT * COLUMNS_MAX, "a mark holds every column");
	for (int g = 0; g < GROUP_COUNT; g++)
		for (int c = 0; c < COLUMNS_MAX && groups[g].types[c]; c++, i++) {
			m->len[i] = w->column[g][c].bytes.len;
			m->n[i] = w->column[g][c].n;
		}
}

void writes_cut(struct writes *w, const struct writes_mark *m)
{
	size_t i = 0;

	for (int g = 0; g < GROUP_COUNT; g++)
		for (int c = 0; c < COLUMNS_MAX && groups[g].types[c]; c++, i++) {
			buf_truncate(&w->column[g][c].bytes, m->len[i]);
			w->column[g][c].n = m->n[i];
		}
}

static enum err send_group(struct writes *w, struct db *db, enum group g, int64_t at_us)
{
	struct db_array *columns = w->column[g];
	struct db_param p[COLUMNS_MAX + 1];
	uint8_t room[8];
	size_t n = 0;

	w->sent[g] = columns[0].n > 0;
	if (!w->sent[g])
		return ERR_OK;
	for (; n < COLUMNS_MAX && groups[g].types[n]; n++) {
		p[n] = db_array_param(&columns[n]);
		if (!p[n].bytes || columns[n].n != columns[0].n)
			return ERR_MEMORY;
	}
	if (groups[g].timed)
		p[n++] = db_param_time(at_us, room);
	db_send(db, groups[g].statement, p, n);
	return ERR_OK;
}

enum err writes_send(struct writes *w, struct db *db, int64_t now_us)
{
	enum err e = ERR_OK;

	for (int g = 0; g < GROUP_COUNT && !e; g++)
		e = send_group(w, db, (enum group)g, g == SPEND_SEARCH ? w->search_hour : now_us);
	return e;
}

enum err writes_receive(struct writes *w, struct db *db)
{
	enum err e = ERR_OK;

	for (int g = 0; g < GROUP_COUNT && !e; g++)
		if (w->sent[g])
			e = db_next_done(db, NULL);
	return e;
}
