/* The language as it is written, and what each mistake in it is told. */
#include "tests/unit/policy/desk.h"

/* The one complaint must stand there, say this (a part of it) and suggest that. */
static void expect_complaint(const char *text, unsigned line, unsigned column, const char *says, const char *near)
{
	struct policy_complaints c;
	struct policy *p = (struct policy *)&c;

	assert_int_equal(policy_compile(text, strlen(text), &crm_world, &p, &c), ERR_POLICY_TEXT);
	assert_null(p);
	assert_int_equal(c.n, 1); /* one fault is told once */
	if (c.list[0].line != line || c.list[0].column != column || !strstr(c.list[0].text, says) ||
	    strcmp(c.list[0].near, near) != 0)
		fail_msg("for:\n%s\ngot %u:%u %s (%s)", text, c.list[0].line, c.list[0].column, c.list[0].text,
			 c.list[0].near);
}

static void unknown_names_are_told_with_the_near_word(void **state)
{
	static const struct {
		const char *rule;
		unsigned column;
		const char *says, *near;
	} cases[] = {
	    {"alow desk to read contact", 1, "'alow' stands where role, allow, deny or cap", "allow"},
	    {"Allow desk to read contact", 1, "'Allow'", "allow"},
	    {"allow dsek to read contact", 7, "no role is called 'dsek'", "desk"},
	    {"allow desk too read contact", 12, "'too' stands where 'to'", "to"},
	    {"allow desk to raed contact", 15, "'raed' stands where read", "read"},
	    {"allow desk to read contcat", 20, "no class is called 'contcat'", "contact"},
	    {"allow desk to read contact.emial", 20, "no field or record kind is called 'contact.emial'",
	     "contact.email"},
	    {"allow desk to read email", 20, "no class is called 'email'", "contact.email"},
	    {"allow desk to read Contact.Phone", 20, "no field or record kind", "contact.phone"},
	    {"allow desk to read contcat.*", 20, "no class is called 'contcat.*'", "contact"},
	    {"allow desk to read contact as maskd", 31, "'maskd' stands where token, masked or plain", "masked"},
	    {"allow desk to read identity.birth_date as masked(yaer)", 50, "has no mask called 'yaer'", "year"},
	    {"allow desk to read identity.gender as masked", 39, "identity.gender has no mask", "token"},
	    {"allow desk to read contact for markting", 32, "no purpose is called 'markting'", "marketing"},
	    {"allow desk to read contact for support, xyz", 41, "no purpose is called 'xyz'", ""},
	    {"allow desk to read contact when consentd", 33, "'consentd'", "consented"},
	    {"allow desk to manage polices", 22, "'polices' stands where policy", "policy"},
	    {"allow desk to read contact fro support", 28, "'fro' stands where", "for"},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		(void)snprintf(text, sizeof text, DESK "\n%s\n", cases[i].rule);
		expect_complaint(text, 3, cases[i].column, cases[i].says, cases[i].near);
	}
}

static void misplaced_words_are_told(void **state)
{
	static const struct {
		const char *rule;
		unsigned column;
		const char *says, *near;
	} cases[] = {
	    {"allow desk", 11, "the line ends where 'to'", ""},
	    {"allow desk to read", 19, "the line ends where a field", ""},
	    {"allow * to read contact", 7, "only deny and cap may say *", ""},
	    {"allow desk to write contact as plain", 29, "only read takes a form", ""},
	    {"deny desk to read contact as plain", 27, "a deny takes no form", ""},
	    {"cap desk to read contact", 25, "'as' with the form", ""},
	    {"cap desk to read contact as plain", 29, "limits nothing", ""},
	    {"cap desk to write contact as token", 13, "its verb is read", "read"},
	    {"cap desk to read audit", 23, "'as' with the form", ""},
	    {"allow desk to read contact for support as plain", 40, "in this order", ""},
	    {"allow desk to read contact as plain as plain", 37, "'as' stands where", ""},
	    {"allow desk to read contact for support,", 40, "the line ends where a purpose", ""},
	    {"allow desk to read contact for support marketing", 40, "'marketing' stands where", ""},
	    {"allow desk to read contact as masked(email", 43, "')'", ""},
	    {"allow desk to read contact when", 32, "the line ends where consented", ""},
	    {"allow desk to read contact when not not consented", 37, "'not' stands where", ""},
	    {"allow desk to read contact when consented and basis", 43, "joined with or", "or"},
	    {"allow desk to read contact when objected", 33, "an allow takes consented, basis", ""},
	    {"allow desk to read contact when not consented", 33, "an allow takes", ""},
	    {"deny desk to read contact when consented", 32, "a deny or cap takes not consented", ""},
	    {"allow desk to manage keys for support", 27, "'for' stands where the end of the line", ""},
	    {"allow desk to read audit when consented", 26, "'when' stands where the end", ""},
	    {"allow desk to read contact for support，survey", 39, "a character that no statement may hold", ","},
	    {"allow desk to read 联系", 20, "a character that no statement may hold", ""},
	    {"role", 5, "the line ends where the name of a role", ""},
	    {"role a23456789012345678901234567890123456789012345678 is spiffe://d/a", 6, "at most 47", ""},
	    {"role x is desk", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://D/a", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d/a/", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d/*/a", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d/a*", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d/../a", 11, "not a SPIFFE ID", ""},
	    {"role x is spiffe://d/a, spiffe://*/b", 25, "not a SPIFFE ID", ""},
	    {"role X is spiffe://d/a", 6, "a name starts with a small letter", ""},
	    {"role x is spiffe://d/a audience a-b", 33, "a name starts with", ""},
	    {"role x is spiffe://d/a audiense x", 24, "'audiense' stands where", "audience"},
	    {"role desk is spiffe://d/a", 6, "role desk is declared already on line 1", ""},
	};
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		(void)snprintf(text, sizeof text, DESK "\n%s\n", cases[i].rule);
		expect_complaint(text, 3, cases[i].column, cases[i].says, cases[i].near);
	}
}

