/* unicode.c: text by character. The only file that knows utf8proc.
 *
 * What utf8proc calls normal form depends on its Unicode version only for code
 * points that were unassigned before (Unicode's stability policy), so an index
 * outlives an update of the library. */
#include "field_int.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

size_t text_next(const char *text, size_t len, uint32_t *cp)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t need;
	uint32_t c, least;

	if (len == 0)
		return 0;
	c = at[0];
	if (c < 0x80) {
		*cp = c;
		return 1;
	}
	if (c < 0xc2 || c > 0xf4)
		return 0;
	need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	least = need == 2 ? 0x80 : need == 3 ? 0x800 : 0x10000;
	if (len < need)
		return 0;
	c &= 0x7fu >> need;
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3fu);
	}
	if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*cp = c;
	return need;
}

bool text_valid(const char *text, size_t len)
{
	uint32_t cp;

	for (size_t i = 0, step; i < len; i += step) {
		step = text_next(text + i, len - i, &cp);
		if (step == 0 || cp == 0)
			return false;
	}
	return true;
}

bool text_is_han(uint32_t cp)
{
	return (cp >= 0x4e00 && cp <= 0x9fff) || (cp >= 0x3400 && cp <= 0x4dbf) || cp == 0x3005 || cp == 0x3007 ||
	       (cp >= 0x2e80 && cp <= 0x2fdf) || (cp >= 0xf900 && cp <= 0xfaff) || (cp >= 0x20000 && cp <= 0x3fffd);
}

static enum char_kind ascii_kind(char c)
{
	if (is_alpha(c))
		return CHAR_LETTER;
	if (is_digit(c))
		return CHAR_DIGIT;
	if (c == ' ')
		return CHAR_BLANK;
	return c < ' ' || c == 0x7f ? CHAR_CONTROL : CHAR_OTHER;
}

enum char_kind text_kind(uint32_t cp)
{
	if (cp < 0x80)
		return ascii_kind((char)cp);
	if (cp == 0x200c || cp == 0x200d)
		return CHAR_MARK;
	if (text_is_han(cp))
		return CHAR_LETTER;
	switch (utf8proc_category((utf8proc_int32_t)cp)) {
	case UTF8PROC_CATEGORY_LU:
	case UTF8PROC_CATEGORY_LL:
	case UTF8PROC_CATEGORY_LT:
	case UTF8PROC_CATEGORY_LM:
	case UTF8PROC_CATEGORY_LO:
	case UTF8PROC_CATEGORY_NL: return CHAR_LETTER;
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_MC:
	case UTF8PROC_CATEGORY_ME: return CHAR_MARK;
	case UTF8PROC_CATEGORY_ND: return CHAR_DIGIT;
	case UTF8PROC_CATEGORY_ZS: return CHAR_BLANK;
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS: return CHAR_CONTROL;
	case UTF8PROC_CATEGORY_CN:
	case UTF8PROC_CATEGORY_NO:
	case UTF8PROC_CATEGORY_PC:
	case UTF8PROC_CATEGORY_PD:
	case UTF8PROC_CATEGORY_PS:
	case UTF8PROC_CATEGORY_PE:
	case UTF8PROC_CATEGORY_PI:
	case UTF8PROC_CATEGORY_PF:
	case UTF8PROC_CATEGORY_PO:
	case UTF8PROC_CATEGORY_SM:
	case UTF8PROC_CATEGORY_SC:
	case UTF8PROC_CATEGORY_SK:
	case UTF8PROC_CATEGORY_SO:
	case UTF8PROC_CATEGORY_CO:
	default: return CHAR_OTHER;
	}
}

/* A code point that is always a character of its own beside its like: spares
 * the hot path (names, numbers) a table look-up each. */
static bool stands_alone(uint32_t cp)
{
	return (cp >= 0x20 && cp < 0x7f) || (cp >= 0x4e00 && cp <= 0x9fff);
}

size_t text_character(const char *text, size_t len)
{
	utf8proc_int32_t state = 0;
	uint32_t cp, next;
	size_t taken, step;

	if (len < 2 || (stands_alone((uint8_t)text[0]) && stands_alone((uint8_t)text[1])))
		return len < 2 ? len : 1;
	taken = text_next(text, len, &cp);
	if (taken == 0)
		return 1;
	for (;;) {
		step = text_next(text + taken, len - taken, &next);
		if (step == 0 || (stands_alone(cp) && stands_alone(next)))
			return taken;
		if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)cp, (utf8proc_int32_t)next, &state))
			return taken;
		taken += step;
		cp = next;
	}
}

bool text_is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((uint8_t)text[i] < 0x20 || (uint8_t)text[i] >= 0x7f)
			return false;
	return true;
}

static bool is_ascii(const char *text, size_t len)
{
	uint8_t all = 0;

	for (size_t i = 0; i < len; i++)
		all |= (uint8_t)text[i];
	return all < 0x80;
}

static void append_ascii(const char *text, size_t len, bool fold, struct buf *out)
{
	uint8_t *at = buf_reserve(out, len);

	for (size_t i = 0; at && i < len; i++)
		at[i] = (uint8_t)(fold && text[i] >= 'A' && text[i] <= 'Z' ? text[i] - 'A' + 'a' : text[i]);
	if (at)
		out->len += len;
}

/* utf8proc_map would allocate and free copies of the text that nobody wipes;
 * so its two halves are called, on memory of ours. */
enum err text_nfkc(const char *text, size_t len, bool fold, struct buf *out)
{
	const utf8proc_option_t options = (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT |
	                                                      (fold ? UTF8PROC_CASEFOLD | UTF8PROC_IGNORE : 0));
	utf8proc_int32_t room[128], *points = room;
	utf8proc_ssize_t n, held = sizeof room / sizeof room[0] - 1;
	enum err e = ERR_INVALID_VALUE;

	if (is_ascii(text, len)) {
		append_ascii(text, len, fold, out);
		return buf_err(out);
	}
	n = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, room, held, options);
	if (n > held) {
		held = n;
		points = malloc(((size_t)held + 1) * sizeof *points);
		if (!points) {
			e = ERR_MEMORY;
			goto out;
		}
		n = utf8proc_decompose((const utf8proc_uint8_t *)text, (utf8proc_ssize_t)len, points, held, options);
	}
	if (n >= 0)
		n = utf8proc_reencode(points, n, options);
	if (n < 0)
		goto out;
	buf_append(out, points, (size_t)n);
	e = buf_err(out);
out:
	if (points && points != room) {
		explicit_bzero(points, ((size_t)held + 1) * sizeof *points);
		free(points);
	}
	explicit_bzero(room, sizeof room);
	return e;
}

uint32_t text_upper(uint32_t cp)
{
	if (cp < 0x80)
		return (uint32_t)to_upper((char)cp);
	return (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp);
}

void text_put(struct buf *out, uint32_t cp)
{
	utf8proc_uint8_t bytes[4];
	const utf8proc_ssize_t n = utf8proc_encode_char((utf8proc_int32_t)cp, bytes);

	if (n > 0)
		buf_append(out, bytes, (size_t)n);
}
