/* What a decision costs. A request of 100 fields makes 100 of them, so each must
 * stay well under a microsecond: with the shipped policy, with the shipped
 * policy where denials look for a missing consent, and with the largest text. */
#include "tests/unit/policy/desk.h"

#include <stdlib.h>
#include <time.h>

#define ROUNDS	  25
#define DECISIONS 20000
/* Sanitizers slow each memory access; the limit is for the real build. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_NS 10000
#else
#define LIMIT_NS 1000
#endif

static struct policy *compile_shipped(void)
{
	struct policy *p;
	FILE *f = fopen("policy/rules/crm.policy", "r");
	char *text = calloc(1, 65536);

	assert_non_null(f);
	assert_non_null(text);
	assert_true(fread(text, 1, 65535, f) > 0);
	(void)fclose(f);
	p = compile(text);
	free(text);
	return p;
}

static struct policy *compile_largest(void)
{
	static const char *const classes[] = {"contact", "identity", "financial", "behaviour", "sensitive"};
	struct policy *p;
	struct buf text;

	buf_init(&text, 0);
	buf_text(&text, "role desk is spiffe://crm.example/svc/service-desk\n");
	for (int i = 0; i < POLICY_RULES_MAX; i++)
		buf_printf(&text, "allow desk to read %s as token for %s when consented\n", classes[i % 5],
			   crm_purposes[i % (int)crm_world.n_purposes]);
	p = compile(buf_string(&text));
	buf_fini(&text);
	return p;
}

static int64_t cpu_ns(void)
{
	struct timespec t;

	assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Nanoseconds of CPU a decision, the best of many short rounds, so that a busy machine does not count. */
static double measure(const struct policy *p, const char *id, const char *purpose, unsigned state)
{
	size_t n = crm_world.n_subjects, at = crm_purpose(purpose);
	int64_t best = INT64_MAX;
	struct policy_identity who;
	struct policy_verdict v;
	uint64_t sum = 0;

	policy_identify(p, id, &who);
	assert_true(who.roles != 0);
	for (int round = 0; round < ROUNDS; round++) {
		int64_t start = cpu_ns(), took;

		for (size_t i = 0; i < DECISIONS; i++) {
			policy_decide(p, &who, VERB_READ, i % n, at, state, &v);
			sum += v.form;
		}
		took = cpu_ns() - start;
		if (took < best)
			best = took;
	}
	assert_true(sum < UINT64_MAX);
	return (double)best / DECISIONS;
}

static void a_decision_takes_less_than_a_microsecond(void **state)
{
	struct policy *shipped = compile_shipped(), *largest = compile_largest();
	static const char desk[] = "spiffe://crm.example/svc/service-desk";
	double ns[4];

	(void)state;
	ns[0] = measure(shipped, desk, "support", 0);
	ns[1] = measure(shipped, "spiffe://crm.example/svc/campaigns", "marketing", 0);
	ns[2] = measure(largest, desk, "support", STATE_CONSENTED);
	ns[3] = measure(largest, desk, "support", 0);
	print_message(
	    "ns a decision: %.0f shipped, %.0f shipped without consent; with %d rules %.0f, without consent %.0f\n",
	    ns[0], ns[1], POLICY_RULES_MAX, ns[2], ns[3]);
	for (size_t i = 0; i < 4; i++)
		assert_true(ns[i] < LIMIT_NS);
	policy_free(shipped);
	policy_free(largest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_decision_takes_less_than_a_microsecond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
