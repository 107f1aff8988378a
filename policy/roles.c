/* roles.c: which identities a role binds, and which roles may never meet. */
#include "policy/policy_int.h"

#include <string.h>

bool pattern_matches(const struct pattern *pattern, const char *id, size_t len)
{
	if (len < pattern->len || memcmp(id, pattern->text, pattern->len) != 0)
		return false;
	if (!pattern->wildcard)
		return len == pattern->len;
	/* The star stands for one whole segment of the path. */
	return len > pattern->len && !memchr(id + pattern->len, '/', len - pattern->len);
}

void policy_identify(const struct policy *p, const char *spiffe_id, struct policy_identity *out)
{
	size_t len = strlen(spiffe_id);

	*out = (struct policy_identity){0};
	for (size_t r = 0; r < p->n_roles; r++) {
		const struct role *role = &p->roles[r];

		for (size_t i = 0; i < role->n_patterns; i++)
			if (pattern_matches(&role->patterns[i], spiffe_id, len)) {
				out->roles |= (uint64_t)1 << r;
				out->audience = role->audience;
				break;
			}
	}
}

/* Is there an identity that both patterns match? */
static bool patterns_meet(const struct pattern *a, const struct pattern *b)
{
	if (a->wildcard && b->wildcard)
		return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
	return a->wildcard ? pattern_matches(a, b->text, b->len) : pattern_matches(b, a->text, a->len);
}

static bool roles_meet(const struct role *a, const struct role *b)
{
	for (size_t i = 0; i < a->n_patterns; i++)
		for (size_t j = 0; j < b->n_patterns; j++)
			if (patterns_meet(&a->patterns[i], &b->patterns[j]))
				return true;
	return false;
}

struct powers {
	uint64_t manage, data; /* bit r: role r has an allow of this sort */
};

static struct powers powers_of(const struct policy *p)
{
	struct powers out = {0};

	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		if (rule->kind != RULE_ALLOW || rule->action >= ACTION_RIGHT(RIGHT_READ_AUDIT))
			continue;
		for (size_t r = 0; r < p->n_roles; r++)
			if (bit_get(p->by_role + r * p->rule_words, i)) {
				if (rule->action < VERB_COUNT)
					out.data |= (uint64_t)1 << r;
				else
					out.manage |= (uint64_t)1 << r;
			}
	}
	return out;
}

static void check_pair(const struct policy *p, const struct powers *powers, size_t a, size_t b,
		       struct policy_complaints *c)
{
	const struct role *first = &p->roles[a], *second = &p->roles[b];
	uint64_t bit_a = (uint64_t)1 << a, bit_b = (uint64_t)1 << b;
	bool apart = first->audience != second->audience;
	bool powers_meet =
	    (powers->manage & bit_a && powers->data & bit_b) || (powers->manage & bit_b && powers->data & bit_a);

	if (!(apart || powers_meet) || !roles_meet(first, second))
		return;
	if (apart)
		complain(c, &second->at, NULL, "one identity could be %s and %s, which have different audiences",
			 first->name, second->name);
	if (powers_meet)
		complain(c, &second->at, NULL,
			 "one identity could be %s and %s: one manages the vault, the other has data", first->name,
			 second->name);
}

void check_overlaps(const struct policy *p, struct policy_complaints *c)
{
	struct powers powers = powers_of(p);

	for (size_t r = 0; r < p->n_roles; r++) {
		if (powers.manage & powers.data & (uint64_t)1 << r)
			complain(c, &p->roles[r].at, NULL,
				 "role %s manages the vault and has an allow on data; use two roles", p->roles[r].name);
		for (size_t earlier = 0; earlier < r; earlier++)
			check_pair(p, &powers, earlier, r, c);
	}
}
