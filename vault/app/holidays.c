/* holidays.c: the days that are no working days, from the file that VAULT_HOLIDAYS names. */
#include "vault/app/holidays.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DAY_US ((int64_t)86400 * 1000000)

static bool read_day(const char *text, int64_t *day)
{
	char time[CLOCK_TEXT_LEN];
	int64_t at;

	snprintf(time, sizeof time, "%.10sT00:00:00Z", text);
	if (strlen(text) != 10 || clock_parse(time, strlen(time), &at))
		return false;
	*day = at / DAY_US;
	return true;
}

enum err holidays_read(const char *path, int64_t days[static HOLIDAYS_MAX], size_t *n, struct buf *why)
{
	FILE *f = *path ? fopen(path, "re") : NULL;
	const char *fault = NULL;
	unsigned number = 0, at = 0;
	char line[256];

	*n = 0;
	if (*path && !f) {
		buf_printf(why, "%s: %s", path, strerror(errno));
		return ERR_CONFIG;
	}
	while (f && fgets(line, sizeof line, f)) {
		number++;
		line[strcspn(line, "#\r\n \t")] = 0;
		if (!*line)
			continue;
		if (*n < HOLIDAYS_MAX && read_day(line, &days[*n]))
			(*n)++;
		else if (!fault) {
			fault = *n < HOLIDAYS_MAX ? "a line is no YYYY-MM-DD" : "more days than a file may hold";
			at = number;
		}
	}
	if (f)
		fclose(f);
	if (!fault)
		return ERR_OK;
	buf_printf(why, "%s:%u: %s", path, at, fault);
	return ERR_CONFIG;
}
