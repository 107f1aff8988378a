/* A second reading of the policy language: rules are kept as written and
 * walked one by one, with strings compared. Slow and plain on purpose; shares
 * nothing with policy/ but the public header. */
#ifndef TESTS_NAIVE_H
#define TESTS_NAIVE_H

#include "policy/policy.h"

#include <stdio.h>
#include <string.h>

#define NAIVE_RULES 150
#define NAIVE_ROLES 12
#define NAIVE_LIST  3

enum naive_kind { NAIVE_ALLOW, NAIVE_DENY, NAIVE_CAP };

struct naive_condition {
	bool negated;
	const char *word;
};

struct naive_rule {
	enum naive_kind kind;
	const char *role;  /* or "*" */
	const char *verb;  /* read, write, ..., manage, audit */
	char subject[100]; /* as written; of manage: what */
	const char *form;  /* NULL, token, masked, plain */
	const char *mask;  /* NULL or of masked(mask) */
	const char *purposes[NAIVE_LIST];
	size_t n_purposes;
	struct naive_condition conditions[NAIVE_LIST];
	size_t n_conditions;
	unsigned line;
};

struct naive_role {
	const char *name;
	const char *patterns[NAIVE_LIST];
	size_t n_patterns;
	const char *audience; /* NULL: its own */
};

struct naive_policy {
	const struct policy_world *world;
	struct naive_role roles[NAIVE_ROLES];
	size_t n_roles;
	struct naive_rule rules[NAIVE_RULES];
	size_t n_rules;
};

struct naive_verdict {
	int form;
	bool consent_missing, restricted;
	size_t n_rules;
	unsigned rules[POLICY_VERDICT_RULES];
};

static inline bool naive_matches(const char *pattern, const char *id)
{
	const char *star = strchr(pattern, '*');
	size_t before = star ? (size_t)(star - pattern) : 0;

	if (!star)
		return strcmp(pattern, id) == 0;
	return strncmp(pattern, id, before) == 0 && id[before] && !strchr(id + before, '/');
}

static inline bool naive_holds_role(const struct naive_policy *np, const char *role, const char *id)
{
	for (size_t r = 0; r < np->n_roles; r++)
		for (size_t i = 0; i < np->roles[r].n_patterns; i++)
			if ((strcmp(role, "*") == 0 || strcmp(role, np->roles[r].name) == 0) &&
			    naive_matches(np->roles[r].patterns[i], id))
				return true;
	return false;
}

static inline bool naive_covers(const struct naive_rule *rule, const struct policy_subject *s)
{
	char full[100], all[100];

	(void)snprintf(full, sizeof full, "%s.%s", s->class_name, s->name);
	(void)snprintf(all, sizeof all, "%s.*", s->class_name);
	return strcmp(rule->subject, "*") == 0 || strcmp(rule->subject, full) == 0 || strcmp(rule->subject, all) == 0 ||
	       strcmp(rule->subject, s->class_name) == 0;
}

static inline bool naive_for(const struct naive_rule *rule, const char *purpose)
{
	for (size_t i = 0; i < rule->n_purposes; i++)
		if (strcmp(rule->purposes[i], purpose) == 0)
			return true;
	return rule->n_purposes == 0;
}

static inline bool naive_condition_holds(const struct naive_condition *c, unsigned state)
{
	bool is = false;

	if (strcmp(c->word, "consented") == 0)
		is = state & STATE_CONSENTED;
	if (strcmp(c->word, "basis") == 0)
		is = state & STATE_BASIS;
	if (strcmp(c->word, "objected") == 0)
		is = state & STATE_OBJECTED;
	if (strcmp(c->word, "restricted") == 0)
		is = state & STATE_RESTRICTED;
	return c->negated ? !is : is;
}

static inline bool naive_when(const struct naive_rule *rule, unsigned state)
{
	for (size_t i = 0; i < rule->n_conditions; i++)
		if (naive_condition_holds(&rule->conditions[i], state))
			return true;
	return rule->n_conditions == 0;
}

static inline int naive_form(const struct naive_rule *rule, const struct policy_subject *s)
{
	if (rule->kind == NAIVE_DENY)
		return FORM_DENY;
	if (strcmp(rule->verb, "read") != 0)
		return FORM_PLAIN;
	if (!rule->form || strcmp(rule->form, "token") == 0)
		return FORM_TOKEN;
	if (strcmp(rule->form, "plain") == 0)
		return FORM_PLAIN;
	for (size_t m = 0; m < s->n_masks; m++)
		if (rule->mask ? strcmp(rule->mask, s->masks[m]) == 0 : m == s->n_masks - 1)
			return FORM_MASK((int)m);
	return FORM_TOKEN;
}

