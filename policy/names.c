/* names.c: words of the text to indexes of the snapshot, and guesses. */
#include "policy/policy_int.h"

#include <stdio.h>
#include <string.h>

size_t find_word(const char *const *names, size_t n, const struct word *w)
{
	for (size_t i = 0; i < n; i++)
		if (word_is(w, names[i]))
			return i;
	return NOT_FOUND;
}

size_t find_role(const struct policy *p, const struct word *w)
{
	for (size_t i = 0; i < p->n_roles; i++)
		if (word_is(w, p->roles[i].name))
			return i;
	return NOT_FOUND;
}

size_t find_purpose(const struct policy *p, const struct word *w)
{
	return find_word(p->purposes, p->n_purposes, w);
}

size_t find_subject(const struct policy *p, const struct word *w)
{
	for (size_t i = 0; i < p->n_subjects; i++) {
		const struct policy_subject *s = &p->subjects[i];
		size_t class_len = strlen(s->class_name);

		if (w->kind == WORD_TEXT && w->len == class_len + 1 + strlen(s->name) && w->at[class_len] == '.' &&
		    memcmp(w->at, s->class_name, class_len) == 0 &&
		    memcmp(w->at + class_len + 1, s->name, w->len - class_len - 1) == 0)
			return i;
	}
	return NOT_FOUND;
}

size_t find_mask(const struct policy_subject *s, const struct word *w)
{
	return find_word(s->masks, s->n_masks, w);
}

void guess_role(const struct policy *p, struct guess *g)
{
	for (size_t i = 0; i < p->n_roles; i++)
		guess_offer(g, p->roles[i].name);
}

void guess_purpose(const struct policy *p, struct guess *g)
{
	for (size_t i = 0; i < p->n_purposes; i++)
		guess_offer(g, p->purposes[i]);
}

void guess_subject(const struct policy *p, const struct word *w, struct guess *g, bool classes)
{
	char full[2 * POLICY_NAME_MAX];

	for (size_t i = 0; i < p->n_subjects; i++) {
		const struct policy_subject *s = &p->subjects[i];

		(void)snprintf(full, sizeof full, "%s.%s", s->class_name, s->name);
		/* The name without its class is what people forget most. */
		if (word_is(w, s->name) && strlen(full) < sizeof g->best) {
			g->distance = 0;
			memcpy(g->best, full, strlen(full) + 1);
			return;
		}
		guess_offer(g, full);
		if (classes)
			guess_offer(g, s->class_name);
	}
}
