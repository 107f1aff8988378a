/* compile.c: tree and world to the snapshot: names become indexes, rules
 * become bits. All errors of meaning are found here. */
#include "policy/policy_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct compiler {
	struct policy *p;
	struct policy_complaints *c;
};

static uint64_t *new_rows(struct policy *p, size_t n)
{
	return arena_array(&p->arena, n * p->rule_words, sizeof(uint64_t));
}

static const char *copy_text(struct policy *p, const char *text)
{
	return arena_copy(&p->arena, text, strlen(text));
}

static bool name_fits(const char *name)
{
	return name && name[0] && strlen(name) < POLICY_NAME_MAX;
}

static bool world_fits(const struct policy_world *w)
{
	if (w->n_subjects > POLICY_SUBJECTS_MAX || w->n_purposes > POLICY_PURPOSES_MAX)
		return false;
	for (size_t i = 0; i < w->n_purposes; i++)
		if (!name_fits(w->purposes[i]))
			return false;
	for (size_t i = 0; i < w->n_subjects; i++) {
		const struct policy_subject *s = &w->subjects[i];

		if (!name_fits(s->name) || !name_fits(s->class_name) || s->n_masks > POLICY_MASKS_MAX)
			return false;
		for (size_t m = 0; m < s->n_masks; m++)
			if (!name_fits(s->masks[m]))
				return false;
	}
	return true;
}

static bool copy_subject(struct policy *p, const struct policy_subject *from, struct policy_subject *to)
{
	*to = *from;
	to->name = copy_text(p, from->name);
	to->class_name = copy_text(p, from->class_name);
	for (size_t m = 0; m < from->n_masks; m++) {
		to->masks[m] = copy_text(p, from->masks[m]);
		if (!to->masks[m])
			return false;
	}
	return to->name && to->class_name;
}

static enum err copy_world(struct policy *p, const struct policy_world *w)
{
	p->n_subjects = w->n_subjects;
	p->n_purposes = w->n_purposes;
	p->subjects = arena_array(&p->arena, w->n_subjects, sizeof *p->subjects);
	p->purposes = arena_array(&p->arena, w->n_purposes, sizeof *p->purposes);
	if (!p->subjects || !p->purposes)
		return ERR_MEMORY;
	for (size_t i = 0; i < w->n_subjects; i++)
		if (!copy_subject(p, &w->subjects[i], &p->subjects[i]))
			return ERR_MEMORY;
	for (size_t i = 0; i < w->n_purposes; i++) {
		p->purposes[i] = copy_text(p, w->purposes[i]);
		if (!p->purposes[i])
			return ERR_MEMORY;
		if (strcmp(p->purposes[i], "rights") == 0 || strcmp(p->purposes[i], "audit") == 0)
			p->unrestricted |= (uint64_t)1 << i;
	}
	return ERR_OK;
}

/* The index of an audience by name; new names are added. NOT_FOUND: no memory. */
static size_t audience_of(struct policy *p, const struct word *name)
{
	size_t i = find_word(p->audiences, p->n_audiences, name);

	if (i != NOT_FOUND)
		return i;
	p->audiences[p->n_audiences] = arena_copy(&p->arena, name->at, name->len);
	return p->audiences[p->n_audiences] ? p->n_audiences++ : NOT_FOUND;
}

