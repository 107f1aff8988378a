/* configuration.h: audiences that two nodes add at the same time. */
#include "store/configuration.h"
#include "tests/unit/store/database.h"

#include <pthread.h>

struct adder {
	struct db *db;
	char name[64];
	enum err e;
};

static void *add(void *arg)
{
	struct adder *a = arg;

	a->e = configuration_add_audience(a->db, a->name);
	return NULL;
}

static int64_t number_of(struct db *db, const char *name)
{
	char sql[160];

	snprintf(sql, sizeof sql, "SELECT number::int8 FROM audience WHERE name = '%s'", name);
	return database_int8(db, sql);
}

/* Both take the highest number and add one; the second waits for the first and finds it taken. */
static void of_two_that_meant_the_same_number_the_second_tries_again(void **state)
{
	struct db *first = database_open(), *watch = database_open();
	struct adder second = {.db = database_open()};
	const long long id = (long long)database_new_id();
	char name[64];
	pthread_t thread;

	(void)state;
	snprintf(name, sizeof name, "first_%lld", id);
	snprintf(second.name, sizeof second.name, "second_%lld", id);
	assert_int_equal(db_run(first, "BEGIN", NULL, 0, NULL), ERR_OK);
	assert_int_equal(configuration_add_audience(first, name), ERR_OK);
	assert_int_equal(pthread_create(&thread, NULL, add, &second), 0);
	for (int i = 0; i < 300 && database_int8(watch, "SELECT count(*) FROM pg_locks WHERE NOT granted") < 1; i++)
		usleep(10000);
	assert_int_equal(db_run(first, "COMMIT", NULL, 0, NULL), ERR_OK);
	pthread_join(thread, NULL);
	assert_int_equal(second.e, ERR_OK);
	assert_int_equal(number_of(watch, second.name), -1);
	assert_int_equal(configuration_add_audience(second.db, second.name), ERR_OK);
	assert_true(number_of(watch, name) > 0);
	assert_int_equal(number_of(watch, second.name), number_of(watch, name) + 1);
	assert_int_equal(configuration_add_audience(second.db, second.name), ERR_OK); /* it is there: nothing happens */
	db_close(first);
	db_close(second.db);
	db_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(of_two_that_meant_the_same_number_the_second_tries_again)};

	return cmocka_run_group_tests(tests, database_set_up, cluster_stop);
}
