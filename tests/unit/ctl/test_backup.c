/* The manifest of backups, and the environment of PostgreSQL's programs. */
#include "db/connection.h"
#include "vault/ctl/backup_folder.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/test_backup.XXXXXX";

static void fill_part(struct backup_part *p, const char *name)
{
	snprintf(p->name, sizeof p->name, "%s", name);
	p->made_at_us = 1800000000000001;
	p->size = 5;
	p->rows = 2;
	p->schema = 7;
	p->position = 3;
	memset(p->sha256, 0xa5, sizeof p->sha256);
	memset(p->hash, 0x5a, sizeof p->hash);
}

static struct backup_manifest *sample(void)
{
	struct backup_manifest *m = calloc(1, sizeof *m);

	assert_non_null(m);
	strcpy(m->vault, "one");
	fill_part(&m->keys, "customer_key-2.dump");
	m->epochs[0] = (struct backup_epoch){4, 2};
	m->n_epochs = 1;
	fill_part(&m->data[0], "data-1.dump");
	m->n_data = 1;
	return m;
}

static void a_manifest_reads_as_it_was_written(void **state)
{
	struct backup_manifest *m = sample(), *again = calloc(1, sizeof *again);
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	backup_print(m, &text);
	assert_int_equal(backup_parse(text.data, text.len, again), ERR_OK);
	assert_memory_equal(m, again, sizeof *m);
	buf_fini(&text);
	free(m);
	free(again);
}

static void a_name_that_leads_out_of_the_folder_is_no_manifest(void **state)
{
	static const char *const names[] = {"data-../x", "data-/x", "../data-1", "customer_key-1", "data-'1", "data-1\n", ""};
	struct backup_manifest *m = sample(), *again = calloc(1, sizeof *again);

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct buf text;

		buf_init(&text, 0);
		snprintf(m->data[0].name, sizeof m->data[0].name, "%s", names[i]);
		backup_print(m, &text);
		assert_int_equal(backup_parse(text.data, text.len, again), ERR_MALFORMED_JSON);
		buf_fini(&text);
	}
	free(m);
	free(again);
}

static void touch(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	close(open(path, O_WRONLY | O_CREAT, 0600));
}

static bool there(const char *name)
{
	char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return !access(path, F_OK);
}

static void a_commit_deletes_the_dumps_that_it_does_not_name(void **state)
{
	struct backup_manifest *m, *wanted = sample(), *read;
	struct backup_folder f, second;
	struct buf why;

	(void)state;
	buf_init(&why, 0);
	touch("customer_key-1.dump");
	touch("customer_key-2.dump");
	touch("data-0.dump");
	touch("data-1.dump");
	assert_int_equal(backup_open(&f, folder, BACKUP_WRITE, &m, &why), ERR_OK);
	assert_string_equal(m->vault, "");
	assert_int_equal(backup_open(&second, folder, BACKUP_WRITE, &read, &why), ERR_BUSY);
	backup_close(&second);
	free(read);
	assert_int_equal(backup_commit(&f, wanted, &why), ERR_OK);
	assert_false(there("customer_key-1.dump"));
	assert_true(there("customer_key-2.dump"));
	assert_false(there("data-0.dump"));
	assert_true(there("data-1.dump"));
	backup_close(&f);
	free(m);
	assert_int_equal(backup_open(&f, folder, BACKUP_READ, &m, &why), ERR_OK);
	assert_memory_equal(m, wanted, sizeof *m);
	backup_close(&f);
	free(m);
	free(wanted);
	buf_fini(&why);
}

static bool has(char **environment, const char *line)
{
	for (; *environment; environment++)
		if (!strcmp(*environment, line))
			return true;
	return false;
}

static void a_connection_string_becomes_variables(void **state)
{
	char **environment;

	(void)state;
	assert_int_equal(db_environment("postgresql://owner:se%20cret@db.example:5433/vault?sslmode=verify-full", &environment), ERR_OK);
	assert_true(has(environment, "PGHOST=db.example"));
	assert_true(has(environment, "PGPORT=5433"));
	assert_true(has(environment, "PGUSER=owner"));
	assert_true(has(environment, "PGPASSWORD=se cret"));
	assert_true(has(environment, "PGDATABASE=vault"));
	assert_true(has(environment, "PGSSLMODE=verify-full"));
	db_environment_free(environment);
	assert_int_equal(db_environment("host", &environment), ERR_UNAVAILABLE);
	assert_null(environment);
	db_environment_free(NULL);
}

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof command, "rm -r %s", folder);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_manifest_reads_as_it_was_written),
	    cmocka_unit_test(a_name_that_leads_out_of_the_folder_is_no_manifest),
	    cmocka_unit_test(a_commit_deletes_the_dumps_that_it_does_not_name),
	    cmocka_unit_test(a_connection_string_becomes_variables),
	};

	return cmocka_run_group_tests_name("backup", tests, make_folder, remove_folder);
}
