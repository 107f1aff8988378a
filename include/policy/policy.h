/* policy.h: policy text in, verdict out. Pure: no I/O, no other floor but base.
 *
 * The language is in policy/LANGUAGE.md. Text is compiled against a world (the
 * dictionary's fields and record kinds, and the purposes) into an immutable
 * snapshot of bitmaps, which any thread may ask. Default deny; effective form =
 * min(max over allows, min over denies and caps). An error in evaluating a deny
 * denies; in an allow it allows nothing.
 *
 * Above all rules: STATE_RESTRICTED refuses read, search and translate for every
 * purpose but "rights" and "audit"; STATE_OBJECTED refuses all verbs but delete.
 * Consent is asked for only by rules that say "when consented". */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POLICY_MASKS_MAX 6      /* named masks a subject */
#define POLICY_SUBJECTS_MAX 256 /* fields and record kinds */
#define POLICY_PURPOSES_MAX 64
#define POLICY_ROLES_MAX 64
#define POLICY_PATTERNS_MAX 4096 /* SPIFFE IDs and patterns of all roles together */
#define POLICY_AUDIENCES_MAX 64
#define POLICY_RULES_MAX 1024   /* allow, deny, cap and manage statements in one text */

/* Forms in their total order: 0 deny, 1 token, 2.. the subject's named masks,
 * weakest first, then plain. FORM_MASK(0) is the weakest mask. */
#define FORM_DENY 0
#define FORM_TOKEN 1
#define FORM_MASK(i) (2 + (i))
#define FORM_PLAIN 15

/* A field or record kind as policy sees it. Position in the world's array is
 * its index; policy works on indexes, storage on numbers. */
struct policy_subject {
	const char *name;       /* "phone", "order" */
	const char *class_name; /* "contact"; text writes contact.phone or contact.* */
	bool record;            /* a record kind */
	size_t n_masks;
	const char *masks[POLICY_MASKS_MAX]; /* weakest first */
};

struct policy_world {
	const struct policy_subject *subjects;
	size_t n_subjects;
	const char *const *purposes;
	size_t n_purposes;
};

/* One complaint. near is "" or a word that may have been meant. */
struct policy_complaint {
	unsigned line, column; /* from 1 */
	char text[160];
	char near[64];
};
#define POLICY_COMPLAINTS_MAX 16
struct policy_complaints {
	size_t n; /* those kept; further ones are dropped */
	struct policy_complaint list[POLICY_COMPLAINTS_MAX];
};

struct policy;

/* Compiles; the result borrows nothing. ERR_POLICY_TEXT with complaints in the
 * order of the text (complaints may be NULL), ERR_MEMORY. *out is NULL on error. */
enum err policy_compile(const char *text, size_t len, const struct policy_world *world, struct policy **out,
                        struct policy_complaints *complaints) MUST_CHECK;
void policy_free(struct policy *p);

/* Names of the audiences that the text declares (a role that names none has
 * one of its role's own name). */
size_t policy_audiences(const struct policy *p);
const char *policy_audience_name(const struct policy *p, size_t i);
size_t policy_roles(const struct policy *p);
const char *policy_role_name(const struct policy *p, size_t i);

/* What policy binds an identity to. */
struct policy_identity {
	uint64_t roles;  /* bit i: role i; 0: a stranger, everything is denied */
	size_t audience; /* index into policy_audiences; meaningless when roles is 0 */
};
void policy_identify(const struct policy *p, const char *spiffe_id, struct policy_identity *out);

enum policy_verb { VERB_READ, VERB_WRITE, VERB_SEARCH, VERB_TRANSLATE, VERB_DELETE, VERB_COUNT };
enum policy_right {
	RIGHT_MANAGE_POLICY,
	RIGHT_MANAGE_DICTIONARY,
	RIGHT_MANAGE_KEYS,
	RIGHT_MANAGE_CALLERS,
	RIGHT_MANAGE_NOTICES,  /* privacy notices */
	RIGHT_READ_AUDIT,
	RIGHT_READ_CONSENTS,
	RIGHT_RECORD_CONSENTS, /* consents, lawful bases, objections */
	RIGHT_OPEN_REQUESTS,   /* rights requests: open one, follow and cancel one's own, fetch its export */
	RIGHT_HANDLE_REQUESTS, /* rights requests of all: verify, approve, deny, extend; holds */
	RIGHT_COUNT
};

/* The purpose state of a customer for one purpose, as it stands now. */
#define STATE_CONSENTED 1u
#define STATE_BASIS 2u /* a lawful basis other than consent is recorded */
#define STATE_OBJECTED 4u
#define STATE_RESTRICTED 8u

#define POLICY_VERDICT_RULES 8
struct policy_verdict {
	uint8_t form;        /* FORM_*; for verbs other than read: FORM_DENY or FORM_PLAIN */
	bool consent_missing; /* denied, and with STATE_CONSENTED it would not be */
	bool restricted;      /* denied, and without STATE_RESTRICTED it would not be */
	uint8_t n_rules;      /* rules that decided, at most POLICY_VERDICT_RULES; none where no rule did */
	uint16_t rules[POLICY_VERDICT_RULES]; /* line numbers in the text */
};

/* The question of the data path. subject and purpose are indexes into the world;
 * one outside of it, or state bits that are none, are denied. Allocates nothing. */
void policy_decide(const struct policy *p, const struct policy_identity *who, enum policy_verb verb, size_t subject,
                   size_t purpose, unsigned state, struct policy_verdict *out);
/* May the identity use this right at all? rules as above. */
bool policy_has_right(const struct policy *p, const struct policy_identity *who, enum policy_right right,
                      struct policy_verdict *out);

/* JSON that explains one question: {"identity","roles":[],"audience","form",
 * "reason","verb","subject","purpose","state":[],"rules":[{"line","text","effect",
 * "condition_met","decided"}]}, with each rule that is about it. reason is allowed,
 * no_role, no_rule, denied_by_rule, consent_missing, restricted, objected, or
 * unknown_question (then form is "deny" and nothing follows). */
void policy_explain(const struct policy *p, const char *spiffe_id, enum policy_verb verb, size_t subject,
                    size_t purpose, unsigned state, struct buf *json);
/* JSON array of what an identity may do: [{"verb","subject","form","purpose","when"}].
 * subject is "contact.phone"; form is null for verbs other than read; when is null,
 * "consented", "basis", "consented or basis" or "consented and basis". Rights are
 * {"verb":"manage","subject":"keys"} and {"verb":"read","subject":"audit"}, the rest null. */
void policy_rights_of(const struct policy *p, const struct policy_identity *who, struct buf *json);

/* Runs a .tests file (LANGUAGE.md); appends one line a failed expectation ("line 12:
 * expected masked(email), got deny if restricted") to report. ERR_POLICY_TEXT where a
 * line can't be read: it is reported, counts as neither, and the others still run. */
enum err policy_test(const struct policy *p, const char *tests, size_t len, struct buf *report, size_t *passed,
                     size_t *failed) MUST_CHECK;

#endif
