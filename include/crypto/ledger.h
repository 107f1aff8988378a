/* ledger.h: the ledger of erasures: a file outside the database, appended to before
 * an erasure is done, so that a restored database can be brought up to it.
 *
 * One line an entry, of fixed length, text so that people can read it:
 *   POSITION TIME CUSTOMER REQUEST HASH\n
 * decimal with 12 digits, RFC 3339, HMAC-SHA-256 of the customer id in hex, decimal with 19 digits, and
 * HMAC-SHA-256 (KEYRING_LEDGER) over the previous entry's hash and this line before HASH. Appended under
 * an exclusive lock and fsynced; a tail without its newline is what a crash left of an entry that nobody
 * has relied on, and is cut off by the next append. Any other damage is an error. Storage is to be
 * shared by all nodes. Owner and mode as of the keyring. */
#ifndef CRYPTO_LEDGER_H
#define CRYPTO_LEDGER_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define LEDGER_MAC_LEN 32

struct ledger_entry {
	int64_t position; /* from 1 */
	int64_t at_us;
	int64_t request;
	uint8_t customer[LEDGER_MAC_LEN];
	uint8_t hash[LEDGER_MAC_LEN]; /* of the ledger up to and with this entry */
};

/* The name of a customer in the ledger. */
enum err ledger_customer(const uint8_t key[static 32], int64_t customer, uint8_t out[static LEDGER_MAC_LEN]) MUST_CHECK;
/* Appends an entry for the customer, unless one is there already: that one is given then. A missing file is made. ERR_IO,
 * ERR_LEDGER (damaged) with a line in why. */
enum err ledger_append(const char *path, const uint8_t key[static 32], int64_t customer, int64_t request, int64_t at_us,
                       struct ledger_entry *out, struct buf *why) MUST_CHECK;
/* Reads and checks all entries, calling each (NULL: none); *count their number. A missing file has none. */
enum err ledger_read(const char *path, const uint8_t key[static 32], enum err (*each)(void *ctx, const struct ledger_entry *e),
                     void *ctx, int64_t *count, struct buf *why) MUST_CHECK;

#endif
