/* The moves between states, and the terms. */
#include "base/clock.h"
#include "vault/app/rights_state.h"
#include "vault/app/rights_term.h"

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
	            {"approved", "running"},     {"approved", "cancelled"},    {"approved", "completed"}, {"approved", "awaiting_approval"},
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

static void expect_term(const char *jurisdiction, const char *received, bool extended, const char *day, const struct calendar *c, int64_t pipl_days)
{
	char text[CLOCK_TEXT_LEN];
	int64_t at, due;

	assert_int_equal(clock_parse(received, strlen(received), &at), ERR_OK);
	assert_true(rights_due(jurisdiction, at, extended, c, pipl_days, &due));
	clock_format(due, text);
	if (strncmp(text, day, 10) != 0)
		fail_msg("%s from %s: %s, not %s", jurisdiction, received, text, day);
	assert_string_equal(text + 10, "T23:59:59.999999Z");
}

static const struct calendar weekends_only = {.n_off = 0};

static void expect_due(const char *jurisdiction, const char *received, bool extended, const char *day)
{
	expect_term(jurisdiction, received, extended, day, &weekends_only, 15);
}

static void a_month_ends_on_the_same_day_or_the_last(void **state)
{
	(void)state;
	expect_due("gdpr", "2026-11-23T10:00:00Z", false, "2026-12-23");
	expect_due("gdpr", "2026-01-31T10:00:00Z", false, "2026-02-28");
	expect_due("gdpr", "2028-01-31T10:00:00Z", false, "2028-02-29");
	expect_due("gdpr", "2026-12-31T23:59:59Z", false, "2027-01-31");
	expect_due("gdpr", "2026-11-30T00:00:00Z", true, "2027-02-28");
	expect_due("gdpr", "2100-01-30T00:00:00Z", false, "2100-02-28");
}

static void add_line(struct calendar *c, const char *line, bool good)
{
	assert_int_equal(calendar_add(c, line, strlen(line)), good);
}

static void working_days_pass_over_weekends_and_days_off(void **state)
{
	struct calendar c = weekends_only;

	(void)state;
	expect_due("pipl", "2026-11-23T10:00:00Z", false, "2026-12-14"); /* Monday */
	expect_due("pipl", "2026-11-21T10:00:00Z", false, "2026-12-11"); /* Saturday */
	expect_due("pipl", "2025-12-15T10:00:00Z", false, "2026-01-05");
	expect_due("pipl", "2026-11-23T10:00:00Z", true, "2027-01-04");
	add_line(&c, "2026-01-01  # a Thursday\n", true);
	expect_term("pipl", "2025-12-15T10:00:00Z", false, "2026-01-06", &c, 15);
	expect_term("pipl", "2026-11-23T10:00:00Z", false, "2026-11-30", &c, 5);
}

/* China moves working days to weekends around its long holidays. */
static void a_weekend_day_that_is_worked_counts(void **state)
{
	struct calendar c = weekends_only;

	(void)state;
	add_line(&c, "+2026-11-28\n", true); /* a Saturday */
	expect_term("pipl", "2026-11-23T10:00:00Z", false, "2026-12-11", &c, 15);
}

static void lines_that_are_no_days_are_refused(void **state)
{
	static const char *const bad[] = {"2026-13-01", "2026-02-30", "yesterday", "2026-1-1", "+", "++2026-01-01", "2026-01-01x", " 2026-01-01", "-2026-01-01"};
	struct calendar c = weekends_only;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		add_line(&c, bad[i], false);
	add_line(&c, "", true);
	add_line(&c, "# only a comment", true);
	assert_int_equal(c.n_off + c.n_worked, 0);
	for (size_t i = 0; i < CALENDAR_MAX; i++)
		add_line(&c, "2026-01-01", true);
	add_line(&c, "2026-01-01", false);
}

static void an_unknown_jurisdiction_has_no_term(void **state)
{
	int64_t due;

	(void)state;
	assert_false(rights_due("mars", 0, false, &weekends_only, 15, &due));
	assert_false(rights_jurisdiction_known("mars"));
	assert_true(rights_jurisdiction_known("gdpr") && rights_jurisdiction_known("pipl"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_the_moves_of_the_table_are_allowed),
	    cmocka_unit_test(what_has_ended_moves_no_more),
	    cmocka_unit_test(names_go_both_ways),
	    cmocka_unit_test(a_month_ends_on_the_same_day_or_the_last),
	    cmocka_unit_test(working_days_pass_over_weekends_and_days_off),
	    cmocka_unit_test(a_weekend_day_that_is_worked_counts),
	    cmocka_unit_test(lines_that_are_no_days_are_refused),
	    cmocka_unit_test(an_unknown_jurisdiction_has_no_term),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
