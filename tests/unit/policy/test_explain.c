/* Decision tests, explanations, and what an identity may do. */
#include "tests/unit/policy/desk.h"

#include <stdlib.h>

static void expect_report(const char *tests, enum err want, size_t passed, size_t failed, const char *report)
{
	struct policy *p = compile(DESK "allow desk to read contact as masked for support when consented\n"
					"allow desk to write contact.email for support\n");
	size_t n_passed, n_failed;
	struct buf out;

	buf_init(&out, 0);
	assert_int_equal(policy_test(p, tests, strlen(tests), &out, &n_passed, &n_failed), want);
	assert_string_equal(buf_string(&out), report);
	assert_int_equal(n_passed, passed);
	assert_int_equal(n_failed, failed);
	buf_fini(&out);
	policy_free(p);
}

static void a_failed_expectation_is_told_with_its_state(void **state)
{
	(void)state;
	expect_report("expect masked for desk reads contact.email for support if consented # fits\n"
		      "\n"
		      "expect plain for desk reads contact.email for support if consented\n"
		      "expect deny for " DESK_ID " reads contact.email for support always\n"
		      "expect deny for desk writes contact.email for support\n"
		      "expect allow for desk manages keys\n"
		      "expect deny for desk reads contact.email for support unless consented\n",
		      ERR_OK, 2, 4,
		      "line 3: expected plain, got masked(email) if consented\n"
		      "line 4: expected deny, got masked(email) if consented\n"
		      "line 5: expected deny, got allow\n"
		      "line 6: expected allow, got deny\n");
}

/* "unless basis" and "always" ask in many states; the one that differs must be found, first or last. */
static void each_state_that_a_test_names_is_asked(void **state)
{
	(void)state;
	expect_report("expect deny for desk reads contact.email for support unless basis\n"
		      "expect deny for desk reads contact.email for support unless consented or basis\n"
		      "expect masked for desk reads contact.email for support unless objected or restricted\n"
		      "expect allow for desk writes contact.email for support unless objected\n"
		      "expect allow for desk writes contact.email for support always\n",
		      ERR_OK, 2, 3,
		      "line 1: expected deny, got masked(email) if consented\n"
		      "line 3: expected masked(email), got deny\n"
		      "line 5: expected allow, got deny if objected\n");
}

static void a_test_that_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	expect_report("expect masked for dsk reads contact.email for support\n"
		      "expect deny for desk reads email for support\n"
		      "expect deny for desk reads contact.email for suport\n"
		      "expect allow for desk reads contact.email for support\n"
		      "expect masked(year) for desk reads contact.email for support\n"
		      "expect token for desk writes contact.email for support\n"
		      "expect deny for desk reads contact.email for support if\n"
		      "expect deny for desk reads contact for support\n"
		      "expct deny\n"
		      "expect deny for desk reads contact.email for support\n",
		      ERR_POLICY_TEXT, 1, 0,
		      "line 1, column 19: no role is called 'dsk'; did you mean desk?\n"
		      "line 2, column 28: no field or record kind is called 'email'; did you mean contact.email?\n"
		      "line 3, column 46: no purpose is called 'suport'; did you mean support?\n"
		      "line 4, column 8: a read gives a form: token, masked, masked(NAME), plain or deny\n"
		      "line 5, column 15: email has no such mask\n"
		      "line 6, column 8: only a read gives a form; here allow or deny may be expected\n"
		      "line 7, column 56: the line ends where consented, basis, objected or restricted should stand\n"
		      "line 8, column 28: no field or record kind is called 'contact'\n"
		      "line 9, column 1: 'expct' stands where expect should stand; did you mean expect?\n");
}

static void an_explanation_names_each_rule_and_its_effect(void **state)
{
	struct policy *p = compile(DESK "allow desk to read contact as masked for support\n"
					"allow desk to read contact.phone as plain when consented # x\n"
					"cap * to read contact as token for marketing\n"
					"deny * to read contact for marketing when restricted\n"
					"allow desk to write contact.phone\n");
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	policy_explain(p, DESK_ID, VERB_READ, crm_subject("phone"), crm_purpose("support"), STATE_BASIS, &json);
	assert_string_equal(
	    buf_string(&json),
	    "{\"identity\":\"" DESK_ID "\",\"roles\":[\"desk\"],\"audience\":\"desk\",\"form\":\"masked(phone)\","
	    "\"reason\":\"allowed\",\"verb\":\"read\",\"subject\":\"contact.phone\",\"purpose\":\"support\","
	    "\"state\":[\"basis\"],\"rules\":["
	    "{\"line\":2,\"text\":\"allow desk to read contact as masked for support\",\"effect\":\"allows "
	    "masked(phone)\","
	    "\"condition_met\":true,\"decided\":true},"
	    "{\"line\":3,\"text\":\"allow desk to read contact.phone as plain when consented\",\"effect\":\"allows "
	    "plain\","
	    "\"condition_met\":false,\"decided\":false}]}");
	buf_reset(&json);
	policy_explain(p, DESK_ID, VERB_READ, crm_subject("phone"), crm_purpose("marketing"), STATE_CONSENTED, &json);
	assert_non_null(strstr(buf_string(&json), "\"form\":\"token\""));
	assert_non_null(
	    strstr(buf_string(&json), "\"effect\":\"allows plain\",\"condition_met\":true,\"decided\":false"));
	assert_non_null(
	    strstr(buf_string(&json), "\"effect\":\"limits to token\",\"condition_met\":true,\"decided\":true"));
	assert_non_null(strstr(buf_string(&json), "\"effect\":\"denies\",\"condition_met\":false,\"decided\":false"));
	buf_reset(&json);
	policy_explain(p, DESK_ID, VERB_WRITE, crm_subject("phone"), crm_purpose("marketing"), 0, &json);
	assert_non_null(strstr(buf_string(&json), "\"form\":\"allow\",\"reason\":\"allowed\",\"verb\":\"write\""));
	assert_non_null(strstr(buf_string(&json), "\"effect\":\"allows\",\"condition_met\":true,\"decided\":true"));
	buf_reset(&json);
	policy_explain(p, "spiffe://d/x", VERB_READ, 999, 0, 0, &json);
	assert_string_equal(buf_string(&json), "{\"identity\":\"spiffe://d/x\",\"roles\":[],\"audience\":null,"
					       "\"form\":\"deny\",\"reason\":\"unknown_question\"}");
	buf_fini(&json);
	policy_free(p);
}

