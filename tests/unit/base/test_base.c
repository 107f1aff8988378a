/* Buffer, reader, arena, JSON writer and clock. */
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void an_append_over_the_limit_fails_and_sticks(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 4);
	buf_text(&b, "abc");
	assert_true(buf_ok(&b));
	buf_text(&b, "de");
	assert_false(buf_ok(&b));
	buf_text(&b, "f");
	assert_int_equal(b.len, 3);
	assert_int_equal(buf_err(&b), ERR_MEMORY);
	buf_fini(&b);
}

static void a_reader_past_the_end_gives_zero_and_fails(void **state)
{
	struct reader r = reader_of("\x01\x02\x03", 3);

	(void)state;
	assert_int_equal(reader_u16(&r), 0x0102);
	assert_false(r.failed);
	assert_int_equal(reader_u32(&r), 0);
	assert_true(r.failed);
	assert_int_equal(reader_u8(&r), 0);
}

static void numbers_are_big_endian_both_ways(void **state)
{
	struct buf b;
	struct reader r;

	(void)state;
	buf_init(&b, 0);
	buf_u64(&b, 0x0102030405060708u);
	buf_u16(&b, 0xfffe);
	assert_memory_equal(b.data, "\1\2\3\4\5\6\7\10\xff\xfe", 10);
	r = reader_of(b.data, b.len);
	assert_int_equal(reader_u64(&r), 0x0102030405060708u);
	assert_int_equal(reader_u16(&r), 0xfffe);
	buf_fini(&b);
}

static void arena_memory_is_zeroed_and_bounded(void **state)
{
	struct arena a;
	char *one;

	(void)state;
	arena_init(&a, 8192);
	one = arena_alloc(&a, 100);
	assert_non_null(one);
	for (int i = 0; i < 100; i++)
		assert_int_equal(one[i], 0);
	assert_null(arena_alloc(&a, 10000));
	assert_null(arena_array(&a, SIZE_MAX / 2, 3));
	assert_string_equal(arena_copy(&a, "xyz", 2), "xy");
	arena_fini(&a);
}

static void json_escapes_what_rfc_8785_escapes(void **state)
{
	struct buf b;
	struct json j;

	(void)state;
	buf_init(&b, 0);
	json_init(&j, &b);
	json_object(&j);
	json_key_string(&j, "a", "\"\\\b\f\n\r\t\x01\x7f/张");
	json_key(&j, "b");
	json_array(&j);
	json_int(&j, INT64_MIN);
	json_int(&j, -1);
	json_uint(&j, UINT64_MAX);
	json_bool(&j, true);
	json_null(&j);
	json_hex(&j, "\xde\xad", 2);
	json_array_end(&j);
	json_object_end(&j);
	assert_string_equal(buf_string(&b), "{\"a\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7f/张\",\"b\":[-9223372036854775808,-1,"
	                                    "18446744073709551615,true,null,\"dead\"]}");
	buf_fini(&b);
}

static void times_survive_both_ways(void **state)
{
	static const int64_t samples[] = {0, 951782399999999, 951782400000000, 1709164800000001, 4102444799000000,
	                                  1795382263123456};
	char text[CLOCK_TEXT_LEN];
	int64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof *samples; i++) {
		clock_format(samples[i], text);
		assert_int_equal(clock_parse(text, strlen(text), &back), ERR_OK);
		assert_int_equal(back, samples[i]);
	}
	clock_format(951782400000000, text);
	assert_string_equal(text, "2000-02-29T00:00:00.000000Z");
	assert_int_equal(clock_parse("2000-02-29T02:00:00+02:00", 25, &back), ERR_OK);
	assert_int_equal(back, 951782400000000);
}

static void bad_times_are_refused(void **state)
{
	static const char *const bad[] = {"", "2000", "2000-13-01T00:00:00Z", "2000-00-01T00:00:00Z", "2000-01-32T00:00:00Z",
	                                  "2000-01-01T24:00:00Z", "2000-01-01T00:00:00", "2000-01-01T00:00:00.Z",
	                                  "2000-01-01T00:00:00Zx", "1969-01-01T00:00:00Z", "2000-01-01T00:00:00+1:00"};
	int64_t at;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(clock_parse(bad[i], strlen(bad[i]), &at), ERR_BAD_PARAMETER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_append_over_the_limit_fails_and_sticks),
	    cmocka_unit_test(a_reader_past_the_end_gives_zero_and_fails),
	    cmocka_unit_test(numbers_are_big_endian_both_ways),
	    cmocka_unit_test(arena_memory_is_zeroed_and_bounded),
	    cmocka_unit_test(json_escapes_what_rfc_8785_escapes),
	    cmocka_unit_test(times_survive_both_ways),
	    cmocka_unit_test(bad_times_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
