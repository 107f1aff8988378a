/* parse.c: words to the tree: one statement a line, by recursive descent.
 *
 * A line that can't be read leaves one complaint and the next line is read, so
 * that an author sees all faults at once. Names are not looked up here. */
#include "policy/policy_int.h"

#include <string.h>

struct parser {
	struct lexer lexer;
	struct word now;
	const char *last_end; /* of the word before now */
	struct arena *arena;
	struct tree *tree;
	struct policy_complaints *complaints;
	struct role_node **role_tail;
	struct rule_node **rule_tail;
	bool no_memory;
};

const char *const state_words[] = {"consented", "basis", "objected", "restricted", NULL};
const char *const verb_words[] = {"read", "write", "search", "translate", "delete", NULL};
static const char *const manage_things[] = {"policy", "dictionary", "keys", "callers", "notices", NULL};
static const char *const read_things[] = {"audit", "consents", NULL};
static const char *const record_things[] = {"consents", NULL};
static const char *const request_things[] = {"requests", NULL};
const struct right_group right_groups[] = {
    {"manage", "manages", RIGHT_MANAGE_POLICY, "policy, dictionary, keys, callers or notices", manage_things},
    {"record", "records", RIGHT_RECORD_CONSENTS, "consents", record_things},
    {"open", "opens", RIGHT_OPEN_REQUESTS, "requests", request_things},
    {"handle", "handles", RIGHT_HANDLE_REQUESTS, "requests", request_things},
    {"read", "reads", RIGHT_READ_AUDIT, "audit or consents", read_things},
    {NULL, NULL, 0, NULL, NULL},
};

const struct right_group *right_group_of(unsigned right)
{
	const struct right_group *found = right_groups;

	for (const struct right_group *g = right_groups; g->verb; g++)
		if (g->first <= right && g->first >= found->first)
			found = g;
	return found;
}

static void advance(struct parser *ps)
{
	ps->last_end = ps->now.at + ps->now.len;
	lex_next(&ps->lexer, &ps->now);
}

static bool at_line_end(const struct parser *ps)
{
	return ps->now.kind == WORD_NEWLINE || ps->now.kind == WORD_END;
}

/* What people type on a Chinese keyboard without noticing. */
static const char *ascii_of(const struct word *w)
{
	static const char *const pairs[][2] = {{"，", ","}, {"、", ","}, {"（", "("},
					       {"）", ")"}, {"＊", "*"}, {"＃", "#"}};

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
		if (strlen(pairs[i][0]) == w->len && memcmp(pairs[i][0], w->at, w->len) == 0)
			return pairs[i][1];
	return NULL;
}

/* Complains that now is not what should stand here. candidates may be NULL. */
static bool unexpected(struct parser *ps, const char *what, const char *const *candidates)
{
	struct guess g;

	guess_init(&g, &ps->now);
	if (candidates && ps->now.kind == WORD_TEXT)
		guess_offer_all(&g, candidates);
	if (ps->now.kind == WORD_BAD)
		complain(ps->complaints, &ps->now, ascii_of(&ps->now), "a character that no statement may hold");
	else if (at_line_end(ps))
		complain(ps->complaints, &ps->now, NULL, "the line ends where %s should stand", what);
	else
		complain(ps->complaints, &ps->now, g.best, "'%.*s' stands where %s should stand",
			 (int)(ps->now.len < 40 ? ps->now.len : 40), ps->now.at, what);
	return false;
}

static bool accept(struct parser *ps, const char *keyword)
{
	if (!word_is(&ps->now, keyword))
		return false;
	advance(ps);
	return true;
}

static bool need(struct parser *ps, const char *keyword)
{
	const char *const candidates[] = {keyword, NULL};
	char what[24] = "'";

	if (accept(ps, keyword))
		return true;
	strncat(what, keyword, sizeof what - 3);
	strcat(what, "'");
	return unexpected(ps, what, candidates);
}

static bool take_word(struct parser *ps, const char *what, struct word *out)
{
	if (ps->now.kind != WORD_TEXT)
		return unexpected(ps, what, NULL);
	*out = ps->now;
	advance(ps);
	return true;
}

static bool take_name(struct parser *ps, const char *what, struct word *out)
{
	if (!take_word(ps, what, out))
		return false;
	if (word_is_name(out))
		return true;
	complain(ps->complaints, out, NULL,
		 "a name starts with a small letter and has small letters, digits and _, at most %d in all",
		 POLICY_NAME_MAX - 1);
	return false;
}

/* One word of a list that ends in NULL; its place in the list goes to out. */
static bool take_choice(struct parser *ps, const char *what, const char *const *choices, unsigned *out)
{
	for (unsigned i = 0; choices[i]; i++)
		if (accept(ps, choices[i])) {
			*out = i;
			return true;
		}
	return unexpected(ps, what, choices);
}