static void each_denial_has_its_reason(void **state)
{
	struct policy *p = compile(DESK "allow desk to read contact as plain for support when consented\n"
					"deny desk to read contact.wechat\n");
	static const struct {
		const char *id, *subject;
		unsigned state;
		const char *reason;
	} cases[] = {{"spiffe://d/x", "email", 0, "no_role"},
		     {DESK_ID, "email", 0, "consent_missing"},
		     {DESK_ID, "email", STATE_CONSENTED, "allowed"},
		     {DESK_ID, "email", STATE_CONSENTED | STATE_RESTRICTED, "restricted"},
		     {DESK_ID, "email", STATE_CONSENTED | STATE_OBJECTED, "objected"},
		     {DESK_ID, "wechat", STATE_CONSENTED, "denied_by_rule"},
		     {DESK_ID, "name", STATE_CONSENTED, "no_rule"}};
	char want[64];
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		buf_reset(&json);
		policy_explain(p, cases[i].id, VERB_READ, crm_subject(cases[i].subject), crm_purpose("support"),
			       cases[i].state, &json);
		(void)snprintf(want, sizeof want, "\"reason\":\"%s\"", cases[i].reason);
		if (!strstr(buf_string(&json), want))
			fail_msg("expected %s in %s", want, buf_string(&json));
	}
	buf_fini(&json);
	policy_free(p);
}

static void rights_are_listed_with_their_conditions(void **state)
{
	struct policy *p = compile("role desk is " DESK_ID "\nrole boss is spiffe://d/boss\n"
				   "allow desk to read contact.phone as masked for support\n"
				   "allow desk to read contact.phone as plain for support when consented or basis\n"
				   "allow desk to translate contact.email for marketing when basis\n"
				   "deny desk to translate contact.email when not consented\n"
				   "allow boss to manage keys\nallow boss to read audit\n");
	struct policy_identity who;
	struct buf json;

	(void)state;
	buf_init(&json, 0);
	policy_identify(p, DESK_ID, &who);
	policy_rights_of(p, &who, &json);
	assert_string_equal(
	    buf_string(&json),
	    "[{\"verb\":\"read\",\"subject\":\"contact.phone\",\"form\":\"masked(phone)\",\"purpose\":\"support\","
	    "\"when\":null},"
	    "{\"verb\":\"read\",\"subject\":\"contact.phone\",\"form\":\"plain\",\"purpose\":\"support\","
	    "\"when\":\"consented or basis\"},"
	    "{\"verb\":\"translate\",\"subject\":\"contact.email\",\"form\":null,\"purpose\":\"marketing\","
	    "\"when\":\"consented and basis\"}]");
	buf_reset(&json);
	policy_identify(p, "spiffe://d/boss", &who);
	policy_rights_of(p, &who, &json);
	assert_string_equal(buf_string(&json),
			    "[{\"verb\":\"manage\",\"subject\":\"keys\",\"form\":null,\"purpose\":null,\"when\":null},"
			    "{\"verb\":\"read\",\"subject\":\"audit\",\"form\":null,\"purpose\":null,\"when\":null}]");
	buf_fini(&json);
	policy_free(p);
}

static void a_snapshot_borrows_nothing(void **state)
{
	char *text = strdup(DESK "allow desk to read contact.email as masked(email)\n");
	char *mask = strdup("email"), *purpose = strdup("support");
	struct policy_subject subject = {"email", "contact", false, 1, {mask}};
	const char *purposes[] = {purpose};
	struct policy_world world = {&subject, 1, purposes, 1};
	struct policy *p;
	struct buf json;

	(void)state;
	assert_int_equal(policy_compile(text, strlen(text), &world, &p, NULL), ERR_OK);
	memset(text, 'x', strlen(text));
	free(text);
	free(mask);
	free(purpose);
	buf_init(&json, 0);
	policy_explain(p, DESK_ID, VERB_READ, 0, 0, 0, &json);
	assert_non_null(
	    strstr(buf_string(&json),
		   "allow desk to read contact.email as masked(email)\",\"effect\":\"allows masked(email)\""));
	assert_non_null(strstr(buf_string(&json), "\"purpose\":\"support\""));
	buf_fini(&json);
	policy_free(p);
	policy_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_failed_expectation_is_told_with_its_state),
	    cmocka_unit_test(each_state_that_a_test_names_is_asked),
	    cmocka_unit_test(a_test_that_cannot_be_read_is_an_error),
	    cmocka_unit_test(an_explanation_names_each_rule_and_its_effect),
	    cmocka_unit_test(each_denial_has_its_reason),
	    cmocka_unit_test(rights_are_listed_with_their_conditions),
	    cmocka_unit_test(a_snapshot_borrows_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