static void a_role_that_manages_may_have_no_data(void **state)
{
	(void)state;
	expect_complaint(DESK "allow desk to manage keys\nallow desk to read contact", 1, 6,
			 "role desk manages the vault and has an allow on data", "");
	expect_complaint(DESK "allow desk to manage callers\nallow desk to delete behaviour.order", 1, 6, "manages",
			 "");
	policy_free(compile(DESK "allow desk to read audit\nallow desk to read contact"));
	policy_free(compile(DESK "allow desk to manage keys\ndeny desk to read contact\nallow desk to read audit"));
	/* Nor may one identity get there by two roles. */
	expect_complaint("role a is spiffe://d/* audience x\nrole b is spiffe://d/b audience x\n"
			 "allow a to manage keys\nallow b to read contact",
			 2, 6, "one identity could be a and b: one manages the vault", "");
}

static void an_identity_may_have_one_audience_only(void **state)
{
	static const char says[] = "one identity could be a and b, which have different audiences";

	(void)state;
	expect_complaint("role a is spiffe://d/x\nrole b is spiffe://d/x", 2, 6, says, "");
	expect_complaint("role a is spiffe://d/x\nrole b is spiffe://d/*", 2, 6, says, "");
	expect_complaint("role a is spiffe://d/*\nrole b is spiffe://e/y, spiffe://d/x", 2, 6, says, "");
	expect_complaint("role a is spiffe://d/*  audience p\nrole b is spiffe://d/* audience q", 2, 6, says, "");
	expect_complaint("role a is spiffe://d/w, spiffe://d/x\nrole b is spiffe://e/y, spiffe://d/x", 2, 6, says, "");
	policy_free(compile("role a is spiffe://d/* audience p\nrole b is spiffe://d/x audience p"));
	policy_free(compile("role a is spiffe://d/*\nrole b is spiffe://d/x/y, spiffe://d/x/*"));
}

static void all_faults_are_told_in_their_order(void **state)
{
	static const char text[] = "rol a is spiffe://d/a\n"
				   "role a is spiffe://d/a\n"
				   "role b is spiffe://d/a\n"
				   "allow c to read contact\n"
				   "allow a to reed contact\n";
	static const unsigned lines[] = {1, 3, 4, 5};
	struct policy_complaints c;
	struct policy *p;

	(void)state;
	assert_int_equal(policy_compile(text, strlen(text), &crm_world, &p, &c), ERR_POLICY_TEXT);
	assert_int_equal(c.n, 4);
	for (size_t i = 0; i < c.n; i++)
		assert_int_equal(c.list[i].line, lines[i]);
	assert_int_equal(policy_compile(text, strlen(text), &crm_world, &p, NULL), ERR_POLICY_TEXT);
}

static void columns_count_characters(void **state)
{
	(void)state;
	expect_complaint("规则 x", 1, 1, "a character", "");
	expect_complaint(DESK "allow desk to read contact for ,support", 2, 32, "',' stands where a purpose", "");
	expect_complaint("role desk is\t，", 1, 14, "a character", ",");
}

