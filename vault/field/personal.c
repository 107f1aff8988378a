/* personal.c: text, names, dates and gender. */
#include "field_int.h"

#include "base/clock.h"

#include <string.h>

#define NAME_CHARACTERS_MAX 100

/* Stored as given: anything but control characters (line ends and tabs are
 * text), with something to see in it. */
enum err text_check(const char *country, const char *text, size_t len, struct buf *out)
{
	bool seen = false;

	(void)country;
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t cp;

		step = text_next(text + i, len - i, &cp);
		if (step == 0)
			return ERR_INVALID_VALUE;
		if (cp == '\t' || cp == '\n' || cp == '\r')
			continue;
		if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0))
			return ERR_INVALID_VALUE;
		seen = seen || (cp > 0x20 && cp < 0x7f) || text_kind(cp) != CHAR_BLANK;
	}
	if (!seen)
		return ERR_INVALID_VALUE;
	buf_append(out, text, len);
	return buf_err(out);
}

/* What stands between the letters of names: . ' ’ - ‐ · ‧ ・ and blanks. */
static bool name_sign(uint32_t cp)
{
	switch (cp) {
	case '.':
	case '\'':
	case '-':
	case 0x2019:
	case 0x2010:
	case 0xb7:
	case 0x2027:
	case 0x30fb: return true;
	default: return text_kind(cp) == CHAR_BLANK;
	}
}

enum err name_check(const char *country, const char *text, size_t len, struct buf *out)
{
	size_t characters = 0;
	bool letter = false;

	(void)country;
	for (size_t i = 0, step; i < len; i += step) {
		uint32_t cp;
		enum char_kind kind;

		step = text_next(text + i, len - i, &cp);
		if (step == 0)
			return ERR_INVALID_VALUE;
		kind = text_kind(cp);
		if (kind == CHAR_LETTER)
			letter = true;
		else if (kind == CHAR_MARK ? !letter : !name_sign(cp))
			return ERR_INVALID_VALUE;
	}
	if (!letter)
		return ERR_INVALID_VALUE;
	for (size_t i = 0; i < len; i += text_character(text + i, len - i))
		if (++characters > NAME_CHARACTERS_MAX)
			return ERR_VALUE_TOO_LONG;
	buf_append(out, text, len);
	return buf_err(out);
}

static unsigned digits_of(const char *text, size_t n)
{
	unsigned v = 0;

	for (size_t i = 0; i < n; i++)
		v = v * 10 + (unsigned)(text[i] - '0');
	return v;
}

bool date_valid(const char text[static 10])
{
	static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned year, month, day, length;

	for (size_t i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? text[i] != '-' : !is_digit(text[i]))
			return false;
	year = digits_of(text, 4);
	month = digits_of(text + 5, 2);
	day = digits_of(text + 8, 2);
	if (year < 1 || month < 1 || month > 12)
		return false;
	length = lengths[month - 1];
	if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
		length = 29;
	return day >= 1 && day <= length;
}

bool birth_date_valid(const char text[static 10])
{
	/* East of Greenwich a child may be born "tomorrow": UTC+14 is the furthest. */
	const int64_t latest = clock_now_us() + INT64_C(14) * 3600 * 1000000;
	char today[CLOCK_TEXT_LEN];

	if (!date_valid(text) || digits_of(text, 4) < 1850)
		return false;
	clock_format(latest, today);
	return memcmp(text, today, 10) <= 0;
}

enum err date_check(const char *country, const char *text, size_t len, struct buf *out)
{
	(void)country;
	if (len != 10 || !date_valid(text))
		return ERR_INVALID_VALUE;
	buf_append(out, text, len);
	return buf_err(out);
}

enum err birth_date_check(const char *country, const char *text, size_t len, struct buf *out)
{
	(void)country;
	if (len != 10 || !birth_date_valid(text))
		return ERR_INVALID_VALUE;
	buf_append(out, text, len);
	return buf_err(out);
}

enum err gender_check(const char *country, const char *text, size_t len, struct buf *out)
{
	static const char *const words[] = {"male", "female", "other", "unknown"};

	(void)country;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0) {
			buf_append(out, text, len);
			return buf_err(out);
		}
	}
	return ERR_INVALID_VALUE;
}
