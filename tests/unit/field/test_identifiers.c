/* Resident ids, passports, cards, IBAN and USCC. */
#include "field_test.h"

static void resident_ids_of_the_standard_are_taken(void **state)
{
	(void)state;
	assert_kept(TYPE_RESIDENT_ID, "11010519491231002X"); /* both from the text of GB 11643 */
	assert_kept(TYPE_RESIDENT_ID, "440524188001010014");
}

static void a_small_x_is_stored_as_a_capital(void **state)
{
	(void)state;
	assert_stored(TYPE_RESIDENT_ID, "11010519491231002x", "11010519491231002X");
}

static void each_changed_digit_of_a_resident_id_is_noticed(void **state)
{
	const char good[] = "11010519491231002X";
	char bad[sizeof good];
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (size_t i = 0; i < 18; i++) {
		for (char c = '0'; c <= '9'; c++) {
			if (c == good[i])
				continue;
			memcpy(bad, good, sizeof good);
			bad[i] = c;
			assert_int_not_equal(check_len(TYPE_RESIDENT_ID, "CN", bad, 18, &out), ERR_OK);
		}
	}
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void a_wrong_check_digit_has_an_error_of_its_own(void **state)
{
	(void)state;
	assert_refused_in(TYPE_RESIDENT_ID, "CN", "110105194912310021", ERR_CHECK_DIGIT);
	assert_refused_in(TYPE_BANK_CARD, "CN", "4111111111111112", ERR_CHECK_DIGIT);
	assert_refused_in(TYPE_IBAN, "CN", "GB83WEST12345698765432", ERR_CHECK_DIGIT);
	assert_refused_in(TYPE_USCC, "CN", "91350100M000100Y44", ERR_CHECK_DIGIT);
}

static void resident_ids_of_no_day_or_no_province_are_refused(void **state)
{
	(void)state;
	assert_refused(TYPE_RESIDENT_ID, "110105194902300026"); /* 30 February */
	assert_refused(TYPE_RESIDENT_ID, "110105299912310020"); /* not born yet */
	assert_refused(TYPE_RESIDENT_ID, "110105184912310020"); /* before 1850 */
	assert_refused(TYPE_RESIDENT_ID, "990105194912310020");
	assert_refused(TYPE_RESIDENT_ID, "000105194912310020");
	assert_refused(TYPE_RESIDENT_ID, "1101051949123100");
	assert_refused(TYPE_RESIDENT_ID, "11010519491231002XX");
	assert_refused(TYPE_RESIDENT_ID, "1X010519491231002X");
	assert_refused(TYPE_RESIDENT_ID, "110105 1949123102X");
	assert_refused(TYPE_RESIDENT_ID, "11010519491231002Y");
}

static void cards_lose_blanks_and_dashes(void **state)
{
	(void)state;
	assert_kept(TYPE_BANK_CARD, "4111111111111111");
	assert_stored(TYPE_BANK_CARD, "4111 1111 1111 1111", "4111111111111111");
	assert_stored(TYPE_BANK_CARD, "5500-0055-5555-5559", "5500005555555559");
	assert_kept(TYPE_BANK_CARD, "6222020200012345670"); /* 19 digits, UnionPay's way */
	assert_kept(TYPE_BANK_CARD, "378282246310005");
}

static void cards_of_other_lengths_or_signs_are_refused(void **state)
{
	(void)state;
	assert_refused(TYPE_BANK_CARD, "41111111111");
	assert_refused(TYPE_BANK_CARD, "41111111111111111111");
	assert_refused(TYPE_BANK_CARD, "0000000000000000");
	assert_refused(TYPE_BANK_CARD, "411111111111111a");
	assert_refused(TYPE_BANK_CARD, "4111.1111.1111.1111");
	assert_refused(TYPE_BANK_CARD, "- - - -");
}

static void ibans_are_stored_without_blanks_in_capitals(void **state)
{
	(void)state;
	assert_kept(TYPE_IBAN, "GB82WEST12345698765432");
	assert_stored(TYPE_IBAN, "de89 3704 0044 0532 0130 00", "DE89370400440532013000");
	assert_kept(TYPE_IBAN, "NO9386011117947");
	assert_kept(TYPE_IBAN, "ZZ08ABCD12345678901"); /* a country that the table has not */
	assert_kept(TYPE_IBAN, "MT84MALT011000012345MTLCAST001S");
}

static void ibans_of_the_wrong_length_for_their_country_are_refused(void **state)
{
	(void)state;
	assert_refused(TYPE_IBAN, "GB82WEST1234569876543");
	assert_refused(TYPE_IBAN, "GB82WEST123456987654321");
	assert_refused(TYPE_IBAN, "1282WEST12345698765432");
	assert_refused(TYPE_IBAN, "GBX2WEST12345698765432");
	assert_refused(TYPE_IBAN, "GB82-WEST-1234");
	assert_refused(TYPE_IBAN, "GB82");
}

static void company_codes_are_checked_by_gb_32100(void **state)
{
	(void)state;
	assert_kept(TYPE_USCC, "91350100M000100Y43");
	assert_stored(TYPE_USCC, "91350100m000100y43", "91350100M000100Y43");
	assert_refused(TYPE_USCC, "91350100I000100Y43"); /* no I, O, S, V, Z */
	assert_refused(TYPE_USCC, "91350100M000100Y4");
	assert_refused(TYPE_USCC, "91350100M000100Y433");
	assert_refused(TYPE_USCC, "9135A100M000100Y43");
}

static void each_changed_sign_of_a_company_code_is_noticed(void **state)
{
	const char good[] = "91350100M000100Y43", alphabet[] = "0123456789ABCDEFGHJKLMNPQRTUWXY";
	char bad[sizeof good];
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (size_t i = 0; i < 18; i++) {
		for (const char *c = alphabet; *c; c++) {
			if (*c == good[i])
				continue;
			memcpy(bad, good, sizeof good);
			bad[i] = *c;
			assert_int_not_equal(check_len(TYPE_USCC, "CN", bad, 18, &out), ERR_OK);
		}
	}
	buf_fini(&out);
}

static void passports_are_letters_and_digits(void **state)
{
	(void)state;
	assert_kept(TYPE_PASSPORT, "E12345678");
	assert_kept(TYPE_PASSPORT, "eb1234567");
	assert_kept(TYPE_PASSPORT, "925665416");
	assert_refused(TYPE_PASSPORT, "E123");
	assert_refused(TYPE_PASSPORT, "ABCDEFGH");
	assert_refused(TYPE_PASSPORT, "E1234 5678");
	assert_refused(TYPE_PASSPORT, "E12345678901234567890");
	assert_refused(TYPE_PASSPORT, "护照1234567");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(resident_ids_of_the_standard_are_taken),
	    cmocka_unit_test(a_small_x_is_stored_as_a_capital),
	    cmocka_unit_test(each_changed_digit_of_a_resident_id_is_noticed),
	    cmocka_unit_test(a_wrong_check_digit_has_an_error_of_its_own),
	    cmocka_unit_test(resident_ids_of_no_day_or_no_province_are_refused),
	    cmocka_unit_test(cards_lose_blanks_and_dashes),
	    cmocka_unit_test(cards_of_other_lengths_or_signs_are_refused),
	    cmocka_unit_test(ibans_are_stored_without_blanks_in_capitals),
	    cmocka_unit_test(ibans_of_the_wrong_length_for_their_country_are_refused),
	    cmocka_unit_test(company_codes_are_checked_by_gb_32100),
	    cmocka_unit_test(each_changed_sign_of_a_company_code_is_noticed),
	    cmocka_unit_test(passports_are_letters_and_digits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
