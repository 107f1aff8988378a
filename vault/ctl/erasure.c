/* erasure.c: erases again, in a database that was restored from a backup, all whom the ledger names. */
#include "base/config.h"
#include "crypto/keyring.h"
#include "crypto/ledger.h"
#include "crypto/secret.h"
#include "ctl/commands.h"
#include "store/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 10000

struct replay {
	struct ledger_entry *entries; /* by customer, once sorted */
	size_t n, cap;
	const uint8_t *key;
	int64_t looked_at, erased;
};

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
	enum err e = ledger_customer(p->key, customer, wanted.customer);

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

/* One transaction: all of it or nothing. */
static enum err replay(struct replay *p, struct db *db)
{
	enum err e = db_run(db, "BEGIN", NULL, 0, NULL);

	if (!e)
		e = db_run(db, "SET LOCAL statement_timeout = 0", NULL, 0, NULL);
	if (!e)
		e = replay_customers(p, db);
	if (!e)
		e = note_entries(p, db);
	return e ? e : db_run(db, "COMMIT", NULL, 0, NULL);
}

static enum err replay_files(const struct config *c, const char *conninfo, struct replay *p, struct buf *why)
{
	char room[CONFIG_PATH_MAX];
	struct keyring *k = NULL;
	struct db *db = NULL;
	int64_t count;
	enum err e = keyring_open(c->keyring, c->root_key, &k, why);

	if (!e) {
		p->key = keyring_key(k, KEYRING_LEDGER);
		e = ledger_read(config_ledger(c, room), p->key, keep_entry, p, &count, why);
	}
	if (!e) {
		if (p->n)
			qsort(p->entries, p->n, sizeof *p->entries, by_customer);
		e = db_open(conninfo, NULL, &db, why);
	}
	if (!e) {
		e = replay(p, db);
		if (e)
			buf_printf(why, "%s", db_error(db));
	}
	db_close(db);
	keyring_free(k);
	return e;
}

int command_erasure_replay(const struct arguments *a)
{
	struct config config;
	struct replay p = {0};
	struct buf why;
	int code = CTL_USAGE;

	buf_init(&why, 0);
	if (config_load(&config, arguments_option(a, "config"), &why) != ERR_OK) {
		fputs(why.len ? buf_string(&why) : "error: out of memory\n", stderr);
	} else if (!*config.migrate_url) {
		complain(CTL_USAGE, "no database is named: set VAULT_MIGRATE_URL, or give --config");
	} else {
		enum err e = secret_start();

		if (!e)
			e = replay_files(&config, config.migrate_url, &p, &why);
		code = e ? complain(e == ERR_UNAVAILABLE ? CTL_UNREACHED : CTL_SERVER, "%s", why.len ? buf_string(&why) : err_text(e)) : CTL_OK;
		secret_stop();
	}
	if (code == CTL_OK)
		printf("The ledger has %zu entries. Of %lld customers looked at, %lld %s erased again.\n", p.n, (long long)p.looked_at, (long long)p.erased,
		       p.erased == 1 ? "customer was" : "customers were");
	free(p.entries);
	config_fini(&config);
	buf_fini(&why);
	return code == CTL_OK && fflush(stdout) ? CTL_SERVER : code;
}