static bool take_list(struct parser *ps, const char *what, struct words **out)
{
	struct words **tail = out;

	do {
		struct words *one = arena_alloc(ps->arena, sizeof *one);

		if (!one) {
			ps->no_memory = true;
			return false;
		}
		if (!take_word(ps, what, &one->word))
			return false;
		*tail = one;
		tail = &one->next;
		if (ps->now.kind != WORD_COMMA)
			return true;
		advance(ps);
	} while (true);
}

static bool segment_valid(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		char c = at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' &&
		    c != '-' && c != '_')
			return false;
	}
	return len > 0 && !(len == 1 && at[0] == '.') && !(len == 2 && at[0] == '.' && at[1] == '.');
}

bool spiffe_id_valid(const char *at, size_t len, bool wildcard)
{
	static const char scheme[] = "spiffe://";
	const char *end = at + len, *slash;

	if (len > SPIFFE_ID_MAX || len < sizeof scheme || memcmp(at, scheme, sizeof scheme - 1) != 0)
		return false;
	at += sizeof scheme - 1;
	slash = memchr(at, '/', (size_t)(end - at));
	if (!slash || !segment_valid(at, (size_t)(slash - at)))
		return false;
	for (const char *c = at; c < slash; c++)
		if (*c >= 'A' && *c <= 'Z')
			return false;
	while (slash) {
		at = slash + 1;
		slash = memchr(at, '/', (size_t)(end - at));
		if (wildcard && !slash && end - at == 1 && *at == '*')
			return true;
		if (!segment_valid(at, (size_t)((slash ? slash : end) - at)))
			return false;
	}
	return true;
}

static bool patterns_valid(struct parser *ps, const struct words *patterns)
{
	for (; patterns; patterns = patterns->next)
		if (!spiffe_id_valid(patterns->word.at, patterns->word.len, true)) {
			complain(
			    ps->complaints, &patterns->word, NULL,
			    "not a SPIFFE ID such as spiffe://domain/path/name; only the whole last part may be *");
			return false;
		}
	return true;
}

/* role NAME is PATTERN, PATTERN audience NAME */
static bool parse_role(struct parser *ps)
{
	static const char *const tail[] = {"audience", NULL};
	struct role_node *role = arena_alloc(ps->arena, sizeof *role);

	if (!role) {
		ps->no_memory = true;
		return false;
	}
	if (!take_name(ps, "the name of a role", &role->name) || !need(ps, "is") ||
	    !take_list(ps, "a SPIFFE ID", &role->patterns) || !patterns_valid(ps, role->patterns))
		return false;
	if (accept(ps, "audience") && !take_name(ps, "the name of an audience", &role->audience))
		return false;
	if (!at_line_end(ps))
		return unexpected(ps, "'audience' or the end of the line", tail);
	*ps->role_tail = role;
	ps->role_tail = &role->next;
	ps->tree->n_roles++;
	return true;
}

/* What is read beside data: "audit" and the like. */
static bool accept_right_to_read(struct parser *ps, struct rule_node *rule)
{
	for (unsigned i = 0; read_things[i]; i++)
		if (accept(ps, read_things[i])) {
			rule->action = ACTION_RIGHT(RIGHT_READ_AUDIT + i);
			return true;
		}
	return false;
}

/* manage THING and the like, read audit, or VERB SUBJECT */
static bool parse_action(struct parser *ps, struct rule_node *rule)
{
	static const char *const verbs[] = {"read",   "write",  "search", "translate", "delete",
					    "manage", "record", "open",   "handle",    NULL};
	struct word verb = ps->now;
	unsigned choice;

	if (!take_choice(ps, "read, write, search, translate, delete, manage, record, open or handle", verbs, &choice))
		return false;
	if (choice >= VERB_COUNT) {
		const struct right_group *g = &right_groups[choice - VERB_COUNT];

		if (!take_choice(ps, g->what, g->things, &choice))
			return false;
		rule->action = ACTION_RIGHT(g->first + choice);
	} else if (choice != VERB_READ || !accept_right_to_read(ps, rule)) {
		rule->action = choice;
		if (!take_word(ps, "a field, a record kind, a class or *", &rule->subject))
			return false;
	}
	if (rule->kind != RULE_CAP || choice == VERB_READ)
		return true;
	complain(ps->complaints, &verb, "read", "a cap limits the form in which data is read, so its verb is read");
	return false;
}

/* as token, as masked, as masked(NAME), as plain */
static bool parse_form(struct parser *ps, struct rule_node *rule)
{
	static const char *const forms[] = {"token", "masked", "plain", NULL};
	struct word form;
	unsigned choice;

	if (!word_is(&ps->now, "as"))
		return true;
	if (rule->action != VERB_READ || rule->kind == RULE_DENY) {
		complain(ps->complaints, &ps->now, NULL,
			 rule->kind == RULE_DENY ? "a deny takes no form; a cap limits the form"
						 : "only read takes a form");
		return false;
	}
	advance(ps);
	form = ps->now;
	if (!take_choice(ps, "token, masked or plain", forms, &choice))
		return false;
	rule->form = form;
	if (!word_is(&form, "masked") || ps->now.kind != WORD_OPEN)
		return true;
	advance(ps);
	if (!take_word(ps, "the name of a mask", &rule->mask))
		return false;
	if (ps->now.kind != WORD_CLOSE)
		return unexpected(ps, "')'", NULL);
	advance(ps);
	return true;
}

