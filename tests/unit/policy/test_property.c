/* The bitmaps against the naive interpreter of naive.h: random policies are
 * written as text, compiled, and asked random questions; both must agree on
 * form, flags and rules. The seed is fixed, so a failure can be repeated. */
#include "policy/policy.h"
#include "tests/unit/policy/naive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define SEED	  0x5eed2026u
#define POLICIES  5000
#define QUESTIONS 200 /* a policy */

static uint64_t seed_now = SEED;

static uint64_t next_random(void) /* splitmix64 */
{
	uint64_t z = seed_now += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static size_t below(size_t n)
{
	return (size_t)(next_random() % n);
}

static bool one_in(size_t n)
{
	return below(n) == 0;
}

static const char *const names[] = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"};
static const char *const classes[] = {"contact", "identity", "behaviour"};
static const char *const mask_names[] = {"email", "keep", "year", "city", "decade", "stars"};
static const char *const purposes[] = {"support", "rights", "marketing", "audit", "analytics"};
static const char *const roles[] = {"r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11"};
static const char *const verbs[] = {"read", "write", "search", "translate", "delete"};
static const char *const rights[] = {"manage policy",	"manage dictionary", "manage keys",	"manage callers", "manage notices",
				     "read audit",	"read consents",     "record consents", "open requests",  "handle requests"};
#define BESIDE_DATA RIGHT_READ_AUDIT /* from this on a role with data may have them */
static const char *const granting[] = {"consented", "basis", "objected", "restricted"};
/* Patterns that overlap, and identities that they match, or nearly. */
static const char *const patterns[] = {"spiffe://d.example/a/x", "spiffe://d.example/a/y", "spiffe://d.example/a/*",
				       "spiffe://d.example/b/*", "spiffe://d.example/b/x", "spiffe://e.example/a/x",
				       "spiffe://d.example/*"};
static const char *const ids[] = {"spiffe://d.example/a/x", "spiffe://d.example/a/y",	"spiffe://d.example/a/z",
				  "spiffe://d.example/b/x", "spiffe://d.example/b/q",	"spiffe://e.example/a/x",
				  "spiffe://d.example/a",   "spiffe://d.example/a/x/x", "spiffe://d.example/a/",
				  "spiffe://d.example/a/xx"};
#define PICK(list) (list[below(sizeof(list) / sizeof *(list))])

struct case_world {
	struct policy_subject subjects[24];
	const char *purposes[5];
	struct policy_world world;
};

static void make_world(struct case_world *cw)
{
	size_t n_subjects = 1 + below(24), n_purposes = 1 + below(5);

	*cw = (struct case_world){.world = {cw->subjects, n_subjects, cw->purposes, n_purposes}};
	for (size_t i = 0; i < n_subjects; i++) {
		struct policy_subject *s = &cw->subjects[i];
		size_t first = below(6);

		s->name = names[i % 8];
		s->class_name = classes[i / 8];
		s->record = one_in(4);
		s->n_masks = below(POLICY_MASKS_MAX + 1);
		for (size_t m = 0; m < s->n_masks; m++)
			s->masks[m] = mask_names[(first + m) % 6];
	}
	for (size_t i = 0; i < n_purposes; i++)
		cw->purposes[i] = purposes[i];
}

/* The roles share one audience, so that one identity may hold several of them. */
static void make_roles(struct naive_policy *np)
{
	np->n_roles = 1 + below(NAIVE_ROLES);
	for (size_t r = 0; r < np->n_roles; r++) {
		struct naive_role *role = &np->roles[r];

		role->name = roles[r];
		role->audience = "shared";
		role->n_patterns = 1 + below(NAIVE_LIST);
		for (size_t i = 0; i < role->n_patterns; i++)
			role->patterns[i] = PICK(patterns);
	}
}

static void make_subject(const struct case_world *cw, struct naive_rule *rule)
{
	const struct policy_subject *s = &cw->subjects[below(cw->world.n_subjects)];

	switch (below(5)) {
	case 0: (void)snprintf(rule->subject, sizeof rule->subject, "*"); break;
	case 1: (void)snprintf(rule->subject, sizeof rule->subject, "%s", s->class_name); break;
	case 2: (void)snprintf(rule->subject, sizeof rule->subject, "%s.*", s->class_name); break;
	default: (void)snprintf(rule->subject, sizeof rule->subject, "%s.%s", s->class_name, s->name); break;
	}
}

/* A mask that at least one of the rule's subjects has, else token. */
static void make_form(const struct case_world *cw, struct naive_rule *rule)
{
	const char *mask = NULL;

	if (strcmp(rule->verb, "read") != 0 || rule->kind == NAIVE_DENY)
		return;
	for (size_t i = 0; i < cw->world.n_subjects; i++)
		if (naive_covers(rule, &cw->subjects[i]) && cw->subjects[i].n_masks && (!mask || one_in(3)))
			mask = cw->subjects[i].masks[below(cw->subjects[i].n_masks)];
	switch (below(4)) {
	case 0: rule->form = rule->kind == NAIVE_CAP ? "token" : NULL; break;
	case 1: rule->form = rule->kind == NAIVE_CAP ? "token" : "plain"; break;
	default: rule->form = mask ? "masked" : "token"; rule->mask = mask && one_in(2) ? mask : NULL;
	}
}

/* One rule in limits is a deny or a cap. */
static void make_rule(const struct case_world *cw, const struct naive_policy *np, bool managing, size_t limits,
		      struct naive_rule *rule)
{
	*rule = (struct naive_rule){.kind = !one_in(limits) ? NAIVE_ALLOW : one_in(2) ? NAIVE_DENY : NAIVE_CAP};
	rule->role = rule->kind != NAIVE_ALLOW && one_in(4) ? "*" : np->roles[below(np->n_roles)].name;
	if (managing || one_in(10)) {
		const char *what = managing ? PICK(rights) : rights[BESIDE_DATA + below(RIGHT_COUNT - BESIDE_DATA)];

		rule->kind = one_in(3) ? NAIVE_DENY : NAIVE_ALLOW;
		if (rule->kind == NAIVE_ALLOW && rule->role[0] == '*')
			rule->role = np->roles[0].name;
		rule->verb = NAIVE_RIGHT;
		(void)snprintf(rule->subject, sizeof rule->subject, "%s", what);
		return;
	}
	rule->verb = rule->kind == NAIVE_CAP || one_in(2) ? "read" : PICK(verbs);
	make_subject(cw, rule);
	make_form(cw, rule);
	rule->n_purposes = below(NAIVE_LIST + 1);
	for (size_t i = 0; i < rule->n_purposes; i++)
		rule->purposes[i] = cw->purposes[below(cw->world.n_purposes)];
	rule->n_conditions = one_in(2) ? 0 : below(NAIVE_LIST + 1);
	for (size_t i = 0; i < rule->n_conditions; i++) {
		size_t c = below(4);

		rule->conditions[i] = (struct naive_condition){(c < 2) != (rule->kind == NAIVE_ALLOW), granting[c]};
	}
}

static void write_rule(const struct naive_rule *rule, struct buf *out)
{
	static const char *const starts[] = {"allow", "deny", "cap"};
	bool right = strcmp(rule->verb, NAIVE_RIGHT) == 0;

	buf_printf(out, "%s%s %s to %s%s%s", one_in(5) ? "\t " : "", starts[rule->kind], rule->role,
		   right ? "" : rule->verb, right ? "" : " ", rule->subject);
	if (rule->form)
		buf_printf(out, " as %s", rule->form);
	if (rule->mask)
		buf_printf(out, "%s(%s)", one_in(5) ? " " : "", rule->mask);
	for (size_t i = 0; i < rule->n_purposes; i++)
		buf_printf(out, "%s%s", i ? ", " : "   for ", rule->purposes[i]);
	for (size_t i = 0; i < rule->n_conditions; i++)
		buf_printf(out, " %s %s%s", i ? "or" : "when", rule->conditions[i].negated ? "not " : "",
			   rule->conditions[i].word);
	buf_text(out, one_in(6) ? "  # why\r\n" : "\n");
}

static void write_role(const struct naive_role *role, struct buf *out)
{
	buf_printf(out, "role %s is ", role->name);
	for (size_t i = 0; i < role->n_patterns; i++)
		buf_printf(out, "%s%s", i ? " ," : "", role->patterns[i]);
	buf_printf(out, " audience %s\n", role->audience);
}

static void make_policy(const struct case_world *cw, struct naive_policy *np, struct buf *text)
{
	bool managing = one_in(10);
	size_t limits = 2 + below(30);
	unsigned line = 1;

	*np = (struct naive_policy){.world = &cw->world};
	make_roles(np);
	np->n_rules = below(NAIVE_RULES + 1);
	for (size_t i = 0; i < np->n_roles; i++, line++)
		write_role(&np->roles[i], text);
	for (size_t i = 0; i < np->n_rules; i++, line++) {
		make_rule(cw, np, managing, limits, &np->rules[i]);
		if (one_in(8)) {
			buf_text(text, one_in(2) ? "\n" : "# 规则 of the next line\n");
			line++;
		}
		np->rules[i].line = line;
		write_rule(&np->rules[i], text);
	}
}

struct totals {
	size_t questions, forms[16], consent_missing, restricted, rights;
};

static void same_rules(const struct policy_verdict *got, const struct naive_verdict *want)
{
	assert_int_equal(got->n_rules, want->n_rules);
	for (size_t i = 0; i < got->n_rules; i++)
		assert_int_equal(got->rules[i], want->rules[i]);
}

static void ask(const struct policy *p, const struct naive_policy *np, struct totals *t)
{
	const char *id = PICK(ids);
	size_t verb = one_in(2) ? 0 : below(VERB_COUNT), subject = below(np->world->n_subjects);
	size_t purpose = below(np->world->n_purposes);
	unsigned state = (unsigned)below(16) & (one_in(2) ? 15u : 3u);
	struct policy_identity who;
	struct policy_verdict got;
	struct naive_verdict want;

	policy_identify(p, id, &who);
	policy_decide(p, &who, (enum policy_verb)verb, subject, purpose, state, &got);
	naive_decide(np, id, verbs[verb], subject, purpose, state, &want);
	assert_int_equal(got.form, want.form);
	assert_int_equal(got.consent_missing, want.consent_missing);
	assert_int_equal(got.restricted, want.restricted);
	same_rules(&got, &want);
	t->questions++;
	t->forms[got.form]++;
	t->consent_missing += got.consent_missing;
	t->restricted += got.restricted;
}

static void ask_rights(const struct policy *p, const struct naive_policy *np, struct totals *t)
{
	struct policy_identity who;
	struct policy_verdict v;
	struct naive_verdict want;

	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		for (unsigned r = 0; r < RIGHT_COUNT; r++) {
			bool has;

			policy_identify(p, ids[i], &who);
			has = policy_has_right(p, &who, (enum policy_right)r, &v);
			assert_int_equal(has, naive_right(np, ids[i], rights[r], &want));
			same_rules(&v, &want);
			t->rights += has;
		}
}

static struct policy *compile_or_fail(const struct case_world *cw, struct buf *text)
{
	struct policy_complaints c;
	struct policy *p = NULL;

	if (policy_compile((const char *)text->data, text->len, &cw->world, &p, &c) != ERR_OK)
		fail_msg("line %u, column %u: %s in:\n%s", c.list[0].line, c.list[0].column, c.list[0].text,
			 buf_string(text));
	return p;
}

static void the_bitmaps_agree_with_the_naive_interpreter(void **state)
{
	static struct naive_policy np;
	struct totals t = {0};
	struct case_world cw;
	struct buf text;
	size_t masked = 0;

	(void)state;
	print_message("seed %#x, %d policies, %d questions each\n", SEED, POLICIES, QUESTIONS);
	buf_init(&text, 0);
	for (size_t i = 0; i < POLICIES; i++) {
		struct policy *p;

		buf_reset(&text);
		make_world(&cw);
		make_policy(&cw, &np, &text);
		p = compile_or_fail(&cw, &text);
		for (size_t q = 0; q < QUESTIONS; q++)
			ask(p, &np, &t);
		ask_rights(p, &np, &t);
		policy_free(p);
	}
	buf_fini(&text);
	for (size_t m = 0; m < POLICY_MASKS_MAX; m++)
		masked += t.forms[FORM_MASK(m)];
	print_message("%zu questions: %zu deny, %zu token, %zu masked, %zu plain; %zu lack consent, %zu restricted; "
		      "%zu rights\n",
		      t.questions, t.forms[FORM_DENY], t.forms[FORM_TOKEN], masked, t.forms[FORM_PLAIN],
		      t.consent_missing, t.restricted, t.rights);
	assert_true(t.questions >= 1000000);
	/* The questions must reach each answer often, or the agreement says little. */
	assert_true(t.forms[FORM_TOKEN] > 10000 && masked > 10000 && t.forms[FORM_PLAIN] > 10000);
	assert_true(t.consent_missing > 1000 && t.restricted > 1000 && t.rights > 1000);
}

/* Withdrawing a consent or a basis, objecting, restricting: each only ever takes away. */
static void less_granted_never_discloses_more(void **state)
{
	static struct naive_policy np;
	static const unsigned grants = STATE_CONSENTED | STATE_BASIS;
	struct policy_verdict more, less;
	struct policy_identity who;
	struct case_world cw;
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	for (size_t i = 0; i < 200; i++) {
		struct policy *p;

		buf_reset(&text);
		make_world(&cw);
		make_policy(&cw, &np, &text);
		p = compile_or_fail(&cw, &text);
		for (size_t q = 0; q < 200; q++) {
			size_t verb = below(VERB_COUNT), subject = below(cw.world.n_subjects),
			       purpose = below(cw.world.n_purposes);
			unsigned s = (unsigned)below(16), bit = 1u << below(4),
				 better = bit & grants ? s | bit : s & ~bit;

			policy_identify(p, PICK(ids), &who);
			policy_decide(p, &who, (enum policy_verb)verb, subject, purpose, better, &more);
			policy_decide(p, &who, (enum policy_verb)verb, subject, purpose, better ^ bit, &less);
			assert_true(less.form <= more.form);
		}
		policy_free(p);
	}
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_bitmaps_agree_with_the_naive_interpreter),
	    cmocka_unit_test(less_granted_never_discloses_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
