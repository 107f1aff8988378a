/* replay.h: the ledger of erasures against a restored database. */
#ifndef CTL_REPLAY_H
#define CTL_REPLAY_H

#include "base/config.h"
#include "crypto/keyring.h"
#include "crypto/ledger.h"
#include "db/connection.h"

#include <stdbool.h>

struct replay {
	struct keyring *keyring;
	struct ledger_entry *entries; /* by customer */
	size_t n, cap;
	int64_t looked_at, erased; /* customers, by replay_run */
};

/* Opens the keyring and reads and checks the whole ledger. p is to be zeroed before and closed after in any case. ERR_IO,
 * ERR_KEYRING, ERR_LEDGER with a line in why. */
enum err replay_open(struct replay *p, const struct config *c, struct buf *why) MUST_CHECK;
/* Frees; the figures stay. Before secret_stop. */
void replay_close(struct replay *p);
/* Is this the ledger that had that hash at that position, or a later one? Position 0: every one is. */
bool replay_continues(const struct replay *p, int64_t position, const uint8_t hash[static LEDGER_MAC_LEN]);
/* In the caller's transaction: erases all whom the ledger names, and enters what it has into the list of erasures. */
enum err replay_run(struct replay *p, struct db *db) MUST_CHECK;

#endif
