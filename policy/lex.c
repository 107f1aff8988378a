/* lex.c: policy text to words. Knows blanks, comments and line ends, and no
 * language: test files are read with it too. Borrows from the text, never fails. */
#include "policy/policy_int.h"

#include <string.h>

void lex_init(struct lexer *x, const char *text, size_t len)
{
	*x = (struct lexer){.at = text, .end = text + len, .line = 1, .column = 1};
	/* What some editors put before the first letter. */
	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		x->at += 3;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static bool is_text(char c)
{
	return c > ' ' && c < 0x7f && c != ',' && c != '(' && c != ')' && c != '#';
}

static bool continues_character(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static void skip_blanks_and_comment(struct lexer *x)
{
	while (x->at < x->end && is_blank(*x->at)) {
		x->at++;
		x->column++;
	}
	if (x->at < x->end && *x->at == '#')
		while (x->at < x->end && *x->at != '\n')
			x->at++;
}

static enum word_kind kind_of(char c)
{
	switch (c) {
	case ',': return WORD_COMMA;
	case '(': return WORD_OPEN;
	case ')': return WORD_CLOSE;
	case '\n': return WORD_NEWLINE;
	default: return is_text(c) ? WORD_TEXT : WORD_BAD;
	}
}

void lex_next(struct lexer *x, struct word *out)
{
	skip_blanks_and_comment(x);
	*out = (struct word){.kind = WORD_END, .at = x->at, .line = x->line, .column = x->column};
	if (x->at == x->end)
		return;
	out->kind = kind_of(*x->at);
	do {
		x->at++;
	} while (x->at < x->end && ((out->kind == WORD_TEXT && is_text(*x->at)) ||
				    (out->kind == WORD_BAD && continues_character(*x->at))));
	out->len = (size_t)(x->at - out->at);
	if (out->kind == WORD_NEWLINE) {
		x->line++;
		x->column = 1;
	} else {
		x->column += out->kind == WORD_TEXT ? (unsigned)out->len : 1;
	}
}

bool word_is(const struct word *w, const char *text)
{
	return w->kind == WORD_TEXT && w->len == strlen(text) && memcmp(w->at, text, w->len) == 0;
}

bool word_is_name(const struct word *w)
{
	if (w->kind != WORD_TEXT || w->len == 0 || w->len >= POLICY_NAME_MAX || w->at[0] < 'a' || w->at[0] > 'z')
		return false;
	for (size_t i = 1; i < w->len; i++) {
		char c = w->at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_')
			return false;
	}
	return true;
}