static size_t count_words(const struct words *list)
{
	size_t n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

static enum err compile_patterns(struct policy *p, struct role *role, const struct words *list)
{
	const size_t n = count_words(list);

	role->patterns = arena_array(&p->arena, n, sizeof *role->patterns);
	if (!role->patterns)
		return ERR_MEMORY;
	for (const struct words *w = list; w; w = w->next) {
		struct pattern *pattern = &role->patterns[role->n_patterns++];

		pattern->wildcard = w->word.at[w->word.len - 1] == '*';
		pattern->len = w->word.len - (pattern->wildcard ? 1 : 0);
		pattern->text = arena_copy(&p->arena, w->word.at, pattern->len);
		if (!pattern->text)
			return ERR_MEMORY;
	}
	return ERR_OK;
}

static enum err compile_roles(struct compiler *k, const struct tree *tree)
{
	struct policy *p = k->p;
	size_t patterns = 0;

	p->roles = arena_array(&p->arena, POLICY_ROLES_MAX, sizeof *p->roles);
	p->audiences = arena_array(&p->arena, POLICY_AUDIENCES_MAX, sizeof *p->audiences);
	if (!p->roles || !p->audiences)
		return ERR_MEMORY;
	for (const struct role_node *node = tree->roles; node; node = node->next) {
		struct role *role = &p->roles[p->n_roles];
		size_t earlier = find_role(p, &node->name);

		if (earlier != NOT_FOUND) {
			complain(k->c, &node->name, NULL, "role %s is declared already on line %u",
				 p->roles[earlier].name, p->roles[earlier].at.line);
			continue;
		}
		if (p->n_roles == POLICY_ROLES_MAX) {
			complain(k->c, &node->name, NULL, "a policy has at most %d roles", POLICY_ROLES_MAX);
			return ERR_OK;
		}
		patterns += count_words(node->patterns);
		if (patterns > POLICY_PATTERNS_MAX) {
			complain(k->c, &node->name, NULL, "the roles of a policy name at most %d identities; with this role there are %zu",
				 POLICY_PATTERNS_MAX, patterns);
			return ERR_OK;
		}
		role->at = (struct word){.line = node->name.line, .column = node->name.column};
		role->name = arena_copy(&p->arena, node->name.at, node->name.len);
		role->audience = audience_of(p, node->audience.at ? &node->audience : &node->name);
		if (!role->name || role->audience == NOT_FOUND || compile_patterns(p, role, node->patterns) != ERR_OK)
			return ERR_MEMORY;
		p->n_roles++;
	}
	return ERR_OK;
}

static void compile_rule_role(struct compiler *k, const struct rule_node *node, size_t rule)
{
	struct policy *p = k->p;
	size_t r = find_role(p, &node->role);
	struct guess g;

	if (word_is(&node->role, "*")) {
		if (node->kind == RULE_ALLOW)
			complain(k->c, &node->role, NULL, "an allow names one role; only deny and cap may say *");
		for (r = 0; r < p->n_roles; r++)
			bit_set(p->by_role + r * p->rule_words, rule);
	} else if (r != NOT_FOUND) {
		bit_set(p->by_role + r * p->rule_words, rule);
	} else {
		guess_init(&g, &node->role);
		guess_role(p, &g);
		complain_unknown(k->c, &node->role, g.best, "role");
	}
}

static void compile_purposes(struct compiler *k, const struct rule_node *node, size_t rule)
{
	struct policy *p = k->p;

	for (size_t i = 0; !node->purposes && i < p->n_purposes; i++)
		bit_set(p->by_purpose + i * p->rule_words, rule);
	for (const struct words *w = node->purposes; w; w = w->next) {
		size_t i = find_purpose(p, &w->word);
		struct guess g;

		if (i != NOT_FOUND) {
			bit_set(p->by_purpose + i * p->rule_words, rule);
			continue;
		}
		guess_init(&g, &w->word);
		guess_purpose(p, &g);
		complain_unknown(k->c, &w->word, g.best, "purpose");
	}
}

/* The subjects that a word covers: *, class.*, class, class.name. False after a complaint. */
static bool subject_set(struct compiler *k, const struct word *w, uint64_t set[static SUBJECT_WORDS])
{
	const struct policy *p = k->p;
	struct word class_word = *w;
	size_t one = find_subject(p, w);
	bool all = word_is(w, "*"), any = all;
	struct guess g;

	memset(set, 0, SUBJECT_WORDS * sizeof *set);
	if (one != NOT_FOUND) {
		bit_set(set, one);
		return true;
	}
	if (w->len > 2 && memcmp(w->at + w->len - 2, ".*", 2) == 0)
		class_word.len -= 2;
	for (size_t i = 0; i < p->n_subjects; i++)
		if (all || word_is(&class_word, p->subjects[i].class_name)) {
			bit_set(set, i);
			any = true;
		}
	if (any)
		return true;
	guess_init(&g, &class_word);
	guess_subject(p, &class_word, &g, true);
	complain_unknown(k->c, w, g.best,
			 memchr(class_word.at, '.', class_word.len) ? "field or record kind" : "class");
	return false;
}

/* The level of a rule for one subject. What a subject has no mask for gives its
 * token, the next form below; fits tells whether it had one. */
static unsigned level_for(const struct rule_node *node, const struct policy_subject *s, bool *fits)
{
	size_t mask;

	*fits = true;
	if (node->kind == RULE_DENY)
		return FORM_DENY;
	if (node->action != VERB_READ || word_is(&node->form, "plain"))
		return LEVEL_PLAIN;
	if (!node->form.at || word_is(&node->form, "token"))
		return FORM_TOKEN;
	mask = node->mask.at ? find_mask(s, &node->mask) : s->n_masks - 1;
	*fits = s->n_masks > 0 && mask != NOT_FOUND;
	return *fits ? FORM_MASK((unsigned)mask) : FORM_TOKEN;
}

/* None of the subjects has the mask that the rule names. */
static void complain_mask(struct compiler *k, const struct rule_node *node, const uint64_t *set)
{
	const struct policy *p = k->p;
	struct guess g;

	if (!node->mask.at) {
		complain(k->c, &node->form, "token", "%.*s has no mask", (int)node->subject.len, node->subject.at);
		return;
	}
	guess_init(&g, &node->mask);
	for (size_t i = 0; i < p->n_subjects; i++)
		for (size_t m = 0; bit_get(set, i) && m < p->subjects[i].n_masks; m++)
			guess_offer(&g, p->subjects[i].masks[m]);
	complain(k->c, &node->mask, g.best, "%.*s has no mask called '%.*s'", (int)node->subject.len, node->subject.at,
		 (int)(node->mask.len < POLICY_NAME_MAX ? node->mask.len : POLICY_NAME_MAX), node->mask.at);
}

static void compile_subjects(struct compiler *k, const struct rule_node *node, size_t rule)
{
	struct policy *p = k->p;
	uint64_t set[SUBJECT_WORDS];
	bool any = false, fits;

	if (!subject_set(k, &node->subject, set))
		return;
	for (size_t i = 0; i < p->n_subjects; i++)
		if (bit_get(set, i)) {
			unsigned level = level_for(node, &p->subjects[i], &fits);

			bit_set(p->by_level + (i * LEVELS + level) * p->rule_words, rule);
			any |= fits;
		}
	if (!any && node->form.at && p->n_subjects > 0)
		complain_mask(k, node, set);
}

static enum err compile_rule(struct compiler *k, const struct rule_node *node)
{
	struct policy *p = k->p;
	size_t i = p->n_rules++;
	struct rule *rule = &p->rules[i];

	*rule = (struct rule){.kind = node->kind,
			      .action = node->action,
			      .line = (uint16_t)node->start.line,
			      .states = node->states,
			      .text = arena_copy(&p->arena, node->at, node->len)};
	if (!rule->text)
		return ERR_MEMORY;
	bit_set(p->by_action + node->action * p->rule_words, i);
	for (unsigned s = 0; s < STATES; s++)
		if (node->states >> s & 1)
			bit_set(p->by_state + s * p->rule_words, i);
	if (node->kind == RULE_ALLOW)
		bit_set(p->allows, i);
	compile_rule_role(k, node, i);
	if (node->action < VERB_COUNT) {
		compile_purposes(k, node, i);
		compile_subjects(k, node, i);
	}
	return ERR_OK;
}

static enum err compile_rules(struct compiler *k, const struct tree *tree)
{
	struct policy *p = k->p;
	enum err e = ERR_OK;

	if (tree->n_rules > POLICY_RULES_MAX) {
		complain(k->c, &tree->rules->start, NULL, "a policy has at most %d rules; this has %zu",
			 POLICY_RULES_MAX, tree->n_rules);
		return ERR_OK;
	}
	p->rule_words = (tree->n_rules + 63) / 64;
	p->rules = arena_array(&p->arena, tree->n_rules, sizeof *p->rules);
	p->by_action = new_rows(p, ACTION_COUNT);
	p->by_purpose = new_rows(p, p->n_purposes);
	p->by_state = new_rows(p, STATES);
	p->by_role = new_rows(p, p->n_roles);
	p->by_level = new_rows(p, p->n_subjects * LEVELS);
	p->allows = new_rows(p, 1);
	if (!p->rules || !p->by_action || !p->by_purpose || !p->by_state || !p->by_role || !p->by_level || !p->allows)
		return ERR_MEMORY;
	for (const struct rule_node *node = tree->rules; node && e == ERR_OK; node = node->next)
		e = compile_rule(k, node);
	if (e == ERR_OK)
		check_overlaps(p, k->c);
	return e;
}

static int by_place(const void *a, const void *b)
{
	const struct policy_complaint *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

/* The tree lives in an arena of its own, which ends with the compilation. */
static enum err compile_text(struct compiler *k, const char *text, size_t len)
{
	struct arena scratch;
	struct tree tree;
	enum err e;

	arena_init(&scratch, 0);
	e = parse(text, len, &scratch, &tree, k->c);
	if (e == ERR_OK)
		e = compile_roles(k, &tree);
	if (e == ERR_OK)
		e = compile_rules(k, &tree);
	arena_fini(&scratch);
	return e;
}

enum err policy_compile(const char *text, size_t len, const struct policy_world *world, struct policy **out,
			struct policy_complaints *complaints)
{
	static const struct word start = {.line = 1, .column = 1};
	struct policy_complaints unread = {0};
	struct compiler k = {.c = complaints ? complaints : &unread};
	enum err e;

	*out = NULL;
	k.c->n = 0;
	k.p = calloc(1, sizeof *k.p);
	if (!k.p)
		return ERR_MEMORY;
	arena_init(&k.p->arena, 0);
	if (!world_fits(world)) {
		complain(k.c, &start, NULL,
			 "the dictionary has more fields, purposes or masks, or longer names, than policy takes");
		e = ERR_OK;
	} else if (len > POLICY_TEXT_MAX) {
		complain(k.c, &start, NULL, "a policy text has at most %zu bytes", POLICY_TEXT_MAX);
		e = ERR_OK;
	} else {
		e = copy_world(k.p, world);
		if (e == ERR_OK)
			e = compile_text(&k, len ? text : "", len);
	}
	if (e == ERR_OK && k.c->n > 0) {
		qsort(k.c->list, k.c->n, sizeof *k.c->list, by_place);
		e = ERR_POLICY_TEXT;
	}
	if (e == ERR_OK) {
		*out = k.p;
		k.p = NULL;
	}
	policy_free(k.p);
	return e;
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	arena_fini(&p->arena);
	free(p);
}

size_t policy_audiences(const struct policy *p)
{
	return p->n_audiences;
}

const char *policy_audience_name(const struct policy *p, size_t i)
{
	return i < p->n_audiences ? p->audiences[i] : "";
}

size_t policy_roles(const struct policy *p)
{
	return p->n_roles;
}

const char *policy_role_name(const struct policy *p, size_t i)
{
	return i < p->n_roles ? p->roles[i].name : "";
}
