/* rights_state.c: tables of names, moves and terms. */
#include "vault/app/rights_state.h"

#include <string.h>

static const char *const states[RIGHTS_STATES] = {"received", "verifying", "awaiting_approval", "approved", "running",
                                                  "on_hold",  "completed", "denied",            "cancelled", "failed"};
static const char *const kinds[RIGHTS_KINDS] = {"export", "erase", "rectify", "restrict", "object"};

/* From (row) to (column). */
static const bool moves[RIGHTS_STATES][RIGHTS_STATES] = {
    [RIGHTS_RECEIVED] = {[RIGHTS_VERIFYING] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    [RIGHTS_VERIFYING] = {[RIGHTS_AWAITING_APPROVAL] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    [RIGHTS_AWAITING_APPROVAL] = {[RIGHTS_APPROVED] = true, [RIGHTS_DENIED] = true, [RIGHTS_CANCELLED] = true},
    [RIGHTS_APPROVED] = {[RIGHTS_RUNNING] = true, [RIGHTS_CANCELLED] = true, [RIGHTS_DONE] = true}, /* done: rectification */
    [RIGHTS_RUNNING] = {[RIGHTS_HELD] = true, [RIGHTS_DONE] = true, [RIGHTS_FAILED] = true},
    [RIGHTS_HELD] = {[RIGHTS_RUNNING] = true},
    [RIGHTS_FAILED] = {[RIGHTS_APPROVED] = true, [RIGHTS_CANCELLED] = true},
};

static int find(const char *const *names, int n, const char *name)
{
	for (int i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return i;
	return -1;
}

const char *rights_state_name(int state)
{
	return state >= 0 && state < RIGHTS_STATES ? states[state] : NULL;
}

int rights_state_of(const char *name)
{
	return find(states, RIGHTS_STATES, name);
}

const char *rights_kind_name(int kind)
{
	return kind >= 0 && kind < RIGHTS_KINDS ? kinds[kind] : NULL;
}

int rights_kind_of(const char *name)
{
	return find(kinds, RIGHTS_KINDS, name);
}

bool rights_may_move(int from, int to)
{
	return from >= 0 && from < RIGHTS_STATES && to >= 0 && to < RIGHTS_STATES && moves[from][to];
}

bool rights_ended(int state)
{
	return state == RIGHTS_DONE || state == RIGHTS_DENIED || state == RIGHTS_CANCELLED;
}

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

static bool working_day(int64_t day, const int64_t *holidays, size_t n)
{
	const int64_t weekday = (day + 3) % 7; /* 0: Monday; 1970-01-01 was a Thursday */

	for (size_t i = 0; i < n; i++)
		if (holidays[i] == day)
			return false;
	return weekday < 5;
}

bool rights_due(const char *jurisdiction, int64_t received_us, bool extended, const int64_t *holidays, size_t n, int64_t *due_us)
{
	int64_t day = received_us / DAY_US;

	if (!strcmp(jurisdiction, "gdpr")) {
		day = add_months(day, extended ? 3 : 1);
	} else if (!strcmp(jurisdiction, "pipl")) {
		for (int left = extended ? 30 : 15; left > 0; left -= working_day(day, holidays, n))
			day++;
	} else {
		return false;
	}
	*due_us = (day + 1) * DAY_US - 1;
	return true;
}
