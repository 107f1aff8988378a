/* Text, names, dates, gender, and what holds for all types. */
#include "field_test.h"

#include "base/clock.h"

#include <stdlib.h>

static void names_of_many_scripts_are_taken_as_given(void **state)
{
	static const char *const good[] = {
	    "张伟",
	    "欧阳娜娜",
	    "迪丽热巴·迪力木拉提",
	    "John Smith",
	    "Jean-Luc O'Neill",
	    "José María",
	    "Jose\xcc\x81",
	    "Müller",
	    "محمد",
	    "Владимир",
	    "김철수",
	    "علی‌رضا" /* a joiner that spelling needs */,
	    "山田・太郎",
	    "राम",
	    "𠮷野",
	    "D’Arcy J. Li",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_kept(TYPE_NAME, good[i]);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const bad[] = {
	    " ",
	    "...",
	    "-",
	    "R2D2",
	    "<b>x</b>",
	    "a\tb",
	    "a\nb",
	    "\xcc\x81"
	    "a" /* a mark with no base */,
	    "a\xe2\x80\xae"
	    "b" /* a bidi override */,
	    "a\xe2\x80\x8b"
	    "b" /* a blank of no width */,
	    "张伟😀",
	    "a;b",
	    "a,b",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(TYPE_NAME, bad[i]);
}

static void a_name_has_at_most_a_hundred_characters_however_many_bytes(void **state)
{
	char text[400];

	(void)state;
	for (size_t i = 0; i < 101; i++)
		memcpy(text + 3 * i, "张", 3);
	text[300] = 0;
	assert_kept(TYPE_NAME, text);
	text[300] = (char)0xe5;
	text[303] = 0;
	assert_refused_in(TYPE_NAME, "CN", text, ERR_VALUE_TOO_LONG);
}

static void dates_are_days_of_the_calendar(void **state)
{
	(void)state;
	assert_kept(TYPE_DATE, "2024-02-29");
	assert_kept(TYPE_DATE, "2000-02-29");
	assert_kept(TYPE_DATE, "0001-01-01");
	assert_kept(TYPE_DATE, "9999-12-31");
	assert_refused(TYPE_DATE, "2023-02-29");
	assert_refused(TYPE_DATE, "1900-02-29");
	assert_refused(TYPE_DATE, "0000-01-01");
	assert_refused(TYPE_DATE, "2024-00-01");
	assert_refused(TYPE_DATE, "2024-13-01");
	assert_refused(TYPE_DATE, "2024-04-31");
	assert_refused(TYPE_DATE, "2024-01-00");
	assert_refused(TYPE_DATE, "2024-1-1");
	assert_refused(TYPE_DATE, "20240101");
	assert_refused(TYPE_DATE, "2024/01/01");
	assert_refused(TYPE_DATE, "2024-01-01T00:00:00Z");
	assert_refused(TYPE_DATE, "-024-01-01");
}

static void birth_dates_lie_between_1850_and_today(void **state)
{
	char day[CLOCK_TEXT_LEN];

	(void)state;
	assert_kept(TYPE_BIRTH_DATE, "1850-01-01");
	assert_refused(TYPE_BIRTH_DATE, "1849-12-31");
	clock_format(clock_now_us(), day);
	day[10] = 0;
	assert_kept(TYPE_BIRTH_DATE, day);
	clock_format(clock_now_us() + INT64_C(2) * 86400 * 1000000, day);
	day[10] = 0;
	assert_refused(TYPE_BIRTH_DATE, day);
}

static void gender_is_one_of_four_words(void **state)
{
	(void)state;
	assert_kept(TYPE_GENDER, "male");
	assert_kept(TYPE_GENDER, "female");
	assert_kept(TYPE_GENDER, "other");
	assert_kept(TYPE_GENDER, "unknown");
	assert_refused(TYPE_GENDER, "Male");
	assert_refused(TYPE_GENDER, "m");
	assert_refused(TYPE_GENDER, "男");
}

static void text_is_anything_that_can_be_seen(void **state)
{
	(void)state;
	assert_kept(TYPE_TEXT, "line one\r\n\tline two 😀 \"\\");
	assert_refused(TYPE_TEXT, "");
	assert_refused(TYPE_TEXT, " \t\n\xe3\x80\x80");
	assert_refused(TYPE_TEXT, "a\x01");
	assert_refused(TYPE_TEXT, "a\x1b[2J");
	assert_refused(TYPE_TEXT, "a\x7f");
	assert_refused(TYPE_TEXT, "a\xc2\x85");
}

static void bytes_that_are_no_utf_8_are_refused_by_every_type(void **state)
{
	static const char *const bad[] = {
	    "a\xff",
	    "a\x80",
	    "a\xc0\x80",
	    "a\xc1\xbf",
	    "a\xe0\x80\x80",
	    "a\xed\xa0\x80",
	    "a\xf0\x80\x80\x80",
	    "a\xf4\x90\x80\x80",
	    "a\xf5\x80\x80\x80",
	    "a\xe5\xbc",
	    "a\xf0\x9f\x98",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		for (unsigned t = 0; t < TYPE_COUNT; t++)
			assert_refused((enum field_type)t, bad[i]);
}

static void a_nul_is_refused_by_every_type(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (unsigned t = 0; t < TYPE_COUNT; t++) {
		assert_int_equal(check_len((enum field_type)t, "CN", "a\0b", 3, &out), ERR_INVALID_VALUE);
		assert_int_equal(check_len((enum field_type)t, "CN", "\0", 1, &out), ERR_INVALID_VALUE);
	}
	assert_int_equal(check_len(TYPE_BANK_CARD, "CN", "4111111111111111\0", 17, &out), ERR_INVALID_VALUE);
	assert_int_equal(check_len(TYPE_PHONE, "CN",
	                           "1381234\0"
	                           "5678",
	                           12, &out),
	                 ERR_INVALID_VALUE);
	buf_fini(&out);
}

static void a_value_over_its_fields_length_is_refused(void **state)
{
	const struct field f = {.type = TYPE_TEXT, .max_len = 6};
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(field_check(&f, "CN", "张伟", 6, &out), ERR_OK);
	assert_int_equal(field_check(&f, "CN", "张伟a", 7, &out), ERR_VALUE_TOO_LONG);
	assert_int_equal(out.len, 6);
	buf_fini(&out);
}

static void a_huge_input_is_refused_before_it_is_read(void **state)
{
	const struct field f = {.type = TYPE_PHONE};
	char *text = malloc(200000);
	struct buf out;

	(void)state;
	assert_non_null(text);
	memset(text, ' ', 200000);
	buf_init(&out, 0);
	assert_int_equal(field_check(&f, "CN", text, 200000, &out), ERR_VALUE_TOO_LONG);
	buf_fini(&out);
	free(text);
}

static void a_limit_counts_what_is_stored_not_what_came(void **state)
{
	const struct field f = {.type = TYPE_PHONE, .max_len = 14};
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(field_check(&f, "CN", "+86 (138) 1234 - 5678", 21, &out), ERR_OK);
	assert_string_equal(buf_string(&out), "+8613812345678");
	buf_fini(&out);
}

static void types_that_are_no_text_refuse_text(void **state)
{
	(void)state;
	assert_refused(TYPE_ADDRESS, "x");
	assert_refused(TYPE_INTEGER, "1");
	assert_refused(TYPE_BOOLEAN, "true");
	assert_refused(TYPE_JSON, "{}");
	assert_refused(TYPE_COUNT, "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_of_many_scripts_are_taken_as_given),
	    cmocka_unit_test(what_is_no_name_is_refused),
	    cmocka_unit_test(a_name_has_at_most_a_hundred_characters_however_many_bytes),
	    cmocka_unit_test(dates_are_days_of_the_calendar),
	    cmocka_unit_test(birth_dates_lie_between_1850_and_today),
	    cmocka_unit_test(gender_is_one_of_four_words),
	    cmocka_unit_test(text_is_anything_that_can_be_seen),
	    cmocka_unit_test(bytes_that_are_no_utf_8_are_refused_by_every_type),
	    cmocka_unit_test(a_nul_is_refused_by_every_type),
	    cmocka_unit_test(a_value_over_its_fields_length_is_refused),
	    cmocka_unit_test(a_huge_input_is_refused_before_it_is_read),
	    cmocka_unit_test(a_limit_counts_what_is_stored_not_what_came),
	    cmocka_unit_test(types_that_are_no_text_refuse_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
