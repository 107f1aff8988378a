/* The ZIP writer: order, streams, and a sink that fails. */
#include "archive/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct sunk {
	size_t total, largest;
	unsigned char first[4];
	size_t fail_after; /* 0: never */
};

static enum err sink(void *ctx, const void *bytes, size_t len)
{
	struct sunk *s = ctx;

	if (s->total == 0 && len >= 4)
		memcpy(s->first, bytes, 4);
	s->total += len;
	if (len > s->largest)
		s->largest = len;
	return s->fail_after && s->total > s->fail_after ? ERR_DATABASE : ERR_OK;
}

/* n bytes that do not compress. */
static enum err write_noise(struct zip *z, size_t n)
{
	unsigned seed = 1;
	unsigned char block[4096];
	enum err e = ERR_OK;

	for (; n && !e; n -= sizeof block) {
		for (size_t i = 0; i < sizeof block; i++)
			block[i] = (unsigned char)(rand_r(&seed) >> 8);
		e = zip_write(z, block, sizeof block);
	}
	return e;
}

static void an_archive_begins_and_ends_as_one(void **state)
{
	struct sunk s = {0};
	struct zip *z;

	(void)state;
	assert_int_equal(zip_new(sink, &s, &z), ERR_OK);
	assert_int_equal(zip_file(z, "a.txt", 1790000000000000), ERR_OK);
	assert_int_equal(zip_write(z, "hello", 5), ERR_OK);
	assert_int_equal(zip_write(z, "", 0), ERR_OK);
	assert_int_equal(zip_file(z, "\xe6\x95\xb0.txt", 1790000000000000), ERR_OK);
	assert_int_equal(zip_end(z), ERR_OK);
	zip_free(z);
	assert_memory_equal(s.first, "PK\x03\x04", 4);
	assert_in_range(s.total, 100, 1000);
}

static void what_is_written_leaves_at_once_in_small_pieces(void **state)
{
	struct sunk s = {0};
	struct zip *z;

	(void)state;
	assert_int_equal(zip_new(sink, &s, &z), ERR_OK);
	assert_int_equal(zip_file(z, "noise", 0), ERR_OK);
	assert_int_equal(write_noise(z, (size_t)8 << 20), ERR_OK);
	assert_true(s.total > (size_t)7 << 20); /* it is not kept for the end */
	assert_true(s.largest <= (size_t)1 << 20);
	assert_int_equal(zip_end(z), ERR_OK);
	zip_free(z);
}

static void the_error_of_a_sink_is_given_back(void **state)
{
	struct sunk s = {.fail_after = 100000};
	struct zip *z;

	(void)state;
	assert_int_equal(zip_new(sink, &s, &z), ERR_OK);
	assert_int_equal(zip_file(z, "noise", 0), ERR_OK);
	assert_int_equal(write_noise(z, (size_t)1 << 20), ERR_DATABASE);
	assert_int_equal(zip_end(z), ERR_DATABASE);
	zip_free(z);
	zip_free(NULL);
}

static void an_archive_that_is_given_up_sends_nothing_more(void **state)
{
	struct sunk s = {0};
	struct zip *z;
	size_t before;

	(void)state;
	assert_int_equal(zip_new(sink, &s, &z), ERR_OK);
	assert_int_equal(zip_file(z, "noise", 0), ERR_OK);
	assert_int_equal(write_noise(z, (size_t)1 << 20), ERR_OK);
	before = s.total;
	zip_free(z);
	assert_int_equal(s.total, before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_archive_begins_and_ends_as_one),
	    cmocka_unit_test(what_is_written_leaves_at_once_in_small_pieces),
	    cmocka_unit_test(the_error_of_a_sink_is_given_back),
	    cmocka_unit_test(an_archive_that_is_given_up_sends_nothing_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
