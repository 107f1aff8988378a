/* expect.c: runs decision tests, one expectation a line:
 *
 *   expect masked for service_desk reads contact.email for support
 *   expect deny for campaigns reads contact.email for marketing unless consented
 *   expect allow for admin manages keys
 */
#include "policy/policy_int.h"

#include <stdio.h>
#include <string.h>

struct expectation {
	unsigned form; /* FORM_*; for verbs other than read and for rights FORM_PLAIN stands for allow */
	struct word form_word, mask_word;
	struct policy_identity who;
	unsigned action;
	size_t subject, purpose;
	uint16_t states; /* that it is asked for */
};

struct test_reader {
	const struct policy *p;
	struct lexer lexer;
	struct word now;
	struct policy_complaints complaints; /* of the current line */
};

static const char *const reads_words[] = {"reads",   "writes",	"searches", "translates", "deletes",
					  "manages", "records", "opens",    "handles",	  NULL};

static void advance(struct test_reader *t)
{
	lex_next(&t->lexer, &t->now);
}

static bool at_line_end(const struct test_reader *t)
{
	return t->now.kind == WORD_NEWLINE || t->now.kind == WORD_END;
}

static bool accept(struct test_reader *t, const char *keyword)
{
	if (!word_is(&t->now, keyword))
		return false;
	advance(t);
	return true;
}

static bool unexpected(struct test_reader *t, const char *what, const struct guess *g)
{
	if (at_line_end(t))
		complain(&t->complaints, &t->now, NULL, "the line ends where %s should stand", what);
	else
		complain(&t->complaints, &t->now, g ? g->best : NULL, "'%.*s' stands where %s should stand",
			 (int)(t->now.len < 40 ? t->now.len : 40), t->now.at, what);
	return false;
}

static bool need(struct test_reader *t, const char *keyword)
{
	struct guess g;

	if (accept(t, keyword))
		return true;
	guess_init(&g, &t->now);
	guess_offer(&g, keyword);
	return unexpected(t, keyword, &g);
}

static bool take_choice(struct test_reader *t, const char *what, const char *const *choices, unsigned *out)
{
	struct guess g;

	guess_init(&g, &t->now);
	guess_offer_all(&g, choices);
	for (*out = 0; choices[*out]; (*out)++)
		if (accept(t, choices[*out]))
			return true;
	return unexpected(t, what, &g);
}

/* deny, allow, token, masked, masked(NAME), plain */
static bool take_form(struct test_reader *t, struct expectation *x)
{
	static const char *const forms[] = {"deny", "token", "masked", "plain", "allow", NULL};
	static const unsigned values[] = {FORM_DENY, FORM_TOKEN, FORM_MASK(0), FORM_PLAIN, FORM_PLAIN};
	unsigned choice;

	x->form_word = t->now;
	if (!take_choice(t, "deny, allow, token, masked or plain", forms, &choice))
		return false;
	x->form = values[choice];
	if (choice != 2 || t->now.kind != WORD_OPEN)
		return true;
	advance(t);
	x->mask_word = t->now;
	if (t->now.kind != WORD_TEXT)
		return unexpected(t, "the name of a mask", NULL);
	advance(t);
	if (t->now.kind != WORD_CLOSE)
		return unexpected(t, ")", NULL);
	advance(t);
	return true;
}

/* A role, or a SPIFFE ID. */
static bool take_who(struct test_reader *t, struct expectation *x)
{
	char id[SPIFFE_ID_MAX + 1];
	struct guess g;
	size_t role = find_role(t->p, &t->now);

	if (t->now.kind == WORD_TEXT && spiffe_id_valid(t->now.at, t->now.len, false)) {
		memcpy(id, t->now.at, t->now.len);
		id[t->now.len] = 0;
		policy_identify(t->p, id, &x->who);
	} else if (role != NOT_FOUND) {
		x->who = (struct policy_identity){.roles = (uint64_t)1 << role, .audience = t->p->roles[role].audience};
	} else {
		guess_init(&g, &t->now);
		guess_role(t->p, &g);
		complain_unknown(&t->complaints, &t->now, g.best, "role");
		return false;
	}
	advance(t);
	return true;
}

/* masked means the subject's last mask; other verbs than read know deny and allow. */
static bool resolve_form(struct test_reader *t, struct expectation *x)
{
	const struct policy_subject *s = x->action < VERB_COUNT ? &t->p->subjects[x->subject] : NULL;
	bool allow = word_is(&x->form_word, "allow");
	size_t mask;

	if (x->form != FORM_DENY && allow == (x->action == VERB_READ)) {
		complain(&t->complaints, &x->form_word, NULL, "%s",
			 allow ? "a read gives a form: token, masked, masked(NAME), plain or deny"
			       : "only a read gives a form; here allow or deny may be expected");
		return false;
	}
	if (!s || !word_is(&x->form_word, "masked"))
		return true;
	mask = x->mask_word.at ? find_mask(s, &x->mask_word) : s->n_masks - 1;
	if (s->n_masks == 0 || mask == NOT_FOUND) {
		complain(&t->complaints, x->mask_word.at ? &x->mask_word : &x->form_word, NULL, "%s has no such mask",
			 s->name);
		return false;
	}
	x->form = FORM_MASK((unsigned)mask);
	return true;
}

