/* field_test.h: what the tests of this floor share. */
#ifndef FIELD_TEST_H
#define FIELD_TEST_H

#include "field/field.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static inline enum err check_len(enum field_type type, const char *country, const char *text, size_t len,
                                 struct buf *out)
{
	const struct field f = {.type = type};

	return field_check(&f, country, text, len, out);
}

/* text is taken and stored as stored */
static inline void assert_stored_in(enum field_type type, const char *country, const char *text, const char *stored)
{
	struct buf out;

	buf_init(&out, 0);
	if (check_len(type, country, text, strlen(text), &out))
		fail_msg("refused: %s", text);
	assert_string_equal(buf_string(&out), stored);
	buf_fini(&out);
}

static inline void assert_stored(enum field_type type, const char *text, const char *stored)
{
	assert_stored_in(type, "CN", text, stored);
}

static inline void assert_kept(enum field_type type, const char *text)
{
	assert_stored(type, text, text);
}

static inline void assert_refused_in(enum field_type type, const char *country, const char *text, enum err expected)
{
	struct buf out;
	enum err e;

	buf_init(&out, 0);
	buf_text(&out, "before");
	e = check_len(type, country, text, strlen(text), &out);
	if (e != expected)
		fail_msg("%s: %s instead of %s", text, err_code(e), err_code(expected));
	assert_string_equal(buf_string(&out), "before");
	buf_fini(&out);
}

static inline void assert_refused(enum field_type type, const char *text)
{
	assert_refused_in(type, "CN", text, ERR_INVALID_VALUE);
}

#endif
