/* explain.c: verdicts for people, as JSON. Off the data path, so it may be slow. */
#include "policy/policy_int.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>

void form_text(const struct policy *p, size_t subject, unsigned form, char out[static FORM_TEXT_MAX])
{
	const struct policy_subject *s = subject < p->n_subjects ? &p->subjects[subject] : NULL;

	if (form == FORM_DENY || form == FORM_TOKEN || form == FORM_PLAIN)
		(void)snprintf(out, FORM_TEXT_MAX, "%s",
			       form == FORM_DENY    ? "deny"
			       : form == FORM_TOKEN ? "token"
						    : "plain");
	else if (s && form - FORM_MASK(0) < s->n_masks)
		(void)snprintf(out, FORM_TEXT_MAX, "masked(%s)", s->masks[form - FORM_MASK(0)]);
	else
		(void)snprintf(out, FORM_TEXT_MAX, "masked");
}

static void subject_text(const struct policy *p, size_t subject, char out[static 2 * POLICY_NAME_MAX])
{
	(void)snprintf(out, 2 * POLICY_NAME_MAX, "%s.%s", p->subjects[subject].class_name, p->subjects[subject].name);
}

/* One question, with what explaining it needs. */
struct inquiry {
	const struct policy *p;
	struct policy_identity who;
	enum policy_verb verb;
	size_t subject, purpose;
	unsigned state;
	struct policy_verdict verdict;
};

static const char *reason_of(const struct inquiry *q)
{
	if (!q->who.roles)
		return "no_role";
	if (q->verdict.form != FORM_DENY)
		return "allowed";
	if (q->verdict.restricted)
		return "restricted";
	if (restriction_refuses(q->p, q->verb, q->purpose, q->state))
		return "restricted";
	if (objection_refuses(q->verb, q->state))
		return "objected";
	if (q->verdict.consent_missing)
		return "consent_missing";
	return q->verdict.n_rules ? "denied_by_rule" : "no_rule";
}

static const struct rule *rule_on_line(const struct policy *p, unsigned line)
{
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].line == line)
			return &p->rules[i];
	return NULL;
}

/* The verdict names a few of the rules that decided; all of them share its level and sort. */
static bool decided(const struct inquiry *q, const struct rule *r, unsigned level)
{
	const struct rule *first = q->verdict.n_rules ? rule_on_line(q->p, q->verdict.rules[0]) : NULL;

	return first && (first->kind == RULE_ALLOW) == (r->kind == RULE_ALLOW) && r->states >> q->state & 1 &&
	       form_of_level(level) == q->verdict.form;
}

static void explain_rule(const struct inquiry *q, size_t rule, unsigned level, struct json *j)
{
	static const char *const effects[] = {"allows", "denies", "limits to"};
	const struct rule *r = &q->p->rules[rule];
	char form[FORM_TEXT_MAX], effect[FORM_TEXT_MAX + 16];

	form_text(q->p, q->subject, form_of_level(level), form);
	if (r->kind == RULE_DENY || q->verb != VERB_READ)
		(void)snprintf(effect, sizeof effect, "%s", effects[r->kind]);
	else
		(void)snprintf(effect, sizeof effect, "%s %s", effects[r->kind], form);
	json_object(j);
	json_key_int(j, "line", r->line);
	json_key_string(j, "text", r->text);
	json_key_string(j, "effect", effect);
	json_key_bool(j, "condition_met", r->states >> q->state & 1);
	json_key_bool(j, "decided", decided(q, r, level));
	json_object_end(j);
}

static void explain_rules(const struct inquiry *q, struct json *j)
{
	uint64_t rules[RULE_WORDS_MAX];
	unsigned level;

	json_key(j, "rules");
	json_array(j);
	rules_of(q->p, q->who.roles, q->verb, q->purpose, rules);
	for (size_t i = 0; i < q->p->n_rules; i++)
		if (bit_get(rules, i) && rule_level(q->p, i, q->subject, &level))
			explain_rule(q, i, level, j);
	json_array_end(j);
}

static void explain_who(const struct inquiry *q, const char *spiffe_id, struct json *j)
{
	json_key_string(j, "identity", spiffe_id);
	json_key(j, "roles");
	json_array(j);
	for (size_t r = 0; r < q->p->n_roles; r++)
		if (q->who.roles >> r & 1)
			json_string(j, q->p->roles[r].name);
	json_array_end(j);
	json_key(j, "audience");
	if (q->who.roles)
		json_string(j, q->p->audiences[q->who.audience]);
	else
		json_null(j);
}

