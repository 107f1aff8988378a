/* replay.c: looks each customer of a database up in the ledger. */
#include "vault/ctl/replay.h"

#include "store/rights.h"

#include <stdlib.h>
#include <string.h>

#define PAGE 10000

static enum err keep_entry(void *ctx, const struct ledger_entry *e)
{
	struct replay *p = ctx;

	if (p->n == p->cap) {
		const size_t cap = p->cap ? 2 * p->cap : 1024;
		struct ledger_entry *more = realloc(p->entries, cap * sizeof *more);

		if (!more)
			return ERR_MEMORY;
		p->entries = more;
		p->cap = cap;
	}
	p->entries[p->n++] = *e;
	return ERR_OK;
}

static int by_customer(const void *a, const void *b)
{
	return memcmp(((const struct ledger_entry *)a)->customer, ((const struct ledger_entry *)b)->customer, LEDGER_MAC_LEN);
}

static enum err replay_customer(struct replay *p, struct db *db, int64_t customer)
{
	struct ledger_entry wanted = {0};
	enum err e = ledger_customer(keyring_key(p->keyring, KEYRING_LEDGER), customer, wanted.customer);

	p->looked_at++;
	if (e || !p->n || !bsearch(&wanted, p->entries, p->n, sizeof wanted, by_customer))
		return e;
	p->erased++;
	return erase_customer(db, customer, "erased");
}

/* All customers, also one of whom only the key is left. */
static enum err replay_customers(struct replay *p, struct db *db)
{
	int64_t after = INT64_MIN;
	size_t rows = PAGE;
	enum err e = ERR_OK;

	while (!e && rows == PAGE) {
		uint8_t room[8], limit[8];
		const struct db_param params[] = {db_param_int8(after, room), db_param_int4(PAGE, limit)};
		struct db_result *page = NULL;

		e = db_run(db,
		           "SELECT id FROM (SELECT customer_id AS id FROM customer UNION SELECT customer_id FROM customer_key) c "
		           "WHERE id > $1::int8 ORDER BY id LIMIT $2::int4",
		           params, 2, &page);
		rows = e ? 0 : db_rows(page);
		for (size_t i = 0; !e && i < rows; i++) {
			after = db_int8(page, i, 0);
			e = replay_customer(p, db, after);
		}
		db_result_free(page);
	}
	return e;
}

static enum err note_entries(const struct replay *p, struct db *db)
{
	enum err e = ERR_OK;

	for (size_t i = 0; i < p->n && !e; i++)
		e = erasure_insert(db, &(struct erasure_entry){.position = p->entries[i].position, .request = p->entries[i].request, .at_us = p->entries[i].at_us,
		                                               .customer_mac = p->entries[i].customer, .hash = p->entries[i].hash});
	return e;
}

enum err replay_open(struct replay *p, const struct config *c, struct buf *why)
{
	char room[CONFIG_PATH_MAX];
	int64_t count;
	enum err e = keyring_open(c->keyring, c->root_key, &p->keyring, why);

	if (!e)
		e = ledger_read(config_ledger(c, room), keyring_key(p->keyring, KEYRING_LEDGER), keep_entry, p, &count, why);
	if (!e && p->n)
		qsort(p->entries, p->n, sizeof *p->entries, by_customer);
	return e;
}

void replay_close(struct replay *p)
{
	keyring_free(p->keyring);
	free(p->entries);
	p->keyring = NULL;
	p->entries = NULL;
}

bool replay_continues(const struct replay *p, int64_t position, const uint8_t hash[static LEDGER_MAC_LEN])
{
	for (size_t i = 0; i < p->n; i++)
		if (p->entries[i].position == position)
			return !memcmp(p->entries[i].hash, hash, LEDGER_MAC_LEN);
	return position == 0;
}

enum err replay_run(struct replay *p, struct db *db)
{
	enum err e = replay_customers(p, db);

	return e ? e : note_entries(p, db);
}
