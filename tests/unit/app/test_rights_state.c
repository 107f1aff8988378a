/* The moves between states, and the terms. */
#include "base/clock.h"
#include "vault/app/rights_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void only_the_moves_of_the_table_are_allowed(void **state)
{
	static const struct {
		const char *from, *to;
	} good[] = {{"received", "verifying"},   {"received", "denied"},       {"received", "cancelled"},
	            {"verifying", "awaiting_approval"}, {"verifying", "denied"}, {"verifying", "cancelled"},
	            {"awaiting_approval", "approved"},  {"awaiting_approval", "denied"}, {"awaiting_approval", "cancelled"},
	            {"approved", "running"},     {"approved", "cancelled"},    {"approved", "completed"},
	            {"running", "on_hold"},      {"running", "completed"},     {"running", "failed"},
	            {"on_hold", "running"},      {"failed", "approved"},       {"failed", "cancelled"}};
	size_t allowed = 0;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(rights_may_move(rights_state_of(good[i].from), rights_state_of(good[i].to)));
	for (int from = -2; from < RIGHTS_STATES + 2; from++)
		for (int to = -2; to < RIGHTS_STATES + 2; to++)
			allowed += rights_may_move(from, to);
	assert_int_equal(allowed, sizeof good / sizeof *good);
}

static void what_has_ended_moves_no_more(void **state)
{
	(void)state;
	for (int from = 0; from < RIGHTS_STATES; from++)
		for (int to = 0; to < RIGHTS_STATES; to++)
			assert_false(rights_ended(from) && rights_may_move(from, to));
}

static void names_go_both_ways(void **state)
{
	(void)state;
	for (int i = 0; i < RIGHTS_STATES; i++)
		assert_int_equal(rights_state_of(rights_state_name(i)), i);
	for (int i = 0; i < RIGHTS_KINDS; i++)
		assert_int_equal(rights_kind_of(rights_kind_name(i)), i);
	assert_int_equal(rights_state_of("gone"), -1);
	assert_int_equal(rights_kind_of(""), -1);
	assert_null(rights_state_name(-1));
	assert_null(rights_kind_name(RIGHTS_KINDS));
}

static void expect_due(const char *jurisdiction, const char *received, bool extended, const char *day, const int64_t *holidays, size_t n)
{
	char text[CLOCK_TEXT_LEN];
	int64_t at, due;

	assert_int_equal(clock_parse(received, strlen(received), &at), ERR_OK);
	assert_true(rights_due(jurisdiction, at, extended, holidays, n, &due));
	clock_format(due, text);
	if (strncmp(text, day, 10) != 0)
		fail_msg("%s from %s: %s, not %s", jurisdiction, received, text, day);
	assert_string_equal(text + 10, "T23:59:59.999999Z");
}

static void a_month_ends_on_the_same_day_or_the_last(void **state)
{
	(void)state;
	expect_due("gdpr", "2026-11-23T10:00:00Z", false, "2026-12-23", NULL, 0);
	expect_due("gdpr", "2026-01-31T10:00:00Z", false, "2026-02-28", NULL, 0);
	expect_due("gdpr", "2028-01-31T10:00:00Z", false, "2028-02-29", NULL, 0);
	expect_due("gdpr", "2026-12-31T23:59:59Z", false, "2027-01-31", NULL, 0);
	expect_due("gdpr", "2026-11-30T00:00:00Z", true, "2027-02-28", NULL, 0);
	expect_due("gdpr", "2100-01-30T00:00:00Z", false, "2100-02-28", NULL, 0);
}

static void working_days_pass_over_weekends_and_holidays(void **state)
{
	const int64_t new_year = 20454; /* 2026-01-01, a Thursday */

	(void)state;
	expect_due("pipl", "2026-11-23T10:00:00Z", false, "2026-12-14", NULL, 0); /* Monday */
	expect_due("pipl", "2026-11-21T10:00:00Z", false, "2026-12-11", NULL, 0); /* Saturday */
	expect_due("pipl", "2025-12-15T10:00:00Z", false, "2026-01-05", NULL, 0);
	expect_due("pipl", "2025-12-15T10:00:00Z", false, "2026-01-06", &new_year, 1);
	expect_due("pipl", "2026-11-23T10:00:00Z", true, "2027-01-04", NULL, 0);
}

static void an_unknown_jurisdiction_has_no_term(void **state)
{
	int64_t due;

	(void)state;
	assert_false(rights_due("mars", 0, false, NULL, 0, &due));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_moves_of_the_table_are_allowed),
	    cmocka_unit_test(what_has_ended_moves_no_more),
	    cmocka_unit_test(names_go_both_ways),
	    cmocka_unit_test(a_month_ends_on_the_same_day_or_the_last),
	    cmocka_unit_test(working_days_pass_over_weekends_and_holidays),
	    cmocka_unit_test(an_unknown_jurisdiction_has_no_term),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
