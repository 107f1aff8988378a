/* Values between JSON, storage, masks and index. */
#include "codec/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct field field_of(enum field_type type, bool list)
{
	return (struct field){.number = 1, .type = type, .list = list, .normaliser = field_default_normaliser(type)};
}

static struct field masked_field(enum field_type type, bool list, enum field_mask_kind kind, uint8_t a, uint8_t b)
{
	struct field f = field_of(type, list);

	f.n_masks = 1;
	f.masks[0] = (struct field_mask){.name = "some", .kind = kind, .a = a, .b = b};
	return f;
}

static enum err store(const struct field *f, const char *json, struct buf *out, size_t *element)
{
	struct doc *d;
	enum err e;

	if (doc_parse(json, strlen(json), &d))
		fail_msg("no JSON: %s", json);
	e = value_store(f, "CN", doc_root(d), out, element);
	doc_free(d);
	return e;
}

static void assert_stored(const struct field *f, const char *json, const char *stored)
{
	struct buf out;
	size_t element;
	enum err e;

	buf_init(&out, 0);
	e = store(f, json, &out, &element);
	if (e)
		fail_msg("%s: %s", json, err_code(e));
	assert_string_equal(buf_string(&out), stored);
	buf_fini(&out);
}

static void assert_refused(const struct field *f, const char *json, enum err expected, size_t at)
{
	struct buf out;
	size_t element = 99;
	enum err e;

	buf_init(&out, 0);
	buf_text(&out, "before");
	e = store(f, json, &out, &element);
	if (e != expected)
		fail_msg("%s: %s instead of %s", json, err_code(e), err_code(expected));
	assert_int_equal(element, at);
	assert_string_equal(buf_string(&out), "before"); /* nothing half-written is left */
	buf_fini(&out);
}

static void assert_masked(const struct field *f, const char *stored, const char *expected)
{
	struct buf out;

	buf_init(&out, 0);
	assert_int_equal(value_mask(f, 0, stored, strlen(stored), &out), ERR_OK);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
}

static void scalars_are_stored_as_compact_json(void **state)
{
	const struct field text = field_of(TYPE_TEXT, false), phone = field_of(TYPE_PHONE, false);
	const struct field integer = field_of(TYPE_INTEGER, false), boolean = field_of(TYPE_BOOLEAN, false);

	(void)state;
	assert_stored(&text, "\"张伟 \\u0022x\\u0022 \\n\\/\"", "\"张伟 \\\"x\\\" \\n/\"");
	assert_stored(&phone, "\"138 1234 5678\"", "\"+8613812345678\"");
	assert_stored(&integer, " -42 ", "-42");
	assert_stored(&integer, "9007199254740991", "9007199254740991");
	assert_stored(&boolean, "true", "true");
}

static void a_wrong_json_type_is_refused_by_every_type(void **state)
{
	static const char *const samples[] = {"null", "true", "1", "1.5", "\"x\"", "[]", "[\"x\"]", "{}", "{\"x\":1}"};

	(void)state;
	for (unsigned t = 0; t < TYPE_JSON; t++) {
		const struct field f = field_of((enum field_type)t, false);

		for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
			const bool fits = (t == TYPE_BOOLEAN && i == 1) || (t == TYPE_INTEGER && i == 2) ||
			                  (i == 4 && (t == TYPE_TEXT || t == TYPE_NAME));

			if (!fits)
				assert_refused(&f, samples[i], ERR_INVALID_VALUE, 0);
		}
	}
}

static void integers_end_where_doubles_stop_being_exact(void **state)
{
	const struct field f = field_of(TYPE_INTEGER, false);

	(void)state;
	assert_stored(&f, "-9007199254740991", "-9007199254740991");
	assert_refused(&f, "9007199254740992", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "-9007199254740992", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "1.0", ERR_INVALID_VALUE, 0);
}

