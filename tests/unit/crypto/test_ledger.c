/* The ledger of erasures: what was entered stays, once, and damage is seen. */
#include "crypto/ledger.h"

#include "base/clock.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const uint8_t key[32] = {1, 2, 3};
static char folder[64], path[96];
static struct buf why;

static int begin(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/ledger-test.XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/ledger", folder);
	buf_init(&why, 0);
	return 0;
}

static int end(void **state)
{
	(void)state;
	unlink(path);
	buf_fini(&why);
	return rmdir(folder);
}

static struct ledger_entry append(int64_t customer)
{
	struct ledger_entry e;

	assert_int_equal(ledger_append(path, key, customer, 7, 1790000000123456, &e, &why), ERR_OK);
	return e;
}

static int64_t count(enum err expected)
{
	int64_t n = -1;

	buf_reset(&why);
	assert_int_equal(ledger_read(path, key, NULL, NULL, &n, &why), expected);
	return n;
}

static long size_of(void)
{
	struct stat s;

	return stat(path, &s) ? -1 : (long)s.st_size;
}

static void a_missing_ledger_is_empty(void **state)
{
	(void)state;
	assert_int_equal(count(ERR_OK), 0);
}

static enum err look(void *ctx, const struct ledger_entry *e)
{
	struct ledger_entry *last = ctx;

	assert_int_equal(e->position, last->position + 1);
	*last = *e;
	return ERR_OK;
}

static void entries_are_numbered_and_read_back(void **state)
{
	struct ledger_entry e = {0}, last = {0};
	uint8_t name[LEDGER_MAC_LEN];
	int64_t n;

	(void)state;
	for (int64_t i = 1; i <= 5; i++) {
		e = append(100 + i);
		assert_int_equal(e.position, i);
	}
	assert_int_equal(ledger_read(path, key, look, &last, &n, &why), ERR_OK);
	assert_int_equal(n, 5);
	assert_memory_equal(&last, &e, sizeof e);
	assert_int_equal(ledger_customer(key, 105, name), ERR_OK);
	assert_memory_equal(name, e.customer, sizeof name);
	assert_int_equal(e.at_us, 1790000000123456);
}

static void a_customer_is_entered_once(void **state)
{
	const struct ledger_entry first = append(1);
	struct ledger_entry again;

	(void)state;
	append(2);
	again = append(1);
	assert_memory_equal(&first, &again, sizeof first);
	assert_int_equal(count(ERR_OK), 2);
}

static void no_customer_id_stands_in_it(void **state)
{
	char text[1024] = "";
	FILE *f;

	(void)state;
	append(0x1122334455667788);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, sizeof text - 1, f) > 0);
	fclose(f);
	assert_null(strstr(text, "1122334455667788"));
	assert_null(strstr(text, "1234605616436508552"));
}

static void change_byte(long at, uint8_t mask)
{
	FILE *f = fopen(path, "r+");
	int c;

	assert_non_null(f);
	fseek(f, at, SEEK_SET);
	c = fgetc(f);
	fseek(f, at, SEEK_SET);
	fputc(c ^ mask, f);
	fclose(f);
}

static void each_changed_byte_is_seen(void **state)
{
	struct ledger_entry e;
	long size;

	(void)state;
	for (int64_t i = 0; i < 3; i++)
		append(i);
	size = size_of();
	for (long at = 0; at < size; at++) {
		change_byte(at, 1);
		count(ERR_LEDGER);
		assert_int_equal(ledger_append(path, key, 99, 1, 1, &e, &why), ERR_LEDGER);
		change_byte(at, 1);
	}
	assert_int_equal(count(ERR_OK), 3);
}

static void another_key_does_not_read_it(void **state)
{
	static const uint8_t other[32] = {9};
	int64_t n;

	(void)state;
	append(1);
	assert_int_equal(ledger_read(path, other, NULL, NULL, &n, &why), ERR_LEDGER);
}

static void what_a_crash_left_of_an_entry_is_cut_off(void **state)
{
	long whole;

	(void)state;
	append(1);
	whole = size_of();
	for (long left = 1; left < whole; left++) {
		append(2);
		assert_int_equal(truncate(path, whole + left), 0);
		assert_int_equal(count(ERR_OK), left == whole ? 2 : 1);
	}
	assert_int_equal(append(2).position, 2);
	assert_int_equal(count(ERR_OK), 2);
	assert_int_equal(size_of(), 2 * whole);
}

static void a_missing_entry_in_between_is_seen(void **state)
{
	char text[4096];
	long size;
	FILE *f;

	(void)state;
	for (int64_t i = 0; i < 3; i++)
		append(i);
	size = size_of();
	f = fopen(path, "r");
	assert_non_null(f);
	assert_int_equal(fread(text, 1, sizeof text, f), size);
	fclose(f);
	memmove(text + size / 3, text + 2 * (size / 3), (size_t)(size / 3));
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, (size_t)(2 * (size / 3)), f), 2 * (size / 3));
	fclose(f);
	count(ERR_LEDGER);
}

static void a_ledger_that_others_may_read_is_refused(void **state)
{
	struct ledger_entry e;

	(void)state;
	append(1);
	assert_int_equal(chmod(path, 0644), 0);
	count(ERR_IO);
	assert_int_equal(ledger_append(path, key, 2, 1, 1, &e, &why), ERR_IO);
}

#define WRITERS 4
#define EACH 25

static void writers_do_not_mix(void **state)
{
	pid_t children[WRITERS];

	(void)state;
	for (int w = 0; w < WRITERS; w++) {
		children[w] = fork();
		assert_true(children[w] >= 0);
		if (children[w] == 0) {
			struct ledger_entry e;

			for (int i = 0; i < EACH; i++)
				if (ledger_append(path, key, w * 1000 + i, 1, 1, &e, &why))
					_exit(1);
			_exit(0);
		}
	}
	for (int w = 0; w < WRITERS; w++) {
		int status;

		assert_int_equal(waitpid(children[w], &status, 0), children[w]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(count(ERR_OK), WRITERS * EACH);
}

static void a_killed_writer_leaves_whole_entries(void **state)
{
	int64_t before = 0;
	unsigned seed = 3;

	(void)state;
	for (int round = 0; round < 40; round++) {
		const pid_t child = fork();
		int64_t now;
		int status;

		assert_true(child >= 0);
		if (child == 0) {
			struct ledger_entry e;

			for (int64_t i = 0;; i++)
				if (ledger_append(path, key, round * 100000 + i, 1, 1, &e, &why))
					_exit(1);
		}
		usleep((useconds_t)(rand_r(&seed) % 5000));
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		now = count(ERR_OK);
		assert_true(now >= before);
		before = now;
	}
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    WITH_FOLDER(a_missing_ledger_is_empty),
	    WITH_FOLDER(entries_are_numbered_and_read_back),
	    WITH_FOLDER(a_customer_is_entered_once),
	    WITH_FOLDER(no_customer_id_stands_in_it),
	    WITH_FOLDER(each_changed_byte_is_seen),
	    WITH_FOLDER(another_key_does_not_read_it),
	    WITH_FOLDER(what_a_crash_left_of_an_entry_is_cut_off),
	    WITH_FOLDER(a_missing_entry_in_between_is_seen),
	    WITH_FOLDER(a_ledger_that_others_may_read_is_refused),
	    WITH_FOLDER(writers_do_not_mix),
	    WITH_FOLDER(a_killed_writer_leaves_whole_entries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
