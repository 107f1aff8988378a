/* backup.c: one run: the data in a new dump, customer_key in the one copy that is kept. The copy of the keys is made last, so
 * that it lacks nobody whom the data has, but for those who were erased meanwhile. */
#include "vault/ctl/backup_folder.h"
#include "vault/ctl/backup_int.h"
#include "vault/ctl/program.h"

#include "base/clock.h"
#include "crypto/keyring.h"
#include "crypto/mac.h"
#include "crypto/secret.h"
#include "ctl/commands.h"
#include "store/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_US ((int64_t)86400 * 1000000)
#define EPOCH_DAYS 28 /* a key epoch lasts 21 days and overlaps 7 */
#define PIECE 65536
#define WORDS 64 /* of a command line */
#define PATTERN_MAX 160

struct backup {
	struct backup_run run;
	struct backup_folder folder;
	struct backup_manifest *m;
	struct db *db;
	char tables[WORDS / 2][PATTERN_MAX]; /* customer_key and its partitions, as pg_dump's option that names them */
	size_t n_tables;
	long keep; /* 0: all */
};

static enum err database_error(struct backup *b, enum err e)
{
	if (e && !b->run.why.len)
		buf_printf(&b->run.why, "%s", db_error(b->db));
	return e;
}

/* The folder is of this vault, or new. */
static enum err check_vault(struct backup *b)
{
	struct db_result *rows = NULL;
	enum err e = db_run(b->db, "SELECT vault, restoring FROM vault_identity", NULL, 0, &rows);

	if (!e && (db_rows(rows) != 1 || strlen(db_text(rows, 0, 0)) >= BACKUP_VAULT_MAX))
		e = ERR_SCHEMA;
	if (!e && *db_text(rows, 0, 1)) {
		buf_printf(&b->run.why, "a restore of %s into this database has not ended: run vaultctl restore again first", db_text(rows, 0, 1));
		e = ERR_CONFLICT;
	}
	if (!e && *b->m->vault && strcmp(b->m->vault, db_text(rows, 0, 0)) != 0) {
		buf_printf(&b->run.why, "%s holds backups of another vault (%s, and this one is %s)", b->folder.path, b->m->vault, db_text(rows, 0, 0));
		e = ERR_CONFLICT;
	}
	if (!e)
		memcpy(b->m->vault, db_text(rows, 0, 0), strlen(db_text(rows, 0, 0)) + 1);
	db_result_free(rows);
	return database_error(b, e);
}

static enum err find_tables(struct backup *b)
{
	struct db_result *rows = NULL;
	enum err e = db_run(b->db,
	                    "SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class WHERE oid = 'vault.customer_key'::regclass "
	                    "OR oid IN (SELECT relid FROM pg_partition_tree('vault.customer_key'))",
	                    NULL, 0, &rows);

	if (!e && db_rows(rows) > sizeof b->tables / sizeof *b->tables) {
		buf_text(&b->run.why, "customer_key has more partitions than this command can name");
		e = ERR_LIMIT;
	}
	for (size_t i = 0; !e && i < db_rows(rows); i++)
		snprintf(b->tables[b->n_tables++], PATTERN_MAX, "%s", db_text(rows, i, 0));
	db_result_free(rows);
	return database_error(b, e);
}

/* Opens a transaction whose sight pg_dump shares, and fills what the manifest says of it. */
static enum err begin(struct backup *b, struct backup_part *p, const char *counted, char snapshot[static 64])
{
	struct db_result *rows = NULL;
	enum err e = db_script(b->db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0; "
	                              "SET LOCAL statement_timeout = 0");

	p->made_at_us = clock_now_us();
	if (!e)
		e = db_run(b->db, counted, NULL, 0, &rows);
	if (!e) {
		snprintf(snapshot, 64, "%s", db_text(rows, 0, 0));
		p->schema = db_int4(rows, 0, 1);
		p->rows = db_int8(rows, 0, 2);
		e = erasure_last(b->db, &p->position, p->hash);
	}
	db_result_free(rows);
	return database_error(b, e);
}

static enum err read_epochs(struct backup *b)
{
	struct db_result *rows = NULL;
	enum err e = db_run(b->db, "SELECT epoch, count(*) FROM customer_key GROUP BY epoch ORDER BY epoch", NULL, 0, &rows);

