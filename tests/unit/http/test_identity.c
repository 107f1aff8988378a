/* The parsers of this floor: SPIFFE IDs, the deny list, percent-escapes. */
#include "http/http_int.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static size_t domain_len(const char *id)
{
	return spiffe_domain_len(id, strlen(id));
}

static void a_spiffe_id_has_a_domain_and_a_path(void **state)
{
	char longest[300] = "spiffe://a/";

	(void)state;
	assert_int_equal(domain_len("spiffe://crm.example/svc/crm-core"), 11);
	assert_int_equal(domain_len("spiffe://a/b"), 1);
	assert_int_equal(domain_len("spiffe://a_b-1.c/A.b_c-D"), 7);
	memset(longest + 11, 'x', 244);
	assert_int_equal(domain_len(longest), 1);
	longest[255] = 'x';
	assert_int_equal(domain_len(longest), 0);
}

static void what_is_no_spiffe_id_is_refused(void **state)
{
	static const char *const bad[] = {"",
					  "spiffe://",
					  "spiffe:///a",
					  "spiffe://a",
					  "spiffe://a/",
					  "spiffe://a//b",
					  "spiffe://a/b/",
					  "spiffe://a/./b",
					  "spiffe://a/..",
					  "spiffe://A/b",
					  "SPIFFE://a/b",
					  "spiffe://a/b?c",
					  "spiffe://a/b#c",
					  "spiffe://a:1/b",
					  "spiffe://u@a/b",
					  "spiffe://a/b%20",
					  "spiffe://a/b c",
					  "http://a/b",
					  " spiffe://a/b",
					  "spiffe://a/\xc3\xa9",
					  "spiffe://../b",
					  "spiffe://.a/b",
					  "spiffe://a./b",
					  "spiffe://a..c/b"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (domain_len(bad[i]) != 0)
			fail_msg("taken: %s", bad[i]);
	assert_int_equal(spiffe_domain_len("spiffe://a/b\0c", 14), 0);
}

static void assert_serial(const char *text, const char *expected)
{
	char out[CREDENTIALS_SERIAL_MAX];

	if (!expected) {
		assert_false(deny_serial(text, strlen(text), out));
		return;
	}
	assert_true(deny_serial(text, strlen(text), out));
	assert_string_equal(out, expected);
}

static void serials_have_one_form(void **state)
{
	(void)state;
	assert_serial("0A:42", "a42");
	assert_serial("a42", "a42");
	assert_serial("00", "0");
	assert_serial("000f", "f");
	assert_serial("", NULL);
	assert_serial(":", NULL);
	assert_serial("a:", NULL);
	assert_serial(":a", NULL);
	assert_serial("0x10", NULL);
	assert_serial("12 34", NULL);
	assert_serial("0123456789012345678901234567890123456789012345678901234567890123456789", NULL);
}

static enum err parse(struct deny_list *d, const char *text, size_t *line)
{
	return deny_parse(d, text, strlen(text), line);
}

static void a_deny_list_is_read_with_comments_and_either_line_end(void **state)
{
	struct deny_list d;
	size_t line;

	(void)state;
	assert_int_equal(parse(&d, "# all\r\n\n  0A:42 # one\r\nspiffe://a/b\nff", &line), ERR_OK);
	assert_int_equal(d.n, 3);
	assert_true(deny_has(&d, "a42"));
	assert_true(deny_has(&d, "spiffe://a/b"));
	assert_true(deny_has(&d, "ff"));
	assert_false(deny_has(&d, "0a42"));
	assert_false(deny_has(&d, "spiffe://a/bc"));
	deny_fini(&d);
	assert_int_equal(parse(&d, "", &line), ERR_OK);
	assert_false(deny_has(&d, "0"));
	deny_fini(&d);
}

static void a_bad_line_of_a_deny_list_is_named(void **state)
{
	struct deny_list d;
	size_t line;

	(void)state;
	assert_int_equal(parse(&d, "ff\n\nnot hex\nff\n", &line), ERR_CONFIG);
	assert_int_equal(line, 3);
	assert_int_equal(parse(&d, "spiffe://a\n", &line), ERR_CONFIG);
	assert_int_equal(line, 1);
}

static void assert_unescaped(const char *in, const char *expected)
{
	char text[64];

	strcpy(text, in);
	assert_int_equal(head_unescape(NULL, NULL, text), strlen(expected));
	assert_string_equal(text, expected);
}

static void escapes_are_decoded_once_and_bad_ones_become_no_value(void **state)
{
	(void)state;
	assert_unescaped("/a%20b", "/a b");
	assert_unescaped("%2525", "%25");
	assert_unescaped("%E5%bc%a0", "\xe5\xbc\xa0");
	assert_unescaped("%00", "\x01");
	assert_unescaped("%0a%7f", "\x01\x01");
	assert_unescaped("%", "\x01");
	assert_unescaped("%a", "\x01"
			       "a");
	assert_unescaped("%zz", "\x01"
				"zz");
	assert_unescaped("a\tb", "a\x01"
				 "b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_spiffe_id_has_a_domain_and_a_path),
	    cmocka_unit_test(what_is_no_spiffe_id_is_refused),
	    cmocka_unit_test(serials_have_one_form),
	    cmocka_unit_test(a_deny_list_is_read_with_comments_and_either_line_end),
	    cmocka_unit_test(a_bad_line_of_a_deny_list_is_named),
	    cmocka_unit_test(escapes_are_decoded_once_and_bad_ones_become_no_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
