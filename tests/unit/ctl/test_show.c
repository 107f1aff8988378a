/* The vault's JSON as text. */
#include "ctl/show.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct buf out;
static struct doc *doc;

static const struct node *parse(const char *text)
{
	doc_free(doc);
	doc = NULL;
	buf_reset(&out);
	assert_int_equal(doc_parse(text, strlen(text), &doc), ERR_OK);
	return doc_root(doc);
}

static void plain_values_lists_and_json(void **state)
{
	static const struct {
		const char *json, *shown;
	} cases[] = {{"\"a b\"", "a b"},   {"-7", "-7"},           {"true", "yes"},          {"null", ""},
	             {"[]", ""},           {"[\"a\",1]", "a,1"},   {"{\"a\":[1]}", "{\"a\":[1]}"}, {"[{\"a\":1}]", "[{\"a\":1}]"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char wrapped[64] = "[";

		strcat(strcat(wrapped, cases[i].json), "]");
		show_value(node_at(parse(wrapped), 0), &out);
		assert_string_equal(buf_string(&out), cases[i].shown);
	}
	show_value(NULL, &out);
}

static void an_object_is_lines_then_tables(void **state)
{
	(void)state;
	show_object(parse("{\"b\":1,\"rules\":[{\"x\":1},{\"y_at\":\"z\"}],\"long_name\":\"v\",\"none\":null,\"fields\":{\"e\":{\"f\":2}},\"empty\":[]}"), &out);
	assert_string_equal(buf_string(&out), "b          1\nlong_name  v\nempty      -\n\nX  Y AT\n1\n   z\n\nFIELD  F\ne      2\n");
}

static void more_columns_than_a_table_holds_are_left_out(void **state)
{
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	buf_text(&json, "{\"rows\":[{");
	for (int i = 0; i < 40; i++)
		buf_printf(&json, "%s\"c%d\":%d", i ? "," : "", i, i);
	buf_text(&json, "}],\"objects\":{\"k\":{\"a_name_that_is_longer_than_a_heading_may_be\":1,\"b\":2}}}");
	show_object(parse(buf_string(&json)), &out);
	assert_non_null(strstr(buf_string(&out), "C14\n"));
	assert_non_null(strstr(buf_string(&out), "NAME  B\nk     2\n"));
	buf_fini(&json);
}

static void a_heading_can_not_drive_the_terminal(void **state)
{
	(void)state;
	show_object(parse("{\"\\u001b[1m\":\"x\",\"r\":[{\"\\u001b[2m\":\"y\"}],\"o\":{\"\\u001b\":{\"a\":1}}}"), &out);
	assert_null(memchr(out.data, 0x1b, out.len));
}

static void a_record_is_one_line_with_dashes_for_none(void **state)
{
	(void)state;
	show_record_line(parse("{\"time\":\"T\",\"id\":\"1\\n2\",\"given\":{\"masked:email\":[1],\"plain\":[3,4]},\"other\":1}"), &out);
	assert_string_equal(buf_string(&out), "T  1\xef\xbf\xbd"
	                                      "2  -  -  -  -  -  -  masked:email(1) plain(3,4)\n");
}

static void a_problem_is_told_with_what_it_has(void **state)
{
	(void)state;
	show_problem(400, parse("{\"code\":\"bad\",\"title\":\"T\",\"detail\":\"D\",\"request_id\":\"r\",\"errors\":[{\"pointer\":\"/a\",\"code\":\"c\"},{}]}"), &out);
	assert_string_equal(buf_string(&out), "error: bad: D (request r)\n  /a: c\n  /: invalid\n");
	show_problem(500, parse("[]"), &out);
	assert_string_equal(buf_string(&out), "error: http_500: The vault gave no reason.\n");
	buf_reset(&out);
	show_problem(404, NULL, &out);
	assert_string_equal(buf_string(&out), "error: http_404: The reply is not one of a vault.\n");
	show_problem(400, parse("{\"code\":7,\"title\":{},\"errors\":{\"a\":1},\"complaints\":[1,{\"line\":\"x\"}]}"), &out);
	assert_string_equal(buf_string(&out), "error: http_400: The vault gave no reason.\n  /: invalid\n  policy:0:0: not valid\n  policy:0:0: not valid\n");
}

static int end(void **state)
{
	(void)state;
	doc_free(doc);
	buf_fini(&out);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(plain_values_lists_and_json),
	    cmocka_unit_test(an_object_is_lines_then_tables),
	    cmocka_unit_test(more_columns_than_a_table_holds_are_left_out),
	    cmocka_unit_test(a_heading_can_not_drive_the_terminal),
	    cmocka_unit_test(a_record_is_one_line_with_dashes_for_none),
	    cmocka_unit_test(a_problem_is_told_with_what_it_has),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return 1;
	doc_start();
	buf_init(&out, 0);
	return cmocka_run_group_tests(tests, NULL, end);
}
