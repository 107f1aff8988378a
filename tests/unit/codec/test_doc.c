/* JSON from outside: what is refused, and how the rest is read. */
#include "codec/doc.h"
#include "codec/doc_int.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static enum err parse_len(const char *text, size_t len)
{
	struct doc *d;
	const enum err e = doc_parse(text, len, &d);

	assert_true(e ? d == NULL : d != NULL);
	doc_free(d);
	return e;
}

static void assert_refused(const char *text)
{
	if (parse_len(text, strlen(text)) != ERR_MALFORMED_JSON)
		fail_msg("not refused: %s", text);
}

static struct doc *parsed(const char *text)
{
	struct doc *d;

	if (doc_parse(text, strlen(text), &d))
		fail_msg("refused: %s", text);
	return d;
}

static void assert_printed(const char *text, const char *expected)
{
	struct doc *d = parsed(text);
	struct buf out;

	buf_init(&out, 0);
	assert_int_equal(node_print(doc_root(d), &out), ERR_OK);
	assert_string_equal(buf_string(&out), expected);
	buf_fini(&out);
	doc_free(d);
}

static void text_that_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",        " ",         "{",       "}",         "[",       "[1",       "[1,]",      "{\"a\":1,}",
	    "{a:1}",   "{'a':1}",   "{\"a\"}", "{\"a\":}",  "nul",     "True",     "\"a",       "\"a\\\"",
	    "\"\\x\"", "\"\\u12\"", "[1 2]",   "// x\n1",   "1 /* */", "\"a\nb\"", "\"a\x01\"", "01",
	    "+1",      "1.",        ".5",      "1e",        "0x10",    "-",        "--1",       "\xef\xbb\xbf{}",
	    "[,]",     "{,}",       "{1:2}",   "undefined",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(bad[i]);
}

static void trailing_bytes_are_refused(void **state)
{
	(void)state;
	assert_refused("{}x");
	assert_refused("{}{}");
	assert_refused("[]]");
	assert_refused("1 1");
	assert_int_equal(parse_len("{}\0", 3), ERR_MALFORMED_JSON);
	assert_int_equal(parse_len("{} \r\n\t", 6), ERR_OK);
}

static void numbers_out_of_range_are_refused(void **state)
{
	char big[3000];

	(void)state;
	assert_refused("NaN");
	assert_refused("[Infinity]");
	assert_refused("[-Infinity]");
	assert_refused("1e400");
	assert_refused("-1e400");
	assert_refused("9223372036854775808");
	assert_refused("-9223372036854775809");
	memset(big, '9', sizeof big);
	big[sizeof big - 1] = 0;
	assert_refused(big);
	assert_printed("9223372036854775807", "9223372036854775807");
	assert_printed("-9223372036854775808", "-9223372036854775808");
}

static void duplicate_keys_are_refused_even_behind_escapes(void **state)
{
	(void)state;
	assert_refused("{\"a\":1,\"a\":1}");
	assert_refused("{\"a\":1,\"\\u0061\":2}");
	assert_refused("{\"x\":[{\"\\ud83d\\ude00\":1,\"😀\":2}]}");
	assert_refused("{\"\":1,\"\":2}");
	assert_int_equal(parse_len("{\"a\":1,\"A\":2}", 13), ERR_OK);
}

static void a_nul_is_refused_in_strings_and_keys(void **state)
{
	(void)state;
	assert_refused("\"\\u0000\"");
	assert_refused("[\"a\\u0000b\"]");
	assert_refused("{\"a\\u0000b\":1}");
	assert_refused("{\"\\u0000\":1}");
	assert_refused("{\"a\":1,\"a\\u0000\":1}");
	assert_int_equal(parse_len("\"a\0b\"", 5), ERR_MALFORMED_JSON);
	assert_int_equal(parse_len("{\"a\0\":1}", 8), ERR_MALFORMED_JSON);
	assert_int_equal(parse_len("\0", 1), ERR_MALFORMED_JSON);
	assert_printed("\"\\\\u0000\"", "\"\\\\u0000\""); /* a backslash and five characters: no NUL */
}

static void lone_surrogates_are_refused(void **state)
{
	(void)state;
	assert_refused("\"\\ud800\"");
	assert_refused("\"\\ud800x\"");
	assert_refused("\"\\ud800\\u0041\"");
	assert_refused("\"\\ud800\\ud800\"");
	assert_refused("\"\\udc00\"");
	assert_refused("\"\\udc00\\ud800\"");
	assert_refused("{\"\\ud83d\":1}");
	assert_printed("\"\\ud83d\\ude00\"", "\"😀\"");
}

static void bytes_that_are_no_utf_8_are_refused(void **state)
{
	static const char *const bad[] = {
	    "\"\xff\"",         "\"\x80\"",         "\"\xc0\x80\"",
	    "\"\xe0\x80\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"",
	    "\"\xe5\xbc\"",     "{\"\xff\":1}",     "\xff",
	    "[\xe5]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_refused(bad[i]);
}

static void nest(char *text, size_t depth, char open, const char *middle, char close)
{
	memset(text, open, depth);
	strcpy(text + depth, middle);
	memset(text + depth + strlen(middle), close, depth);
	text[2 * depth + strlen(middle)] = 0;
}

static void depth_ends_at_32(void **state)
{
	char text[400];

	(void)state;
	nest(text, 32, '[', "", ']');
	assert_int_equal(parse_len(text, strlen(text)), ERR_OK);
	nest(text, 33, '[', "", ']');
	assert_refused(text);
	nest(text, 32, '[', "{}", ']');
	assert_refused(text);
	nest(text, 31, '[', "{\"a\":\"[[[[[[{{{{{\\\"[[[\"}", ']'); /* brackets in strings do not count */
	assert_int_equal(parse_len(text, strlen(text)), ERR_OK);
	text[0] = '[';
	for (size_t i = 1; i < 200; i += 4)
		memcpy(text + i, "[],\n", 4); /* nor does breadth */
	memcpy(text + 201, "0]", 3);
	assert_int_equal(parse_len(text, strlen(text)), ERR_OK);
}

static void a_megabyte_of_open_brackets_costs_nothing(void **state)
{
	char *text = malloc(1 << 20);

	(void)state;
	assert_non_null(text);
	memset(text, '[', 1 << 20);
	assert_int_equal(parse_len(text, 1 << 20), ERR_MALFORMED_JSON);
	free(text);
}

/* An object of n members, or an array of n empty objects. */
static void wide(struct buf *b, bool members, int n)
{
	buf_init(b, 0);
	buf_byte(b, members ? '{' : '[');
	for (int i = 0; i < n; i++) {
		if (i > 0)
			buf_byte(b, ',');
		if (members)
			buf_printf(b, "\"member%d\":1", i);
		else
			buf_text(b, "{}");
	}
	buf_byte(b, members ? '}' : ']');
}

static double cpu_seconds(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* 80,000 members take 0.1 to 0.3 s; with a pass over all others for each, they would take a minute. */
static void many_members_do_not_cost_their_square(void **state)
{
	struct buf text;
	double start;

	(void)state;
	wide(&text, true, 80000);
	start = cpu_seconds();
	assert_int_equal(parse_len((const char *)text.data, text.len), ERR_OK);
	assert_true(cpu_seconds() - start < 5);
	buf_fini(&text);
}

static void a_small_text_may_not_take_much_memory(void **state)
{
	struct buf text;

	(void)state;
	wide(&text, false, 1000000);
	assert_int_equal(parse_len((const char *)text.data, text.len), ERR_LIMIT);
	buf_fini(&text);
	wide(&text, false, 10000);
	assert_int_equal(parse_len((const char *)text.data, text.len), ERR_OK);
	buf_fini(&text);
}

/* The text of this crashes jansson 2.14 if an allocator returns NULL while it reads a long string. */
static void memory_may_run_out_at_any_point(void **state)
{
	struct doc *d = NULL;
	struct buf text;
	enum err e = ERR_LIMIT;
	size_t failures = 0;

	(void)state;
	buf_init(&text, 0);
	buf_text(&text, "{\"list\":[");
	for (int i = 0; i < 300; i++)
		buf_printf(&text, "{\"a%d\":[1,2.5,\"%0*d\",null,true],\"b\":{\"c\":\"\\u00e9\"}},", i, 10 * i, i);
	buf_text(&text, "0]}");
	for (size_t memory = 100; e == ERR_LIMIT; memory += 1000) {
		e = doc_parse_within(text.data, text.len, memory, &d);
		assert_true(e == ERR_OK || (e == ERR_LIMIT && d == NULL));
		failures += e == ERR_LIMIT;
	}
	assert_true(failures > 100);
	doc_free(d);
	assert_int_equal(parse_len((const char *)text.data, text.len), ERR_OK); /* and the next parse is not harmed */
	buf_fini(&text);
}

static void values_are_read_by_their_type(void **state)
{
	struct doc *d = parsed("{\"n\":null,\"b\":true,\"i\":-42,\"r\":2.5,\"s\":\"hé\",\"a\":[1,2],\"o\":{}}");
	const struct node *o = doc_root(d);
	size_t len;

	(void)state;
	assert_int_equal(node_type(o), NODE_OBJECT);
	assert_int_equal(node_count(o), 7);
	assert_int_equal(node_type(node_get(o, "n")), NODE_NULL);
	assert_int_equal(node_type(node_get(o, "b")), NODE_BOOL);
	assert_true(node_bool(node_get(o, "b")));
	assert_int_equal(node_type(node_get(o, "i")), NODE_INT);
	assert_int_equal(node_int(node_get(o, "i")), -42);
	assert_int_equal(node_type(node_get(o, "r")), NODE_REAL);
	assert_true(node_real(node_get(o, "r")) == 2.5);
	assert_string_equal(node_string(node_get(o, "s"), &len), "hé");
	assert_int_equal(len, 3);
	assert_int_equal(node_count(node_get(o, "a")), 2);
	assert_int_equal(node_int(node_at(node_get(o, "a"), 1)), 2);
	assert_int_equal(node_type(node_get(o, "o")), NODE_OBJECT);
	assert_null(node_at(node_get(o, "a"), 2));
	doc_free(d);
}

static void what_is_absent_or_of_another_type_reads_as_nothing(void **state)
{
	struct doc *d = parsed("[1,\"x\"]");
	const struct node *absent = node_get(doc_root(d), "x");
	struct node_iter it = node_members(doc_root(d));
	size_t len = 7;

	(void)state;
	assert_null(absent);
	assert_int_equal(node_type(absent), NODE_ABSENT);
	assert_false(node_bool(absent));
	assert_int_equal(node_int(absent), 0);
	assert_int_equal(node_count(absent), 0);
	assert_null(node_string(absent, &len));
	assert_int_equal(len, 0);
	assert_null(node_at(absent, 0));
	assert_null(node_get(absent, "x"));
	assert_null(node_next(&it));
	assert_null(node_string(node_at(doc_root(d), 0), &len));
	assert_int_equal(node_int(node_at(doc_root(d), 1)), 0);
	it = node_members(NULL);
	assert_null(node_next(&it));
	assert_null(node_unknown_key(NULL, (const char *const[]){NULL}));
	assert_null(doc_root(NULL));
	doc_free(d);
	doc_free(NULL);
}

static void members_come_in_their_order(void **state)
{
	struct doc *d = parsed("{\"z\":0,\"a\":1,\"\\u0001\":2,\"中\":3}");
	static const char *const keys[] = {"z", "a", "\x01", "中"};
	struct node_iter it = node_members(doc_root(d));
	const struct node *n;
	int i = 0;

	(void)state;
	for (; (n = node_next(&it)) != NULL; i++) {
		assert_int_equal(node_int(n), i);
		assert_string_equal(it.key, keys[i]);
		assert_int_equal(it.key_len, strlen(keys[i]));
	}
	assert_int_equal(i, 4);
	assert_null(node_next(&it)); /* and stays at the end */
	doc_free(d);
}

static void unknown_keys_are_found(void **state)
{
	static const char *const allowed[] = {"a", "b", NULL};
	struct doc *good = parsed("{\"b\":1,\"a\":1}"), *bad = parsed("{\"a\":1,\"B\":1}");

	(void)state;
	assert_null(node_unknown_key(doc_root(good), allowed));
	assert_string_equal(node_unknown_key(doc_root(bad), allowed), "B");
	doc_free(good);
	doc_free(bad);
}

static void print_is_compact_and_reads_back_the_same(void **state)
{
	(void)state;
	assert_printed(" { \"b\" : [ 1 , null , true , false ] , \"a\" : { } } ",
	               "{\"b\":[1,null,true,false],\"a\":{}}");
	assert_printed("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u007f\\u00e9\"",
	               "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\x7f\xc3\xa9\"");
	assert_printed("{\"a\\\"b\":[[]]}", "{\"a\\\"b\":[[]]}");
}

static void reals_keep_their_value_in_the_fewest_digits(void **state)
{
	(void)state;
	assert_printed("[0.1,1.0,-2.50,1e20,1E-7,0.30000000000000004]",
	               "[0.1,1.0,-2.5,1e+20,1e-07,0.30000000000000004]");
	assert_printed("123456789.123456789", "123456789.12345679");
	assert_printed("1.7976931348623157e308", "1.7976931348623157e+308");
	assert_printed("-0.0", "-0.0");
}

/* Every other parse runs out of memory, so that the long jump is taken beside good parses. */
static void *parse_many(void *arg)
{
	static const char text[] =
	    "{\"a\":[1,2,{\"b\":\"a string of some length, so that its buffer grows\"}],\"c\":true}";
	size_t *good = arg;

	for (int i = 0; i < 1000; i++) {
		struct doc *d;
		const enum err e = doc_parse_within(text, sizeof text - 1, i % 2 ? 100 : 0, &d);

		*good += i % 2 ? e == ERR_LIMIT : e == ERR_OK && node_bool(node_get(doc_root(d), "c"));
		doc_free(d);
	}
	return NULL;
}

static void threads_parse_side_by_side(void **state)
{
	pthread_t threads[4];
	size_t good[4] = {0};

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parse_many, &good[i]), 0);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(good[i], 1000);
	}
}

/* The allocators of sanitizers have no [heap] to look at. */
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
#define CANARY_LEN 24

/* Made as it is needed, so that no copy lies in the program itself. */
static void make_canary(char *to)
{
	for (size_t i = 0; i < CANARY_LEN; i++)
		to[i] = (char)('A' + (i * 7 + 3) % 26);
}

/* How often the canary stands in the heap. */
static size_t canaries_in_heap(void)
{
	static char block[1 << 20];
	char line[400], canary[CANARY_LEN];
	size_t found = 0;
	unsigned long from = 0, to = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	assert_non_null(maps);
	assert_true(memory >= 0);
	while (fgets(line, sizeof line, maps))
		if (strstr(line, "[heap]"))
			assert_int_equal(sscanf(line, "%lx-%lx", &from, &to), 2);
	fclose(maps);
	assert_true(to > from);
	make_canary(canary);
	for (; from < to; from += sizeof block - CANARY_LEN) {
		const size_t want = to - from < sizeof block ? to - from : sizeof block;
		const ssize_t got = pread(memory, block, want, (off_t)from);

		assert_int_equal(got, want);
		for (size_t i = 0; i + CANARY_LEN <= want; i++)
			found += memcmp(block + i, canary, CANARY_LEN) == 0;
		if (want < sizeof block)
			break;
	}
	close(memory);
	return found;
}

static void parsed_memory_is_wiped_when_given_back(void **state)
{
	static char text[600];
	struct doc *d;

	(void)state;
	/* Long enough that jansson's buffers grow and move while they read it. */
	memset(text, 'x', sizeof text);
	memcpy(text, "{\"a\":\"", 6);
	make_canary(text + 6);
	memcpy(text + 300, "\",\"", 3);
	make_canary(text + 303);
	memcpy(text + 303 + CANARY_LEN, "\":1}", 4);
	assert_int_equal(doc_parse(text, 303 + CANARY_LEN + 4, &d), ERR_OK);
	assert_true(canaries_in_heap() >= 2);
	doc_free(d);
	assert_int_equal(canaries_in_heap(), 0);
	text[303 + CANARY_LEN + 3] = 'x'; /* the same where parsing fails at the end */
	assert_int_equal(doc_parse(text, 303 + CANARY_LEN + 4, &d), ERR_MALFORMED_JSON);
	assert_int_equal(canaries_in_heap(), 0);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#if !defined __SANITIZE_ADDRESS__ && !defined __SANITIZE_THREAD__
		cmocka_unit_test(parsed_memory_is_wiped_when_given_back),
#endif
		cmocka_unit_test(text_that_is_no_json_is_refused),
		cmocka_unit_test(trailing_bytes_are_refused),
		cmocka_unit_test(numbers_out_of_range_are_refused),
		cmocka_unit_test(duplicate_keys_are_refused_even_behind_escapes),
		cmocka_unit_test(a_nul_is_refused_in_strings_and_keys),
		cmocka_unit_test(lone_surrogates_are_refused),
		cmocka_unit_test(bytes_that_are_no_utf_8_are_refused),
		cmocka_unit_test(depth_ends_at_32),
		cmocka_unit_test(a_megabyte_of_open_brackets_costs_nothing),
		cmocka_unit_test(many_members_do_not_cost_their_square),
		cmocka_unit_test(a_small_text_may_not_take_much_memory),
		cmocka_unit_test(memory_may_run_out_at_any_point),
		cmocka_unit_test(threads_parse_side_by_side),
		cmocka_unit_test(values_are_read_by_their_type),
		cmocka_unit_test(what_is_absent_or_of_another_type_reads_as_nothing),
		cmocka_unit_test(members_come_in_their_order),
		cmocka_unit_test(unknown_keys_are_found),
		cmocka_unit_test(print_is_compact_and_reads_back_the_same),
		cmocka_unit_test(reals_keep_their_value_in_the_fewest_digits),
	};

	doc_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
