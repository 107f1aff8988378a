/* UTF-8, display width, tables, and the words that a user gives. */
#include "ctl/commands.h"
#include "ctl/text.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct buf out;

static size_t clean(const char *text, size_t len, bool lines)
{
	buf_reset(&out);
	return text_clean(text, len, lines, &out);
}

static void utf8_that_rfc_3629_forbids_is_refused(void **state)
{
	static const char *const good[] = {"", "a", "\x7f", "\xc2\x80", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",         "\xc0\x80",         "\xc1\xbf",         "\xe0\x9f\xbf", "\xed\xa0\x80",     "\xf0\x8f\xbf\xbf",
	                                  "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xe5\xbc",     "a\xe5\xbc z", "\xc2"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(text_is_utf8(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i])));
}

static void width_counts_columns_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(clean("张伟", 6, false), 4);
	assert_string_equal(buf_string(&out), "张伟");
	assert_int_equal(clean("e\xcc\x81", 3, false), 1); /* e and a combining accent */
	assert_int_equal(clean("Zoë", 4, false), 3);
}

static void what_could_drive_a_terminal_is_replaced(void **state)
{
	(void)state;
	assert_int_equal(clean("a\x1b[0m\x7f\0b", 8, false), 8);
	assert_string_equal(buf_string(&out), "a\xef\xbf\xbd[0m\xef\xbf\xbd\xef\xbf\xbd"
	                                      "b");
	clean("\xc2\x9b\xe2\x80\xae\xe2\x81\xa6\xff", 9, false);
	assert_string_equal(buf_string(&out), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	clean("a\tb\nc\r", 6, true);
	assert_string_equal(buf_string(&out), "a\tb\nc\xef\xbf\xbd");
}

static void render(const char *const *headings, size_t n_columns, const char *const *cells, size_t n_cells)
{
	struct table t;

	buf_reset(&out);
	table_init(&t, headings, n_columns);
	for (size_t i = 0; i < n_cells; i++)
		table_cell(&t, cells[i], strlen(cells[i]));
	table_render(&t, &out);
	table_fini(&t);
}

static void a_table_is_aligned_leaves_out_empty_columns_and_ends_lines_at_their_text(void **state)
{
	static const char *const headings[] = {"NAME", "EMPTY", "X", "LAST"};
	static const char *const cells[] = {"张伟明", "", "1", "", "A", "", "", "z", "B", "", "", ""};

	(void)state;
	render(headings, 4, cells, 12);
	assert_string_equal(buf_string(&out), "NAME    X  LAST\n张伟明  1\nA          z\nB\n");
}

static void a_table_without_rows_is_nothing(void **state)
{
	static const char *const headings[] = {"NAME"};

	(void)state;
	render(headings, 1, NULL, 0);
	assert_int_equal(out.len, 0);
}

static const char *query(const char *start, const char *name, const char *value)
{
	buf_reset(&out);
	buf_text(&out, start);
	input_query(&out, name, value);
	return buf_string(&out);
}

static void query_values_are_percent_encoded(void **state)
{
	(void)state;
	assert_string_equal(query("/x", "a", "b-._~9"), "/x?a=b-._~9");
	assert_string_equal(query("/x?y=1", "a", "& =/?#%+张"), "/x?y=1&a=%26%20%3D%2F%3F%23%25%2B%E5%BC%A0");
	assert_string_equal(query("/x", "a", NULL), "/x");
}

#define NOW_US ((int64_t)1767225600 * 1000000) /* 2026-01-01T00:00:00Z */

static void times_are_absolute_or_ago(void **state)
{
	static const struct {
		const char *given, *stamp;
	} good[] = {
	    {"90s", "2025-12-31T23:58:30.000000Z"}, {"30m", "2025-12-31T23:30:00.000000Z"}, {"0h", "2026-01-01T00:00:00.000000Z"},
	    {"1d", "2025-12-31T00:00:00.000000Z"},  {"4w", "2025-12-04T00:00:00.000000Z"},  {"2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00.000000Z"},
	};
	static const char *const bad[] = {"", "h", "2", "2x", "-2h", "2 h", "2hh", "99999999s", "9999999w", "now", "2026-01-01"};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		buf_reset(&out);
		assert_true(input_time(good[i].given, NOW_US, &out));
		assert_string_equal(buf_string(&out), good[i].stamp);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		buf_reset(&out);
		assert_false(input_time(bad[i], NOW_US, &out));
		assert_int_equal(out.len, 0);
	}
}

static void words_numbers_and_tokens_are_checked(void **state)
{
	long n = 0;

	(void)state;
	assert_true(input_is_word("a.B-9_"));
	assert_false(input_is_word(""));
	assert_false(input_is_word("a b"));
	assert_false(input_is_word("a\r"));
	assert_false(input_is_word("12345678901234567890123456789012345678901234567890123456789012345"));
	assert_true(input_is_customer("cus1abc"));
	assert_false(input_is_customer("cus1"));
	assert_false(input_is_customer("tok1abc"));
	assert_false(input_is_customer("cus1a/b"));
	assert_true(input_number("7", 1, 10, &n));
	assert_int_equal(n, 7);
	assert_false(input_number("11", 1, 10, &n));
	assert_false(input_number("+1", 1, 10, &n));
	assert_false(input_number("9999999999", 1, 1000000000, &n));
}

static void hex_is_lower_case_and_of_one_length(void **state)
{
	uint8_t bytes[2];

	(void)state;
	assert_true(input_hex("09af", 4, bytes, 2));
	assert_int_equal(bytes[0], 0x09);
	assert_int_equal(bytes[1], 0xaf);
	assert_false(input_hex("09aF", 4, bytes, 2));
	assert_false(input_hex("09a", 3, bytes, 2));
	assert_false(input_hex("09af0", 5, bytes, 2));
	assert_false(input_hex("0 af", 4, bytes, 2));
	assert_false(input_hex(NULL, 0, bytes, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(utf8_that_rfc_3629_forbids_is_refused),
	    cmocka_unit_test(width_counts_columns_not_bytes),
	    cmocka_unit_test(what_could_drive_a_terminal_is_replaced),
	    cmocka_unit_test(a_table_is_aligned_leaves_out_empty_columns_and_ends_lines_at_their_text),
	    cmocka_unit_test(a_table_without_rows_is_nothing),
	    cmocka_unit_test(query_values_are_percent_encoded),
	    cmocka_unit_test(times_are_absolute_or_ago),
	    cmocka_unit_test(words_numbers_and_tokens_are_checked),
	    cmocka_unit_test(hex_is_lower_case_and_of_one_length),
	};
	int failed;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	buf_init(&out, 0);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_fini(&out);
	return failed;
}
