/* Blind index and cursors; the vectors of HMAC and SHA-256 are in test_vectors.c. */
#include "crypto/base64_int.h"
#include "crypto/mac.h"
#include "crypto/secret.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static uint8_t master[32];

static int set_up(void **state)
{
	(void)state;
	for (uint8_t i = 0; i < sizeof master; i++)
		master[i] = i;
	return secret_start();
}

static int tear_down(void **state)
{
	(void)state;
	secret_stop();
	return 0;
}

static int64_t tag_of(const uint8_t *key, uint16_t epoch, unsigned bits, uint32_t space, uint16_t transform,
                      const char *text)
{
	struct blind *b;
	int64_t tag;

	assert_int_equal(blind_new(key, epoch, bits, &b), ERR_OK);
	assert_int_equal(blind_tag(b, space, transform, text, strlen(text), &tag), ERR_OK);
	blind_free(b);
	return tag;
}

/* An index is on disk: from another implementation of the derivation. */
static void tags_of_earlier_builds_are_the_same(void **state)
{
	(void)state;
	assert_true(tag_of(master, 1, 18, 3, 2, "zhang.wei@example.com") == 49645);
	assert_true(tag_of(master, 1, 56, 3, 2, "zhang.wei@example.com") == 13646560776749157);
}

static void a_tag_has_the_bits_asked_for_and_no_sign(void **state)
{
	(void)state;
	for (unsigned bits = 1; bits <= 63; bits++) {
		int64_t all = 0;

		for (char text[3] = "aa"; text[1] < 'z'; text[1]++) {
			const int64_t tag = tag_of(master, 1, bits, 3, 1, text);

			assert_true(tag >= 0 && (uint64_t)tag < (uint64_t)1 << bits);
			all |= tag;
		}
		assert_true(all >> (bits - 1) == 1); /* the highest bit is used */
	}
}

static void a_tag_depends_on_space_transform_epoch_and_key(void **state)
{
	const uint8_t other[32] = {1};
	const int64_t tag = tag_of(master, 1, 56, 3, 2, "x");

	(void)state;
	assert_true(tag_of(master, 1, 56, 3, 2, "x") == tag);
	assert_true(tag_of(other, 1, 56, 3, 2, "x") != tag);
	assert_true(tag_of(master, 2, 56, 3, 2, "x") != tag);
	assert_true(tag_of(master, 1, 56, 4, 2, "x") != tag);
	assert_true(tag_of(master, 1, 56, 3, 1, "x") != tag);
	assert_true(tag_of(master, 1, 56, 3, 2, "y") != tag);
	assert_true(tag_of(master, 1, 56, BLIND_EXTERNAL_REF + 3, 2, "x") != tag);
	assert_true(tag_of(master, 2, 56, 3, 1, "x") != tag_of(master, 1, 56, 3, 2, "x"));
}

static void more_spaces_than_are_kept_ready_work(void **state)
{
	static int64_t tags[400];
	struct blind *b;

	(void)state;
	assert_int_equal(blind_new(master, 1, 56, &b), ERR_OK);
	for (int round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < 400; i++) { /* 100 spaces, 4 transforms each */
			int64_t tag;

			assert_int_equal(blind_tag(b, i / 4, (uint16_t)(i % 4), "x", 1, &tag), ERR_OK);
			if (round > 0)
				assert_true(tag == tags[i]);
			tags[i] = tag;
			if (i > 0)
				assert_true(tag != tags[i - 1]);
		}
	}
	blind_free(b);
	blind_free(NULL);
}

static void bits_out_of_range_are_refused(void **state)
{
	struct blind *b;

	(void)state;
	assert_int_equal(blind_new(master, 1, 0, &b), ERR_INTERNAL);
	assert_int_equal(blind_new(master, 1, 64, &b), ERR_INTERNAL);
	assert_null(b);
}

static enum err read_cursor(const uint8_t *key, const char *context, const char *text, size_t text_len, uint8_t *out,
                            size_t *len)
{
	return cursor_read(key, context, strlen(context), text, text_len, out, len);
}

static void a_cursor_comes_back_as_it_was(void **state)
{
	uint8_t bytes[CURSOR_BYTES_MAX], out[CURSOR_BYTES_MAX];
	char text[CURSOR_TEXT_MAX], again[CURSOR_TEXT_MAX];

	(void)state;
	assert_int_equal(secret_random(bytes, sizeof bytes), ERR_OK);
	for (size_t len = 0; len <= sizeof bytes; len++) {
		size_t got = len;

		assert_int_equal(cursor_write(master, "ctx", 3, bytes, len, text), ERR_OK);
		assert_true(strlen(text) < CURSOR_TEXT_MAX);
		assert_int_equal(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), strlen(text));
		assert_int_equal(read_cursor(master, "ctx", text, strlen(text), out, &got), ERR_OK);
		assert_int_equal(got, len);
		assert_memory_equal(out, bytes, len);
		assert_int_equal(cursor_write(master, "ctx", 3, bytes, len, again), ERR_OK);
		assert_string_not_equal(again, text);
	}
	assert_int_equal(cursor_write(master, "ctx", 3, bytes, CURSOR_BYTES_MAX + 1, text), ERR_INTERNAL);
	assert_string_equal(text, "");
}