static void limits_are_errors_and_not_silent_cuts(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	for (int i = 0; i <= POLICY_ROLES_MAX; i++)
		buf_printf(&text, "role r%d is spiffe://d/r%d\n", i, i);
	expect_complaint(buf_string(&text), POLICY_ROLES_MAX + 1, 6, "at most 64 roles", "");
	buf_reset(&text);
	/* Roles are compared pattern by pattern: without a limit one text takes seconds. */
	for (unsigned r = 0; r < 2; r++) {
		buf_printf(&text, "role r%u is spiffe://d/%u/0", r, r);
		for (unsigned i = 1; i < POLICY_PATTERNS_MAX / 2 + r; i++)
			buf_printf(&text, ", spiffe://d/%u/%u", r, i);
		buf_text(&text, "\n");
	}
	expect_complaint(buf_string(&text), 2, 6, "at most 4096 identities; with this role there are 4097", "");
	buf_reset(&text);
	buf_text(&text, DESK);
	for (int i = 0; i < POLICY_RULES_MAX; i++)
		buf_text(&text, "allow desk to read contact\n");
	policy_free(compile(buf_string(&text)));
	buf_text(&text, "allow desk to read contact\n");
	expect_complaint(buf_string(&text), 2, 1, "at most 1024 rules; this has 1025", "");
	buf_reset(&text);
	for (int i = 0; i < 65535; i++)
		buf_byte(&text, '\n');
	expect_complaint(buf_string(&text), 65535, 1, "at most 65535 lines", "");
	buf_fini(&text);
}

static void expect_world_refused(const struct policy_world *world)
{
	struct policy_complaints c;
	struct policy *p;

	assert_int_equal(policy_compile("", 0, world, &p, &c), ERR_POLICY_TEXT);
	assert_non_null(strstr(c.list[0].text, "the dictionary has more"));
}

static void a_world_that_is_too_large_is_refused(void **state)
{
	static struct policy_subject subjects[POLICY_SUBJECTS_MAX + 1];
	static const char *purposes[POLICY_PURPOSES_MAX + 1];
	struct policy_world world = {subjects, POLICY_SUBJECTS_MAX, purposes, POLICY_PURPOSES_MAX};
	static const char too_long[] = "a23456789012345678901234567890123456789012345678";
	struct policy *p;

	(void)state;
	for (size_t i = 0; i <= POLICY_SUBJECTS_MAX; i++)
		subjects[i] = (struct policy_subject){"name", "class", false, 1, {"mask"}};
	for (size_t i = 0; i <= POLICY_PURPOSES_MAX; i++)
		purposes[i] = "support";
	assert_int_equal(policy_compile("", 0, &world, &p, NULL), ERR_OK);
	policy_free(p);
	world.n_subjects++;
	expect_world_refused(&world);
	world.n_subjects = 1;
	world.n_purposes++;
	expect_world_refused(&world);
	world.n_purposes = 2;
	subjects[0].n_masks = POLICY_MASKS_MAX + 1;
	expect_world_refused(&world);
	subjects[0].n_masks = 1;
	subjects[0].masks[0] = too_long;
	expect_world_refused(&world);
	subjects[0].masks[0] = "mask";
	subjects[0].name = too_long;
	expect_world_refused(&world);
	subjects[0].name = "name";
	purposes[1] = too_long;
	expect_world_refused(&world);
	purposes[1] = too_long + 1;
	assert_int_equal(policy_compile("", 0, &world, &p, NULL), ERR_OK);
	policy_free(p);
}

static void a_spiffe_id_has_at_most_2048_bytes(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 0);
	buf_text(&text, "role x is spiffe://d/");
	while (text.len < 10 + 2048)
		buf_append(&text, &"azAZ09.-_"[text.len % 9], 1);
	policy_free(compile(buf_string(&text)));
	buf_byte(&text, 'a');
	expect_complaint(buf_string(&text), 1, 11, "not a SPIFFE ID", "");
	buf_fini(&text);
}

static void long_words_are_told_without_a_guess(void **state)
{
	static const char word[] = "a234567890123456789012345678901234567890123456789012345678901234";
	char text[256];

	(void)state;
	for (size_t len = 60; len <= 64; len++) {
		(void)snprintf(text, sizeof text, DESK "allow desk to read contact for %.*s", (int)len, word);
		expect_complaint(text, 2, 32, "no purpose is called 'a234567890", "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(unknown_names_are_told_with_the_near_word),
	    cmocka_unit_test(misplaced_words_are_told),
	    cmocka_unit_test(a_role_that_manages_may_have_no_data),
	    cmocka_unit_test(an_identity_may_have_one_audience_only),
	    cmocka_unit_test(all_faults_are_told_in_their_order),
	    cmocka_unit_test(columns_count_characters),
	    cmocka_unit_test(limits_are_errors_and_not_silent_cuts),
	    cmocka_unit_test(a_world_that_is_too_large_is_refused),
	    cmocka_unit_test(a_spiffe_id_has_at_most_2048_bytes),
	    cmocka_unit_test(long_words_are_told_without_a_guess),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
