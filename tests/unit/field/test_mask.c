/* Masks. */
#include "field_test.h"

static void assert_masked(enum field_mask_kind kind, unsigned a, unsigned b, const char *text, const char *masked)
{
	struct buf out;

	buf_init(&out, 0);
	assert_int_equal(field_mask(kind, (uint8_t)a, (uint8_t)b, text, strlen(text), &out), ERR_OK);
	assert_string_equal(buf_string(&out), masked);
	buf_fini(&out);
}

static void stars_do_not_tell_the_length(void **state)
{
	(void)state;
	assert_masked(MASK_STARS, 0, 0, "a", "***");
	assert_masked(MASK_STARS, 0, 0, "a long secret", "***");
}

static void keep_counts_characters_not_bytes(void **state)
{
	(void)state;
	assert_masked(MASK_KEEP, 2, 2, "abcdefgh", "ab****gh");
	assert_masked(MASK_KEEP, 0, 4, "4111111111111111", "****1111");
	assert_masked(MASK_KEEP, 6, 4, "6222020200012345678", "622202****5678");
	assert_masked(MASK_KEEP, 1, 0, "欧阳娜娜", "欧****");
	assert_masked(MASK_KEEP, 1, 1, "欧阳娜娜", "欧****娜");
	assert_masked(MASK_KEEP, 1, 1, "é́xö", "é́****ö"); /* marks stay with their base */
	assert_masked(MASK_KEEP, 1, 1, "👨‍👩‍👧xy🇨🇳",
	              "👨‍👩‍👧****🇨🇳"); /* joined and paired signs are one */
}

static void keep_shows_nothing_of_a_text_that_it_would_show_whole(void **state)
{
	(void)state;
	assert_masked(MASK_KEEP, 2, 2, "abcd", "****");
	assert_masked(MASK_KEEP, 2, 2, "abcde", "ab****de");
	assert_masked(MASK_KEEP, 4, 4, "", "****");
	assert_masked(MASK_KEEP, 16, 16, "abcdefghijklmnopqrstuvwxyz0123456", "abcdefghijklmnop****rstuvwxyz0123456");
	assert_masked(MASK_KEEP, 17, 0, "abcdefghijklmnopqrstuvwxyz", "***");
}

static void an_email_keeps_its_first_character_and_domain(void **state)
{
	(void)state;
	assert_masked(MASK_EMAIL, 0, 0, "zhang.wei@example.com", "z***@example.com");
	assert_masked(MASK_EMAIL, 0, 0, "张伟@例子.公司", "张***@例子.公司");
	assert_masked(MASK_EMAIL, 0, 0, "a@example.com", "***@example.com");
	assert_masked(MASK_EMAIL, 0, 0, "no address", "***");
	assert_masked(MASK_EMAIL, 0, 0, "@example.com", "***");
}

static void a_chinese_mobile_keeps_three_and_four_digits(void **state)
{
	(void)state;
	assert_masked(MASK_PHONE, 0, 0, "+8613812345678", "138****5678");
}

static void other_phones_keep_calling_code_and_four_digits(void **state)
{
	(void)state;
	assert_masked(MASK_PHONE, 0, 0, "+861062345678", "+86****5678");
	assert_masked(MASK_PHONE, 0, 0, "+12025550123", "+1****0123");
	assert_masked(MASK_PHONE, 0, 0, "+447911123456", "+44****3456");
	assert_masked(MASK_PHONE, 0, 0, "+85291234567", "+852****4567");
	assert_masked(MASK_PHONE, 0, 0, "+29012345", "+290****"); /* too short for four */
	assert_masked(MASK_PHONE, 0, 0, "13812345678", "***");
	assert_masked(MASK_PHONE, 0, 0, "+86138x2345678", "***");
}

static void chinese_names_have_their_middle_starred(void **state)
{
	(void)state;
	assert_masked(MASK_NAME, 0, 0, "张", "*");
	assert_masked(MASK_NAME, 0, 0, "张伟", "张*");
	assert_masked(MASK_NAME, 0, 0, "张小明", "张*明");
	assert_masked(MASK_NAME, 0, 0, "欧阳娜娜", "欧**娜");
	assert_masked(MASK_NAME, 0, 0, "𠮷野家", "𠮷*家");
}

static void names_of_words_keep_the_first_character_of_each(void **state)
{
	(void)state;
	assert_masked(MASK_NAME, 0, 0, "John Smith", "J*** S****");
	assert_masked(MASK_NAME, 0, 0, "Jean-Luc Picard", "J******* P*****");
	assert_masked(MASK_NAME, 0, 0, "J. Smith", "J* S****");
	assert_masked(MASK_NAME, 0, 0, "X Li", "* L*");
	assert_masked(MASK_NAME, 0, 0, "迪丽热巴·迪力木拉提", "迪***·迪****");
	assert_masked(MASK_NAME, 0, 0, "E\xcc\x81mile Zola", "E\xcc\x81**** Z***");
	assert_masked(MASK_NAME, 0, 0, "김철수", "김**");
	assert_masked(MASK_NAME, 0, 0, "", "***");
}

static void dates_keep_year_or_decade(void **state)
{
	(void)state;
	assert_masked(MASK_YEAR, 0, 0, "1990-05-06", "1990");
	assert_masked(MASK_DECADE, 0, 0, "1990-05-06", "1990s");
	assert_masked(MASK_DECADE, 0, 0, "2009-05-06", "2000s");
	assert_masked(MASK_YEAR, 0, 0, "yesterday!", "***");
	assert_masked(MASK_DECADE, 0, 0, "1990", "***");
}

static void a_city_is_what_the_caller_passes(void **state)
{
	(void)state;
	assert_masked(MASK_CITY, 0, 0, "杭州", "杭州");
	assert_masked(MASK_CITY, 0, 0, "", "***");
}

static void a_kind_that_does_not_exist_masks_nothing(void **state)
{
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(field_mask(MASK_COUNT, 0, 0, "secret", 6, &out), ERR_DICTIONARY);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stars_do_not_tell_the_length),
	    cmocka_unit_test(keep_counts_characters_not_bytes),
	    cmocka_unit_test(keep_shows_nothing_of_a_text_that_it_would_show_whole),
	    cmocka_unit_test(an_email_keeps_its_first_character_and_domain),
	    cmocka_unit_test(a_chinese_mobile_keeps_three_and_four_digits),
	    cmocka_unit_test(other_phones_keep_calling_code_and_four_digits),
	    cmocka_unit_test(chinese_names_have_their_middle_starred),
	    cmocka_unit_test(names_of_words_keep_the_first_character_of_each),
	    cmocka_unit_test(dates_keep_year_or_decade),
	    cmocka_unit_test(a_city_is_what_the_caller_passes),
	    cmocka_unit_test(a_kind_that_does_not_exist_masks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
