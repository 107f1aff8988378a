/* stored.c: the cursor of value_int.h. Replies read stored values on the hot
 * path, where a parser that allocates would cost ten times the rest. */
#include "value_int.h"

#include "codec/doc.h"

#include <stdint.h>
#include <string.h>

bool stored_take(struct stored *s, char c)
{
	if (s->at == s->end || *s->at != c)
		return false;
	s->at++;
	return true;
}

enum err stored_string(struct stored *s, struct stored_string *out)
{
	const char *from, *quote, *at;

	if (!stored_take(s, '"'))
		return ERR_INTERNAL;
	from = s->at;
	quote = memchr(from, '"', (size_t)(s->end - from));
	if (!quote)
		return ERR_INTERNAL;
	*out = (struct stored_string){.text = from, .len = (size_t)(quote - from)};
	at = memchr(from, '\\', out->len);
	if (at) {
		while (at < s->end && *at != '"')
			at += *at == '\\' ? 2 : 1;
		if (at >= s->end)
			return ERR_INTERNAL;
		out->len = (size_t)(at - from);
		out->escaped = true;
		quote = at;
	}
	s->at = quote + 1;
	return ERR_OK;
}

/* Strings, numbers and words end where a comma or bracket comes at depth 0. */
enum err stored_skip(struct stored *s)
{
	const char *const from = s->at;
	struct stored_string ignored;
	size_t depth = 0;
	enum err e;

	while (s->at < s->end) {
		const char c = *s->at;

		if (c == '"') {
			e = stored_string(s, &ignored);
			if (e)
				return e;
			continue;
		}
		if (c == '[' || c == '{')
			depth++;
		if (c == ']' || c == '}') {
			if (depth == 0)
				break;
			depth--;
		}
		if (c == ',' && depth == 0)
			break;
		s->at++;
	}
	return depth == 0 && s->at > from ? ERR_OK : ERR_INTERNAL;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

/* Only what base/json.h writes: the short escapes and \u00xx below a blank. */
enum err stored_decode(const struct stored_string *from, struct buf *out)
{
	static const char shorts[] = "\"\"\\\\b\bf\fn\nr\rt\t";
	const char *at = from->text, *const end = from->text + from->len;

	while (at < end) {
		const char *back = memchr(at, '\\', (size_t)(end - at));
		const char *found = NULL;

		buf_append(out, at, (size_t)((back ? back : end) - at));
		if (!back)
			break;
		if (end - back < 2)
			return ERR_INTERNAL;
		for (const char *p = shorts; *p && !found; p += 2)
			if (*p == back[1])
				found = p + 1;
		if (found) {
			buf_byte(out, (uint8_t)*found);
			at = back + 2;
			continue;
		}
		if (end - back < 6 || memcmp(back, "\\u00", 4) != 0 || hex(back[4]) < 0 || hex(back[4]) > 1 ||
		    hex(back[5]) < 0)
			return ERR_INTERNAL;
		buf_byte(out, (uint8_t)(hex(back[4]) << 4 | hex(back[5])));
		at = back + 6;
	}
	return buf_err(out);
}
