/* eval.c: snapshot and question to verdict. Allocates nothing and can't fail: a
 * question outside of the world finds no allow, so it is denied.
 *
 * A set of rules is a bitmap. Those that apply are the AND of five rows (role,
 * verb, purpose, state, subject); the form is the highest level that holds an
 * allow, cut down to the lowest that holds a deny or cap. */
#include "policy/policy_int.h"

#include <string.h>

#define LEVEL_NONE LEVELS /* no deny or cap applies */

void rules_of(const struct policy *p, uint64_t roles, unsigned action, size_t purpose,
	      uint64_t m[static RULE_WORDS_MAX])
{
	size_t n = p->rule_words;

	memset(m, 0, n * sizeof *m);
	if (p->n_roles < 64)
		roles &= ((uint64_t)1 << p->n_roles) - 1;
	for (; roles; roles &= roles - 1) {
		const uint64_t *row = p->by_role + (size_t)__builtin_ctzll(roles) * n;

		for (size_t w = 0; w < n; w++)
			m[w] |= row[w];
	}
	for (size_t w = 0; w < n; w++)
		m[w] &= p->by_action[action * n + w];
	for (size_t w = 0; action < VERB_COUNT && w < n; w++)
		m[w] &= p->by_purpose[purpose * n + w];
}

bool rule_level(const struct policy *p, size_t rule, size_t subject, unsigned *level)
{
	for (*level = 0; *level < LEVELS; (*level)++)
		if (bit_get(p->by_level + (subject * LEVELS + *level) * p->rule_words, rule))
			return true;
	return false;
}

bool restriction_refuses(const struct policy *p, enum policy_verb verb, size_t purpose, unsigned state)
{
	return state & STATE_RESTRICTED && (verb == VERB_READ || verb == VERB_SEARCH || verb == VERB_TRANSLATE) &&
	       !(p->unrestricted >> purpose & 1);
}

bool objection_refuses(enum policy_verb verb, unsigned state)
{
	return state & STATE_OBJECTED && verb != VERB_DELETE;
}

/* A question with its bounds checked. */
struct question {
	const struct policy *p;
	const uint64_t *rules;	/* rules_of it */
	const uint64_t *levels; /* rows of its subject */
	enum policy_verb verb;
	size_t purpose;
};

struct weight {
	unsigned level; /* the effective one */
	unsigned allow, limit;
};

/* The rules at one level that apply, one word of them. */
static inline uint64_t at_level(const struct question *q, unsigned level, unsigned state, size_t w)
{
	size_t n = q->p->rule_words;

	return q->rules[w] & q->p->by_state[state * n + w] & q->levels[level * n + w];
}

static unsigned highest_allow(const struct question *q, unsigned state)
{
	for (unsigned level = LEVEL_PLAIN; level > 0; level--)
		for (size_t w = 0; w < q->p->rule_words; w++)
			if (at_level(q, level, state, w) & q->p->allows[w])
				return level;
	return FORM_DENY;
}

static unsigned lowest_limit(const struct question *q, unsigned state)
{
	for (unsigned level = 0; level < LEVEL_PLAIN; level++)
		for (size_t w = 0; w < q->p->rule_words; w++)
			if (at_level(q, level, state, w) & ~q->p->allows[w])
				return level;
	return LEVEL_NONE;
}

static struct weight weigh(const struct question *q, unsigned state)
{
	struct weight out = {.level = FORM_DENY, .allow = FORM_DENY, .limit = LEVEL_NONE};

	if (restriction_refuses(q->p, q->verb, q->purpose, state) || objection_refuses(q->verb, state))
		return out;
	out.allow = highest_allow(q, state);
	out.limit = lowest_limit(q, state);
	out.level = out.allow < out.limit ? out.allow : out.limit;
	return out;
}

static void add_rule(const struct policy *p, size_t rule, struct policy_verdict *out)
{
	if (out->n_rules < POLICY_VERDICT_RULES)
		out->rules[out->n_rules++] = p->rules[rule].line;
}

/* Names the rules that decided: the limits where they did, else the allows. */
static void name_rules(const struct question *q, unsigned state, const struct weight *by, struct policy_verdict *out)
{
	bool limited = by->limit < by->allow || by->limit == FORM_DENY;

	if (by->allow == FORM_DENY && !limited)
		return;
	for (size_t w = 0; w < q->p->rule_words && out->n_rules < POLICY_VERDICT_RULES; w++) {
		uint64_t bits = at_level(q, by->level, state, w) & (limited ? ~q->p->allows[w] : q->p->allows[w]);

		for (; bits; bits &= bits - 1)
			add_rule(q->p, w * 64 + (size_t)__builtin_ctzll(bits), out);
	}
}

void policy_decide(const struct policy *p, const struct policy_identity *who, enum policy_verb verb, size_t subject,
		   size_t purpose, unsigned state, struct policy_verdict *out)
{
	uint64_t rules[RULE_WORDS_MAX];
	struct question q = {.p = p, .rules = rules, .verb = verb, .purpose = purpose};
	struct weight by;

	memset(out, 0, sizeof *out);
	if ((unsigned)verb >= VERB_COUNT || subject >= p->n_subjects || purpose >= p->n_purposes || state >= STATES ||
	    !who->roles)
		return;
	rules_of(p, who->roles, verb, purpose, rules);
	q.levels = p->by_level + subject * LEVELS * p->rule_words;
	by = weigh(&q, state);
	out->form = form_of_level(by.level);
	name_rules(&q, state, &by, out);
	if (by.level != FORM_DENY)
		return;
	if (!(state & STATE_CONSENTED))
		out->consent_missing = weigh(&q, state | STATE_CONSENTED).level != FORM_DENY;
	if (state & STATE_RESTRICTED)
		out->restricted = weigh(&q, state & ~STATE_RESTRICTED).level != FORM_DENY;
}

bool policy_has_right(const struct policy *p, const struct policy_identity *who, enum policy_right right,
		      struct policy_verdict *out)
{
	uint64_t rules[RULE_WORDS_MAX];
	bool denied = false, allowed = false;

	memset(out, 0, sizeof *out);
	if ((unsigned)right >= RIGHT_COUNT)
		return false;
	rules_of(p, who->roles, ACTION_RIGHT(right), 0, rules);
	for (size_t w = 0; w < p->rule_words; w++) {
		denied |= (rules[w] & ~p->allows[w]) != 0;
		allowed |= (rules[w] & p->allows[w]) != 0;
	}
	for (size_t w = 0; w < p->rule_words; w++)
		for (uint64_t bits = rules[w] & (denied ? ~p->allows[w] : p->allows[w]); bits; bits &= bits - 1)
			add_rule(p, w * 64 + (size_t)__builtin_ctzll(bits), out);
	out->form = allowed && !denied ? FORM_PLAIN : FORM_DENY;
	return allowed && !denied;
}
