/* rights_scope.h: what a rights request or a hold is about: canonical text for
 * people and hashes, and a set for the code. */
#ifndef APP_RIGHTS_SCOPE_H
#define APP_RIGHTS_SCOPE_H

#include "app/snapshot.h"
#include "vault/app/req_int.h"
#include "vault/app/rights_job.h"

struct rights_scope {
	bool all; /* {}: the whole customer */
	bool subjects[POLICY_SUBJECTS_MAX]; /* fields and record kinds, by index in the snapshot */
	uint64_t purposes; /* bit by number - 1 */
};

/* What a scope is for. A purpose means itself where a purpose is restricted or objected to. Where data is erased or held
 * it means data too, and that is written into the canonical text, so that people see it and hashes are bound to it:
 * for an erasure what policy lets only these purposes use, for a hold all that policy lets them use. */
enum scope_use { SCOPE_DATA, SCOPE_PURPOSES, SCOPE_OBJECTION, SCOPE_ERASURE, SCOPE_HOLD };
enum scope_use scope_use_of(enum rights_kind kind);

/* Body member "scope" ({"fields","classes","records","purposes"}, names) to canonical text in the arena. NULL: {}, the
 * whole customer; a list that is there and empty is refused, or it would mean everything. SCOPE_PURPOSES takes purposes
 * only, and SCOPE_OBJECTION at least one. */
enum err scope_parse(struct req *r, const struct node *n, enum scope_use use, const char *at, const char **canonical) MUST_CHECK;
/* Canonical text to a set. A name that is gone is left out. */
enum err scope_load(const struct snapshot *s, const char *canonical, struct rights_scope *out) MUST_CHECK;
bool scope_has(const struct rights_scope *s, size_t subject);
/* Joins two: what either is about. */
void scope_add(struct rights_scope *to, const struct rights_scope *more);

#endif
