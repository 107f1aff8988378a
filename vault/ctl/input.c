/* input.c: files, numbers, times and words that a user gives, and the way out. */
#include "base/clock.h"
#include "ctl/commands.h"
#include "ctl/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

int complain(int code, const char *format, ...)
{
	va_list args;

	fputs("error: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int output(const struct buf *text)
{
	if (!buf_ok(text))
		return complain(CTL_SERVER, "out of memory");
	if (text->len && fwrite(text->data, 1, text->len, stdout) != text->len)
		return complain(CTL_SERVER, "standard output: %s", strerror(errno));
	if (fflush(stdout))
		return complain(CTL_SERVER, "standard output: %s", strerror(errno));
	return CTL_OK;
}

void tell_more(const char *cursor, size_t len)
{
	struct buf text;

	buf_init(&text, 0);
	buf_text(&text, "There are more: --cursor ");
	text_clean(cursor, len, false, &text);
	fprintf(stderr, "%s\n", buf_string(&text));
	buf_fini(&text);
}

static bool read_all(FILE *f, struct buf *out)
{
	for (;;) {
		uint8_t *at = buf_reserve(out, 4096);
		size_t got;

		if (!at)
			return false;
		got = fread(at, 1, 4096, f);
		out->len += got;
		if (got == 0)
			return !ferror(f);
	}
}

bool input_read(const char *path, size_t limit, struct buf *out)
{
	const bool standard = !strcmp(path, "-");
	const char *name = standard ? "standard input" : path;
	FILE *f = standard ? stdin : fopen(path, "rbe");
	bool good;

	/* One block more than the limit, so that a text of exactly limit bytes fits. */
	buf_init(out, limit + 4096);
	if (!f) {
		complain(CTL_USAGE, "%s: %s", name, strerror(errno));
		return false;
	}
	if (standard && isatty(STDIN_FILENO))
		fputs("Reading from the terminal; end with Ctrl-D on a line of its own.\n", stderr);
	good = read_all(f, out);
	if (!good && buf_ok(out))
		complain(CTL_USAGE, "%s: %s", name, strerror(errno));
	if (!buf_ok(out) || out->len > limit) {
		complain(CTL_USAGE, "%s: is larger than %zu bytes", name, limit);
		good = false;
	} else if (good && !text_is_utf8((const char *)out->data, out->len)) {
		complain(CTL_USAGE, "%s: is not UTF-8", name);
		good = false;
	}
	if (!standard)
		fclose(f);
	return good;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool input_hex(const char *text, size_t len, uint8_t *out, size_t n)
{
	if (!text || len != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const int high = digit_of(text[2 * i]), low = digit_of(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

bool input_number(const char *text, long least, long most, long *out)
{
	const size_t len = strlen(text);

	if (len == 0 || len > 9 || strspn(text, DIGITS) != len)
		return false;
	*out = strtol(text, NULL, 10);
	return *out >= least && *out <= most;
}

bool input_time(const char *text, int64_t now_us, struct buf *out)
{
	static const struct { char unit; int64_t seconds; } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
	const size_t len = strlen(text);
	char stamp[CLOCK_TEXT_LEN];
	int64_t at_us = 0;
	long n;

	if (clock_parse(text, len, &at_us) != ERR_OK) {
		const size_t unit_at = strspn(text, DIGITS);
		char digits[8] = "";
		size_t u = 0;

		while (u < sizeof units / sizeof *units && units[u].unit != text[unit_at])
			u++;
		if (unit_at + 1 != len || unit_at >= sizeof digits || u == sizeof units / sizeof *units)
			return false;
		memcpy(digits, text, unit_at);
		if (!input_number(digits, 0, 9999999, &n))
			return false;
		at_us = now_us - (int64_t)n * units[u].seconds * 1000000;
		if (at_us < 0)
			return false;
	}
	clock_format(at_us, stamp);
	buf_text(out, stamp);
	return true;
}

void input_query(struct buf *path, const char *name, const char *value)
{
	const bool first = !path->len || !memchr(path->data, '?', path->len);

	if (!value)
		return;
	buf_printf(path, "%c%s=", first ? '?' : '&', name);
	for (; *value; value++) {
		/* RFC 3986, section 2.3: all but the unreserved are encoded. */
		if (strchr(LETTERS DIGITS "-._~", *value))
			buf_byte(path, (uint8_t)*value);
		else
			buf_printf(path, "%%%02X", (unsigned)(unsigned char)*value);
	}
}

bool input_is_word(const char *text)
{
	const size_t len = strlen(text);

	return len >= 1 && len <= 64 && strspn(text, LETTERS DIGITS "._-") == len;
}

bool input_is_customer(const char *text)
{
	const size_t len = strlen(text);

	return len > 4 && len < 128 && (!strncmp(text, "cus1", 4) || !strncmp(text, "CUS1", 4)) &&
	       strspn(text, LETTERS DIGITS) == len;
}

bool input_is_request(const char *text)
{
	return !strncmp(text, "req1", 4) && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789") == strlen(text) && strlen(text) < 90;
}
