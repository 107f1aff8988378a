/* rights_scope.h: what a rights request or a hold is about: canonical text for
 * people and hashes, and a set for the code. */
#ifndef APP_RIGHTS_SCOPE_H
#define APP_RIGHTS_SCOPE_H

#include "app/snapshot.h"
#include "vault/app/req_int.h"

struct rights_scope {
	bool all; /* {}: the whole customer */
	bool subjects[POLICY_SUBJECTS_MAX]; /* fields and record kinds, by index in the snapshot */
	uint64_t purposes; /* bit by number - 1 */
};

/* Body member "scope" ({"fields","classes","records","purposes"}, names) to canonical text in the arena. NULL: {}. */
enum err scope_parse(struct req *r, const struct node *n, const char *at, const char **canonical) MUST_CHECK;
/* Canonical text to a set. A name that is gone is left out. */
enum err scope_load(const struct snapshot *s, const char *canonical, struct rights_scope *out) MUST_CHECK;
bool scope_has(const struct rights_scope *s, size_t subject);
/* Joins two: what either is about. */
void scope_add(struct rights_scope *to, const struct rights_scope *more);

#endif
