/* Compilation where memory runs out. The arena is this file's own, with a block
 * of its own for each allocation: so the nth can fail, and under ASan a step
 * outside of any of them is seen. */
#include "base/arena.h"
#include "tests/unit/policy/desk.h"

#include <stdalign.h>
#include <stdlib.h>

struct arena_chunk {
	struct arena_chunk *older;
	alignas(max_align_t) unsigned char bytes[];
};

static size_t allocations, fail_at;

void arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

void arena_fini(struct arena *a)
{
	while (a->last) {
		struct arena_chunk *older = a->last->older;

		free(a->last);
		a->last = older;
	}
}

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *c;

	if (++allocations == fail_at)
		return NULL;
	c = calloc(1, sizeof *c + len);
	assert_non_null(c);
	c->older = a->last;
	a->last = c;
	return c->bytes;
}

void *arena_array(struct arena *a, size_t n, size_t size)
{
	return arena_alloc(a, n * size);
}

char *arena_copy(struct arena *a, const void *bytes, size_t len)
{
	char *copy = arena_alloc(a, len + 1);

	if (copy)
		memcpy(copy, bytes, len);
	return copy;
}

static const char text[] =
    DESK "role boss is spiffe://d/boss, spiffe://d/bosses/* audience shared\n"
	 "allow desk to read identity as masked(year) for support, survey when consented or basis\n"
	 "deny * to search contact when objected\n"
	 "cap desk to read * as masked\n"
	 "allow boss to manage keys\n";

static void running_out_of_memory_is_an_error_at_every_allocation(void **state)
{
	struct policy *p = NULL;
	enum err e = ERR_MEMORY;

	(void)state;
	for (fail_at = 1; e == ERR_MEMORY; fail_at++) {
		p = (struct policy *)&e;
		allocations = 0;
		e = policy_compile(text, sizeof text - 1, &crm_world, &p, NULL);
		assert_true(e == ERR_MEMORY ? p == NULL : p != NULL);
		assert_true(e == ERR_MEMORY || e == ERR_OK);
	}
	/* The last run had one failure left over. */
	assert_int_equal(allocations, fail_at - 2);
	assert_true(allocations > 50); /* or this proves little */
	policy_free(p);
}

static void the_largest_policy_stays_inside_of_its_memory(void **state)
{
	struct policy_identity who;
	struct policy_verdict v;
	struct policy *p;
	struct buf big;

	(void)state;
	fail_at = 0;
	buf_init(&big, 0);
	for (int i = 0; i < POLICY_ROLES_MAX; i++)
		buf_printf(&big, "role r%d is spiffe://d/r%d\n", i, i);
	for (int i = 0; i < POLICY_RULES_MAX; i++)
		buf_printf(&big, "allow r%d to read %s as %s\n", i % POLICY_ROLES_MAX,
			   i % 2 ? "sensitive.health_note" : "contact.*", i % 3 ? "plain" : "token");
	p = compile(buf_string(&big));
	assert_int_equal(policy_roles(p), POLICY_ROLES_MAX);
	assert_int_equal(policy_audiences(p), POLICY_AUDIENCES_MAX);
	policy_identify(p, "spiffe://d/r63", &who);
	assert_true(who.roles == (uint64_t)1 << 63);
	policy_decide(p, &who, VERB_READ, crm_subject("health_note"), 0, 0, &v);
	assert_int_equal(v.form, FORM_PLAIN);
	assert_int_equal(v.n_rules, POLICY_VERDICT_RULES);
	policy_identify(p, "spiffe://d/r62", &who);
	policy_decide(p, &who, VERB_READ, crm_subject("health_note"), 0, 0, &v);
	assert_int_equal(v.form, FORM_DENY);
	buf_reset(&big);
	policy_explain(p, "spiffe://d/r63", VERB_READ, crm_subject("health_note"), 0, 0, &big);
	policy_rights_of(p, &who, &big);
	assert_true(buf_ok(&big));
	buf_fini(&big);
	policy_free(p);
}

/* A text need not end in a NUL or a newline. */
static void nothing_behind_the_text_is_read(void **state)
{
	static const char *const ends[] = {"",	       "#",	  "allow", "allow desk to read contact as masked(",
					   "\xef\xbb", "\xef\xbc"};

	(void)state;
	fail_at = 0;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t len = strlen(ends[i]), passed, failed;
		char *exact = malloc(len ? len : 1);
		struct policy *p = compile(DESK), *q = NULL;
		struct buf report;

		assert_non_null(exact);
		memcpy(exact, ends[i], len);
		assert_int_equal(policy_compile(exact, len, &crm_world, &q, NULL), i < 2 ? ERR_OK : ERR_POLICY_TEXT);
		buf_init(&report, 0);
		assert_int_equal(policy_test(p, exact, len, &report, &passed, &failed),
				 i < 2 ? ERR_OK : ERR_POLICY_TEXT);
		buf_fini(&report);
		policy_free(p);
		policy_free(q);
		free(exact);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(running_out_of_memory_is_an_error_at_every_allocation),
	    cmocka_unit_test(the_largest_policy_stays_inside_of_its_memory),
	    cmocka_unit_test(nothing_behind_the_text_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
