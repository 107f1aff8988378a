/* manage.h: what the operations on configuration share: rights, the order of a
 * change, and refusals that say more than a code. */
#ifndef APP_MANAGE_H
#define APP_MANAGE_H

#include "base/json.h"
#include "vault/app/audit_record.h"

/* ERR_POLICY_DENIED, in r->err too, where the caller lacks the right. */
enum err manage_right(struct req *r, enum policy_right right) MUST_CHECK;
enum err manage_either(struct req *r, enum policy_right one, enum policy_right other) MUST_CHECK;

/* A change goes: look at everything under the snapshot, then manage_claim, write, manage_done.
 * manage_claim's answer other than STEP_DONE is the operation's. STEP_AGAIN: another change was
 * committed since the snapshot, so all must be decided anew. */
enum step manage_claim(struct req *r, struct batch *b);
/* Records the change of "kind:name", to bind on all nodes before it is acknowledged. */
enum step manage_done(struct req *r, struct batch *b, const char *kind, const char *name);
/* Records an act that changes no configuration. */
enum step manage_note(struct req *r, struct batch *b, const char *kind, const char *name);

/* Refuses with a problem document that has more members: detail (NULL: none) and what
 * json holds after its own ("complaints" and the like). None may hold a value. */
void manage_problem(struct req *r, enum err e, const char *detail, struct json *j);
enum step manage_refused(struct req *r, struct batch *b, enum err e, struct json *j);
enum step manage_refuse(struct req *r, struct batch *b, enum err e, const char *detail);

/* A string member of an object: NULL and r->err (ERR_MALFORMED, with pointer) where it is
 * absent, no string, or longer than most. Borrowed from the document. */
const char *manage_text(struct req *r, const struct node *object, const char *key, size_t most);

/* {"line","column","text","near"} each, as the array "complaints". */
void manage_complaints(struct json *j, const struct policy_complaints *c);

#endif
