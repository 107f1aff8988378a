/* rights_term.c: the table of terms. */
#include "vault/app/rights_term.h"

#include <string.h>

#define DAY_US ((int64_t)86400 * 1000000)

/* Days since 1970 to a date and back (proleptic Gregorian calendar). */
static void date_of(int64_t days, int64_t *year, int64_t *month, int64_t *day)
{
	int64_t z = days + 719468, era = z / 146097, of_era = z - era * 146097;
	int64_t yoe = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t doy = of_era - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = yoe + era * 400 + (*month <= 2);
}

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	const int64_t y = year - (month <= 2), era = y / 400, yoe = y - era * 400;
	const int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* The same day of a later month, or that month's last one (Regulation 1182/71, article 3). */
static int64_t add_months(int64_t days, int64_t months)
{
	static const int64_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int64_t year, month, day, last;

	date_of(days, &year, &month, &day);
	month += months;
	year += (month - 1) / 12;
	month = (month - 1) % 12 + 1;
	last = lengths[month - 1] + (month == 2 && ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0));
	return days_of(year, month, day < last ? day : last);
}

/* ---- terms ---- */

enum unit { MONTHS, WORKING_DAYS };

static const struct term {
	const char *jurisdiction;
	enum unit unit;
	int64_t first, extended; /* WORKING_DAYS: in terms of the configured number */
} terms[] = {
    {"gdpr", MONTHS, 1, 3},       /* article 12(3) */
    {"pipl", WORKING_DAYS, 1, 2}, /* article 50 says "in time": 15 working days unless configured */
};

static const struct term *find_term(const char *jurisdiction)
{
	for (size_t i = 0; i < sizeof terms / sizeof *terms; i++)
		if (!strcmp(terms[i].jurisdiction, jurisdiction))
			return &terms[i];
	return NULL;
}

bool rights_jurisdiction_known(const char *jurisdiction)
{
	return find_term(jurisdiction) != NULL;
}

bool rights_due(const char *jurisdiction, int64_t received_us, bool extended, const struct calendar *c, int64_t pipl_days, int64_t *due_us)
{
	const struct term *t = find_term(jurisdiction);
	int64_t day = received_us / DAY_US, n;

	if (!t)
		return false;
	n = extended ? t->extended : t->first;
	if (t->unit == MONTHS)
		day = add_months(day, n);
	else
		for (int64_t left = n * pipl_days; left > 0; left -= calendar_works(c, day))
			day++;
	*due_us = (day + 1) * DAY_US - 1;
	return true;
}
