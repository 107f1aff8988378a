/* E-mail, phone, URL and IP. */
#include "field_test.h"

static void common_email_addresses_are_taken_as_given(void **state)
{
	(void)state;
	assert_kept(TYPE_EMAIL, "zhang.wei@example.com");
	assert_kept(TYPE_EMAIL, "Zhang.Wei+crm@Example.COM");
	assert_kept(TYPE_EMAIL, "o'brien@mail.example.co.uk");
	assert_kept(TYPE_EMAIL, "张伟@例子.公司"); /* RFC 6531 */
	assert_kept(TYPE_EMAIL, "a@xn--fsqu00a.example");
	assert_kept(TYPE_EMAIL, "a@1.example");
	assert_kept(TYPE_EMAIL, "a@उदाहरण१.example"); /* marks and digits of another script */
}

static void what_is_no_email_address_is_refused(void **state)
{
	static const char *const bad[] = {
	    "zhang.wei",
	    "@example.com",
	    "a@",
	    "a@@example.com",
	    "a@b@example.com",
	    ".a@example.com",
	    "a.@example.com",
	    "a..b@example.com",
	    "a b@example.com",
	    "\"a b\"@example.com",
	    "a@example",
	    "a@example..com",
	    "a@.example.com",
	    "a@example.com.",
	    "a@-x.example",
	    "a@x-.example",
	    "a@exa_mple.com",
	    "a@example.123",
	    "a@[127.0.0.1]",
	    "a@exam ple.com",
	    " a@example.com",
	    "a@example.com ",
	    "a@example.com\n",
	    "a\t@example.com",
	    "a<b>@example.com",
	    "a\xe2\x80\xae@example.com" /* a bidi override */,
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(TYPE_EMAIL, bad[i]);
}

static void email_addresses_end_at_254_bytes_and_local_parts_at_64(void **state)
{
	char text[400];

	(void)state;
	memset(text, 'a', sizeof text);
	memcpy(text + 64, "@example.com", 13);
	assert_kept(TYPE_EMAIL, text);
	memset(text, 'a', sizeof text);
	memcpy(text + 65, "@example.com", 13);
	assert_refused(TYPE_EMAIL, text);
	memset(text, 'a', sizeof text);
	text[10] = '@';
	for (size_t i = 40; i < 250; i += 40)
		text[i] = '.';
	text[254] = 0;
	assert_kept(TYPE_EMAIL, text);
	text[254] = 'a';
	text[255] = 0;
	assert_refused_in(TYPE_EMAIL, "CN", text, ERR_VALUE_TOO_LONG);
}

static void a_label_of_a_domain_ends_at_63(void **state)
{
	char text[100] = "a@";

	(void)state;
	memset(text + 2, 'x', 63);
	memcpy(text + 65, ".com", 5);
	assert_kept(TYPE_EMAIL, text);
	memset(text + 2, 'x', 64);
	memcpy(text + 66, ".com", 5);
	assert_refused(TYPE_EMAIL, text);
}

static void phones_become_e164(void **state)
{
	static const struct {
		const char *country, *text, *stored;
	} good[] = {
	    {"CN", "+8613812345678", "+8613812345678"},      {"CN", "008613812345678", "+8613812345678"},
	    {"CN", "13812345678", "+8613812345678"},         {"CN", "138-1234-5678", "+8613812345678"},
	    {"CN", "+86 (138) 1234.5678", "+8613812345678"}, {"CN", "(+86) 138 1234 5678", "+8613812345678"},
	    {"CN", "010-62345678", "+861062345678"},         {"CN", "0571 8765 4321", "+8657187654321"},
	    {"CN", "+86 010 62345678", "+861062345678"},     {"CN", "+1 202 555 0123", "+12025550123"},
	    {"CN", "+442079460000", "+442079460000"},        {"US", "(202) 555-0123", "+12025550123"},
	    {"US", "1-202-555-0123", "+12025550123"},        {"US", "011 86 138 1234 5678", "+8613812345678"},
	    {"CA", "416.555.0123", "+14165550123"},          {"GB", "020 7946 0000", "+442079460000"},
	    {"GB", "+44 (0)20 7946 0000", "+442079460000"},  {"GB", "07911 123456", "+447911123456"},
	    {"DE", "030 12345678", "+493012345678"},         {"DE", "0049 30 12345678", "+493012345678"},
	    {"FR", "01 23 45 67 89", "+33123456789"},        {"IT", "06 1234 5678", "+390612345678"},
	    {"RU", "8 (912) 345-67-89", "+79123456789"},     {"HU", "06 1 234 5678", "+3612345678"},
	    {"JP", "090-1234-5678", "+819012345678"},        {"HK", "9123 4567", "+85291234567"},
	    {"", "+8613812345678", "+8613812345678"},        {NULL, "+8613812345678", "+8613812345678"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_stored_in(TYPE_PHONE, good[i].country, good[i].text, good[i].stored);
}

static void what_is_no_phone_is_refused(void **state)
{
	static const struct {
		const char *country, *text;
	} bad[] = {
	    {"CN", "phone"},
	    {"CN", "+"},
	    {"CN", "()"},
	    {"CN", "++8613812345678"},
	    {"CN", "86+13812345678"},
	    {"CN", "12812345678"},
	    {"CN", "1381234567"},
	    {"CN", "138123456789"},
	    {"CN", "62345678"},
	    {"CN", "+8612812345678"},
	    {"CN", "+86138123456789"},
	    {"CN", "+0013812345678"},
	    {"CN", "+1234567"},
	    {"CN", "+1234567890123456"},
	    {"CN", "13812345678 ext 9"},
	    {"CN", "13812345678\n"},
	    {"US", "555-0123"},
	    {"US", "102 555 0123"},
	    {"CN", "+1 102 555 0123"},
	    {"ZZ", "13812345678"},
	    {NULL, "13812345678"},
	    {"", "13812345678"},
	    {"CN", "+861381234567８"},
	    {"CN", "000000000000"},
	    {"CN", "1111111111111111111111111111111111111111"},
	    {"GB", "+44 00 72 946 0000"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused_in(TYPE_PHONE, bad[i].country, bad[i].text, ERR_INVALID_VALUE);
}

static void web_addresses_are_http_or_https(void **state)
{
	(void)state;
	assert_kept(TYPE_URL, "https://example.com");
	assert_kept(TYPE_URL, "HTTP://Example.com:8080/a/b?c=d&e=%20#f");
	assert_kept(TYPE_URL, "https://例子.公司/路径");
	assert_kept(TYPE_URL, "http://192.0.2.1/");
	assert_kept(TYPE_URL, "http://[2001:db8::1]:443/x");
	assert_refused(TYPE_URL, "javascript:alert(1)");
	assert_refused(TYPE_URL, "ftp://example.com");
	assert_refused(TYPE_URL, "https://");
	assert_refused(TYPE_URL, "https:///path");
	assert_refused(TYPE_URL, "https://user:secret@example.com/");
	assert_refused(TYPE_URL, "https://example.com:0/");
	assert_refused(TYPE_URL, "https://example.com:65536/");
	assert_refused(TYPE_URL, "https://example.com:/");
	assert_refused(TYPE_URL, "https://example.com/a b");
	assert_refused(TYPE_URL, "https://example.com/\n");
	assert_refused(TYPE_URL, "https://example.com/<script>");
	assert_refused(TYPE_URL, "https://[2001:db8::1");
	assert_refused(TYPE_URL, "https://[example]/");
	assert_refused(TYPE_URL, "https://[192.0.2.1]/");
	assert_refused(TYPE_URL, "https://300.1.1.1/");
}

static void network_addresses_take_the_form_of_rfc_5952(void **state)
{
	(void)state;
	assert_kept(TYPE_IP, "192.0.2.1");
	assert_stored(TYPE_IP, "2001:0DB8:0:0:0:0:0:1", "2001:db8::1");
	assert_stored(TYPE_IP, "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"); /* one 0 is not shortened */
	assert_stored(TYPE_IP, "::FFFF:192.0.2.1", "::ffff:192.0.2.1");
	assert_refused(TYPE_IP, "192.0.2");
	assert_refused(TYPE_IP, "192.0.2.256");
	assert_refused(TYPE_IP, "192.0.2.1/24");
	assert_refused(TYPE_IP, "fe80::1%eth0");
	assert_refused(TYPE_IP, "::1::");
	assert_refused(TYPE_IP, "1111:1111:1111:1111:1111:1111:1111:1111:1111:1111");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(common_email_addresses_are_taken_as_given),
	    cmocka_unit_test(what_is_no_email_address_is_refused),
	    cmocka_unit_test(email_addresses_end_at_254_bytes_and_local_parts_at_64),
	    cmocka_unit_test(a_label_of_a_domain_ends_at_63),
	    cmocka_unit_test(phones_become_e164),
	    cmocka_unit_test(what_is_no_phone_is_refused),
	    cmocka_unit_test(web_addresses_are_http_or_https),
	    cmocka_unit_test(network_addresses_take_the_form_of_rfc_5952),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
