/* erasure.h: the ledger of erasures against the database. */
#ifndef APP_ERASURE_H
#define APP_ERASURE_H

#include "base/config.h"
#include "crypto/keyring.h"
#include "db/connection.h"

/* Do the ledger and the database agree? An entry that the database lacks is well where its request is being
 * carried out. ERR_LEDGER with a line in why: nothing may be served. */
enum err erasure_agrees(const struct config *c, const struct keyring *k, struct db *db, struct buf *why) MUST_CHECK;

#endif