static void explain_question(const struct inquiry *q, struct json *j)
{
	char subject[2 * POLICY_NAME_MAX];

	subject_text(q->p, q->subject, subject);
	json_key_string(j, "verb", verb_words[q->verb]);
	json_key_string(j, "subject", subject);
	json_key_string(j, "purpose", q->p->purposes[q->purpose]);
	json_key(j, "state");
	json_array(j);
	for (unsigned b = 0; state_words[b]; b++)
		if (q->state >> b & 1)
			json_string(j, state_words[b]);
	json_array_end(j);
}

void policy_explain(const struct policy *p, const char *spiffe_id, enum policy_verb verb, size_t subject,
		    size_t purpose, unsigned state, struct buf *json)
{
	struct inquiry q = {.p = p, .verb = verb, .subject = subject, .purpose = purpose, .state = state};
	char form[FORM_TEXT_MAX];
	struct json j;

	json_init(&j, json);
	json_object(&j);
	policy_identify(p, spiffe_id, &q.who);
	explain_who(&q, spiffe_id, &j);
	policy_decide(p, &q.who, verb, subject, purpose, state, &q.verdict);
	form_text(p, subject, q.verdict.form, form);
	if (verb != VERB_READ && q.verdict.form != FORM_DENY)
		(void)snprintf(form, sizeof form, "allow");
	json_key_string(&j, "form", form);
	if ((unsigned)verb < VERB_COUNT && subject < p->n_subjects && purpose < p->n_purposes && state < STATES) {
		json_key_string(&j, "reason", reason_of(&q));
		explain_question(&q, &j);
		explain_rules(&q, &j);
	} else {
		json_key_string(&j, "reason", "unknown_question");
	}
	json_object_end(&j);
}

static void write_right(struct json *j, const char *verb, const char *subject, const char *form, const char *purpose,
			const char *when)
{
	const char *const keys[] = {"verb", "subject", "form", "purpose", "when"};
	const char *const values[] = {verb, subject, form, purpose, when};

	json_object(j);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_key(j, keys[i]);
		if (values[i])
			json_string(j, values[i]);
		else
			json_null(j);
	}
	json_object_end(j);
}

static unsigned form_in(const struct inquiry *q, unsigned state)
{
	struct policy_verdict v;

	policy_decide(q->p, &q->who, q->verb, q->subject, q->purpose, state, &v);
	return v.form;
}

/* What a customer who neither objected nor restricted discloses, by what was
 * granted. More granted never gives less, so four states tell all. */
static void write_rights_for(const struct inquiry *q, struct json *j)
{
	const unsigned none = form_in(q, 0), consent = form_in(q, STATE_CONSENTED), basis = form_in(q, STATE_BASIS),
		       both = form_in(q, STATE_CONSENTED | STATE_BASIS);
	const struct {
		unsigned form, above;
		const char *when;
	} cases[] = {{none, FORM_DENY, NULL},
		     {consent, consent == basis ? FORM_PLAIN : none, "consented"},
		     {basis, consent == basis ? FORM_PLAIN : none, "basis"},
		     {consent, consent == basis ? none : FORM_PLAIN, "consented or basis"},
		     {both, consent > basis ? consent : basis, "consented and basis"}};
	char subject[2 * POLICY_NAME_MAX], form[FORM_TEXT_MAX];

	subject_text(q->p, q->subject, subject);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (cases[i].form > cases[i].above) {
			form_text(q->p, q->subject, cases[i].form, form);
			write_right(j, verb_words[q->verb], subject, q->verb == VERB_READ ? form : NULL,
				    q->p->purposes[q->purpose], cases[i].when);
		}
}

void policy_rights_of(const struct policy *p, const struct policy_identity *who, struct buf *json)
{
	struct inquiry q = {.p = p, .who = *who};
	struct json j;

	json_init(&j, json);
	json_array(&j);
	for (unsigned verb = 0; verb < VERB_COUNT; verb++)
		for (q.subject = 0; q.subject < p->n_subjects; q.subject++)
			for (q.purpose = 0; q.purpose < p->n_purposes; q.purpose++) {
				q.verb = (enum policy_verb)verb;
				write_rights_for(&q, &j);
			}
	for (unsigned right = 0; right < RIGHT_COUNT; right++)
		if (policy_has_right(p, who, (enum policy_right)right, &q.verdict)) {
			const struct right_group *g = right_group_of(right);

			write_right(&j, g->verb, g->things[right - g->first], NULL, NULL, NULL);
		}
	json_array_end(&j);
}