/* A page of results may outlive a rolling upgrade. */
static void cursors_of_earlier_builds_open(void **state)
{
	static const char text[] = "AAECAwQFBgcICQoLwMZcpvRbJONwNAh9gAvdiBfteJNI53u-";
	uint8_t out[16];
	size_t len = sizeof out;

	(void)state;
	assert_int_equal(read_cursor(master, "ctx", text, strlen(text), out, &len), ERR_OK);
	assert_int_equal(len, 8);
	assert_memory_equal(out, "position", 8);
}

static void a_cursor_of_another_query_or_key_is_refused(void **state)
{
	const uint8_t other[32] = {1};
	char text[CURSOR_TEXT_MAX];
	uint8_t out[16];
	size_t len = sizeof out;

	(void)state;
	assert_int_equal(cursor_write(master, "ctx", 3, "position", 8, text), ERR_OK);
	assert_int_equal(read_cursor(other, "ctx", text, strlen(text), out, &len), ERR_BAD_CURSOR);
	assert_int_equal(len, 0);
	len = sizeof out;
	assert_int_equal(read_cursor(master, "ctX", text, strlen(text), out, &len), ERR_BAD_CURSOR);
	len = sizeof out;
	assert_int_equal(read_cursor(master, "", text, strlen(text), out, &len), ERR_BAD_CURSOR);
	len = 7;
	assert_int_equal(read_cursor(master, "ctx", text, strlen(text), out, &len), ERR_BAD_CURSOR);
	len = 8;
	assert_int_equal(read_cursor(master, "ctx", text, strlen(text), out, &len), ERR_OK);
}

/* Also where the change is only in bits that base64url leaves unused. */
static void a_changed_or_cut_cursor_is_refused(void **state)
{
	char text[CURSOR_TEXT_MAX], padded[2 * CURSOR_TEXT_MAX];
	uint8_t out[16];
	size_t len;

	(void)state;
	for (size_t size = 0; size < 3; size++) {
		assert_int_equal(cursor_write(master, "ctx", 3, "position", 6 + size, text), ERR_OK);
		for (size_t i = 0; text[i]; i++) {
			for (int c = 0; c < 256; c++) {
				const char was = text[i];

				text[i] = (char)c;
				len = sizeof out;
				if (c != (unsigned char)was)
					assert_int_equal(read_cursor(master, "ctx", text, strlen(text), out, &len), ERR_BAD_CURSOR);
				text[i] = was;
			}
		}
		for (size_t cut = 0; cut < strlen(text); cut++) {
			len = sizeof out;
			assert_int_equal(read_cursor(master, "ctx", text, cut, out, &len), ERR_BAD_CURSOR);
		}
	}
	memset(padded, 'A', sizeof padded);
	for (size_t i = 0; i <= sizeof padded; i++) { /* a text of any length stays within its room */
		len = sizeof out;
		assert_int_equal(read_cursor(master, "ctx", padded, i, out, &len), ERR_BAD_CURSOR);
	}
}

static void base64url_gives_the_answers_of_rfc_4648(void **state)
{
	static const struct {
		const char *bytes, *text;
	} vectors[] = {{"", ""},		{"f", "Zg"},	      {"fo", "Zm8"},	     {"foo", "Zm9v"},
	               {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
	static const char *const bad[] = {"Zh", "Zg==", "Zm9vY", "Zm+v"};
	char text[16];
	uint8_t bytes[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		const char *want = vectors[i].bytes;

		base64_write((const uint8_t *)want, strlen(want), text);
		assert_string_equal(text, vectors[i].text);
		assert_int_equal(base64_len(strlen(want)), strlen(text));
		len = strlen(want);
		assert_true(base64_read(text, strlen(text), bytes, &len));
		assert_int_equal(len, strlen(want));
		assert_memory_equal(bytes, want, len);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		len = sizeof bytes;
		assert_false(base64_read(bad[i], strlen(bad[i]), bytes, &len));
	}
	len = 3;
	assert_false(base64_read("Zm9vYg", 6, bytes, &len));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tags_of_earlier_builds_are_the_same),
	    cmocka_unit_test(a_tag_has_the_bits_asked_for_and_no_sign),
	    cmocka_unit_test(a_tag_depends_on_space_transform_epoch_and_key),
	    cmocka_unit_test(more_spaces_than_are_kept_ready_work),
	    cmocka_unit_test(bits_out_of_range_are_refused),
	    cmocka_unit_test(a_cursor_comes_back_as_it_was),
	    cmocka_unit_test(cursors_of_earlier_builds_open),
	    cmocka_unit_test(a_cursor_of_another_query_or_key_is_refused),
	    cmocka_unit_test(a_changed_or_cut_cursor_is_refused),
	    cmocka_unit_test(base64url_gives_the_answers_of_rfc_4648),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
