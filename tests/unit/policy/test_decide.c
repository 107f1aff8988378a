/* What each statement means, and what is decided by it. */
#include "tests/unit/policy/desk.h"

static struct policy_verdict decide(const char *text, const char *id, enum policy_verb verb, const char *subject,
				    const char *purpose, unsigned state)
{
	struct policy *p = compile(text);
	struct policy_identity who;
	struct policy_verdict v;

	policy_identify(p, id, &who);
	policy_decide(p, &who, verb, crm_subject(subject), crm_purpose(purpose), state, &v);
	policy_free(p);
	return v;
}

static unsigned read_form(const char *rules, const char *subject, const char *purpose, unsigned state)
{
	char text[2048];

	(void)snprintf(text, sizeof text, DESK "%s\n", rules);
	return decide(text, DESK_ID, VERB_READ, subject, purpose, state).form;
}

static void nothing_is_allowed_by_default(void **state)
{
	struct policy_verdict v = decide(DESK, DESK_ID, VERB_READ, "email", "support", STATE_CONSENTED);

	(void)state;
	assert_int_equal(v.form, FORM_DENY);
	assert_int_equal(v.n_rules, 0);
	assert_false(v.consent_missing);
	assert_int_equal(decide("", DESK_ID, VERB_READ, "email", "support", 0).form, FORM_DENY);
}

static void a_read_without_a_form_gives_the_token(void **state)
{
	(void)state;
	assert_int_equal(read_form("allow desk to read contact.email", "email", "support", 0), FORM_TOKEN);
}

static void an_allow_without_a_purpose_is_for_every_purpose(void **state)
{
	(void)state;
	for (size_t i = 0; i < crm_world.n_purposes; i++)
		assert_int_equal(read_form("allow desk to read contact.email as plain", "email", crm_purposes[i], 0),
				 FORM_PLAIN);
	assert_int_equal(
	    read_form("allow desk to read contact.email as plain for support, survey", "email", "survey", 0),
	    FORM_PLAIN);
	assert_int_equal(
	    read_form("allow desk to read contact.email as plain for support, survey", "email", "loyalty", 0),
	    FORM_DENY);
}

static void masked_without_a_name_is_the_mask_that_shows_most(void **state)
{
	(void)state;
	assert_int_equal(read_form("allow desk to read identity.birth_date as masked", "birth_date", "support", 0),
			 FORM_MASK(1));
	assert_int_equal(
	    read_form("allow desk to read identity.birth_date as masked(decade)", "birth_date", "support", 0),
	    FORM_MASK(0));
}

static void a_field_without_the_mask_of_its_class_gives_its_token(void **state)
{
	(void)state;
	assert_int_equal(read_form("allow desk to read identity as masked", "gender", "support", 0), FORM_TOKEN);
	assert_int_equal(read_form("allow desk to read identity.* as masked(year)", "name", "support", 0), FORM_TOKEN);
	assert_int_equal(
	    read_form("allow desk to read * as plain\ncap desk to read identity as masked", "gender", "support", 0),
	    FORM_TOKEN);
}

static void the_strongest_allow_wins_and_the_strictest_limit_cuts_it(void **state)
{
	static const char rules[] = "allow desk to read identity as masked(year)\n"
				    "allow desk to read identity.birth_date as plain\n";
	char text[512];

	(void)state;
	assert_int_equal(read_form(rules, "birth_date", "support", 0), FORM_PLAIN);
	(void)snprintf(text, sizeof text, "%scap desk to read * as masked(year) for support", rules);
	assert_int_equal(read_form(text, "birth_date", "support", 0), FORM_MASK(1));
	assert_int_equal(read_form(text, "birth_date", "survey", 0), FORM_PLAIN);
	(void)snprintf(text, sizeof text, "%scap * to read identity as masked(decade)\ncap * to read * as token",
		       rules);
	assert_int_equal(read_form(text, "birth_date", "support", 0), FORM_TOKEN);
	(void)snprintf(text, sizeof text, "%sdeny * to read identity.birth_date", rules);
	assert_int_equal(read_form(text, "birth_date", "support", 0), FORM_DENY);
}

static void a_cap_allows_nothing(void **state)
{
	(void)state;
	assert_int_equal(read_form("cap desk to read contact as masked", "email", "support", 0), FORM_DENY);
}

static void conditions_look_at_the_purpose_state(void **state)
{
	static const char allow[] = "allow desk to read contact.email as plain for marketing when consented or basis";
	static const char deny[] = "allow desk to read contact as plain\ndeny desk to read contact when not consented";
	static const char cap[] = "allow desk to read contact as plain\ncap * to read contact as masked when not basis";

	(void)state;
	assert_int_equal(read_form(allow, "email", "marketing", 0), FORM_DENY);
	assert_int_equal(read_form(allow, "email", "marketing", STATE_CONSENTED), FORM_PLAIN);
	assert_int_equal(read_form(allow, "email", "marketing", STATE_BASIS), FORM_PLAIN);
	assert_int_equal(read_form(deny, "phone", "support", STATE_BASIS), FORM_DENY);
	assert_int_equal(read_form(deny, "phone", "support", STATE_CONSENTED), FORM_PLAIN);
	assert_int_equal(read_form(cap, "phone", "support", 0), FORM_MASK(0));
	assert_int_equal(read_form(cap, "phone", "support", STATE_BASIS), FORM_PLAIN);
}

