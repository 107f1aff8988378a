/* policy_int.h: what the files of the policy floor share: words, the tree, the snapshot. */
#ifndef POLICY_POLICY_INT_H
#define POLICY_POLICY_INT_H

#include "base/arena.h"
#include "policy/policy.h"

#define POLICY_NAME_MAX	 48		   /* bytes with NUL: [a-z][a-z0-9_]* */
#define POLICY_TEXT_MAX	 ((size_t)1 << 20) /* bytes of a text */
#define POLICY_LINES_MAX 65535u		   /* a verdict names lines in 16 bits */
#define SPIFFE_ID_MAX	 2048		   /* bytes */
#define NOT_FOUND	 SIZE_MAX

/* lex.c */

enum word_kind {
	WORD_TEXT, /* a run of printable characters without blank , ( ) # */
	WORD_COMMA,
	WORD_OPEN,
	WORD_CLOSE,
	WORD_BAD, /* one character that stands in no statement */
	WORD_NEWLINE,
	WORD_END
};

/* A piece of the text, borrowed from it. */
struct word {
	enum word_kind kind;
	const char *at;
	size_t len;
	unsigned line, column; /* from 1; columns count characters */
};

struct lexer {
	const char *at, *end;
	unsigned line, column;
};

void lex_init(struct lexer *x, const char *text, size_t len);
void lex_next(struct lexer *x, struct word *out);
bool word_is(const struct word *w, const char *text);
/* A name of a role or an audience: [a-z][a-z0-9_]{0,46} */
bool word_is_name(const struct word *w);

/* near.c */

/* The candidate that is nearest to a word, if any is near enough to have been meant. */
struct guess {
	const char *at;
	size_t len;
	unsigned distance;
	char best[64];
};

void guess_init(struct guess *g, const struct word *w);
void guess_offer(struct guess *g, const char *candidate);
/* For a list that ends in NULL. */
void guess_offer_all(struct guess *g, const char *const *candidates);