static void errors_of_the_type_come_through(void **state)
{
	const struct field id = field_of(TYPE_RESIDENT_ID, false);
	struct field text = field_of(TYPE_TEXT, false);

	(void)state;
	text.max_len = 3;
	assert_refused(&id, "\"110105194912310021\"", ERR_CHECK_DIGIT, 0);
	assert_refused(&text, "\"abcd\"", ERR_VALUE_TOO_LONG, 0);
}

static void an_address_is_stored_in_one_order(void **state)
{
	const struct field f = field_of(TYPE_ADDRESS, false);

	(void)state;
	assert_stored(&f, "{\"postcode\":\"310000\",\"city\":\"杭州\",\"country\":\"CN\",\"street\":\"a \\\"b\\\"\"}",
	              "{\"country\":\"CN\",\"city\":\"杭州\",\"street\":\"a \\\"b\\\"\",\"postcode\":\"310000\"}");
	assert_refused(&f, "{\"city\":\"杭州\",\"planet\":\"Earth\"}", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "{\"city\":1}", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "{\"city\":null}", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "{\"city\":\"\\u0001\"}", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "{}", ERR_INVALID_VALUE, 0);
}

static void an_address_has_an_end(void **state)
{
	struct field f = field_of(TYPE_ADDRESS, false);
	char line[1100], json[1200];

	(void)state;
	f.max_len = 20;
	assert_refused(&f, "{\"city\":\"123456789012345\"}", ERR_VALUE_TOO_LONG, 0);
	f.max_len = 0;
	memset(line, 'x', 1025);
	line[1025] = 0;
	snprintf(json, sizeof json, "{\"street\":\"%s\"}", line);
	assert_refused(&f, json, ERR_VALUE_TOO_LONG, 0);
}

static void json_keeps_its_structure(void **state)
{
	const struct field f = field_of(TYPE_JSON, false);

	(void)state;
	assert_stored(&f, "{ \"b\": [1, 2.50, null], \"a\": {} }", "{\"b\":[1,2.5,null],\"a\":{}}");
	assert_stored(&f, "null", "null");
	assert_stored(&f, "\"x\"", "\"x\"");
}

static void json_ends_at_64_kib_as_printed(void **state)
{
	const struct field f = field_of(TYPE_JSON, false);
	char *json = malloc(70000);

	(void)state;
	assert_non_null(json);
	memset(json, 'x', 70000);
	json[0] = json[65535] = '"';
	json[65536] = 0;
	assert_stored(&f, json, json);
	json[65535] = 'x';
	json[65536] = '"';
	json[65537] = 0;
	assert_refused(&f, json, ERR_VALUE_TOO_LONG, 0);
	free(json);
}

static void a_record_is_an_object(void **state)
{
	struct field f = field_of(TYPE_JSON, false);

	(void)state;
	f.record = true;
	assert_stored(&f, "{\"total\":12.5}", "{\"total\":12.5}");
	assert_refused(&f, "[1]", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "\"x\"", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "null", ERR_INVALID_VALUE, 0);
}

static void a_list_is_an_array_of_its_type(void **state)
{
	const struct field f = field_of(TYPE_PHONE, true), json = field_of(TYPE_JSON, true);

	(void)state;
	assert_stored(&f, "[\"13812345678\", \"+1 202 555 0123\"]", "[\"+8613812345678\",\"+12025550123\"]");
	assert_stored(&json, "[{},[1]]", "[{},[1]]");
	assert_refused(&f, "\"13812345678\"", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "[]", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "{}", ERR_INVALID_VALUE, 0);
	assert_refused(&f, "[\"13812345678\",[\"13812345678\"]]", ERR_INVALID_VALUE, 1);
}

static void the_list_element_at_fault_is_named(void **state)
{
	const struct field f = field_of(TYPE_RESIDENT_ID, true);

	(void)state;
	assert_refused(&f, "[\"11010519491231002X\",\"440524188001010014\",\"110105194912310021\"]", ERR_CHECK_DIGIT,
	               2);
}

