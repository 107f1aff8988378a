/* calendar.c: working days. */
#include "vault/app/calendar.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY_US ((int64_t)86400 * 1000000)

static bool holds(const int64_t *days, size_t n, int64_t day)
{
	for (size_t i = 0; i < n; i++)
		if (days[i] == day)
			return true;
	return false;
}

bool calendar_works(const struct calendar *c, int64_t day)
{
	const int64_t weekday = (day + 3) % 7; /* 0: Monday; 1970-01-01 was a Thursday */

	if (weekday >= 5)
		return holds(c->worked, c->n_worked, day);
	return !holds(c->off, c->n_off, day);
}

bool calendar_add(struct calendar *c, const char *line, size_t len)
{
	const char *comment = memchr(line, '#', len);
	char time[CLOCK_TEXT_LEN];
	bool worked;
	int64_t at;

	len = comment ? (size_t)(comment - line) : len;
	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	if (len == 0)
		return true;
	worked = *line == '+';
	line += worked;
	len -= worked;
	if (len != 10 || (worked ? c->n_worked : c->n_off) == CALENDAR_MAX)
		return false;
	snprintf(time, sizeof time, "%.10sT00:00:00Z", line);
	if (clock_parse(time, strlen(time), &at))
		return false;
	if (worked)
		c->worked[c->n_worked++] = at / DAY_US;
	else
		c->off[c->n_off++] = at / DAY_US;
	return true;
}

enum err calendar_read(const char *path, struct calendar *out, struct buf *why)
{
	FILE *f = *path ? fopen(path, "re") : NULL;
	unsigned number = 0, fault = 0;
	char line[256];

	*out = (struct calendar){.n_off = 0};
	if (*path && !f) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return ERR_CONFIG;
	}
	while (f && fgets(line, sizeof line, f)) {
		number++;
		if (!calendar_add(out, line, strlen(line)) && !fault)
			fault = number;
	}
	if (f)
		fclose(f);
	if (!fault)
		return ERR_OK;
	buf_printf(why, "%s:%u: a line is no YYYY-MM-DD or +YYYY-MM-DD, or one too many", path, fault);
	return ERR_CONFIG;
}