static uint16_t states_where(unsigned bit, bool set)
{
	uint16_t states = 0;

	for (unsigned s = 0; s < STATES; s++)
		if (((s & bit) != 0) == set)
			states |= (uint16_t)(1u << s);
	return states;
}

/* One condition. An allow may only depend on what a customer grants, a deny or
 * cap only on what is missing or refused: so no withdrawal ever discloses more. */
static bool parse_condition(struct parser *ps, struct rule_node *rule)
{
	static const char *const words[] = {"consented", "basis", "objected", "restricted", "not", NULL};
	struct word at = ps->now;
	bool negated = accept(ps, "not");
	unsigned choice;
	bool grants;

	if (!take_choice(ps, "consented, basis, objected or restricted", negated ? state_words : words, &choice))
		return false;
	grants = (choice < 2) != negated;
	if (grants != (rule->kind == RULE_ALLOW)) {
		complain(ps->complaints, &at, NULL, "%s",
			 rule->kind == RULE_ALLOW
			     ? "an allow takes consented, basis, not objected, not restricted"
			     : "a deny or cap takes not consented, not basis, objected, restricted");
		return false;
	}
	rule->states |= states_where(1u << choice, !negated);
	return true;
}

static bool parse_when(struct parser *ps, struct rule_node *rule)
{
	rule->states = 0;
	do {
		if (!parse_condition(ps, rule))
			return false;
	} while (accept(ps, "or"));
	if (!word_is(&ps->now, "and"))
		return true;
	complain(ps->complaints, &ps->now, "or",
		 "conditions are joined with or; objection and restriction hold always");
	return false;
}

static bool parse_clauses(struct parser *ps, struct rule_node *rule)
{
	static const char *const clauses[] = {"as", "for", "when", "or", NULL};
	bool right = rule->action >= VERB_COUNT;

	rule->states = UINT16_MAX;
	if (!right) {
		if (!parse_form(ps, rule))
			return false;
		if (accept(ps, "for") && !take_list(ps, "a purpose", &rule->purposes))
			return false;
		if (accept(ps, "when") && !parse_when(ps, rule))
			return false;
	}
	if (!at_line_end(ps))
		return unexpected(
		    ps, right ? "the end of the line" : "the next of as, for, when (in this order) or the end",
		    right ? NULL : clauses);
	if (rule->kind == RULE_CAP && !rule->form.at)
		return unexpected(ps, "'as' with the form that the cap allows", NULL);
	if (rule->kind == RULE_CAP && word_is(&rule->form, "plain")) {
		complain(ps->complaints, &rule->form, NULL, "a cap at plain limits nothing");
		return false;
	}
	return true;
}

/* allow|deny|cap ROLE to ... */
static bool parse_rule(struct parser *ps, enum rule_kind kind, const struct word *start)
{
	struct rule_node *rule = arena_alloc(ps->arena, sizeof *rule);

	if (!rule) {
		ps->no_memory = true;
		return false;
	}
	rule->kind = kind;
	rule->start = *start;
	rule->at = start->at;
	if (!take_word(ps, "the name of a role", &rule->role) || !need(ps, "to") || !parse_action(ps, rule) ||
	    !parse_clauses(ps, rule))
		return false;
	rule->len = (size_t)(ps->last_end - rule->at);
	*ps->rule_tail = rule;
	ps->rule_tail = &rule->next;
	ps->tree->n_rules++;
	return true;
}

static bool parse_statement(struct parser *ps)
{
	static const char *const starts[] = {"allow", "deny", "cap", "role", NULL};
	struct word start = ps->now;
	unsigned choice;

	if (!take_choice(ps, "role, allow, deny or cap", starts, &choice))
		return false;
	return choice == 3 ? parse_role(ps) : parse_rule(ps, (enum rule_kind)choice, &start);
}

enum err parse(const char *text, size_t len, struct arena *a, struct tree *out, struct policy_complaints *c)
{
	struct parser ps = {.now = {.at = text}, .arena = a, .tree = out, .complaints = c};

	*out = (struct tree){0};
	ps.role_tail = &out->roles;
	ps.rule_tail = &out->rules;
	lex_init(&ps.lexer, text, len);
	advance(&ps);
	while (ps.now.kind != WORD_END && !ps.no_memory) {
		if (!at_line_end(&ps))
			(void)parse_statement(&ps); /* it has complained; the rest of the line is skipped */
		while (!at_line_end(&ps))
			advance(&ps);
		if (ps.now.line >= POLICY_LINES_MAX) {
			complain(c, &ps.now, NULL, "a policy has at most %u lines", POLICY_LINES_MAX);
			break;
		}
		if (ps.now.kind == WORD_NEWLINE)
			advance(&ps);
	}
	return ps.no_memory ? ERR_MEMORY : ERR_OK;
}
