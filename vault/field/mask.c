/* mask.c: the masked forms. A mask never fails open: text that has not the
 * shape that the mask is made for shows nothing at all. */
#include "field_int.h"

#include <string.h>

#define KEEP_MAX 16 /* characters at either end, for any type */

static void hidden(struct buf *out)
{
	buf_append(out, "***", 3);
}

static void stars(struct buf *out, size_t n)
{
	uint8_t *at = buf_reserve(out, n);

	if (at) {
		memset(at, '*', n);
		out->len += n;
	}
}

/* Where the first a characters end and the last b begin; false of a text that has no more than those. */
static bool find_ends(size_t a, size_t b, const char *text, size_t len, size_t *first_len, size_t *last_at)
{
	size_t last[KEEP_MAX + 1]; /* where the last b + 1 characters began, by number modulo size */
	size_t n = 0;

	if (text_is_plain(text, len)) { /* most numbers and ids */
		*first_len = a;
		*last_at = len - b;
		return len > a + b;
	}
	for (size_t i = 0; i < len; i += text_character(text + i, len - i)) {
		if (n == a)
			*first_len = i;
		last[n % (KEEP_MAX + 1)] = i;
		n++;
	}
	if (n <= a + b)
		return false;
	*last_at = b > 0 ? last[(n - b) % (KEEP_MAX + 1)] : len;
	return true;
}

/* First a and last b characters; nothing of a text that it would show whole. */
static void mask_keep(size_t a, size_t b, const char *text, size_t len, struct buf *out)
{
	size_t first_len = 0, last_at = len;

	if (a > KEEP_MAX || b > KEEP_MAX) {
		hidden(out);
		return;
	}
	if (!find_ends(a, b, text, len, &first_len, &last_at)) {
		buf_append(out, "****", 4);
		return;
	}
	buf_append(out, text, first_len);
	buf_append(out, "****", 4);
	buf_append(out, text + last_at, len - last_at);
}

static void mask_email(const char *text, size_t len, struct buf *out)
{
	const char *at = memrchr(text, '@', len);
	size_t first;

	if (!at || at == text) {
		hidden(out);
		return;
	}
	first = text_character(text, len);
	/* Of a local part of one character nothing is shown. */
	if (first < (size_t)(at - text))
		buf_append(out, text, first);
	hidden(out);
	buf_append(out, at, len - (size_t)(at - text));
}

static bool e164(const char *text, size_t len)
{
	if (len < 9 || len > 16 || text[0] != '+')
		return false;
	for (size_t i = 1; i < len; i++)
		if (!is_digit(text[i]))
			return false;
	return true;
}

static void mask_phone(const char *text, size_t len, struct buf *out)
{
	size_t code;

	if (!e164(text, len)) {
		hidden(out);
		return;
	}
	if (len == 14 && memcmp(text, "+861", 4) == 0) {
		buf_append(out, text + 3, 3);
		buf_append(out, "****", 4);
		buf_append(out, text + 10, 4);
		return;
	}
	code = 1 + calling_code_len(text + 1, len - 1);
	buf_append(out, text, code);
	buf_append(out, "****", 4);
	/* Of a very short number the last four would be nearly all. */
	if (len - code >= 7)
		buf_append(out, text + len - 4, 4);
}

static bool han_only(const char *text, size_t len)
{
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t cp;

		step = text_next(text + i, len - i, &cp);
		if (step == 0 || (!text_is_han(cp) && text_kind(cp) != CHAR_MARK))
			return false;
	}
	return true;
}

static size_t count_characters(const char *text, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += text_character(text + i, len - i))
		n++;
	return n;
}

/* First and last character, a star for each between; of two only the first. */
static void mask_han(const char *text, size_t len, struct buf *out)
{
	const size_t n = count_characters(text, len);
	size_t at = text_character(text, len);

	if (n < 2) {
		stars(out, 1);
		return;
	}
	buf_append(out, text, at);
	if (n == 2) {
		stars(out, 1);
		return;
	}
	stars(out, n - 2);
	for (size_t i = 0; i < n - 2; i++)
		at += text_character(text + at, len - at);
	buf_append(out, text + at, len - at);
}

/* Blanks, and the dot that parts transliterated names. */
static bool parts_words(const char *text, size_t len)
{
	uint32_t cp;

	return text_next(text, len, &cp) > 0 &&
	       (cp == ' ' || cp == 0xb7 || cp == 0x30fb || cp == 0x2027 || (cp > 0x7f && text_kind(cp) == CHAR_BLANK));
}

/* Each word: its first character, a star for each further; a word of one
 * character is a star. */
static void mask_words(const char *text, size_t len, struct buf *out)
{
	size_t i = 0;

	while (i < len) {
		size_t end = i, n = 0, first;

		if (parts_words(text + i, len - i)) {
			first = text_character(text + i, len - i);
			buf_append(out, text + i, first);
			i += first;
			continue;
		}
		first = text_character(text + i, len - i);
		for (; end < len && !parts_words(text + end, len - end); n++)
			end += text_character(text + end, len - end);
		if (n > 1)
			buf_append(out, text + i, first);
		stars(out, n > 1 ? n - 1 : 1);
		i = end;
	}
}

static void mask_name(const char *text, size_t len, struct buf *out)
{
	if (len == 0)
		hidden(out);
	else if (han_only(text, len))
		mask_han(text, len, out);
	else
		mask_words(text, len, out);
}

static void mask_date(bool decade, const char *text, size_t len, struct buf *out)
{
	if (len != 10 || !date_valid(text)) {
		hidden(out);
		return;
	}
	buf_append(out, text, decade ? 3 : 4);
	if (decade)
		buf_append(out, "0s", 2);
}

enum err field_mask(enum field_mask_kind kind, uint8_t a, uint8_t b, const char *text, size_t len, struct buf *out)
{
	switch (kind) {
	case MASK_STARS: hidden(out); break;
	case MASK_KEEP: mask_keep(a, b, text, len, out); break;
	case MASK_EMAIL: mask_email(text, len, out); break;
	case MASK_PHONE: mask_phone(text, len, out); break;
	case MASK_NAME: mask_name(text, len, out); break;
	case MASK_YEAR: mask_date(false, text, len, out); break;
	case MASK_DECADE: mask_date(true, text, len, out); break;
	case MASK_CITY:
		if (len == 0)
			hidden(out);
		else
			buf_append(out, text, len);
		break;
	case MASK_COUNT:
	default: return ERR_DICTIONARY;
	}
	return buf_err(out);
}
