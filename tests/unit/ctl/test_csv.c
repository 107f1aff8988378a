/* Lines of CSV. */
#include "ctl/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void expect(const char *line, const char *joined)
{
	struct csv_row r;
	char text[256] = "";

	csv_row_init(&r);
	if (!csv_row_read(&r, line, strlen(line))) {
		assert_null(joined);
	} else {
		for (size_t i = 0; i < r.n; i++) {
			strcat(text, i ? "|" : "");
			strcat(text, csv_cell(&r, i));
			assert_int_equal(r.len[i], strlen(csv_cell(&r, i)));
		}
		assert_non_null(joined);
		assert_string_equal(text, joined);
	}
	csv_row_fini(&r);
}

static void cells_are_taken_apart(void **state)
{
	(void)state;
	expect("a,b,c\n", "a|b|c");
	expect("a,b,c\r\n", "a|b|c");
	expect("", "");
	expect(",", "|");
	expect("a,,", "a||");
	expect("\"a,b\",c", "a,b|c");
	expect("\"say \"\"yes\"\"\",\"\"", "say \"yes\"|");
}

static void what_is_no_csv_is_refused(void **state)
{
	(void)state;
	expect("\"a", NULL);
	expect("a\"b", NULL);
	expect("\"a\"b", NULL);
	expect("\"a\" ,b", NULL);
	expect(",,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(cells_are_taken_apart), cmocka_unit_test(what_is_no_csv_is_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
