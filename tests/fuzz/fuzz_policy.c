/* floor: policy */
/* policy_compile, and on what compiles policy_decide, policy_has_right,
 * policy_explain, policy_rights_of and policy_test. Up to the first NUL the
 * input is policy text, behind it a file of decision tests. */
#include "policy/policy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#define ID "spiffe://crm.example/svc/desk"

static const struct policy_subject subjects[] = {
    {"email", "contact", false, 1, {"email"}},
    {"phone", "contact", false, 1, {"phone"}},
    {"birth_date", "identity", false, 2, {"decade", "year"}},
    {"gender", "identity", false, 0, {0}},
    {"order", "behaviour", true, 0, {0}},
};
static const char *const purposes[] = {"support", "marketing", "rights", "audit"};
static const struct policy_world world = {subjects, 5, purposes, 4};
static const char fallback[] = "role desk is " ID "\nallow desk to read contact as masked for support when consented\n"
			       "deny * to write contact.phone\n";

static void check(bool holds)
{
	if (!holds)
		abort();
}

static void ask_all(const struct policy *p, const char *id)
{
	/* Each bit, all of them, none, and one that is no state. */
	static const unsigned states[] = {0, 1, 2, 4, 8, 15, 16};
	struct policy_identity who;
	struct policy_verdict v;

	policy_identify(p, id, &who);
	check(!who.roles || who.audience < policy_audiences(p));
	for (unsigned verb = 0; verb < VERB_COUNT; verb++)
		for (size_t s = 0; s <= world.n_subjects; s++)
			for (size_t at = 0; at <= world.n_purposes; at++) {
				unsigned granted;

				policy_decide(p, &who, (enum policy_verb)verb, s, at, STATE_CONSENTED | STATE_BASIS,
					      &v);
				granted = v.form;
				for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
					policy_decide(p, &who, (enum policy_verb)verb, s, at, states[i], &v);
					check(v.form <= granted);
					check(v.n_rules <= POLICY_VERDICT_RULES);
					check(v.form == FORM_DENY || v.n_rules > 0);
				}
			}
	for (unsigned r = 0; r < RIGHT_COUNT; r++)
		check(policy_has_right(p, &who, (enum policy_right)r, &v) == (v.form == FORM_PLAIN));
}

static void talk(const struct policy *p, const char *tests, size_t len)
{
	struct policy_identity who;
	size_t passed, failed;
	struct buf out;

	buf_init(&out, 0);
	policy_identify(p, ID, &who);
	policy_rights_of(p, &who, &out);
	policy_explain(p, ID, VERB_READ, 2, 0, STATE_BASIS, &out);
	check(buf_ok(&out));
	if (policy_test(p, tests, len, &out, &passed, &failed) == ERR_OK)
		check(failed == 0 || out.len > 0);
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const uint8_t *cut = len ? memchr(data, 0, len) : NULL;
	size_t text_len = cut ? (size_t)(cut - data) : len;
	struct policy_complaints c;
	struct policy *p;
	enum err e = policy_compile((const char *)data, text_len, &world, &p, &c);

	check((e == ERR_OK) == (p != NULL));
	check(e != ERR_POLICY_TEXT || c.n > 0);
	for (size_t i = 0; e == ERR_POLICY_TEXT && i < c.n; i++)
		check(c.list[i].line > 0 && c.list[i].column > 0 && c.list[i].text[0]);
	if (e == ERR_POLICY_TEXT)
		check(policy_compile(fallback, sizeof fallback - 1, &world, &p, NULL) == ERR_OK);
	if (!p)
		return 0;
	ask_all(p, ID);
	talk(p, cut ? (const char *)cut + 1 : "", cut ? len - text_len - 1 : 0);
	policy_free(p);
	return 0;
}
