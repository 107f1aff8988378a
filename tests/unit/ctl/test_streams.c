/* Streams: what may follow what. */
#include "ctl/streams.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum streams_fault take(struct streams *s, struct record r)
{
	struct buf why;
	enum streams_fault fault;

	buf_init(&why, 1024);
	fault = streams_take(s, &r, &why);
	assert_int_equal(fault == STREAMS_GOOD, why.len == 0);
	buf_fini(&why);
	return fault;
}

static enum streams_fault plain(struct streams *s, int64_t stream, int64_t seq, int64_t at_us)
{
	return take(s, (struct record){.stream = stream, .seq = seq, .at_us = at_us});
}

/* Of executor 0 of node "n", unless another name is given. */
static enum streams_fault open_on(struct streams *s, const char *node, int64_t stream, int64_t before, int64_t end)
{
	return take(s, (struct record){.stream = stream, .seq = 1, .at_us = 5, .kind = RECORD_OPENING, .node = node, .node_len = strlen(node),
	                               .previous_stream = before, .previous_seq = end});
}

static int setup(void **state)
{
	return streams_new((struct streams **)state) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
	streams_free(*state);
	return 0;
}

static void a_stream_counts_from_one(void **state)
{
	struct streams *s = *state;

	assert_int_equal(plain(s, 3, 1, 5), STREAMS_START);
	assert_int_equal(open_on(s, "n", 3, 0, 0), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 2, 5), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 3, 6), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 5, 6), STREAMS_SEQUENCE);
	assert_int_equal(plain(s, 3, 3, 6), STREAMS_SEQUENCE);
	assert_int_equal(plain(s, 3, 4, 5), STREAMS_TIME);
	assert_int_equal(plain(s, 3, 4, 6), STREAMS_GOOD);
	assert_int_equal(open_on(s, "m", 3, 0, 0), STREAMS_START);
}

static void an_opening_names_where_the_one_before_it_ended(void **state)
{
	struct streams *s = *state;

	assert_int_equal(open_on(s, "n", 3, 2, 1), STREAMS_PREDECESSOR);
	assert_int_equal(open_on(s, "n", 3, 0, 0), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 2, 5), STREAMS_GOOD);
	assert_int_equal(open_on(s, "n", 4, 0, 0), STREAMS_PREDECESSOR);
	assert_int_equal(open_on(s, "n", 4, 3, 3), STREAMS_PREDECESSOR);
	assert_int_equal(open_on(s, "n", 4, 3, 2), STREAMS_GOOD);
	assert_int_equal(plain(s, 4, 2, 9), STREAMS_GOOD);
	assert_int_equal(streams_count(s), 2);
}

static void what_was_committed_while_its_successor_opened_is_no_fault(void **state)
{
	struct streams *s = *state;

	assert_int_equal(open_on(s, "n", 3, 0, 0), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 2, 5), STREAMS_GOOD);
	assert_int_equal(open_on(s, "n", 4, 3, 1), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 3, 5), STREAMS_GOOD);
	assert_int_equal(plain(s, 3, 5, 5), STREAMS_SEQUENCE);
}

static void behind_a_break_streams_go_on_in_the_middle(void **state)
{
	struct streams *s = *state;
	const struct record opening = {.stream = 9, .seq = 1, .at_us = 5, .kind = RECORD_BREAK};

	assert_false(streams_broken(s));
	assert_int_equal(take(s, opening), STREAMS_GOOD);
	assert_true(streams_broken(s));
	assert_int_equal(take(s, opening), STREAMS_START);
	assert_int_equal(plain(s, 4, 70, 5), STREAMS_GOOD);
	assert_int_equal(plain(s, 4, 72, 5), STREAMS_SEQUENCE);
	assert_int_equal(plain(s, 4, 71, 5), STREAMS_GOOD);
	assert_int_equal(open_on(s, "m", 10, 3, 12), STREAMS_GOOD); /* which lies in the older log */
	assert_int_equal(open_on(s, "n", 11, 4, 72), STREAMS_PREDECESSOR);
	assert_int_equal(open_on(s, "n", 11, 4, 71), STREAMS_GOOD);
	assert_int_equal(open_on(s, "n", 12, 0, 0), STREAMS_PREDECESSOR);
}

static void a_break_is_no_excuse_in_the_middle_of_a_log(void **state)
{
	struct streams *s = *state;

	assert_int_equal(open_on(s, "n", 3, 0, 0), STREAMS_GOOD);
	assert_int_equal(take(s, (struct record){.stream = 9, .seq = 1, .at_us = 5, .kind = RECORD_BREAK}), STREAMS_START);
	assert_int_equal(plain(s, 4, 70, 5), STREAMS_START);
}

static void many_streams_are_told_apart(void **state)
{
	struct streams *s = *state;
	char node[32];

	for (int64_t i = 1; i <= 20000; i++) {
		snprintf(node, sizeof node, "\"n%lld\"", (long long)i % 1000);
		assert_int_equal(open_on(s, node, i << 20, i > 1000 ? (i - 1000) << 20 : 0, i > 1000 ? 1 : 0), STREAMS_GOOD);
	}
	for (int64_t i = 19001; i <= 20000; i++)
		assert_int_equal(plain(s, i << 20, 2, 5), STREAMS_GOOD);
	assert_int_equal(plain(s, 5, 2, 5), STREAMS_START);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_stream_counts_from_one, setup, teardown),
	    cmocka_unit_test_setup_teardown(an_opening_names_where_the_one_before_it_ended, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_committed_while_its_successor_opened_is_no_fault, setup, teardown),
	    cmocka_unit_test_setup_teardown(behind_a_break_streams_go_on_in_the_middle, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_break_is_no_excuse_in_the_middle_of_a_log, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_streams_are_told_apart, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