static void a_list_ends_at_a_hundred(void **state)
{
	const struct field f = field_of(TYPE_INTEGER, true);
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	buf_text(&json, "[0");
	for (int i = 1; i < 100; i++)
		buf_text(&json, ",0");
	buf_text(&json, "]");
	assert_stored(&f, buf_string(&json), buf_string(&json));
	buf_truncate(&json, json.len - 1);
	buf_text(&json, ",0]");
	assert_refused(&f, buf_string(&json), ERR_VALUE_TOO_LONG, 0);
	buf_fini(&json);
}

static void a_list_ends_at_512_kib_in_all(void **state)
{
	const struct field f = field_of(TYPE_TEXT, true);
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	for (int i = 0; i < 9; i++) {
		buf_text(&json, i ? ",\"" : "[\"");
		for (int k = 0; k < 60000; k++)
			buf_byte(&json, 'x');
		buf_text(&json, "\"");
	}
	buf_text(&json, "]");
	assert_refused(&f, buf_string(&json), ERR_VALUE_TOO_LONG, 0);
	buf_fini(&json);
}

static void strings_are_masked_with_and_without_escapes(void **state)
{
	const struct field email = masked_field(TYPE_EMAIL, false, MASK_EMAIL, 0, 0);
	const struct field name = masked_field(TYPE_NAME, false, MASK_NAME, 0, 0);
	const struct field text = masked_field(TYPE_TEXT, false, MASK_KEEP, 2, 2);

	(void)state;
	assert_masked(&email, "\"zhang.wei@example.com\"", "\"z***@example.com\"");
	assert_masked(&name, "\"张小明\"", "\"张*明\"");
	assert_masked(&text, "\"\\\"\\\\abcdef\\n\\u0001\"", "\"\\\"\\\\****\\n\\u0001\"");
	assert_masked(&text, "\"a\\\"bcdef\\\\\"", "\"a\\\"****f\\\\\"");
	assert_masked(&text, "\"\\b\\f\\r\\txxxxxxx\"", "\"\\b\\f****xx\"");
	assert_masked(&text, "\"\\u001f\\u0010xxxx\\u000b\\u001a\"", "\"\\u001f\\u0010****\\u000b\\u001a\"");
}

static void what_is_no_string_is_starred_whole(void **state)
{
	const struct field integer = masked_field(TYPE_INTEGER, false, MASK_STARS, 0, 0);
	const struct field json = masked_field(TYPE_JSON, false, MASK_STARS, 0, 0);

	(void)state;
	assert_masked(&integer, "-42", "\"***\"");
	assert_masked(&json, "{\"a\":[1,\"]}\\\"\"]}", "\"***\"");
	assert_masked(&json, "null", "\"***\"");
	assert_masked(&json, "\"x\"", "\"***\"");
}

static void an_address_shows_city_and_region(void **state)
{
	const struct field f = masked_field(TYPE_ADDRESS, false, MASK_CITY, 0, 0);
	const struct field stars = masked_field(TYPE_ADDRESS, false, MASK_STARS, 0, 0);

	(void)state;
	assert_masked(&f, "{\"country\":\"CN\",\"region\":\"浙江\",\"city\":\"杭州\",\"street\":\"文三路 1\"}",
	              "\"杭州, 浙江\"");
	assert_masked(&f, "{\"city\":\"a \\\"b\\\"\"}", "\"a \\\"b\\\"\"");
	assert_masked(&f, "{\"region\":\"浙江\"}", "\"浙江\"");
	assert_masked(&f, "{\"street\":\"city\"}", "\"***\"");
	assert_masked(&stars, "{\"city\":\"杭州\"}", "\"***\"");
}

static void each_element_of_a_list_is_masked(void **state)
{
	const struct field phone = masked_field(TYPE_PHONE, true, MASK_PHONE, 0, 0);
	const struct field address = masked_field(TYPE_ADDRESS, true, MASK_CITY, 0, 0);
	const struct field json = masked_field(TYPE_JSON, true, MASK_STARS, 0, 0);

	(void)state;
	assert_masked(&phone, "[\"+8613812345678\",\"+12025550123\"]", "[\"138****5678\",\"+1****0123\"]");
	assert_masked(&address, "[{\"city\":\"杭州\"},{\"street\":\"x\"}]", "[\"杭州\",\"***\"]");
	assert_masked(&json, "[{\"a\":[1,2]},[3,4],5]", "[\"***\",\"***\",\"***\"]");
}