/* Adds a complaint at the word; near may be NULL. */
void complain(struct policy_complaints *c, const struct word *at, const char *near, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "no PURPOSE is called 'markting'"; near may be NULL. */
void complain_unknown(struct policy_complaints *c, const struct word *at, const char *near, const char *what);

/* parse.c: the tree. Words are not resolved yet, but for verbs and conditions. */

enum rule_kind { RULE_ALLOW, RULE_DENY, RULE_CAP };

/* Verbs and rights share one space, so that one bitmap a member serves both. */
#define ACTION_RIGHT(right) ((unsigned)VERB_COUNT + (unsigned)(right))
#define ACTION_COUNT	    ((unsigned)VERB_COUNT + (unsigned)RIGHT_COUNT)

struct words {
	struct word word;
	struct words *next;
};

struct role_node {
	struct word name;
	struct words *patterns;
	struct word audience; /* at is NULL: its own */
	struct role_node *next;
};

struct rule_node {
	enum rule_kind kind;
	const char *at; /* from the first word of the statement to its last */
	size_t len;
	struct word start;
	struct word role;
	unsigned action;     /* verb, or ACTION_RIGHT(right) */
	struct word subject; /* verbs only */
	struct word form;    /* at is NULL: none given */
	struct word mask;    /* of masked(mask); at is NULL: none given */
	struct words *purposes;
	uint16_t states; /* bit s: the conditions hold in state s */
	struct rule_node *next;
};

struct tree {
	struct role_node *roles;
	struct rule_node *rules;
	size_t n_roles, n_rules;
};

#define STATES 16u			/* of a customer's purpose: all sets of STATE_ bits */
extern const char *const state_words[]; /* consented basis objected restricted, by bit; NULL-ended */
extern const char *const verb_words[];	/* by enum policy_verb; NULL-ended */

/* Rights are two words, "manage keys": those of one first word follow each other in enum policy_right. */
struct right_group {
	const char *verb, *tested; /* "manage"; in tests "manages" */
	unsigned first;            /* enum policy_right */
	const char *what;          /* for a complaint */
	const char *const *things; /* NULL-ended */
};
extern const struct right_group right_groups[]; /* a NULL verb ends it */
/* The group of a right. */
const struct right_group *right_group_of(unsigned right);

/* ERR_MEMORY; what is wrong with the text goes to c and the rest is still read. */
enum err parse(const char *text, size_t len, struct arena *a, struct tree *out, struct policy_complaints *c) MUST_CHECK;
/* A SPIFFE ID with a path; wildcard: whose last segment may be "*". */
bool spiffe_id_valid(const char *at, size_t len, bool wildcard);

/* compile.c: the snapshot */

/* Levels are forms without the gap below plain: one bitmap a subject and level. */
#define LEVEL_PLAIN    (2 + POLICY_MASKS_MAX)
#define LEVELS	       (LEVEL_PLAIN + 1)
#define RULE_WORDS_MAX (POLICY_RULES_MAX / 64)
#define SUBJECT_WORDS  (POLICY_SUBJECTS_MAX / 64)

struct pattern {
	const char *text; /* without the "*" of a wildcard */
	size_t len;
	bool wildcard;
};

struct role {
	const char *name;
	size_t audience;
	size_t n_patterns;
	struct pattern *patterns;
	struct word at; /* line and column only: the text is gone */
};

struct rule {
	enum rule_kind kind;
	unsigned action;
	uint16_t line;
	uint16_t states;
	const char *text;
};

struct policy {
	struct arena arena; /* everything below */
	struct policy_subject *subjects;
	size_t n_subjects;
	const char **purposes;
	size_t n_purposes;
	uint64_t unrestricted; /* purposes that a restriction does not stop: rights and audit */
	struct role *roles;
	size_t n_roles;
	const char **audiences;
	size_t n_audiences;
	struct rule *rules;
	size_t n_rules;
	/* Bitmaps: bit r of a row is rule r; a row has rule_words words. */
	size_t rule_words;
	uint64_t *by_action;  /* ACTION_COUNT rows */
	uint64_t *by_purpose; /* n_purposes rows */
	uint64_t *by_state;   /* STATES rows */
	uint64_t *by_role;    /* n_roles rows */
	uint64_t *by_level;   /* n_subjects * LEVELS rows: rules that give or limit to that level */
	uint64_t *allows;     /* one row: rules that are an allow */
};

static inline void bit_set(uint64_t *row, size_t i)
{
	row[i / 64] |= (uint64_t)1 << (i % 64);
}

static inline bool bit_get(const uint64_t *row, size_t i)
{
	return row[i / 64] >> (i % 64) & 1;
}

static inline uint8_t form_of_level(unsigned level)
{
	return (uint8_t)(level == LEVEL_PLAIN ? FORM_PLAIN : level);
}

static inline unsigned level_of_form(unsigned form)
{
	return form == FORM_PLAIN ? LEVEL_PLAIN : form;
}

/* names.c: words to indexes. */
size_t find_word(const char *const *names, size_t n, const struct word *w);
size_t find_role(const struct policy *p, const struct word *w);
size_t find_purpose(const struct policy *p, const struct word *w);
/* The subject that a word such as contact.phone names. */
size_t find_subject(const struct policy *p, const struct word *w);
size_t find_mask(const struct policy_subject *s, const struct word *w);
/* The words that may have been meant. */
void guess_role(const struct policy *p, struct guess *g);
void guess_purpose(const struct policy *p, struct guess *g);
void guess_subject(const struct policy *p, const struct word *w, struct guess *g, bool classes);

/* roles.c: patterns of identities. */
bool pattern_matches(const struct pattern *pattern, const char *id, size_t len);
/* Complains of roles that one identity could hold together and must not. */
void check_overlaps(const struct policy *p, struct policy_complaints *c);

/* eval.c */

/* The level at which a rule covers a subject; false where it does not cover it. */
bool rule_level(const struct policy *p, size_t rule, size_t subject, unsigned *level);
/* Rules of the identity's roles for this action and purpose, whatever the state. */
void rules_of(const struct policy *p, uint64_t roles, unsigned action, size_t purpose,
	      uint64_t m[static RULE_WORDS_MAX]);
/* Does the law that stands above all rules refuse? */
bool restriction_refuses(const struct policy *p, enum policy_verb verb, size_t purpose, unsigned state);
bool objection_refuses(enum policy_verb verb, unsigned state);

/* explain.c */

#define FORM_TEXT_MAX (POLICY_NAME_MAX + 16)
/* "deny", "token", "masked(email)", "plain" */
void form_text(const struct policy *p, size_t subject, unsigned form, char out[static FORM_TEXT_MAX]);

#endif
