/* clock.c: RFC 3339 both ways, with the civil calendar by arithmetic. */
#include "base/clock.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

static void put_digits(char *at, int64_t v, int digits)
{
	for (int i = digits - 1; i >= 0; i--) {
		at[i] = (char)('0' + v % 10);
		v /= 10;
	}
}

/* Days since 1970-01-01 to year, month, day: eras of 400 years that begin on 1 March. */
static void civil_of_days(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	const int64_t z = days + 719468;
	const int64_t era = z / 146097;
	const int64_t doe = z - era * 146097;
	const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	const int64_t mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

static int64_t days_of_civil(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = year - (month <= 2);
	const int64_t era = y / 400;
	const int64_t yoe = y - era * 400;
	const int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

void clock_format(int64_t at_us, char out[static CLOCK_TEXT_LEN])
{
	const int64_t seconds = at_us < 0 ? 0 : at_us / 1000000;
	const int64_t of_day = seconds % 86400;
	int64_t year, month, day;

	civil_of_days(seconds / 86400, &year, &month, &day);
	memcpy(out, "0000-00-00T00:00:00.000000Z", CLOCK_TEXT_LEN);
	put_digits(out, year, 4);
	put_digits(out + 5, month, 2);
	put_digits(out + 8, day, 2);
	put_digits(out + 11, of_day / 3600, 2);
	put_digits(out + 14, of_day / 60 % 60, 2);
	put_digits(out + 17, of_day % 60, 2);
	put_digits(out + 20, at_us < 0 ? 0 : at_us % 1000000, 6);
}

struct cursor {
	const char *at, *end;
	bool failed;
};

static int64_t take_digits(struct cursor *c, int digits)
{
	int64_t v = 0;

	if (c->end - c->at < digits)
		c->failed = true;
	for (int i = 0; i < digits && !c->failed; i++) {
		if (*c->at < '0' || *c->at > '9')
			c->failed = true;
		else
			v = v * 10 + (*c->at++ - '0');
	}
	return v;
}

static bool take_one_of(struct cursor *c, const char *set)
{
	if (c->at == c->end || !strchr(set, *c->at))
		return false;
	c->at++;
	return true;
}

static void need_one_of(struct cursor *c, const char *set)
{
	if (!take_one_of(c, set))
		c->failed = true;
}

static int64_t take_fraction_us(struct cursor *c)
{
	int64_t us = 0, unit = 100000;
	int digits = 0;

	if (!take_one_of(c, "."))
		return 0;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, digits++) {
		us += unit * (*c->at - '0');
		unit /= 10;
	}
	if (digits == 0 || digits > 9)
		c->failed = true;
	return us;
}

static int64_t take_offset_s(struct cursor *c)
{
	bool west;
	int64_t hours, minutes;

	if (take_one_of(c, "Zz"))
		return 0;
	west = c->at < c->end && *c->at == '-';
	need_one_of(c, "+-");
	hours = take_digits(c, 2);
	need_one_of(c, ":");
	minutes = take_digits(c, 2);
	if (hours > 23 || minutes > 59)
		c->failed = true;
	return (west ? -1 : 1) * (hours * 3600 + minutes * 60);
}

enum err clock_parse(const char *text, size_t len, int64_t *at_us)
{
	static const uint8_t month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	struct cursor c = {.at = text, .end = text + len};
	int64_t year, month, day, hour, minute, second, fraction, offset;

	year = take_digits(&c, 4);
	need_one_of(&c, "-");
	month = take_digits(&c, 2);
	need_one_of(&c, "-");
	day = take_digits(&c, 2);
	need_one_of(&c, "Tt ");
	hour = take_digits(&c, 2);
	need_one_of(&c, ":");
	minute = take_digits(&c, 2);
	need_one_of(&c, ":");
	second = take_digits(&c, 2);
	fraction = take_fraction_us(&c);
	offset = take_offset_s(&c);
	if (c.failed || c.at != c.end || year < 1970 || month < 1 || month > 12 || day < 1 ||
	    day > month_days[month - 1] || hour > 23 || minute > 59 || second > 60)
		return ERR_BAD_PARAMETER;
	*at_us = ((days_of_civil(year, month, day) * 24 + hour) * 3600 + minute * 60 + second - offset) * 1000000 + fraction;
	return ERR_OK;
}
