/* Records: only canonical ones are read, and rightly. */
#include "base/clock.h"
#include "ctl/record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define HEAD "{\"id\":\"7-12\",\"node\":\"n\xc3\xa9\",\"operation\":\"customer.read\""
#define TAIL ",\"time\":\"2026-01-31T12:34:56.123456Z\",\"v\":1}"

static bool reads(const char *text, struct record *out)
{
	return record_read(text, strlen(text), out);
}

/* A record with a value of a member "p". */
static bool takes(const char *value)
{
	char text[512];
	struct record r;

	snprintf(text, sizeof text, HEAD ",\"p\":%s" TAIL, value);
	return reads(text, &r);
}

static void what_a_record_says_is_read(void **state)
{
	struct record r;
	char time[CLOCK_TEXT_LEN];

	(void)state;
	assert_true(reads(HEAD TAIL, &r));
	assert_int_equal(r.stream, 7);
	assert_int_equal(r.seq, 12);
	assert_int_equal(r.kind, RECORD_PLAIN);
	clock_format(r.at_us, time);
	assert_string_equal(time, "2026-01-31T12:34:56.123456Z");
}

static void openings_name_the_stream_before(void **state)
{
	struct record r;

	(void)state;
	assert_true(reads("{\"executor\":0,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\"" TAIL, &r));
	assert_int_equal(r.kind, RECORD_OPENING);
	assert_int_equal(r.previous_stream, 0);
	assert_memory_equal(r.node, "\"n\"", r.node_len);
	assert_true(reads("{\"executor\":3,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\",\"previous_seq\":9,\"previous_stream\":4" TAIL, &r));
	assert_int_equal(r.executor, 3);
	assert_int_equal(r.previous_stream, 4);
	assert_int_equal(r.previous_seq, 9);
	assert_true(reads("{\"id\":\"7-1\",\"operation\":\"log.open\"" TAIL, &r));
	assert_int_equal(r.kind, RECORD_BREAK);
}

static void openings_that_lack_a_member_are_refused(void **state)
{
	static const char *const bad[] = {
	    "{\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\"" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"operation\":\"stream.open\"" TAIL,
	    "{\"executor\":-1,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\"" TAIL,
	    "{\"executor\":\"0\",\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\"" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"node\":1,\"operation\":\"stream.open\"" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\",\"previous_seq\":9" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\",\"previous_stream\":9" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\",\"previous_seq\":0,\"previous_stream\":4" TAIL,
	    "{\"executor\":0,\"id\":\"7-1\",\"node\":\"n\",\"operation\":\"stream.open\",\"previous_seq\":\"9\",\"previous_stream\":4" TAIL,
	};
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (reads(bad[i], &r))
			fail_msg("%s", bad[i]);
}

static void canonical_values_are_taken(void **state)
{
	static const char *const good[] = {"0", "-1", "9007199254740991", "-9007199254740991", "true", "false", "null", "\"\"", "[]", "{}",
	                                   "[1,\"a\",[]]", "{\"\":0,\"a\":{\"b\":1}}", "\"\\\"\\\\\\b\\f\\n\\r\\t\\u0000\\u001f\"",
	                                   "\"\x7f\xc2\x80\xe4\xb8\xad\xf0\x9d\x84\x9e\"", "[[[[[[[]]]]]]]"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		if (!takes(good[i]))
			fail_msg("%s", good[i]);
}

static void all_else_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", "01", "-0", "-", "+1", "1.0", "1e3", "9007199254740992", "-9007199254740992", "99999999999999999999", "True", "nul", "\"", "[", "[1,]",
	    "[1 ]", "[,]", "{\"a\":1,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"b\":1,\"a\":2}", "{\"a\":1,\"a\":2}", "{\"ab\":1,\"a\":2}",
	    "{\"\\u0061\":1}", "{\"\xc3\xa9\":1}", "{\"\x7f\":1}", "\"\\/\"", "\"\\u0061\"", "\"\\u000a\"", "\"\\u0008\"", "\"\\u001F\"", "\"\\u00\"", "\"\\x\"",
	    "\"\\\"", "\"\n\"", "\"\x1f\"", "\"\x80\"", "\"\xc0\xaf\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe4\xb8\"", "[[[[[[[[]]]]]]]]",
	    "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}}}", " 1", "1 "};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (takes(bad[i]))
			fail_msg("%s", bad[i]);
}

static void members_that_every_record_has_must_be_of_their_form(void **state)
{
	static const char *const bad[] = {
	    "", "{}", "[]", "null", HEAD, HEAD TAIL " ", " " HEAD TAIL, HEAD TAIL "\n",
	    HEAD ",\"time\":\"2026-01-31T12:34:56.123456Z\"}",
	    HEAD ",\"time\":\"2026-01-31T12:34:56.123456Z\",\"v\":2}",
	    HEAD ",\"time\":\"2026-01-31T12:34:56.123456Z\",\"v\":\"1\"}",
	    HEAD ",\"v\":1}",
	    HEAD ",\"time\":\"2026-01-31T12:34:56Z\",\"v\":1}",
	    HEAD ",\"time\":\"2026-01-31t12:34:56.123456Z\",\"v\":1}",
	    HEAD ",\"time\":\"2026-01-31T12:34:60.123456Z\",\"v\":1}",
	    HEAD ",\"time\":\"2026-02-30T12:34:56.123456Z\",\"v\":1}",
	    HEAD ",\"time\":\"1969-12-31T12:34:56.123456Z\",\"v\":1}",
	    HEAD ",\"time\":\"2026-01-31T12:34:56.1234567\",\"v\":1}",
	    HEAD ",\"time\":\"26-01-31T12:34:56.12345678Z\",\"v\":1}",
	    "{\"id\":\"7-12\"" TAIL,
	    "{\"id\":\"7-12\",\"operation\":1" TAIL,
	    "{\"operation\":\"x\"" TAIL,
	    "{\"id\":\"7\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"7-\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"-7\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"7-0\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"07-1\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"7-1-1\",\"operation\":\"x\"" TAIL,
	    "{\"id\":\"7-1234567890123456789\",\"operation\":\"x\"" TAIL,
	    "{\"id\":71,\"operation\":\"x\"" TAIL,
	};
	struct record r;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (reads(bad[i], &r))
			fail_msg("%s", bad[i]);
}

static void no_prefix_of_a_record_is_one(void **state)
{
	static const char text[] = HEAD ",\"p\":[{\"a\":\"\\u001f\",\"b\":-12},true]" TAIL;
	struct record r;

	(void)state;
	assert_true(record_read(text, sizeof text - 1, &r));
	for (size_t len = 0; len < sizeof text - 1; len++)
		assert_false(record_read(text, len, &r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_a_record_says_is_read),
	    cmocka_unit_test(openings_name_the_stream_before),
	    cmocka_unit_test(openings_that_lack_a_member_are_refused),
	    cmocka_unit_test(canonical_values_are_taken),
	    cmocka_unit_test(all_else_is_refused),
	    cmocka_unit_test(members_that_every_record_has_must_be_of_their_form),
	    cmocka_unit_test(no_prefix_of_a_record_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