	b->m->n_epochs = 0;
	for (size_t i = 0; !e && i < db_rows(rows) && i < BACKUP_EPOCHS_MAX; i++)
		b->m->epochs[b->m->n_epochs++] = (struct backup_epoch){(uint32_t)db_int4(rows, i, 0), db_int8(rows, i, 1)};
	db_result_free(rows);
	return database_error(b, e);
}

static enum err write_all(int fd, const uint8_t *bytes, size_t len)
{
	while (len) {
		const ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno != EINTR)
			return ERR_IO;
		bytes += n < 0 ? 0 : n;
		len -= n < 0 ? 0 : (size_t)n;
	}
	return ERR_OK;
}

/* From the program into the file: hashed, counted, on disk. */
static enum err take(struct backup *b, struct program *from, int fd, struct backup_part *p, const char *what)
{
	uint8_t piece[PIECE];
	struct hash *hash = NULL;
	size_t got = 1;
	enum err e = hash_new(&hash);

	p->size = 0;
	while (!e && got) {
		e = program_read(from, piece, sizeof piece, &got, &b->run.why);
		if (!e)
			e = hash_add(hash, piece, got);
		if (!e)
			e = write_all(fd, piece, got);
		p->size += (int64_t)got;
		backup_progress(what, p->size, got == 0);
	}
	if (!e && fsync(fd))
		e = ERR_IO;
	if (!e)
		e = hash_end(hash, p->sha256);
	if (e && !b->run.why.len)
		buf_printf(&b->run.why, "%s/%s: %s", b->folder.path, p->name, strerror(errno));
	hash_free(hash);
	return e;
}

static enum err dump(struct backup *b, struct backup_part *p, const char *what, const char *const *argv)
{
	struct program from = {0};
	char digits[CLOCK_TEXT_LEN];
	size_t n = 0;
	int fd;
	enum err e;

	clock_format(p->made_at_us, digits);
	for (const char *at = digits; *at; at++)
		if (!strchr("-:", *at))
			digits[n++] = *at;
	digits[n] = 0;
	snprintf(p->name, sizeof p->name, "%s-%s.dump", what, digits);
	fd = openat(b->folder.fd, p->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		buf_printf(&b->run.why, "%s/%s: %s", b->folder.path, p->name, strerror(errno));
		return ERR_IO;
	}
	e = program_start(&from, PROGRAM_READ, argv, b->run.environment, &b->run.why);
	if (!e) {
		e = take(b, &from, fd, p, what);
		if (e)
			program_kill(&from);
		else
			e = program_end(&from, &b->run.why);
	}
	close(fd);
	return e;
}

#define FACTS(table) "SELECT pg_export_snapshot(), (SELECT max(number) FROM schema_migration), (SELECT count(*) FROM " table ")"

static enum err dump_data(struct backup *b)
{
	struct backup_part *p = &b->m->data[b->m->n_data];
	char snapshot[80] = "--snapshot=", excluded[WORDS / 2][PATTERN_MAX + 24];
	const char *argv[WORDS] = {"pg_dump", "--format=custom", "--compress=1", "--no-owner", "--schema=vault", snapshot};
	size_t n = 6;
	enum err e = begin(b, p, FACTS("customer"), snapshot + strlen(snapshot));

	for (size_t i = 0; i < b->n_tables; i++) {
		snprintf(excluded[i], sizeof excluded[i], "--exclude-table-data=%s", b->tables[i]);
		argv[n++] = excluded[i];
	}
	if (!e)
		e = dump(b, p, "data", argv);
	if (!e)
		e = database_error(b, db_script(b->db, "COMMIT"));
	b->m->n_data += !e;
	return e;
}

static enum err dump_keys(struct backup *b)
{
	struct backup_part p = {.size = 0};
	char snapshot[80] = "--snapshot=", wanted[WORDS / 2][PATTERN_MAX + 24];
	const char *argv[WORDS] = {"pg_dump", "--format=custom", "--compress=0", "--data-only", "--load-via-partition-root", snapshot};
	size_t n = 6;
	enum err e = begin(b, &p, FACTS("customer_key"), snapshot + strlen(snapshot));

	for (size_t i = 0; i < b->n_tables; i++) {
		snprintf(wanted[i], sizeof wanted[i], "--table=%s", b->tables[i]);
		argv[n++] = wanted[i];
	}
	if (!e)
		e = read_epochs(b);
	if (!e)
		e = dump(b, &p, "customer_key", argv);
	if (!e)
		e = database_error(b, db_script(b->db, "COMMIT"));
	if (!e)
		b->m->keys = p;
	return e;
}

