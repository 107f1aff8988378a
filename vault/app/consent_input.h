/* consent_input.h: consents as callers give them, checked against the purpose and
 * the notice in force, into events. */
#ifndef APP_CONSENT_INPUT_H
#define APP_CONSENT_INPUT_H

#include "vault/app/consent_state.h"

struct consent_input {
	struct consent_event event; /* texts in the request's arena */
	bool guardian; /* one is named: a customer under 14 needs one (PIPL 31) */
};

/* A consent object for the purpose (index in the snapshot); at: the JSON pointer of the
 * object. {"decision":"given"|"refused","notice_version","channel","method","language",
 * "given_at","valid_until","evidence","guardian","separate","written"}. ERR_MALFORMED,
 * ERR_CONSENT, ERR_UNKNOWN_NOTICE with pointer. */
enum err consent_parse(struct req *r, const struct node *n, size_t purpose, const char *at, struct consent_input *out) MUST_CHECK;
/* An object of purposes to consents, "consents" of a new customer: in the request's arena. */
enum err consents_parse(struct req *r, const struct node *n, const char *at, struct consent_input **out, size_t *count) MUST_CHECK;
/* An event that is a word and a few facts: withdrawal, basis, objection, restriction.
 * channel, method, basis: NULL: not said. */
enum err consent_plain_event(struct req *r, enum consent_kind kind, uint16_t purpose, const char *basis, struct consent_event *out) MUST_CHECK;

/* Is the customer a child by a birth date that is stored? (It is small: it stands in the row.) */
enum err consent_customer_minor(struct batch *b, const struct snapshot *s, struct customer *c, bool *minor) MUST_CHECK;
/* Is a person born on this date (stored JSON text of a birth_date) younger than 14 at that time? */
bool consent_minor(const char *text, size_t len, int64_t now_us);

#endif
