/* restore.c: an empty database becomes the vault of a backup: data, the newest keys, and the ledger's erasures once more.
 *
 * Two transactions: the first loads and leaves a mark, the second brings database, keys and ledger together and takes the
 * mark away. vaultd serves no database that bears it. Whoever is interrupted runs the same command again. */
#include "vault/ctl/replay.h"
#include "vault/ctl/restore_load.h"

#include "base/clock.h"
#include "crypto/secret.h"
#include "ctl/commands.h"
#include "store/migrate.h"
#include "store/rights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 1000

struct restore {
	struct backup_run run;
	struct backup_folder folder;
	struct backup_manifest *m;
	const struct backup_part *data;
	struct replay ledger;
	struct db *db;
	bool loaded; /* by an earlier run */
	/* what was found */
	int64_t keyless, rowless, other_generation, customers;
};

static enum err database_error(struct restore *r, enum err e)
{
	if (e && !r->run.why.len)
		buf_printf(&r->run.why, "%s", db_error(r->db));
	return e;
}

static enum err choose(struct restore *r, const char *name)
{
	if (r->m->n_data)
		r->data = &r->m->data[r->m->n_data - 1];
	for (size_t i = 0; name && i < r->m->n_data; i++)
		if (!strcmp(r->m->data[i].name, name))
			r->data = &r->m->data[i];
	if (r->data && (!name || !strcmp(r->data->name, name)))
		return ERR_OK;
	buf_printf(&r->run.why, "%s: the manifest names no such data backup", r->folder.path);
	return ERR_CONFLICT;
}

/* An empty database, or one that an earlier run of this restore has loaded. */
static enum err look_at_database(struct restore *r)
{
	struct db_result *rows = NULL;
	bool empty = false, known = false;
	enum err e = db_run(r->db, "SELECT to_regnamespace('vault') IS NULL, to_regclass('vault.vault_identity') IS NOT NULL", NULL, 0, &rows);

	if (!e) {
		empty = db_bool(rows, 0, 0);
		known = db_bool(rows, 0, 1);
	}
	db_result_free(rows);
	rows = NULL;
	if (e || empty)
		return database_error(r, e);
	if (known)
		e = db_run(r->db, "SELECT vault, restoring FROM vault_identity", NULL, 0, &rows);
	r->loaded = !e && known && db_rows(rows) == 1 && *db_text(rows, 0, 1);
	if (!e && !r->loaded) {
		buf_text(&r->run.why, "the database is not empty: it has a vault. A restore wants one that was just made (createdb)");
		e = ERR_CONFLICT;
	} else if (!e && (strcmp(db_text(rows, 0, 0), r->m->vault) != 0 || strcmp(db_text(rows, 0, 1), r->data->name) != 0)) {
		buf_printf(&r->run.why, "a restore of %s has begun in this database: end it with --name %s, or make another database",
		           db_text(rows, 0, 1), db_text(rows, 0, 1));
		e = ERR_CONFLICT;
	}
	db_result_free(rows);
	return database_error(r, e);
}

/* The ledger must know all that was known when the backup was made: an older one would bring people back. */
static enum err check_ledger(struct restore *r)
{
	char room[CONFIG_PATH_MAX];
	const struct backup_part *parts[] = {r->data, &r->m->keys};
	enum err e = replay_open(&r->ledger, &r->run.config, &r->run.why);

	for (size_t i = 0; i < 2 && !e; i++)
		if (!replay_continues(&r->ledger, parts[i]->position, parts[i]->hash)) {
			buf_printf(&r->run.why, "%s: when %s was made the ledger had %lld entries, and this one, of %zu, does not go on from there: it is an older "
			                        "or another one",
			           config_ledger(&r->run.config, room), parts[i]->name, (long long)parts[i]->position, r->ledger.n);
			e = ERR_LEDGER;
		}
	if (!e && !r->ledger.n)
		fprintf(stderr, "There is no ledger at %s: right only where nobody has ever been erased.\n", config_ledger(&r->run.config, room));
	return e;
}

static enum err load(struct restore *r)
{
	enum err e = restore_check(&r->folder, r->data, &r->run.why);

	if (!e)
		e = restore_check(&r->folder, &r->m->keys, &r->run.why);
	return e ? e : restore_load(&r->run, &r->folder, r->data, &r->m->keys);
}

/* ---- the second transaction ---- */

static enum err count(struct restore *r, const char *sql, int64_t *out)
{
	struct db_result *rows = NULL;
	enum err e = db_run(r->db, sql, NULL, 0, &rows);

	*out = e ? 0 : db_int8(rows, 0, 0);
	db_result_free(rows);
	return e;
}

/* A row whose key is in the newest copy no more: nobody can read it. Erased since, for the ledger's sake or a lost entry of it. */
static enum err erase_keyless(struct restore *r)
{
	size_t n = PAGE;
	enum err e = ERR_OK;

	while (!e && n == PAGE) {
		struct db_result *rows = NULL;

		e = db_run(r->db,
		           "SELECT customer_id FROM customer c WHERE NOT EXISTS (SELECT FROM customer_key k WHERE k.customer_id = c.customer_id) LIMIT 1000",
		           NULL, 0, &rows);
		n = e ? 0 : db_rows(rows);
		for (size_t i = 0; i < n && !e; i++, r->keyless++)
			e = erase_customer(r->db, db_int8(rows, i, 0), "erased");
		db_result_free(rows);
	}
	return e;
}