static void a_restriction_stops_disclosure_but_not_rights_or_correction(void **state)
{
	static const char text[] = DESK "allow desk to read * as plain\nallow desk to write *\nallow desk to search *\n"
					"allow desk to translate *\nallow desk to delete *\n";
	static const bool stops[VERB_COUNT] = {[VERB_READ] = true, [VERB_SEARCH] = true, [VERB_TRANSLATE] = true};

	(void)state;
	for (unsigned verb = 0; verb < VERB_COUNT; verb++)
		for (size_t p = 0; p < crm_world.n_purposes; p++) {
			struct policy_verdict v =
			    decide(text, DESK_ID, (enum policy_verb)verb, "email", crm_purposes[p], STATE_RESTRICTED);
			bool exempt = p == crm_purpose("rights") || p == crm_purpose("audit");

			assert_int_equal(v.form == FORM_DENY, stops[verb] && !exempt);
			assert_int_equal(v.restricted, stops[verb] && !exempt);
		}
}

static void an_objection_stops_all_but_deletion(void **state)
{
	static const char text[] = DESK "allow desk to read * as plain\nallow desk to write *\nallow desk to search *\n"
					"allow desk to translate *\nallow desk to delete *\n";

	(void)state;
	for (unsigned verb = 0; verb < VERB_COUNT; verb++) {
		struct policy_verdict v = decide(text, DESK_ID, (enum policy_verb)verb, "email", "marketing",
						 STATE_OBJECTED | STATE_CONSENTED);

		assert_int_equal(v.form, verb == VERB_DELETE ? FORM_PLAIN : FORM_DENY);
		assert_false(v.restricted);
	}
}

static void a_missing_consent_is_told_apart_from_a_plain_denial(void **state)
{
	static const char text[] = DESK "allow desk to read contact.email as plain for marketing when consented\n";
	struct policy_verdict v = decide(text, DESK_ID, VERB_READ, "email", "marketing", 0);

	(void)state;
	assert_true(v.consent_missing);
	assert_false(decide(text, DESK_ID, VERB_READ, "email", "support", 0).consent_missing);
	assert_false(decide(text, DESK_ID, VERB_READ, "email", "marketing", STATE_CONSENTED).consent_missing);
	/* A consent would not help against an objection. */
	assert_false(decide(text, DESK_ID, VERB_READ, "email", "marketing", STATE_OBJECTED).consent_missing);
}

static void the_verdict_names_the_lines_that_decided(void **state)
{
	static const char text[] = DESK "# comment\n"
					"allow desk to read contact as masked\n"
					"allow desk to read contact.phone as plain for support\n"
					"\n"
					"deny * to read contact.wechat\n";
	struct policy_verdict v = decide(text, DESK_ID, VERB_READ, "phone", "support", 0);

	(void)state;
	assert_int_equal(v.n_rules, 1);
	assert_int_equal(v.rules[0], 4);
	v = decide(text, DESK_ID, VERB_READ, "phone", "survey", 0);
	assert_int_equal(v.n_rules, 1);
	assert_int_equal(v.rules[0], 3);
	v = decide(text, DESK_ID, VERB_READ, "wechat", "support", 0);
	assert_int_equal(v.form, FORM_DENY);
	assert_int_equal(v.n_rules, 1);
	assert_int_equal(v.rules[0], 6);
}

static void questions_outside_of_the_world_are_denied(void **state)
{
	struct policy *p = compile(DESK "allow desk to read * as plain\n");
	struct policy_identity who, nonsense = {.roles = UINT64_MAX << 1};
	struct policy_verdict v;

	(void)state;
	policy_identify(p, DESK_ID, &who);
	policy_decide(p, &who, VERB_READ, 0, 0, 0, &v);
	assert_int_equal(v.form, FORM_PLAIN);
	policy_decide(p, &who, VERB_READ, crm_world.n_subjects, 0, 0, &v);
	assert_int_equal(v.form, FORM_DENY);
	policy_decide(p, &who, VERB_READ, 0, crm_world.n_purposes, 0, &v);
	assert_int_equal(v.form, FORM_DENY);
	policy_decide(p, &who, VERB_READ, 0, 0, 16, &v);
	assert_int_equal(v.form, FORM_DENY);
	policy_decide(p, &who, VERB_COUNT, 0, 0, 0, &v);
	assert_int_equal(v.form, FORM_DENY);
	policy_decide(p, &nonsense, VERB_READ, 0, 0, 0, &v);
	assert_int_equal(v.form, FORM_DENY);
	assert_false(policy_has_right(p, &who, RIGHT_COUNT, &v));
	policy_free(p);
}

