/* hold.h: legal holds: what of a customer must not be erased now. */
#ifndef APP_HOLD_H
#define APP_HOLD_H

#include "vault/app/rights_scope.h"

/* What is held of the customer now, all holds in force together. *any: there is one. */
enum err holds_of(struct db *db, const struct snapshot *s, int64_t customer, int64_t now_us, struct rights_scope *held, bool *any) MUST_CHECK;

#endif