/* Leaves out backups whose file is gone, and where so many are not wanted, the oldest. */
static void thin_out(struct backup *b)
{
	size_t n = 0, first;

	for (size_t i = 0; i < b->m->n_data; i++)
		if (!faccessat(b->folder.fd, b->m->data[i].name, F_OK, 0))
			b->m->data[n++] = b->m->data[i];
	first = b->keep && n > (size_t)b->keep ? n - (size_t)b->keep : 0;
	memmove(b->m->data, b->m->data + first, (n - first) * sizeof *b->m->data);
	b->m->n_data = n - first;
}

/* ---- the report ---- */

static void tell_part(const struct backup_part *p, const char *of)
{
	char size[24];

	backup_size(p->size, size);
	printf("%s  %s, of %lld %s\n", p->name, size, (long long)p->rows, of);
}

/* Until when the copy opens: as long as the keyring holds the epochs under which its keys are wrapped. */
static void tell_epoch(const struct keyring *k, const struct backup_epoch *of)
{
	char when[CLOCK_TEXT_LEN] = "";
	size_t n = 0;
	const struct keyring_epoch *epochs = k ? keyring_epochs(k, &n) : NULL;

	printf("  key epoch %u: %lld keys", of->epoch, (long long)of->keys);
	for (size_t i = 0; i < n; i++)
		if (epochs[i].epoch == of->epoch && epochs[i].state != EPOCH_DESTROYED)
			clock_format(epochs[i].created_at_us + EPOCH_DAYS * DAY_US, when);
	if (*when)
		printf(", which is due to be destroyed on %.10s", when);
	else if (k)
		fputs(", which the keyring does not have: these customers can't be read by anybody", stdout);
	putchar('\n');
}

static enum err tell(struct backup *b)
{
	struct keyring *k = NULL;

	/* The machine that makes backups need not have the keys. */
	if (access(b->run.config.keyring, F_OK) || keyring_open(b->run.config.keyring, b->run.config.root_key, &k, &b->run.why))
		k = NULL;
	tell_part(&b->m->data[b->m->n_data - 1], "customers");
	tell_part(&b->m->keys, "keys, the only copy here");
	printf("%zu data backups are here; the ledger had %lld entries.\n", b->m->n_data, (long long)b->m->keys.position);
	puts("Each of them opens with this copy of the keys and the keyring, as long as the keyring has:");
	for (size_t i = 0; i < b->m->n_epochs; i++)
		tell_epoch(k, &b->m->epochs[i]);
	if (!k)
		puts("The keyring can't be opened here, so it is not known when these are due to be destroyed.");
	puts("Keyring, root key and ledger are not in here.");
	keyring_free(k);
	return fflush(stdout) ? ERR_IO : ERR_OK;
}

static enum err backup(struct backup *b, const char *path)
{
	enum err e = backup_open(&b->folder, path, BACKUP_WRITE, &b->m, &b->run.why);

	if (!e)
		e = db_open(b->run.config.migrate_url, NULL, &b->db, &b->run.why);
	if (!e)
		e = check_vault(b);
	if (!e)
		e = find_tables(b);
	if (!e && b->m->n_data == BACKUPS_MAX) {
		buf_printf(&b->run.why, "%s holds %d backups: delete some, or give --keep", path, BACKUPS_MAX);
		e = ERR_CONFLICT;
	}
	if (!e)
		e = dump_data(b);
	if (!e)
		e = dump_keys(b);
	if (!e) {
		thin_out(b);
		e = backup_commit(&b->folder, b->m, &b->run.why);
	}
	return e ? e : tell(b);
}

int command_backup(const struct arguments *a)
{
	const char *keep = arguments_option(a, "keep");
	struct backup b = {.folder = {.fd = -1}};
	int code = CTL_USAGE;

	if (keep && !input_number(keep, 1, BACKUPS_MAX, &b.keep))
		return complain(CTL_USAGE, "--keep must be a number from 1 to %d", BACKUPS_MAX);
	if (backup_run_begin(a, &b.run)) {
		enum err e = secret_start();

		if (!e)
			e = backup(&b, a->words[0]);
		code = e ? backup_failed(&b.run, e) : CTL_OK;
		secret_stop();
	}
	db_close(b.db);
	backup_close(&b.folder);
	free(b.m);
	backup_run_end(&b.run);
	return code;
}
