/* The shipped policy against the shipped dictionary, and its decision tests. */
#include "policy/policy.h"
#include "tests/unit/policy/crm_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct policy *crm;

static void read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "r");
	char part[4096];
	size_t n;

	if (!f)
		fail_msg("can't read %s; run this from the top folder", path);
	buf_init(out, 0);
	while ((n = fread(part, 1, sizeof part, f)) > 0)
		buf_append(out, part, n);
	assert_int_equal(ferror(f), 0);
	(void)fclose(f);
}

static int compile_crm(void **state)
{
	struct policy_complaints c;
	struct buf text;
	enum err e;

	(void)state;
	read_file("policy/rules/crm.policy", &text);
	e = policy_compile((const char *)text.data, text.len, &crm_world, &crm, &c);
	for (size_t i = 0; i < c.n; i++)
		print_error("line %u, column %u: %s (%s)\n", c.list[i].line, c.list[i].column, c.list[i].text,
			    c.list[i].near);
	buf_fini(&text);
	return e == ERR_OK ? 0 : -1;
}

static int free_crm(void **state)
{
	(void)state;
	policy_free(crm);
	return 0;
}

static void the_shipped_policy_passes_its_tests(void **state)
{
	size_t passed, failed;
	struct buf tests, report;
	enum err e;

	(void)state;
	buf_init(&report, 0);
	read_file("policy/rules/crm.tests", &tests);
	e = policy_test(crm, (const char *)tests.data, tests.len, &report, &passed, &failed);
	if (report.len)
		print_error("%s", buf_string(&report));
	assert_int_equal(e, ERR_OK);
	assert_int_equal(failed, 0);
	print_message("%zu decisions as expected\n", passed);
	assert_true(passed >= 60);
	buf_fini(&tests);
	buf_fini(&report);
}

static void each_system_has_an_audience_of_its_own(void **state)
{
	static const char *const systems[] = {"crm-core", "service-desk", "campaigns", "segmentation",
					      "loyalty",  "surveys",	  "analytics"};
	struct policy_identity who[7];
	char id[80];

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		(void)snprintf(id, sizeof id, "spiffe://crm.example/svc/%s", systems[i]);
		policy_identify(crm, id, &who[i]);
		assert_true(who[i].roles != 0);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(who[i].audience, who[j].audience);
	}
	policy_identify(crm, "spiffe://crm.example/svc/crm-core", &who[0]);
	assert_string_equal(policy_audience_name(crm, who[0].audience), "crm_core");
}

/* Nobody at all reads these in more than the form given, in whatever state, for whatever purpose. */
static void no_role_sees_more_of_bank_and_health_data_than_the_caps_give(void **state)
{
	struct policy_verdict v;

	(void)state;
	for (size_t r = 0; r < policy_roles(crm); r++)
		for (size_t p = 0; p < crm_world.n_purposes; p++)
			for (unsigned s = 0; s < 16; s++) {
				struct policy_identity who = {.roles = (uint64_t)1 << r};

				policy_decide(crm, &who, VERB_READ, crm_subject("health_note"), p, s, &v);
				assert_true(v.form <= FORM_TOKEN);
				policy_decide(crm, &who, VERB_READ, crm_subject("bank_card"), p, s, &v);
				assert_true(v.form <= FORM_MASK(0));
			}
}

static void a_role_that_manages_sees_and_writes_nothing(void **state)
{
	static const char *const managers[] = {"spiffe://crm.example/svc/admin", "spiffe://crm.example/svc/security",
					       "spiffe://crm.example/person/compliance-1"};
	struct policy_identity who;
	struct policy_verdict v;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		policy_identify(crm, managers[i], &who);
		assert_true(who.roles != 0);
		for (unsigned verb = 0; verb < VERB_COUNT; verb++)
			for (size_t s = 0; s < crm_world.n_subjects; s++)
				for (size_t p = 0; p < crm_world.n_purposes; p++) {
					policy_decide(crm, &who, (enum policy_verb)verb, s, p,
						      STATE_CONSENTED | STATE_BASIS, &v);
					assert_int_equal(v.form, FORM_DENY);
				}
	}
}

/* The nth block of the manual between lines of three backticks. */
static void manual_block(struct buf *manual, int nth, const char **at, size_t *len)
{
	const char *end = buf_string(manual);

	do {
		*at = strstr(end, "```\n");
		assert_non_null(*at);
		*at += 4;
		end = strstr(*at, "```\n");
		assert_non_null(end);
		*len = (size_t)(end - *at);
		end += 4;
	} while (nth-- > 0);
}

static void the_examples_of_the_manual_hold(void **state)
{
	struct buf manual, report;
	size_t len, passed, failed;
	struct policy *p = NULL;
	const char *at;

	(void)state;
	buf_init(&report, 0);
	read_file("policy/LANGUAGE.md", &manual);
	manual_block(&manual, 0, &at, &len);
	assert_int_equal(policy_compile(at, len, &crm_world, &p, NULL), ERR_OK);
	policy_free(p);
	for (int i = 1; strncmp(at, "expect masked", 13) != 0; i++)
		manual_block(&manual, i, &at, &len);
	assert_int_equal(policy_test(crm, at, len, &report, &passed, &failed), ERR_OK);
	assert_int_equal(failed, 0);
	assert_int_equal(passed, 8);
	buf_fini(&manual);
	buf_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_shipped_policy_passes_its_tests),
	    cmocka_unit_test(each_system_has_an_audience_of_its_own),
	    cmocka_unit_test(no_role_sees_more_of_bank_and_health_data_than_the_caps_give),
	    cmocka_unit_test(a_role_that_manages_sees_and_writes_nothing),
	    cmocka_unit_test(the_examples_of_the_manual_hold),
	};

	return cmocka_run_group_tests(tests, compile_crm, free_crm);
}
