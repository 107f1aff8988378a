/* What of a customer's decisions counts: each event against a naive model, and notices that ask anew. */
#include "vault/app/consent_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DAY_US ((int64_t)86400 * 1000000)

struct model {
	bool consented, basis, objected, restricted;
};

static void model_apply(struct model *m, enum consent_kind kind)
{
	if (kind == CONSENT_GIVEN || kind == CONSENT_REFUSED || kind == CONSENT_WITHDRAWN || kind == CONSENT_EXPIRED)
		m->consented = kind == CONSENT_GIVEN;
	if (kind == BASIS_RECORDED || kind == BASIS_ENDED)
		m->basis = kind == BASIS_RECORDED;
	if (kind == OBJECTION_MADE || kind == OBJECTION_LIFTED)
		m->objected = kind == OBJECTION_MADE;
	if (kind == RESTRICTION_SET || kind == RESTRICTION_LIFTED)
		m->restricted = kind == RESTRICTION_SET;
}

static unsigned model_bits(const struct model *m)
{
	return (m->consented ? STATE_CONSENTED : 0) | (m->basis ? STATE_BASIS : 0) | (m->objected ? STATE_OBJECTED : 0) |
	       (m->restricted ? STATE_RESTRICTED : 0);
}

static void every_sequence_of_events_ends_as_its_last_words_say(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct model models[POLICY_PURPOSES_MAX + 1] = {{false, false, false, false}};
		struct consent_state s;

		consent_state_init(&s, 5);
		for (int i = rand_r(&seed) % 40; i > 0; i--) {
			const enum consent_kind kind = (enum consent_kind)(1 + rand_r(&seed) % (CONSENT_KINDS - 1));
			const bool all = kind >= RESTRICTION_SET && rand_r(&seed) % 2;
			const struct consent_event e = {.kind = kind,
			                                .purpose = all ? 0 : (uint16_t)(1 + rand_r(&seed) % POLICY_PURPOSES_MAX),
			                                .valid_until_us = INT64_MAX};

			consent_state_apply(&s, &e);
			for (uint16_t p = 1; p <= POLICY_PURPOSES_MAX; p++)
				if (all || p == e.purpose)
					model_apply(&models[p], kind);
		}
		for (uint16_t p = 1; p <= POLICY_PURPOSES_MAX; p++)
			assert_int_equal(consent_state_bits(&s, p), model_bits(&models[p]));
		assert_int_equal(consent_state_bits(&s, 0), 0);
		assert_int_equal(consent_state_bits(&s, POLICY_PURPOSES_MAX + 1), 0);
	}
}

static void the_earliest_expiry_is_kept(void **state)
{
	struct consent_state s;

	(void)state;
	consent_state_init(&s, 1);
	assert_true(s.valid_until_us == INT64_MAX);
	consent_state_apply(&s, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 3, .valid_until_us = 200});
	consent_state_apply(&s, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 4, .valid_until_us = 100});
	consent_state_apply(&s, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 5, .valid_until_us = 300});
	assert_true(s.valid_until_us == 100);
}

static void a_renewed_notice_undoes_the_consents_recorded_before_it(void **state)
{
	struct purpose purposes[2] = {{.number = 3, .renewed_revision = 10}, {.number = 4}};
	const struct snapshot snap = {.revision = 12, .purposes = purposes, .n_purposes = 2};
	struct consent_state before, now;
	struct customer_row row = {.state_len = CONSENT_STATE_LEN};

	(void)state;
	consent_state_init(&before, 9);
	consent_state_apply(&before, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 3, .valid_until_us = INT64_MAX});
	consent_state_apply(&before, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 4, .valid_until_us = INT64_MAX});
	row.state = before.bytes;
	assert_true(consent_outdated(&snap, &row, 3));
	assert_false(consent_outdated(&snap, &row, 4));
	consent_state_of(&snap, &row, &now);
	assert_int_equal(consent_state_bits(&now, 3), 0);
	assert_int_equal(consent_state_bits(&now, 4), STATE_CONSENTED);
	consent_state_apply(&now, &(struct consent_event){.kind = CONSENT_GIVEN, .purpose = 3, .valid_until_us = INT64_MAX});
	row.state = now.bytes;
	assert_false(consent_outdated(&snap, &row, 3));
}

static void a_state_of_another_length_has_no_consent_that_a_notice_would_renew(void **state)
{
	const struct purpose purposes[1] = {{.number = 1, .renewed_revision = 2}};
	const struct snapshot snap = {.revision = 3, .purposes = (struct purpose *)(uintptr_t)purposes, .n_purposes = 1};
	const uint8_t old[1] = {STATE_CONSENTED | STATE_CONSENTED << 4};
	const struct customer_row row = {.state = old, .state_len = 1, .state_valid_until_us = INT64_MAX};
	struct consent_state now;

	(void)state;
	consent_state_of(&snap, &row, &now);
	assert_int_equal(consent_state_bits(&now, 1), 0);
	assert_int_equal(consent_state_bits(&now, 2), STATE_CONSENTED);
}

static void a_child_is_one_until_its_fourteenth_birthday(void **state)
{
	const int64_t now = (int64_t)1790000000 * 1000000; /* 2026-09-21 */
	static const char same_day[] = "\"2012-09-21\"", next_day[] = "\"2012-09-22\"", grown[] = "\"1980-01-01\"", baby[] = "\"2026-01-01\"";

	(void)state;
	assert_false(consent_minor(same_day, sizeof same_day - 1, now));
	assert_true(consent_minor(next_day, sizeof next_day - 1, now));
	assert_false(consent_minor(next_day, sizeof next_day - 1, now + DAY_US));
	assert_false(consent_minor(grown, sizeof grown - 1, now));
	assert_true(consent_minor(baby, sizeof baby - 1, now));
	assert_false(consent_minor("\"\"", 2, now));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_sequence_of_events_ends_as_its_last_words_say),
	    cmocka_unit_test(the_earliest_expiry_is_kept),
	    cmocka_unit_test(a_renewed_notice_undoes_the_consents_recorded_before_it),
	    cmocka_unit_test(a_state_of_another_length_has_no_consent_that_a_notice_would_renew),
	    cmocka_unit_test(a_child_is_one_until_its_fourteenth_birthday),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
