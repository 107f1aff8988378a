/* near.c: complaints, and the near word that may have been meant. */
#include "policy/policy_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORD_SHOWN 60 /* characters of a word that a complaint repeats */

void guess_init(struct guess *g, const struct word *w)
{
	/* One letter, and one more in every four, may be wrong; candidates must be below distance. */
	*g = (struct guess){.at = w->at, .len = w->len, .distance = 2 + (unsigned)(w->len / 4)};
}

static char lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c + ('a' - 'A'));
	return c == '-' ? '_' : c;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Edit distance in which two neighbours that changed places count once. Case,
 * and - for _, cost nothing. Both words are shorter than 64 characters. */
static unsigned distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	unsigned rows[3][65];
	unsigned *older = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		above[j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *spare = older;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			char x = lower(a[i - 1]), y = lower(b[j - 1]);

			row[j] = least(least(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == lower(b[j - 2]) && lower(a[i - 2]) == y)
				row[j] = least(row[j], older[j - 2] + 1);
		}
		older = above;
		above = row;
		row = spare;
	}
	return above[b_len];
}

void guess_offer(struct guess *g, const char *candidate)
{
	size_t len = strlen(candidate);
	unsigned d;

	if (g->len >= sizeof g->best || len >= sizeof g->best)
		return;
	/* A right word in the wrong place is not its own correction. */
	if (len == g->len && memcmp(g->at, candidate, len) == 0)
		return;
	d = distance(g->at, g->len, candidate, len);
	/* All letters changed is another word, however short it is. */
	if (d >= g->distance || (d && d >= len))
		return;
	g->distance = d;
	memcpy(g->best, candidate, len + 1);
}

void guess_offer_all(struct guess *g, const char *const *candidates)
{
	for (size_t i = 0; candidates[i]; i++)
		guess_offer(g, candidates[i]);
}

void complain(struct policy_complaints *c, const struct word *at, const char *near, const char *format, ...)
{
	struct policy_complaint *one;
	va_list args;

	if (c->n == POLICY_COMPLAINTS_MAX)
		return;
	one = &c->list[c->n++];
	*one = (struct policy_complaint){.line = at->line, .column = at->column};
	va_start(args, format);
	(void)vsnprintf(one->text, sizeof one->text, format, args); /* cut where it is too long */
	va_end(args);
	if (near)
		(void)snprintf(one->near, sizeof one->near, "%s", near);
}

void complain_unknown(struct policy_complaints *c, const struct word *at, const char *near, const char *what)
{
	int shown = (int)(at->len < WORD_SHOWN ? at->len : WORD_SHOWN);

	if (at->kind == WORD_NEWLINE || at->kind == WORD_END)
		complain(c, at, near, "the line ends where the name of a %s should stand", what);
	else
		complain(c, at, near, "no %s is called '%.*s'", what, shown, at->at);
}
