/* values.h: what the operations on customers share: fields from a body, values
 * into a reply, and the decision in between. */
#ifndef APP_VALUES_H
#define APP_VALUES_H

#include "base/json.h"
#include "vault/app/audit_record.h"
#include "vault/app/customer.h"

#define FIELDS_MAX 64 /* a request's fields of one customer */

/* The form asked for: "token", "masked", "plain" or "best" (as much as policy gives). */
struct asked {
	const char *name;
	uint8_t cap; /* FORM_TOKEN, FORM_MASK(0) for masked, FORM_PLAIN */
};
/* ERR_BAD_PARAMETER for another word. NULL: fallback. */
enum err asked_parse(struct req *r, const char *text, const char *fallback, struct asked *out) MUST_CHECK;

/* A body's "fields" object into changes, ascending by number, in the request's
 * arena. removal: null removes a field, else it is an error. at: the JSON pointer
 * before the field's name. */
struct field_changes {
	struct change *list;
	uint16_t *subjects; /* index in the snapshot, beside each change */
	size_t n;
};
enum err changes_parse(struct req *r, const struct node *fields, bool removal, const char *at, struct field_changes *out) MUST_CHECK;
/* Adds the external reference of the caller's audience as one more change (the
 * highest number, so it goes last). */
enum err changes_add_ref(struct req *r, struct field_changes *c, const char *ref, size_t len) MUST_CHECK;
/* Asks for the old values that these changes replace, where they are large: their index entries hang on them.
 * true: something is to be read first. */
bool changes_want_old(const struct field_changes *c, struct batch *b, const struct customer *customer);
/* May the caller write each? Without fields: may it write some field? (An external reference is the caller's own.)
 * state: the customer's, 0 for a new one. ERR_POLICY_DENIED with pointer. */
enum err changes_allowed(struct req *r, const struct field_changes *c, unsigned state) MUST_CHECK;

/* May the caller write any field at all for its purpose? */
bool may_write_some_field(const struct req *r, unsigned state);

/* One field's decision. */
struct given {
	uint16_t subject;
	uint8_t form;
	enum err code; /* why, where form is deny */
};
void value_decide(const struct req *r, uint16_t subject, const struct asked *asked, unsigned state, struct given *out,
                  struct policy_verdict *verdict);
/* {"token":..., "form":..., "value":...} of a field that the customer has; the
 * token only where policy lets the caller have one. */
enum err value_render(struct batch *b, const struct req *r, struct customer *c, const struct given *g, bool with_token, struct buf *out) MUST_CHECK;
/* After the round that has read large values: false where this one is of another
 * version than its row, because the customer was written in between. Then answer
 * STEP_AGAIN. A third time it is no coincidence: true, and the value does not open. */
bool value_fits(const struct req *r, struct batch *b, const struct customer *c, const struct unit *u);
/* The state bits of the request's purpose. */
unsigned value_state(const struct req *r, const struct batch *b, const struct customer *c);
/* {"error":{"code":...}} or the like: members code (the public one) and, where given, pointer. */
void error_member(struct json *j, enum err e, const char *pointer);

/* A path's customer token, decoded (plan) and opened (want): asks the batch for
 * the row; an unknown one asks for a row that does not exist, so that both cost alike. */
struct target {
	struct token_text text;
	int64_t id; /* 0: it does not open */
	uint16_t generation;
	bool lock;
};
enum err target_parse(struct req *r, const char *text, struct target *out) MUST_CHECK;
void target_want(struct req *r, struct batch *b, struct target *t, bool lock);
/* The opened customer; ERR_NOT_FOUND also where the generation is an older one. */
enum err target_open(struct batch *b, const struct target *t, struct customer **out) MUST_CHECK;
/* For one asked for with lock: false while its lock has not been taken yet (answer STEP_MORE). */
bool target_locked(struct batch *b, const struct target *t);

/* Idempotency-Key (24 h an identity). */
enum replay { REPLAY_NONE, REPLAY_FOUND, REPLAY_REFUSED };
/* In want: asks for what is stored under the key; false: another request of this batch has it. */
bool idempotency_want(struct req *r, struct batch *b);
/* In decide: FOUND gives the ids kept; REFUSED has failed the request. */
enum replay idempotency_look(struct req *r, struct batch *b, int32_t *status, const uint8_t **result, size_t *len);
enum err idempotency_keep(struct req *r, struct batch *b, int32_t status, const void *result, size_t len) MUST_CHECK;

#endif
