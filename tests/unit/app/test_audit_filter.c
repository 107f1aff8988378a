/* test_audit_filter.c: which stored records a filter lets through. */
#include "base/json.h"
#include "store/audit.h"
#include "vault/app/audit_filter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#define AT 1769862896123456 /* 2026-01-31T12:34:56.123456Z */
static const char record[] = "{\"activity\":\"read\",\"actor\":\"spiffe://a/b\",\"given\":{\"masked:email\":[1]},\"object\":\"x\\\"\",\"outcome\":"
                             "\"success\",\"time\":\"2026-01-31T12:34:56.123456Z\",\"v\":1}";

static struct arena arena;
static struct audit_filter filter;

static int set_up(void **state)
{
	(void)state;
	arena_init(&arena, 0);
	audit_filter_init(&filter);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static void member(const char *name, const char *value)
{
	assert_int_equal(audit_filter_member(&filter, &arena, name, value, 'a', value, strlen(value)), ERR_OK);
}

static bool matches(const char *text)
{
	return audit_filter_matches(&filter, text, strlen(text));
}

static void a_filter_of_nothing_lets_all_through(void **state)
{
	(void)state;
	assert_true(matches(record));
}

static void members_must_all_have_their_values(void **state)
{
	(void)state;
	member("actor", "spiffe://a/b");
	assert_true(matches(record));
	member("activity", "read"); /* the first one of a record */
	assert_true(matches(record));
	member("outcome", "failure");
	assert_false(matches(record));
}

static void a_part_of_a_value_is_no_match(void **state)
{
	(void)state;
	member("actor", "spiffe://a/");
	assert_false(matches(record));
}

static void values_are_compared_as_they_are_written(void **state)
{
	(void)state;
	member("object", "x\"");
	assert_true(matches(record));
}

/* Names are given to fields and identities by people: none may forge a member. */
static void text_inside_a_string_is_no_member(void **state)
{
	struct buf text;
	struct json j;

	(void)state;
	buf_init(&text, 0);
	json_init(&j, &text);
	json_object(&j);
	json_key_string(&j, "actor", "them");
	json_key_string(&j, "object", "\",\"actor\":\"me\",\"");
	json_object_end(&j);
	member("actor", "me");
	assert_false(matches(buf_string(&text)));
	buf_fini(&text);
	assert_false(matches("{\"the_actor\":\"me\"}"));
	assert_false(matches("\"actor\":\"me\""));
	assert_true(matches("{\"actor\":\"me\"}"));
}

static void times_are_from_and_before(void **state)
{
	(void)state;
	audit_filter_times(&filter, AT, INT64_MAX);
	assert_true(matches(record));
	audit_filter_times(&filter, AT + 1, INT64_MAX);
	assert_false(matches(record));
	audit_filter_times(&filter, 0, AT);
	assert_false(matches(record));
	audit_filter_times(&filter, 0, AT + 1);
	assert_true(matches(record));
	assert_false(matches("{\"time\":\"2026\"}"));
	assert_false(matches("{}"));
}

static void keys_are_those_of_the_segments(void **state)
{
	struct db_array keys;

	(void)state;
	db_array_init(&keys, DB_INT8);
	member("actor", "spiffe://a/b");
	assert_int_equal(filter.terms[0].key, audit_key('a', "spiffe://a/b", 12));
	audit_filter_keys(&filter, &keys);
	assert_int_equal(keys.n, 1);
	db_array_fini(&keys);
}

static void walk(const void *bytes, size_t len, size_t expected)
{
	struct audit_walk w = {.in = reader_of(bytes, len), .seq = 7};
	const char *at;
	size_t n = 0, record_len;
	int64_t seq;

	while (audit_walk_next(&w, &at, &record_len, &seq))
		assert_int_equal(seq, 7 + n++);
	assert_int_equal(n, expected);
}

static void records_of_a_segment_are_walked_in_order(void **state)
{
	(void)state;
	walk("\0\2{}\0\3{ }", 9, 2);
	walk("", 0, 0);
	walk("\0", 1, 0);
	walk("\0\2{}\0", 5, 1);
	walk("\0\2{}\0\11{}", 8, 1);
	walk("\0\0", 2, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_filter_of_nothing_lets_all_through, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(members_must_all_have_their_values, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_part_of_a_value_is_no_match, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(values_are_compared_as_they_are_written, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(text_inside_a_string_is_no_member, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(times_are_from_and_before, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(keys_are_those_of_the_segments, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(records_of_a_segment_are_walked_in_order, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