static inline bool naive_above_the_rules(const char *verb, const char *purpose, unsigned state)
{
	bool gives = strcmp(verb, "read") == 0 || strcmp(verb, "search") == 0 || strcmp(verb, "translate") == 0;

	if (state & STATE_RESTRICTED && gives && strcmp(purpose, "rights") != 0 && strcmp(purpose, "audit") != 0)
		return true;
	return state & STATE_OBJECTED && strcmp(verb, "delete") != 0;
}

static inline int naive_weigh(const struct naive_policy *np, const char *id, const char *verb, size_t subject,
			      size_t purpose, unsigned state, struct naive_verdict *v)
{
	const struct policy_subject *s = &np->world->subjects[subject];
	const char *purpose_name = np->world->purposes[purpose];
	bool applies[NAIVE_RULES] = {false};
	int most = FORM_DENY, least = 99, form;

	if (naive_above_the_rules(verb, purpose_name, state))
		return FORM_DENY;
	for (size_t i = 0; i < np->n_rules; i++) {
		const struct naive_rule *rule = &np->rules[i];

		if (strcmp(rule->verb, verb) != 0 || !naive_holds_role(np, rule->role, id) || !naive_covers(rule, s) ||
		    !naive_for(rule, purpose_name) || !naive_when(rule, state))
			continue;
		applies[i] = true;
		form = naive_form(rule, s);
		if (rule->kind == NAIVE_ALLOW && form > most)
			most = form;
		if (rule->kind != NAIVE_ALLOW && form < least)
			least = form;
	}
	form = most < least ? most : least;
	for (size_t i = 0; v && i < np->n_rules && v->n_rules < POLICY_VERDICT_RULES; i++) {
		bool limit = np->rules[i].kind != NAIVE_ALLOW;
		bool limited = least < most || least == FORM_DENY;

		if (applies[i] && limit == limited && naive_form(&np->rules[i], s) == form &&
		    (limited || most > FORM_DENY))
			v->rules[v->n_rules++] = np->rules[i].line;
	}
	return form;
}

static inline void naive_decide(const struct naive_policy *np, const char *id, const char *verb, size_t subject,
				size_t purpose, unsigned state, struct naive_verdict *v)
{
	*v = (struct naive_verdict){0};
	v->form = naive_weigh(np, id, verb, subject, purpose, state, v);
	if (v->form != FORM_DENY)
		return;
	v->consent_missing = !(state & STATE_CONSENTED) &&
			     naive_weigh(np, id, verb, subject, purpose, state | STATE_CONSENTED, NULL) != FORM_DENY;
	v->restricted = state & STATE_RESTRICTED &&
			naive_weigh(np, id, verb, subject, purpose, state & ~STATE_RESTRICTED, NULL) != FORM_DENY;
}

#define NAIVE_RIGHT "right" /* the verb of a rule whose subject is a right */

static inline bool naive_right_rule(const struct naive_policy *np, const struct naive_rule *rule, const char *id,
				    const char *what)
{
	return strcmp(rule->verb, NAIVE_RIGHT) == 0 && strcmp(rule->subject, what) == 0 && naive_holds_role(np, rule->role, id);
}

/* what: "manage policy", "read audit" and the like */
static inline bool naive_right(const struct naive_policy *np, const char *id, const char *what, struct naive_verdict *v)
{
	bool allowed = false, denied = false;

	*v = (struct naive_verdict){0};
	for (size_t i = 0; i < np->n_rules; i++)
		if (naive_right_rule(np, &np->rules[i], id, what)) {
			allowed |= np->rules[i].kind == NAIVE_ALLOW;
			denied |= np->rules[i].kind == NAIVE_DENY;
		}
	for (size_t i = 0; i < np->n_rules && v->n_rules < POLICY_VERDICT_RULES; i++)
		if (naive_right_rule(np, &np->rules[i], id, what) && (np->rules[i].kind == NAIVE_DENY) == denied)
			v->rules[v->n_rules++] = np->rules[i].line;
	return allowed && !denied;
}

#endif