static void a_star_stands_for_one_whole_segment(void **state)
{
	struct policy *p = compile("role team is spiffe://crm.example/svc/team/*\nallow team to read contact");
	static const char *const strangers[] = {"spiffe://crm.example/svc/team",     "spiffe://crm.example/svc/team/",
						"spiffe://crm.example/svc/team/a/b", "spiffe://crm.example/svc/teams/a",
						"spiffe://other.example/svc/team/a", ""};
	struct policy_identity who;

	(void)state;
	policy_identify(p, "spiffe://crm.example/svc/team/a", &who);
	assert_int_equal(who.roles, 1);
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		policy_identify(p, strangers[i], &who);
		assert_int_equal(who.roles, 0);
	}
	policy_free(p);
}

static void roles_share_an_audience_by_naming_it(void **state)
{
	struct policy *p = compile("role a is spiffe://d/a audience shared\nrole b is spiffe://d/b\n"
				   "role c is spiffe://d/c, spiffe://d/d audience shared");
	struct policy_identity a, b, c;

	(void)state;
	assert_int_equal(policy_roles(p), 3);
	assert_string_equal(policy_role_name(p, 1), "b");
	assert_int_equal(policy_audiences(p), 2);
	policy_identify(p, "spiffe://d/a", &a);
	policy_identify(p, "spiffe://d/b", &b);
	policy_identify(p, "spiffe://d/d", &c);
	assert_int_equal(a.audience, c.audience);
	assert_string_equal(policy_audience_name(p, a.audience), "shared");
	assert_string_equal(policy_audience_name(p, b.audience), "b");
	policy_free(p);
}

static void rights_are_had_unless_denied(void **state)
{
	struct policy *p = compile("role boss is spiffe://d/boss\nrole clerk is spiffe://d/clerk\n"
				   "allow boss to manage keys\nallow boss to read audit\ndeny * to manage keys\n"
				   "allow clerk to manage policy\n");
	struct policy_identity boss, clerk;
	struct policy_verdict v;

	(void)state;
	policy_identify(p, "spiffe://d/boss", &boss);
	policy_identify(p, "spiffe://d/clerk", &clerk);
	assert_false(policy_has_right(p, &boss, RIGHT_MANAGE_KEYS, &v));
	assert_int_equal(v.rules[0], 5);
	assert_true(policy_has_right(p, &boss, RIGHT_READ_AUDIT, &v));
	assert_int_equal(v.n_rules, 1);
	assert_int_equal(v.rules[0], 4);
	assert_true(policy_has_right(p, &clerk, RIGHT_MANAGE_POLICY, &v));
	assert_false(policy_has_right(p, &clerk, RIGHT_READ_AUDIT, &v));
	policy_free(p);
}

static void blanks_comments_and_line_ends_do_not_matter(void **state)
{
	struct policy_verdict v = decide("\xef\xbb\xbf# 说明\r\n\trole desk is " DESK_ID "# x\r\n\r\n"
					 "  allow\tdesk to read contact.email as masked ( email )for support,survey\r",
					 DESK_ID, VERB_READ, "email", "survey", 0);

	(void)state;
	assert_int_equal(v.form, FORM_MASK(0));
	assert_int_equal(v.rules[0], 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_allowed_by_default),
	    cmocka_unit_test(a_read_without_a_form_gives_the_token),
	    cmocka_unit_test(an_allow_without_a_purpose_is_for_every_purpose),
	    cmocka_unit_test(masked_without_a_name_is_the_mask_that_shows_most),
	    cmocka_unit_test(a_field_without_the_mask_of_its_class_gives_its_token),
	    cmocka_unit_test(the_strongest_allow_wins_and_the_strictest_limit_cuts_it),
	    cmocka_unit_test(a_cap_allows_nothing),
	    cmocka_unit_test(conditions_look_at_the_purpose_state),
	    cmocka_unit_test(a_restriction_stops_disclosure_but_not_rights_or_correction),
	    cmocka_unit_test(an_objection_stops_all_but_deletion),
	    cmocka_unit_test(a_missing_consent_is_told_apart_from_a_plain_denial),
	    cmocka_unit_test(the_verdict_names_the_lines_that_decided),
	    cmocka_unit_test(questions_outside_of_the_world_are_denied),
	    cmocka_unit_test(a_star_stands_for_one_whole_segment),
	    cmocka_unit_test(roles_share_an_audience_by_naming_it),
	    cmocka_unit_test(rights_are_had_unless_denied),
	    cmocka_unit_test(blanks_comments_and_line_ends_do_not_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
