/* value_int.h: a cursor over the JSON text that value_store wrote.
 *
 * It reads compact JSON without blanks, never past the end, and refuses what
 * value_store would not write. */
#ifndef CODEC_VALUE_INT_H
#define CODEC_VALUE_INT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct stored {
	const char *at, *end;
};

/* A string inside the text: its bytes between the quotes. */
struct stored_string {
	const char *text;
	size_t len;
	bool escaped; /* holds a backslash, so that it must be decoded before it is read */
};

/* True, and one byte further, if c comes next. */
bool stored_take(struct stored *s, char c);
enum err stored_string(struct stored *s, struct stored_string *out) MUST_CHECK;
/* Passes over one value of any kind. ERR_INTERNAL as the others. */
enum err stored_skip(struct stored *s) MUST_CHECK;
/* Appends the string's characters with its escapes undone. */
enum err stored_decode(const struct stored_string *from, struct buf *out) MUST_CHECK;

#endif