/* Numbers that were given after the backup must not be given again: tokens of records, ids of requests and of audit records
 * stand for what they stood for. And a node that still runs must not take an old revision for the one it has. */
#define STEP_OVER "1000000000"
static enum err step_over(struct restore *r)
{
	int64_t ignored;
	enum err e = count(r,
	                   "SELECT count(setval(format('%I.%I', schemaname, sequencename)::regclass, coalesce(last_value, 0) + " STEP_OVER
	                   ")) FROM pg_sequences WHERE schemaname = 'vault'",
	                   &ignored);

	return e ? e : db_run(r->db, "UPDATE vault_revision SET revision = revision + " STEP_OVER, NULL, 0, NULL);
}

static enum err reconcile(struct restore *r)
{
	enum err e = db_script(r->db, "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0");

	if (!e)
		e = replay_run(&r->ledger, r->db);
	if (!e)
		e = erase_keyless(r);
	if (!e)
		e = count(r,
		          "WITH gone AS (DELETE FROM customer_key k WHERE NOT EXISTS (SELECT FROM customer c WHERE c.customer_id = k.customer_id) RETURNING 1) "
		          "SELECT count(*) FROM gone",
		          &r->rowless);
	if (!e)
		e = count(r, "SELECT count(*) FROM customer JOIN customer_key k USING (customer_id) WHERE customer.dek_generation <> k.dek_generation",
		          &r->other_generation);
	if (!e)
		e = count(r, "SELECT count(*) FROM customer", &r->customers);
	if (!e)
		e = step_over(r);
	if (!e)
		e = db_run(r->db, "UPDATE vault_identity SET restoring = ''", NULL, 0, NULL);
	return database_error(r, e ? e : db_script(r->db, "COMMIT"));
}

/* ---- the report ---- */

static enum err tell_epochs(struct restore *r)
{
	struct db_result *rows = NULL;
	enum err e = db_run(r->db, "SELECT epoch, count(*) FROM customer_key GROUP BY epoch ORDER BY epoch", NULL, 0, &rows);

	for (size_t i = 0; !e && i < db_rows(rows); i++)
		if (!keyring_kek(r->ledger.keyring, (uint32_t)db_int4(rows, i, 0)))
			printf("%lld customers can't be read: the keyring does not have key epoch %d, under which their keys are.\n",
			       (long long)db_int8(rows, i, 1), db_int4(rows, i, 0));
	db_result_free(rows);
	return database_error(r, e);
}

static enum err tell(struct restore *r)
{
	char data_at[CLOCK_TEXT_LEN], keys_at[CLOCK_TEXT_LEN];

	clock_format(r->data->made_at_us, data_at);
	clock_format(r->m->keys.made_at_us, keys_at);
	printf("%lld customers are restored, as of %s, with their keys as of %s.\n", (long long)r->customers, data_at, keys_at);
	printf("Erased again, as the ledger of %zu entries says: %lld.\n", r->ledger.n, (long long)r->ledger.erased);
	if (r->keyless)
		printf("Rows without a key in the newest copy, which nobody could have read: %lld. They are gone, too.\n", (long long)r->keyless);
	if (r->rowless)
		printf("Keys without a row, of customers created after this backup: %lld. Their data is not in it.\n", (long long)r->rowless);
	if (r->other_generation)
		printf("Rows under another generation of their key, which do not open: %lld.\n", (long long)r->other_generation);
	puts("All else is as of then, too: repeat what was decided since, such as withdrawn consents, erasures of a part, corrections, freezes,\n"
	     "revoked tokens and activated policies. Where checkpoints of the audit log were signed since, vaultd says so and wants\n"
	     "vaultctl audit new-origin before it is ready.");
	return fflush(stdout) ? ERR_IO : tell_epochs(r);
}

static enum err restore(struct restore *r, const char *path, const char *name)
{
	enum err e = backup_open(&r->folder, path, BACKUP_READ, &r->m, &r->run.why);

	if (!e)
		e = choose(r, name);
	if (!e)
		e = check_ledger(r);
	if (!e)
		e = db_open(r->run.config.migrate_url, NULL, &r->db, &r->run.why);
	if (!e)
		e = look_at_database(r);
	if (!e && !r->loaded)
		e = load(r);
	if (!e)
		e = migrate_run(r->run.config.migrate_url, &r->run.why); /* a backup of an older version */
	if (!e)
		buf_reset(&r->run.why);
	if (!e)
		e = reconcile(r);
	return e ? e : tell(r);
}

int command_restore(const struct arguments *a)
{
	struct restore r = {.folder = {.fd = -1}};
	int code = CTL_USAGE;

	if (backup_run_begin(a, &r.run)) {
		enum err e = secret_start();

		if (!e)
			e = restore(&r, a->words[0], arguments_option(a, "name"));
		code = e ? backup_failed(&r.run, e) : CTL_OK;
		replay_close(&r.ledger);
		secret_stop();
	}
	db_close(r.db);
	backup_close(&r.folder);
	free(r.m);
	backup_run_end(&r.run);
	return code;
}
