/* hold.h: legal holds: what of a customer must not be erased now. */
#ifndef APP_HOLD_H
#define APP_HOLD_H

#include "vault/app/rights_scope.h"

/* What is held of the customer now, all holds in force together. *any: there is one. */
enum err holds_of(struct db *db, const struct snapshot *s, int64_t customer, int64_t now_us, struct rights_scope *held, bool *any) MUST_CHECK;
/* Does a hold forbid to delete this field or record kind now? ERR_HELD for who may read consents or handle requests;
 * ERR_POLICY_DENIED for all others, who may not know. Only in a solo batch. */
enum err hold_allows(struct req *r, struct batch *b, int64_t customer, size_t subject) MUST_CHECK;

#endif
