/* Index forms: what a search must find, and what it must not. */
#include "field_test.h"

static void normal(enum field_normaliser n, const char *text, struct buf *out)
{
	const struct field f = {.type = TYPE_TEXT, .normaliser = n};

	buf_init(out, 0);
	assert_int_equal(field_normalise(&f, text, strlen(text), out), ERR_OK);
}

static void assert_normal(enum field_normaliser n, const char *text, const char *expected)
{
	struct buf out;

	normal(n, text, &out);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
}

static void text_is_folded_trimmed_and_its_blanks_made_one(void **state)
{
	(void)state;
	assert_normal(NORMALISE_TEXT, "  John \t  SMITH\n", "john smith");
	assert_normal(NORMALISE_TEXT, "Ｊｏｈｎ\xe3\x80\x80Ｓｍｉｔｈ", "john smith"); /* full width, and its blank */
	assert_normal(NORMALISE_TEXT, "STRASSE", "strasse");
	assert_normal(NORMALISE_TEXT, "Straße", "strasse");
	assert_normal(NORMALISE_TEXT, "Jose\xcc\x81", "jos\xc3\xa9"); /* composed */
	assert_normal(NORMALISE_TEXT, "张\xe2\x80\x8b伟", "张伟");    /* a blank of no width is dropped */
	assert_normal(NORMALISE_TEXT, "ﬁne", "fine");
	assert_normal(NORMALISE_TEXT, " \t ", "");
}

static void text_longer_than_the_room_on_the_stack_is_folded_as_well(void **state)
{
	char text[4000], expected[4000];
	struct buf out;

	(void)state;
	for (size_t i = 0; i + 2 < sizeof text; i += 2) {
		memcpy(text + i, "É", 3);
		memcpy(expected + i, "é", 3);
	}
	normal(NORMALISE_TEXT, text, &out);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
}

static void email_is_folded_on_both_sides(void **state)
{
	(void)state;
	assert_normal(NORMALISE_EMAIL, "Zhang.Wei@Example.COM", "zhang.wei@example.com");
	assert_normal(NORMALISE_EMAIL, "ＺＨＡＮＧ@例子.公司", "zhang@例子.公司");
}

static void alnum_keeps_letters_and_digits_in_capitals(void **state)
{
	(void)state;
	assert_normal(NORMALISE_ALNUM, "e-1234 5678", "E12345678");
	assert_normal(NORMALISE_ALNUM, "ｅ１２３", "E123");
	assert_normal(NORMALISE_ALNUM, "é-1", "É1");
	assert_normal(NORMALISE_ALNUM, "--", "");
}

static void none_and_phone_are_the_stored_bytes(void **state)
{
	(void)state;
	assert_normal(NORMALISE_NONE, "2001:db8::1", "2001:db8::1");
	assert_normal(NORMALISE_PHONE, "+8613812345678", "+8613812345678");
}

static void phones_written_in_three_ways_meet_in_one_form(void **state)
{
	const struct field f = {.type = TYPE_PHONE, .normaliser = NORMALISE_PHONE};
	static const char *const ways[] = {"+86 138 1234 5678", "0086-13812345678", "138-1234-5678"};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
		struct buf stored, out;

		buf_init(&stored, 0);
		buf_init(&out, 0);
		assert_int_equal(field_check(&f, "CN", ways[i], strlen(ways[i]), &stored), ERR_OK);
		assert_int_equal(field_normalise(&f, (const char *)stored.data, stored.len, &out), ERR_OK);
		assert_string_equal(buf_string(&out), "+8613812345678");
		buf_fini(&stored);
		buf_fini(&out);
	}
}

static void bytes_that_are_no_utf_8_have_no_index_form(void **state)
{
	const struct field text = {.normaliser = NORMALISE_TEXT}, alnum = {.normaliser = NORMALISE_ALNUM};
	const struct field none = {.normaliser = NORMALISE_COUNT};
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(field_normalise(&text, "a\xff", 2, &out), ERR_INVALID_VALUE);
	assert_int_equal(field_normalise(&alnum, "a\xff", 2, &out), ERR_INVALID_VALUE);
	assert_int_equal(field_normalise(&none, "a", 1, &out), ERR_DICTIONARY);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_is_folded_trimmed_and_its_blanks_made_one),
	    cmocka_unit_test(text_longer_than_the_room_on_the_stack_is_folded_as_well),
	    cmocka_unit_test(email_is_folded_on_both_sides),
	    cmocka_unit_test(alnum_keeps_letters_and_digits_in_capitals),
	    cmocka_unit_test(none_and_phone_are_the_stored_bytes),
	    cmocka_unit_test(phones_written_in_three_ways_meet_in_one_form),
	    cmocka_unit_test(bytes_that_are_no_utf_8_have_no_index_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