static void a_mask_that_a_field_has_not_is_refused(void **state)
{
	const struct field f = masked_field(TYPE_TEXT, false, MASK_STARS, 0, 0);
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	assert_int_equal(value_mask(&f, 1, "\"secret\"", 8, &out), ERR_DICTIONARY);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static void stored_text_that_is_broken_shows_nothing(void **state)
{
	static const char *const bad[] = {
	    "",
	    "\"",
	    "\"abc",
	    "\"abc\\\"",
	    "\"abc\\",
	    "\"abc\"x",
	    "\"a\\qb\"",
	    "\"a\\u0041\"",
	    "\"a\\u001G\"",
	    "\"a\\u00\"",
	    "]",
	    ",",
	    "1,",
	    "{",
	    "[1",
	};
	static const char *const bad_lists[] = {"",         "[",        "[]",    "[\"a\"",      "[\"a\",",
	                                        "[\"a\",]", "[\"a\"]x", "\"a\"", "[\"a\"\"b\"]"};
	static const char *const bad_addresses[] = {
	    "{", "{}", "{\"city\"", "{\"city\":1}", "{\"city\":\"a\"", "{\"city\":\"a\",}", "\"a\""};
	const struct field text = masked_field(TYPE_TEXT, false, MASK_KEEP, 1, 1);
	const struct field list = masked_field(TYPE_TEXT, true, MASK_KEEP, 1, 1);
	const struct field address = masked_field(TYPE_ADDRESS, false, MASK_CITY, 0, 0);
	struct buf out;

	(void)state;
	buf_init(&out, 0);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(value_mask(&text, 0, bad[i], strlen(bad[i]), &out), ERR_INTERNAL);
	for (size_t i = 0; i < sizeof bad_lists / sizeof bad_lists[0]; i++)
		assert_int_equal(value_mask(&list, 0, bad_lists[i], strlen(bad_lists[i]), &out), ERR_INTERNAL);
	for (size_t i = 0; i < sizeof bad_addresses / sizeof bad_addresses[0]; i++)
		assert_int_equal(value_mask(&address, 0, bad_addresses[i], strlen(bad_addresses[i]), &out),
		                 ERR_INTERNAL);
	assert_int_equal(out.len, 0);
	buf_fini(&out);
}

static enum err collect(void *ctx, const void *normalised, size_t len)
{
	struct buf *all = ctx;

	buf_byte(all, '|');
	buf_append(all, normalised, len);
	return all->len > 100 ? ERR_LIMIT : ERR_OK;
}

static void assert_indexed(const struct field *f, const char *stored, const char *expected)
{
	struct buf all;

	buf_init(&all, 0);
	assert_int_equal(value_index(f, stored, strlen(stored), collect, &all), ERR_OK);
	assert_string_equal(buf_string(&all), expected);
	buf_fini(&all);
}

static void each_element_has_an_index_form(void **state)
{
	const struct field email = field_of(TYPE_EMAIL, false), tags = field_of(TYPE_TEXT, true);

	(void)state;
	assert_indexed(&email, "\"Zhang.Wei@Example.COM\"", "|zhang.wei@example.com");
	assert_indexed(&tags, "[\"A  b\",\"\\\"C\\\"\",\"\xe2\x80\x8b\"]",
	               "|a b|\"c\""); /* the last one has nothing to find */
}

static void an_error_of_the_callback_stops_the_walk(void **state)
{
	const struct field tags = field_of(TYPE_TEXT, true);
	struct buf all;

	(void)state;
	buf_init(&all, 0);
	for (int i = 0; i < 99; i++)
		buf_byte(&all, 'x');
	assert_int_equal(value_index(&tags, "[\"abc\",\"never\"]", 15, collect, &all), ERR_LIMIT);
	assert_int_equal(all.len, 103);
	buf_fini(&all);
}

static void stored_text_that_is_broken_has_no_index_form(void **state)
{
	const struct field tags = field_of(TYPE_TEXT, true), text = field_of(TYPE_TEXT, false);
	struct buf all;

	(void)state;
	buf_init(&all, 0);
	assert_int_equal(value_index(&text, "\"a", 2, collect, &all), ERR_INTERNAL);
	assert_int_equal(value_index(&text, "42", 2, collect, &all), ERR_INTERNAL);
	assert_int_equal(value_index(&text, "\"\"x", 3, collect, &all), ERR_INTERNAL);
	assert_int_equal(value_index(&tags, "\"a\"", 3, collect, &all), ERR_INTERNAL);
	assert_int_equal(value_index(&tags, "[\"\"", 3, collect, &all), ERR_INTERNAL);
	assert_int_equal(all.len, 0);
	buf_fini(&all);
}

static void what_was_stored_stores_the_same_again(void **state)
{
	static const struct {
		enum field_type type;
		const char *json;
	} samples[] = {
	    {TYPE_PHONE, "\"010-6234 5678\""},
	    {TYPE_BANK_CARD, "\"4111-1111-1111-1111\""},
	    {TYPE_IBAN, "\"gb82 west 1234 5698 7654 32\""},
	    {TYPE_IP, "\"2001:DB8:0:0::1\""},
	    {TYPE_RESIDENT_ID, "\"11010519491231002x\""},
	    {TYPE_TEXT, "\"\\ud83d\\ude00 \\/\""},
	    {TYPE_ADDRESS, "{\"city\":\"x\",\"country\":\"CN\"}"},
	    {TYPE_JSON, "{\"b\":0.1,\"a\":[1e3]}"},
	};
	struct buf once, twice;
	size_t element;

	(void)state;
	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		const struct field f = field_of(samples[i].type, false);

		buf_init(&once, 0);
		buf_init(&twice, 0);
		assert_int_equal(store(&f, samples[i].json, &once, &element), ERR_OK);
		assert_int_equal(store(&f, buf_string(&once), &twice, NULL), ERR_OK);
		assert_string_equal(buf_string(&twice), buf_string(&once));
		buf_fini(&once);
		buf_fini(&twice);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scalars_are_stored_as_compact_json),
	    cmocka_unit_test(a_wrong_json_type_is_refused_by_every_type),
	    cmocka_unit_test(integers_end_where_doubles_stop_being_exact),
	    cmocka_unit_test(errors_of_the_type_come_through),
	    cmocka_unit_test(an_address_is_stored_in_one_order),
	    cmocka_unit_test(an_address_has_an_end),
	    cmocka_unit_test(json_keeps_its_structure),
	    cmocka_unit_test(json_ends_at_64_kib_as_printed),
	    cmocka_unit_test(a_record_is_an_object),
	    cmocka_unit_test(a_list_is_an_array_of_its_type),
	    cmocka_unit_test(the_list_element_at_fault_is_named),
	    cmocka_unit_test(a_list_ends_at_a_hundred),
	    cmocka_unit_test(a_list_ends_at_512_kib_in_all),
	    cmocka_unit_test(strings_are_masked_with_and_without_escapes),
	    cmocka_unit_test(what_is_no_string_is_starred_whole),
	    cmocka_unit_test(an_address_shows_city_and_region),
	    cmocka_unit_test(each_element_of_a_list_is_masked),
	    cmocka_unit_test(a_mask_that_a_field_has_not_is_refused),
	    cmocka_unit_test(stored_text_that_is_broken_shows_nothing),
	    cmocka_unit_test(each_element_has_an_index_form),
	    cmocka_unit_test(an_error_of_the_callback_stops_the_walk),
	    cmocka_unit_test(stored_text_that_is_broken_has_no_index_form),
	    cmocka_unit_test(what_was_stored_stores_the_same_again),
	};

	doc_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