static bool take_subject_and_purpose(struct test_reader *t, struct expectation *x)
{
	struct guess g;

	guess_init(&g, &t->now);
	guess_subject(t->p, &t->now, &g, false);
	x->subject = find_subject(t->p, &t->now);
	if (x->subject == NOT_FOUND) {
		complain_unknown(&t->complaints, &t->now, g.best, "field or record kind");
		return false;
	}
	advance(t);
	if (!need(t, "for"))
		return false;
	guess_init(&g, &t->now);
	guess_purpose(t->p, &g);
	x->purpose = find_purpose(t->p, &t->now);
	if (x->purpose == NOT_FOUND) {
		complain_unknown(&t->complaints, &t->now, g.best, "purpose");
		return false;
	}
	advance(t);
	return true;
}

/* if A and B: the one state that has just these. unless A or B: each state that has none of these. always: all. */
static bool take_states(struct test_reader *t, struct expectation *x)
{
	bool unless = word_is(&t->now, "unless");
	unsigned bits = 0, choice;

	x->states = 1; /* nothing is recorded */
	if (accept(t, "always")) {
		x->states = UINT16_MAX;
		return true;
	}
	if (!accept(t, "if") && !accept(t, "unless"))
		return true;
	do {
		if (!take_choice(t, "consented, basis, objected or restricted", state_words, &choice))
			return false;
		bits |= 1u << choice;
	} while (accept(t, unless ? "or" : "and"));
	x->states = 0;
	for (unsigned s = 0; s < STATES; s++)
		if (unless ? !(s & bits) : s == bits)
			x->states |= (uint16_t)(1u << s);
	return true;
}

/* "reads audit" and the like: true and the right, else the word stays. */
static bool accept_right_to_read(struct test_reader *t, struct expectation *x)
{
	const struct right_group *g = right_group_of(RIGHT_READ_AUDIT);

	for (unsigned i = 0; g->things[i]; i++)
		if (accept(t, g->things[i])) {
			x->action = ACTION_RIGHT(g->first + i);
			return true;
		}
	return false;
}

static bool take_expectation(struct test_reader *t, struct expectation *x)
{
	unsigned verb;

	*x = (struct expectation){0};
	if (!need(t, "expect") || !take_form(t, x) || !need(t, "for") || !take_who(t, x) ||
	    !take_choice(t, "reads, writes, searches, translates, deletes, manages, records, opens or handles", reads_words, &verb))
		return false;
	if (verb >= VERB_COUNT) {
		const struct right_group *g = &right_groups[verb - VERB_COUNT];

		if (!take_choice(t, g->what, g->things, &x->action))
			return false;
		x->action = ACTION_RIGHT(g->first + x->action);
	} else if (verb != VERB_READ || !accept_right_to_read(t, x)) {
		x->action = verb;
		if (!take_subject_and_purpose(t, x) || !take_states(t, x))
			return false;
	}
	if (!at_line_end(t))
		return unexpected(t, "the end of the line", NULL);
	return resolve_form(t, x);
}

static void state_text(unsigned state, struct buf *out)
{
	const char *join = " if ";

	for (unsigned b = 0; state_words[b]; b++)
		if (state >> b & 1) {
			buf_printf(out, "%s%s", join, state_words[b]);
			join = " and ";
		}
}

/* One line in the report at the first state that gives something else. */
static bool holds(const struct policy *p, const struct expectation *x, unsigned line, struct buf *report)
{
	char expected[FORM_TEXT_MAX], got[FORM_TEXT_MAX];
	struct policy_verdict v;

	if (x->action >= VERB_COUNT) {
		bool has = policy_has_right(p, &x->who, (enum policy_right)(x->action - VERB_COUNT), &v);

		if (has != (x->form == FORM_PLAIN))
			buf_printf(report, "line %u: expected %s, got %s\n", line, has ? "deny" : "allow",
				   has ? "allow" : "deny");
		return has == (x->form == FORM_PLAIN);
	}
	for (unsigned s = 0; s < STATES; s++) {
		if (!(x->states >> s & 1))
			continue;
		policy_decide(p, &x->who, (enum policy_verb)x->action, x->subject, x->purpose, s, &v);
		if (v.form == x->form)
			continue;
		form_text(p, x->subject, x->form, expected);
		form_text(p, x->subject, v.form, got);
		buf_printf(report, "line %u: expected %s, got %s", line,
			   x->action != VERB_READ && x->form ? "allow" : expected,
			   x->action != VERB_READ && v.form ? "allow" : got);
		state_text(s, report);
		buf_byte(report, '\n');
		return false;
	}
	return true;
}

static void report_complaint(const struct policy_complaint *c, struct buf *report)
{
	buf_printf(report, "line %u, column %u: %s", c->line, c->column, c->text);
	if (c->near[0])
		buf_printf(report, "; did you mean %s?", c->near);
	buf_byte(report, '\n');
}

enum err policy_test(const struct policy *p, const char *tests, size_t len, struct buf *report, size_t *passed,
		     size_t *failed)
{
	struct test_reader t = {.p = p};
	struct expectation x;
	enum err e = ERR_OK;

	*passed = *failed = 0;
	lex_init(&t.lexer, len ? tests : "", len);
	for (advance(&t); t.now.kind != WORD_END;) {
		unsigned line = t.now.line;

		t.complaints.n = 0;
		if (at_line_end(&t)) {
			advance(&t);
			continue;
		}
		if (take_expectation(&t, &x)) {
			(*(holds(p, &x, line, report) ? passed : failed))++;
		} else {
			report_complaint(&t.complaints.list[0], report);
			e = ERR_POLICY_TEXT;
		}
		while (!at_line_end(&t))
			advance(&t);
	}
	return e;
}
