/* Declarations of fields as JSON. */
#include "codec/value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum err read_into(struct field *f, const char *json, struct buf *why)
{
	struct doc *d;
	enum err e;

	if (doc_parse(json, strlen(json), &d))
		fail_msg("no JSON: %s", json);
	e = field_from_json(doc_root(d), f, why);
	doc_free(d);
	return e;
}

static void assert_read(struct field *f, const char *json)
{
	struct buf why;

	buf_init(&why, 0);
	if (read_into(f, json, &why))
		fail_msg("%s: %s", json, buf_string(&why));
	buf_fini(&why);
}

/* refused with a line that holds word, and nothing changed */
static void assert_refused(const char *json, const char *word)
{
	struct field f, before;
	struct buf why;

	memset(&f, 0, sizeof f);
	f.number = 7;
	f.type = TYPE_IBAN;
	before = f;
	buf_init(&why, 0);
	assert_int_equal(read_into(&f, json, &why), ERR_DICTIONARY);
	if (!strstr(buf_string(&why), word) || strchr(buf_string(&why), '\n'))
		fail_msg("%s: %s", json, buf_string(&why));
	assert_memory_equal(&f, &before, sizeof f);
	buf_fini(&why);
}

static void assert_written(const struct field *f, const char *expected)
{
	struct buf out;

	buf_init(&out, 0);
	field_to_json(f, &out);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
}

static void what_is_not_said_has_a_default(void **state)
{
	struct field f = {.number = 3, .version = 2, .name = "mail", .retired = true, .indexed = true, .n_masks = 4};

	(void)state;
	assert_read(&f, "{\"type\":\"email\",\"class\":\"contact\"}");
	assert_int_equal(f.type, TYPE_EMAIL);
	assert_string_equal(f.class_name, "contact");
	assert_int_equal(f.normaliser, NORMALISE_EMAIL);
	assert_false(f.indexed);
	assert_false(f.list);
	assert_int_equal(f.n_masks, 0);
	assert_int_equal(f.retention_days, 0);
	assert_int_equal(field_max_len(&f), 254);
	/* what is no part of it stays */
	assert_int_equal(f.number, 3);
	assert_int_equal(f.version, 2);
	assert_true(f.retired);
	assert_string_equal(f.name, "mail");
}

static void a_full_declaration_survives_both_ways(void **state)
{
	static const char json[] = "{\"type\":\"bank_card\",\"class\":\"financial\",\"normaliser\":\"none\","
				   "\"masks\":[{\"name\":\"stars\",\"kind\":\"stars\"},"
				   "{\"name\":\"ends\",\"kind\":\"keep\",\"keep\":[6,4]}],"
				   "\"index\":true,\"list\":true,\"retention_days\":365,\"max_length\":19}";
	struct field f = {.number = 1}, again = {.number = 1};
	struct buf out;

	(void)state;
	assert_read(&f, json);
	assert_int_equal(f.masks[1].kind, MASK_KEEP);
	assert_int_equal(f.masks[1].a, 6);
	assert_int_equal(f.masks[1].b, 4);
	assert_written(&f, json);
	buf_init(&out, 0);
	field_to_json(&f, &out);
	assert_read(&again, buf_string(&out));
	assert_memory_equal(&f, &again, sizeof f);
	buf_fini(&out);
}

static void no_retention_is_null(void **state)
{
	struct field f = {.number = 1};

	(void)state;
	assert_read(&f, "{\"type\":\"gender\",\"class\":\"identity\",\"retention_days\":null}");
	assert_written(
	    &f, "{\"type\":\"gender\",\"class\":\"identity\",\"normaliser\":\"none\",\"masks\":[],\"index\":false,"
		"\"list\":false,\"retention_days\":null,\"max_length\":16}");
}

static void each_member_is_checked(void **state)
{
	(void)state;
	assert_refused("[]", "object");
	assert_refused("null", "object");
	assert_refused("{}", "type");
	assert_refused("{\"type\":\"e-mail\",\"class\":\"c\"}", "type");
	assert_refused("{\"type\":1,\"class\":\"c\"}", "type");
	assert_refused("{\"type\":\"text\"}", "class");
	assert_refused("{\"type\":\"text\",\"class\":1}", "class");
	assert_refused("{\"type\":\"text\",\"class\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
	               "class");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"normaliser\":\"nfc\"}", "normaliser");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"normaliser\":null}", "normaliser");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"index\":1}", "index");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"list\":\"no\"}", "list");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"retention_days\":-1}", "retention_days");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"retention_days\":4294967296}", "retention_days");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"retention_days\":1.5}", "retention_days");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"max_length\":\"10\"}", "max_length");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"max_length\":-10}", "max_length");
}

static void each_member_of_a_mask_is_checked(void **state)
{
	(void)state;
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":{}}", "masks");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":null}", "masks");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[\"stars\"]}", "mask");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{}]}", "name");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\"}]}", "kind");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"b\"}]}", "kind");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"keep\"}]}", "keep");
	assert_refused(
	    "{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"keep\",\"keep\":[1]}]}", "keep");
	assert_refused(
	    "{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"keep\",\"keep\":[1,256]}]}",
	    "keep");
	assert_refused(
	    "{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"keep\",\"keep\":[-1,2]}]}",
	    "keep");
	assert_refused(
	    "{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"keep\",\"keep\":[null,2]}]}",
	    "keep");
	assert_refused(
	    "{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"stars\",\"keep\":[1,2]}]}",
	    "keep");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{},{},{},{},{},{},{}]}", "at most 6");
}

static void unknown_members_are_refused_and_named_if_they_are_plain(void **state)
{
	(void)state;
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"indexed\":true}", "no member indexed");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"number\":1}", "no member number");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"a\\nb\":true}", "an unknown member");
	assert_refused("{\"type\":\"text\",\"class\":\"c\",\"masks\":[{\"name\":\"a\",\"kind\":\"stars\",\"x\":1}]}",
	               "no member x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_not_said_has_a_default),
	    cmocka_unit_test(a_full_declaration_survives_both_ways),
	    cmocka_unit_test(no_retention_is_null),
	    cmocka_unit_test(each_member_is_checked),
	    cmocka_unit_test(each_member_of_a_mask_is_checked),
	    cmocka_unit_test(unknown_members_are_refused_and_named_if_they_are_plain),
	};

	doc_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
